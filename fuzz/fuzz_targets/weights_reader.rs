//! The reader of safetensors files and of checkpoints: any bytes are tensors that lie within the file, or an
//! error; and what the checkpoint reader takes, it writes and takes again.
//!
//! An input is a byte that chooses, then the bytes of the file (0); or its header up to the first zero byte and
//! its tensors behind that (1); with the right sum put into a checkpoint's place for it (2 and more, and for the bytes
//! of the file 255).

#![no_main]

use std::fs;
use std::sync::LazyLock;

use descent::checkpoint::Checkpoint;
use libfuzzer_sys::fuzz_target;
use nn::weights::{self, Archive};
use nn::{Linear, Sequential};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().expect("a folder"));

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else { return };
    let file = file(choice, bytes);
    let path = FOLDER.path().join("weights");
    fs::write(&path, &file).expect("room");
    if let Ok(archive) = Archive::open(&path) {
        for tensor in archive.tensors() {
            let (Some(shape), true) = (tensor.shape(), tensor.is_float()) else { continue };
            assert!(2 * shape.numel() <= file.len(), "a tensor that is longer than its file");
            archive.read(tensor.name(), &mut vec![0.0; shape.numel()]).expect("it lies within the file");
        }
        let _ = archive.metadata("format");
    }
    let (_net, mut params) = nn::build(Sequential::new().add(Linear::new(2, 1)), 0);
    let before = params.values().to_vec();
    if weights::load(&path, &mut params).is_err() {
        assert_eq!(params.values(), before, "an error changed the weights");
    }
    if let Ok(checkpoint) = Checkpoint::read(&path) {
        fs::write(&path, checkpoint.encode()).expect("room");
        let again = Checkpoint::read(&path).expect("it was just written");
        assert!(again.encode() == checkpoint.encode());
    }
});

fn file(choice: u8, bytes: &[u8]) -> Vec<u8> {
    let mut file = if matches!(choice, 0 | u8::MAX) {
        bytes.to_vec()
    } else {
        let mut parts = bytes.splitn(2, |&byte| byte == 0);
        let (header, tensors) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        [&(header.len() as u64).to_le_bytes(), header, tensors].concat()
    };
    if choice > 1 {
        put_sum_right(&mut file);
    }
    file
}

/// Puts the sum of the file, with zeros in its place, where a checkpoint has it.
fn put_sum_right(file: &mut [u8]) {
    const FIELD: &[u8] = b"\"sha256\":\"";
    let Some(at) = file.windows(FIELD.len()).position(|window| window == FIELD) else { return };
    let at = at + FIELD.len();
    if file.get(at + 64) != Some(&b'"') {
        return;
    }
    file[at..at + 64].fill(b'0');
    let sum: String = Sha256::digest(&*file).iter().map(|byte| format!("{byte:02x}")).collect();
    file[at..at + 64].copy_from_slice(sum.as_bytes());
}
