//! Files of weights: round trips, the reference implementation, other networks, broken and hostile files.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use autograd::{Params, Role};
use foreign_text::Foreign;
use nn::weights::{self, Archive, WeightsError};
use nn::{BatchNorm2d, Conv2d, Linear, Sequential};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use safetensors::tensor::{Dtype, TensorView};

fn net() -> Sequential {
    Sequential::new().add(Conv2d::new(2, 3, 3)).add(BatchNorm2d::new(3)).add(Linear::new(3, 2))
}

/// A temporary folder and a path in it.
fn place(name: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    (dir, path)
}

fn message(result: Result<(), WeightsError>, path: &Path) -> String {
    result.unwrap_err().to_string().replace(path.to_str().unwrap(), "FILE")
}

/// Any small set of parameters: names with dots, shapes of any rank, all bit patterns.
fn any_params() -> impl Strategy<Value = Params> {
    let entry = ("[a-z0-9.\"é]{1,12}", prop::collection::vec(0_usize..4, 0..=6));
    prop::collection::vec(entry, 0..6).prop_flat_map(|entries| {
        let mut params = Params::new();
        for (name, shape) in entries {
            if params.find(&name).is_none() {
                params.add(name, shape.as_slice(), Role::Trainable);
            }
        }
        prop::collection::vec(any::<u32>(), params.values().len()).prop_map(move |bits| {
            let mut params = params.clone();
            params.values_mut().iter_mut().zip(bits).for_each(|(value, bits)| *value = f32::from_bits(bits));
            params
        })
    })
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn what_is_saved_is_loaded(params in any_params(), note in ".*") {
        let (_dir, path) = place("model.safetensors");
        weights::save(&path, &params, &[("note", &note), ("empty", "")]).unwrap();
        let mut other = params.clone();
        other.values_mut().fill(7.0);
        weights::load(&path, &mut other).unwrap();
        prop_assert_eq!(bits(params.values()), bits(other.values()));
        let archive = Archive::open(&path).unwrap();
        prop_assert_eq!(archive.metadata("note").unwrap(), Some(note));
        prop_assert_eq!(archive.metadata("format").unwrap(), Some("pt".to_owned()));
        prop_assert_eq!(archive.metadata("absent").unwrap(), None);
    }

    #[test]
    fn the_reference_implementation_reads_our_files(params in any_params()) {
        let (_dir, path) = place("model.safetensors");
        weights::save(&path, &params, &[("epoch", "3")]).unwrap();
        let bytes = fs::read(&path).unwrap();
        let read = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        prop_assert_eq!(read.len(), params.entries().len());
        for entry in params.entries() {
            let tensor = read.tensor(&entry.name).unwrap();
            prop_assert_eq!(tensor.dtype(), Dtype::F32);
            prop_assert_eq!(tensor.shape(), entry.shape.dims());
            let expected: Vec<u8> = params.values()[entry.range.clone()].iter().flat_map(|v| v.to_le_bytes()).collect();
            prop_assert_eq!(tensor.data(), expected);
        }
    }

    #[test]
    fn we_read_the_files_of_the_reference_implementation(params in any_params()) {
        let (_dir, path) = place("model.safetensors");
        let bytes: Vec<Vec<u8>> = params.entries().iter()
            .map(|entry| params.values()[entry.range.clone()].iter().flat_map(|v| v.to_le_bytes()).collect())
            .collect();
        let views = params.entries().iter().zip(&bytes).map(|(entry, bytes)| {
            (entry.name.clone(), TensorView::new(Dtype::F32, entry.shape.to_vec(), bytes).unwrap())
        });
        let metadata = HashMap::from([("a".to_owned(), "b".to_owned())]);
        safetensors::serialize_to_file(views, Some(metadata), &path).unwrap();
        let mut other = params.clone();
        other.values_mut().fill(7.0);
        weights::load(&path, &mut other).unwrap();
        prop_assert_eq!(bits(params.values()), bits(other.values()));
    }
}

