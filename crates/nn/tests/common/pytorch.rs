//! What PyTorch recorded, and numbers compared with it.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// A file beside the scripts that record.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pytorch").join(name)
}

/// What a script recorded.
pub(crate) fn recorded(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path(name)).unwrap()).unwrap()
}

pub(crate) fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

#[track_caller]
pub(crate) fn assert_close(what: &str, found: &[f32], expected: &[f32], rtol: f32, atol: f32) {
    assert_eq!(found.len(), expected.len(), "{what}: how many numbers there are");
    for (i, (x, y)) in found.iter().zip(expected).enumerate() {
        let bound = atol + rtol * y.abs();
        assert!(
            (x - y).abs() <= bound,
            "{what}, number {i}: {x}, PyTorch has {y}; they differ by more than {bound:e}"
        );
    }
}
