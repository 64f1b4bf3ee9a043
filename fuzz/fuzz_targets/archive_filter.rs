//! The archive filter of `fetch-cifar`: whatever the archive, only published files of the published lengths
//! come out, and nothing lands beside their folder.
//!
//! An input is a byte that chooses, then the bytes of the archive (0), or of the tar within it (1), whose headers get
//! the right checksums (2 and more): else hardly any damage to a header would get past them.

#![no_main]

use std::fs;
use std::io::Write;
use std::path::Path;

use data::{Published, PublishedFile};
use flate2::{Compression, write::GzEncoder};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;
use xtask::fetch::archive::unpack;

const PUBLISHED: Published = Published {
    name: "the fuzzed set",
    url: "",
    archive_md5: Some(""),
    folder: "set",
    files: &[
        PublishedFile { name: "a.bin", len: 3, sha256: "" },
        PublishedFile { name: "b.bin", len: 600, sha256: "" },
    ],
};

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else { return };
    let parent = TempDir::new().expect("a folder");
    let dest = parent.path().join("dest");
    fs::create_dir(&dest).expect("room");
    let unpacked = match choice {
        0 => unpack(bytes, &PUBLISHED, &dest),
        1 => unpack(&gzip(bytes)[..], &PUBLISHED, &dest),
        _ => unpack(&gzip(&with_right_checksums(bytes))[..], &PUBLISHED, &dest),
    };
    assert_eq!(names(parent.path()), ["dest"]);
    let names = names(&dest);
    assert!(names.iter().all(|name| PUBLISHED.files.iter().any(|file| file.name == name)), "{names:?}");
    if unpacked.is_ok() {
        for file in PUBLISHED.files {
            let found = fs::symlink_metadata(dest.join(file.name)).expect("all are there");
            assert!(found.is_file() && found.len() == file.len);
        }
    }
});

/// The length of a header, and of the blocks that follow it.
const BLOCK_LEN: usize = 512;

/// A tar whose headers have the sum of their bytes, that of their field for it taken as blanks.
fn with_right_checksums(tar: &[u8]) -> Vec<u8> {
    let mut tar = tar.to_vec();
    let mut at = 0;
    while let Some(header) = tar.get_mut(at..at + BLOCK_LEN) {
        // Two empty blocks end a tar.
        if header.iter().any(|&byte| byte != 0) {
            header[148..156].fill(b' ');
            let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
            header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        // Twelve octal digits: less than 2^36.
        let digits = header[124..136].iter().filter(|byte| (b'0'..b'8').contains(byte));
        let size = digits.fold(0, |size, &digit| 8 * size + usize::from(digit - b'0'));
        at += BLOCK_LEN + size.next_multiple_of(BLOCK_LEN);
    }
    tar
}

fn gzip(tar: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(tar).expect("room");
    encoder.finish().expect("room")
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("it is there");
    entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect()
}