/// Whatever a file holds, reading it ends in an error or in values, and an error changes nothing.
#[test]
fn of_ten_thousand_mutations_none_panics_and_no_error_changes_anything() {
    let (_dir, path) = place("model.safetensors");
    let (_net, params) = nn::build(net(), 0);
    weights::save(&path, &params, &[("note", "mutate me")]).unwrap();
    let whole = fs::read(&path).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut below = |n: usize| rng.next_u64() as usize % n;
    let mut other = params.clone();
    let mut n_errors = 0;
    for _ in 0..10_000 {
        let mut bytes = whole.clone();
        for _ in 0..1 + below(4) {
            // Three in four within the header, where it matters.
            let at = if below(4) == 0 { below(bytes.len()) } else { below(bytes.len().min(700)) };
            match below(4) {
                0 => bytes[at] = below(256) as u8,
                1 => bytes[at] ^= 1 << below(8),
                2 => drop(bytes.drain(at..(at + below(20)).min(bytes.len()))),
                _ => bytes.insert(at, b"0123456789[]{},:\"\\"[below(18)]),
            }
        }
        // A new file each time: to overwrite one costs some file systems a wait for the disk.
        fs::remove_file(&path).unwrap();
        fs::write(&path, &bytes).unwrap();
        other.values_mut().fill(7.0);
        if weights::load(&path, &mut other).is_err() {
            n_errors += 1;
            assert!(other.values().iter().all(|&value| value == 7.0));
        }
    }
    assert!((8000..10_000).contains(&n_errors), "{n_errors} of 10,000 were errors");
}

#[test]
fn every_truncation_is_an_error() {
    let (_dir, path) = place("model.safetensors");
    let (_net, mut params) = nn::build(Linear::new(3, 2), 0);
    weights::save(&path, &params, &[]).unwrap();
    let bytes = fs::read(&path).unwrap();
    for len in 0..bytes.len() {
        fs::write(&path, &bytes[..len]).unwrap();
        assert!(weights::load(&path, &mut params).is_err(), "cut to {len} bytes of {}", bytes.len());
    }
}

#[test]
fn the_same_weights_make_the_same_bytes() {
    let (_net, params) = nn::build(net(), 0);
    let saved = || {
        let (_dir, path) = place("model.safetensors");
        weights::save(&path, &params, &[("b", "2"), ("a", "1"), ("c", "3")]).unwrap();
        fs::read(path).unwrap()
    };
    let first = saved();
    assert!((0..10).all(|_| saved() == first));
}

