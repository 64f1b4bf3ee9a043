//! The file that torchvision's ResNet-18 writes, rebuilt to the byte: it is too large to be kept. What PyTorch computes
//! with it is recorded by `nn/tests/pytorch/record_models.py`.

#[path = "../../../nn/tests/common/mod.rs"]
mod common;
#[path = "../../../nn/tests/common/models.rs"]
mod fill;

use std::path::Path;

use autograd::{Mode, Params, Tape};
use nn::Layer;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The network with its thousand classes and the weights of the file, for the images of the record.
pub(crate) fn network() -> (nn::Sequential, Params) {
    let (net, mut params) = nn::build(nn::models::resnet18_imagenet([64, 64, 3], 1000), 0);
    fill::fill(&mut params);
    let head = params.find("fc.weight").unwrap();
    params.value_mut(head).iter_mut().for_each(|w| *w /= 32.0);
    (net, params)
}

/// The file: after the header the numbers of batches, then everything else, each in the order of the names.
///
/// # Panics
/// When it is not the one that torchvision wrote.
pub(crate) fn file() -> Vec<u8> {
    let (_, params) = network();
    let mut tensors = Vec::new();
    for entry in params.entries() {
        let bytes: Vec<u8> =
            params.values()[entry.range.clone()].iter().flat_map(|x| x.to_le_bytes()).collect();
        tensors.push((1, entry.name.clone(), "F32", entry.shape.dims().to_vec(), bytes));
        if let Some(norm) = entry.name.strip_suffix("running_var") {
            tensors.push((0, format!("{norm}num_batches_tracked"), "I64", Vec::new(), vec![0; 8]));
        }
    }
    tensors.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let mut data = Vec::<u8>::new();
    let described = tensors.iter().map(|(_, name, dtype, shape, bytes)| {
        let begin = data.len();
        data.extend(bytes);
        let shape = serde_json::to_string(shape).unwrap();
        format!(
            "\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":[{begin},{}]}}",
            data.len()
        )
    });
    let mut header = format!("{{{}}}", described.collect::<Vec<_>>().join(","));
    header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(data);
    let sha256: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
    let recorded = recorded();
    assert_eq!(
        (file.len() as u64, &*sha256),
        (recorded["n_bytes"].as_u64().unwrap(), recorded["sha256"].as_str().unwrap())
    );
    file
}

/// Fails unless the first ten logits of both recorded images are PyTorch's. The largest of all is 1.5.
pub(crate) fn assert_logits(net: &nn::Sequential, params: &Params) {
    let mut params = params.clone();
    let mut tape = Tape::new();
    let g = tape.begin(&mut params, Mode::eval());
    let x = g.input([2, 64, 64, 3], &common::uniform(50, 2 * 64 * 64 * 3));
    let logits = g.value(net.forward(&g, x)).chunks(1000).flat_map(|row| row[..10].to_vec());
    let recorded = recorded();
    let theirs = recorded["logits"].as_array().unwrap();
    assert_eq!(theirs.len(), 20);
    for (ours, theirs) in logits.zip(theirs) {
        let theirs = theirs.as_f64().unwrap();
        assert!((f64::from(ours) - theirs).abs() <= 1e-4, "{ours}, PyTorch has {theirs}");
    }
}

fn recorded() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../nn/tests/pytorch/resnet18_file.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}