#[test]
fn a_file_of_another_network_tells_all_differences_at_once() {
    let (_dir, path) = place("model.safetensors");
    let (_net, other) = nn::build(net(), 0);
    weights::save(&path, &other, &[]).unwrap();
    let model = Sequential::new().add(Conv2d::new(2, 4, 3)).add(Linear::new(3, 2)).add(Linear::new(3, 2));
    let (_net, mut params) = nn::build(model, 0);
    let before = params.values().to_vec();
    insta::assert_snapshot!(message(weights::load(&path, &mut params), &path), @r"
    FILE does not fit this network:
      not in the network: 1.running_mean [3]; 1.running_var [3]
      with a different shape: 0.weight [3, 2, 3, 3], in the network [4, 2, 3, 3]; 0.bias [3], in the network [4]; 1.weight [3], in the network [2, 3]; 1.bias [3], in the network [2]
    ");
    assert_eq!(params.values(), before);
}

#[test]
fn a_long_list_of_differences_is_cut() {
    let (_dir, path) = place("model.safetensors");
    let names: Vec<String> = (0..1000).map(|i| format!("x{i:03}")).collect();
    let tensors = names.iter().map(|name| (name.as_str(), tensor::Shape::new(&[1]), &[0.0_f32][..]));
    fs::write(&path, weights::encode(tensors, &[])).unwrap();
    let text = message(weights::load(&path, &mut Params::new()), &path);
    assert!(text.ends_with("x019 [1]; and 980 more"), "{text}");
}

/// A file with one tensor of the given type.
fn typed(path: &Path, dtype: Dtype, shape: Vec<usize>, data: &[u8]) {
    let view = TensorView::new(dtype, shape, data).unwrap();
    safetensors::serialize_to_file([("w", view)], None, path).unwrap();
}

#[test]
fn other_floats_are_converted() {
    let (_dir, path) = place("model.safetensors");
    let mut params = Params::new();
    let w = params.add("w", [6], Role::Trainable);
    let numbers = [1.5_f32, -0.25, 65504.0, 0.0, f32::INFINITY, 6.0e-8];
    let f64_bytes: Vec<u8> = numbers.iter().flat_map(|&v| f64::from(v).to_le_bytes()).collect();
    typed(&path, Dtype::F64, vec![6], &f64_bytes);
    weights::load(&path, &mut params).unwrap();
    assert_eq!(params.value(w), numbers);

    // 2⁻²⁴ is the smallest F16 there is.
    let f16_bytes: Vec<u8> =
        [0x3e00_u16, 0xb400, 0x7bff, 0x0000, 0x7c00, 0x0001].iter().flat_map(|v| v.to_le_bytes()).collect();
    typed(&path, Dtype::F16, vec![6], &f16_bytes);
    weights::load(&path, &mut params).unwrap();
    assert_eq!(params.value(w), [1.5, -0.25, 65504.0, 0.0, f32::INFINITY, 2_f32.powi(-24)]);

    let bf16_bytes: Vec<u8> =
        [0x3fc0_u16, 0xbe80, 0x7f80, 0x8000, 0x3f80, 0x7fc0].iter().flat_map(|v| v.to_le_bytes()).collect();
    typed(&path, Dtype::BF16, vec![6], &bf16_bytes);
    weights::load(&path, &mut params).unwrap();
    assert_eq!(params.value(w)[..5], [1.5, -0.25, f32::INFINITY, -0.0, 1.0]);
    assert!(params.value(w)[5].is_nan());
}

#[test]
fn other_types_are_refused_by_name_where_the_network_needs_them() {
    let (_dir, path) = place("model.safetensors");
    let mut params = Params::new();
    params.add("w", [1], Role::Trainable);
    for (dtype, n_bytes) in [(Dtype::I32, 4), (Dtype::F8_E4M3, 1), (Dtype::C64, 8)] {
        typed(&path, dtype, vec![1], &vec![0; n_bytes]);
        let text = message(weights::load(&path, &mut params), &path);
        let expected = "with a type other than F32, F64, F16 or BF16: w";
        assert_eq!(text, format!("FILE does not fit this network:\n  {expected} {dtype:?}"));
    }
}

/// Writes a header as it stands, and `n_bytes` zeros.
fn raw(path: &Path, header: &str, n_bytes: usize) {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.resize(bytes.len() + n_bytes, 0);
    fs::write(path, bytes).unwrap();
}

#[test]
fn hostile_headers_are_refused_with_a_reason() {
    let (_dir, path) = place("model.safetensors");
    let tensor = |shape: &str, start: u64, end: u64| {
        format!(r#"{{"dtype":"F32","shape":{shape},"data_offsets":[{start},{end}]}}"#)
    };
    let one = tensor("[1]", 0, 4);
    let headers = [
        String::new(),
        "[]".to_owned(),
        "{".to_owned(),
        "\u{0}".to_owned(),
        "[".repeat(100_000),
        format!(r#"{{"a":{one},"a":{}}}"#, tensor("[1]", 4, 8)),
        format!(r#"{{"a":{one},"b":{one}}}"#),
        format!(r#"{{"a":{}}}"#, tensor("[2]", 0, 4)),
        format!(r#"{{"a":{}}}"#, tensor("[1]", 8, 4)),
        format!(r#"{{"a":{}}}"#, tensor("[1]", 4, 8)),
        format!(r#"{{"a":{}}}"#, tensor("[1,1,1,1,1,1,2]", 0, 4)),
        format!(r#"{{"a":{}}}"#, tensor(&"[1]".replace('1', &["1"; 30].join(",")), 0, 8)),
        format!(r#"{{"a":{}}}"#, tensor("[[1]]", 0, 4)),
        format!(r#"{{"a":{}}}"#, tensor(r#"["1"]"#, 0, 4)),
        format!(r#"{{"a":{}}}"#, tensor("[-1]", 0, 4)),
        format!(r#"{{"a":{}}}"#, tensor("[4294967295,4294967295,4294967295]", 0, 4)),
        format!(r#"{{"a":{}}}"#, tensor("[0,4294967295,4294967295,4294967295]", 0, 0)),
        format!(r#"{{"a":{}}}"#, tensor("[1]", 0, u64::MAX)),
        format!(r#"{{"a":{}}}"#, tensor("[3]", 0, 12)),
        format!(r#"{{"a":{}}}"#, one.replace("dtype", "type")),
        format!(r#"{{"a":{}}}"#, one.replace("[0,4]", "[0,4,8]")),
        format!(r#"{{"a":{}}}"#, one.replace(r#""dtype""#, r#""dtype":"U8","dtype""#)),
        r#"{"a":[1]}"#.to_owned(),
        format!(r#"{{"\u001b[2J\u202e{}":{}}}"#, "n".repeat(300), tensor("[2]", 0, 4)),
    ];
    let reasons: Vec<String> = headers
        .iter()
        .map(|header| {
            raw(&path, header, 8);
            let shown: String = header.chars().take(80).collect();
            format!("{shown:?}\n    {}", message(Archive::open(&path).map(drop), &path))
        })
        .collect();
    insta::assert_snapshot!(reasons.join("\n"));
}

/// What a network does not need must not keep it from what it needs: any type, any rank, any name.
#[test]
fn what_cannot_be_read_is_listed_and_passed_over() {
    let (_dir, path) = place("model.safetensors");
    let (_net, mut params) = nn::build(Linear::new(3, 2), 0);
    let needed = r#""weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"bias":{"dtype":"F32","shape":[2],"data_offsets":[24,32]}"#;
    let types = [
        "BOOL",
        "F4",
        "F6_E2M3",
        "F6_E3M2",
        "U8",
        "I8",
        "F8_E5M2",
        "F8_E4M3",
        "F8_E8M0",
        "F8_E4M3FNUZ",
        "F8_E5M2FNUZ",
        "I16",
        "U16",
        "I32",
        "U32",
        "C64",
        "I64",
        "U64",
        "whatever comes",
        "",
    ];
    let long = "n".repeat(100_000);
    let more = |name: &str, dtype: &str, shape: &str| {
        format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[32,40]}}"#)
    };
    let mut cases: Vec<(String, String)> =
        types.map(|dtype| (more("scale", dtype, "[1]"), format!("scale [1] {dtype}"))).into();
    cases.extend([
        (more("deep", "F32", "[1,1,1,1,1,1,2]"), "deep [1, 1, 1, 1, 1, 1, 2]".into()),
        (more("wide", "U8", "[4294967296,4294967296]"), "wide [4294967296, 4294967296] U8".into()),
        (more(&long, "F32", "[ 1, 2 ]"), format!("{} [1, 2]", Foreign::new(&long))),
        (more("s", &long, "[]"), format!("s [] {}", Foreign::new(&long))),
        (more("\\u001b[2J\\n\u{202e}", "F64", "[1]"), r"\u{1b}[2J\n\u{202e} [1] F64".into()),
    ]);
    for (more, shown) in cases {
        for metadata in ["null", "{}", r#"{"a":null}"#, r#"{"a":[{"b":1}]}"#, "[1]"] {
            raw(&path, &format!(r#"  {{"__metadata__":{metadata},{more},{needed}}}  "#), 40);
            let archive = Archive::open(&path).unwrap();
            assert_eq!(archive.tensors().len(), 3);
            archive.read("weight", &mut [0.0; 6]).unwrap();
            assert_eq!(archive.metadata("b").unwrap_or_default(), None);
        }
        let text = message(weights::load(&path, &mut params), &path);
        assert_eq!(text, format!("FILE does not fit this network:\n  not in the network: {shown}"));
    }
    raw(&path, r#"{"__metadata__":{"a":1}}"#, 0);
    let text = message(Archive::open(&path).unwrap().metadata("a").map(drop), &path);
    assert_eq!(text, r#"FILE is not a valid safetensors file: its metadata are broken: "a" is not a string"#);
}

/// Every type that the reference implementation can write.
#[test]
fn the_types_of_the_reference_implementation_are_listed_by_its_names() {
    use Dtype::*;
    let (_dir, path) = place("model.safetensors");
    let types = [
        BOOL,
        F4,
        F6_E2M3,
        F6_E3M2,
        U8,
        I8,
        F8_E5M2,
        F8_E4M3,
        F8_E8M0,
        F8_E4M3FNUZ,
        F8_E5M2FNUZ,
        I16,
        U16,
        F16,
        BF16,
        I32,
        U32,
        F32,
        C64,
        F64,
        I64,
        U64,
    ];
    for dtype in types {
        typed(&path, dtype, vec![2, 4], &vec![0; dtype.bitsize()]);
        let archive = Archive::open(&path).unwrap();
        let tensor = archive.tensor("w").unwrap();
        assert_eq!((tensor.dtype(), tensor.shape().unwrap().dims()), (&*format!("{dtype:?}"), &[2, 4][..]));
        assert_eq!(tensor.is_float(), [F16, BF16, F32, F64].contains(&dtype));
    }
}

#[test]
fn a_file_in_memory_is_read_like_one_on_the_disk() {
    let (_net, params) = nn::build(net(), 0);
    let entries = params.entries().iter();
    let bytes = weights::encode(
        entries.map(|e| (&*e.name, e.shape, &params.values()[e.range.clone()])),
        &[("a", "b")],
    );
    let cut = bytes[..bytes.len() - 1].to_vec();
    let archive = Archive::from_bytes("net.safetensors", bytes).unwrap();
    let (_net, mut other) = nn::build(net(), 1);
    archive.load_into(&mut other).unwrap();
    assert_eq!(params.values(), other.values());
    assert_eq!(archive.metadata("a").unwrap().as_deref(), Some("b"));
    let text = Archive::from_bytes("net.safetensors", cut).unwrap_err().to_string();
    assert!(text.starts_with("net.safetensors is not a valid safetensors file: "), "{text}");
    let included: &'static [u8; 4] = b"four";
    assert!(Archive::from_bytes("included", included).is_err());
}

#[test]
fn what_is_no_file_is_refused() {
    let (dir, path) = place("model.safetensors");
    assert!(message(Archive::open(&path).map(drop), &path).starts_with("cannot read FILE: "));
    let text = message(Archive::open(dir.path()).map(drop), dir.path());
    assert_eq!(text, "FILE is not a valid safetensors file: it is a directory");
    fs::write(&path, [255; 64]).unwrap();
    insta::assert_snapshot!(message(Archive::open(&path).map(drop), &path), @"FILE is not a valid safetensors file: it claims a header of 18446744073709551615 bytes, and 56 bytes follow");
}

#[test]
fn a_failed_save_leaves_the_old_file_and_nothing_beside_it() {
    let (dir, path) = place("model.safetensors");
    let (_net, params) = nn::build(net(), 0);
    // A folder stands where the file should go: the renaming fails, after the writing.
    fs::create_dir(&path).unwrap();
    assert!(message(weights::save(&path, &params, &[]), &path).starts_with("cannot write FILE: "));
    assert!(path.is_dir());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    let nowhere = dir.path().join("absent").join("model.safetensors");
    assert!(weights::save(&nowhere, &params, &[]).is_err());
}

#[test]
fn batch_counts_of_pytorch_are_passed_over() {
    let (_dir, path) = place("model.safetensors");
    let count = 5_i64.to_le_bytes();
    let weight: Vec<u8> = [1.0_f32, 2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let views = [
        ("1.num_batches_tracked", TensorView::new(Dtype::I64, vec![], &count).unwrap()),
        ("w", TensorView::new(Dtype::F32, vec![2], &weight).unwrap()),
    ];
    safetensors::serialize_to_file(views, None, &path).unwrap();
    let mut params = Params::new();
    let w = params.add("w", [2], Role::Trainable);
    weights::load(&path, &mut params).unwrap();
    assert_eq!(params.value(w), [1.0, 2.0]);
}
