//! How much memory reading a file takes, whatever the file says, and a step whose layers are recomputed. In a
//! binary of its own, because the allocator counts for all.

use std::env;
use std::fs;
use std::path::Path;

use autograd::{Mode, Params, Tape};
use counting::Allocator;
use nn::weights::{self, Archive};
use nn::{Layer, Linear, TransformerEncoder, TransformerEncoderLayer};
use optim::average::{Ema, Lookahead};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator::new();

/// Writes a header, and zeros for the tensors.
fn write(path: &Path, header: &str, n_bytes: usize) {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.resize(bytes.len() + n_bytes, 0);
    fs::write(path, bytes).unwrap();
}

/// One test, because the allocator counts what all threads hold.
#[test]
fn files_and_recomputed_layers_take_no_more_than_they_may() {
    hostile_headers_take_no_more();
    damaged_files_take_no_more_either();
    a_large_file_is_written_and_read_piece_by_piece();
    an_average_is_written_to_loaded_weights_without_gradients();
    a_stack_of_recomputed_layers_takes_a_fraction();
}

/// `Ema::with` keeps the weights to restore them; beyond that an average takes nothing.
fn an_average_is_written_to_loaded_weights_without_gradients() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    let make = || nn::build(Linear::new(1000, 2000), 0);
    weights::save(&path, &make().1, &[]).unwrap();
    let (net, mut params) = make();
    weights::load(&path, &mut params).unwrap();
    let (size, n) = (size_of_val(params.values()), params.values().len());
    let mut ema = Ema::new(n, 0.5, false).unwrap();
    let mut lookahead = Lookahead::new(params.values(), 0.5, 1).unwrap();
    ema.update(&params);
    let mut tape = Tape::new();
    let mut predict = |params: &Params| {
        let g = tape.evaluate(params);
        g.value(net.forward(&g, g.input([1, 1000], &[0.5; 1000])))[0]
    };
    predict(&params);
    let evaluating = ALLOCATOR.peak_of(|| _ = ema.with(&mut params, |params| predict(params)));
    assert!(evaluating < size + 100_000, "{evaluating} bytes for weights of {size}");
    let writing = ALLOCATOR.peak_of(|| {
        ema.write_to(&mut params);
        lookahead.after_step(&mut params);
        lookahead.write_to(&mut params);
    });
    assert!(writing < 10_000, "{writing} bytes to write averages");
}

fn a_stack_of_recomputed_layers_takes_a_fraction() {
    let peak = |recompute: bool| {
        let layer = TransformerEncoderLayer::new(32, 2).dim_feedforward(64);
        let (net, mut params) = nn::build(TransformerEncoder::new(layer, 8).recompute(recompute), 0);
        let (mut tape, x) = (Tape::new(), vec![0.5; 8 * 64 * 32]);
        ALLOCATOR.peak_of(|| {
            tape.step(&mut params, Mode::train(0, 0), |g| {
                let y = net.forward(g, g.input([8, 64, 32], &x));
                g.mean(g.mul(y, y))
            });
        })
    };
    let (kept, recomputed) = (peak(false), peak(true));
    assert!(recomputed < kept / 2, "{recomputed} bytes, {kept} without recomputation");
}

fn a_large_file_is_written_and_read_piece_by_piece() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    let (_net, mut params) = nn::build(Linear::new(1000, 2000), 0);
    let size = size_of_val(params.values());
    assert!(ALLOCATOR.peak_of(|| weights::save(&path, &params, &[]).unwrap()) < 200_000);
    let slices = || [("momentum".to_owned(), params.values())];
    let with = dir.path().join("checkpoint.safetensors");
    assert!(ALLOCATOR.peak_of(|| weights::save_with(&with, &params, slices(), &[]).unwrap()) < 200_000);
    let loading = ALLOCATOR.peak_of(|| weights::load(&path, &mut params).unwrap());
    assert!((size..size + 200_000).contains(&loading), "{loading}");
    let mut bias = [0.0; 2000];
    let read = || Archive::open(&path).unwrap().read("bias", &mut bias).unwrap();
    assert!(ALLOCATOR.peak_of(read) < 100_000);
}

fn hostile_headers_take_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    let tensor = |name: usize, shape: &str| {
        format!(r#""{name:x}":{{"dtype":"U8","shape":{shape},"data_offsets":[0,0]}}"#)
    };
    let full: Vec<String> = (0..50_000)
        .map(|name| tensor(name, "[4]").replace("[0,0]", &format!("[{},{}]", 4 * name, 4 * name + 4)))
        .collect();
    let full = full.join(",");
    let many: Vec<String> = (0..50_000).map(|name| tensor(name, "[0]")).collect();
    let many = many.join(",");
    let strings: Vec<String> = (0..50_000).map(|key| format!(r#""{key:x}":"""#)).collect();
    let strings = strings.join(",");
    let named = |name: &str| format!("{{{}}}", tensor(0x5a, "[0]").replacen("5a", name, 1));
    let noted = |note: &str| format!(r#"{{"__metadata__":{{"ff":"{note}"}}}}"#);
    let headers = [
        ("many tensors", format!("{{{full}}}"), 200_000),
        ("many empty tensors", format!("{{{many}}}"), 0),
        ("many of an unknown type", format!("{{{}}}", many.replace("U8", "F8_E4M3")), 0),
        ("many of another type", format!("{{{}}}", full.replace("U8", "")), 200_000),
        ("many tensors of one name", format!("{{{}}}", vec![tensor(1, "[0]"); 50_000].join(",")), 0),
        ("a long shape", format!("{{{}}}", tensor(1, &format!("[{}0]", "1,".repeat(1_000_000)))), 0),
        ("many metadata", format!(r#"{{"__metadata__":{{{strings}}}}}"#), 0),
        ("metadata and tensors", format!(r#"{{"__metadata__":{{{strings}}},{full}}}"#), 200_000),
        ("a long name", named(&"n".repeat(1_000_000)), 0),
        ("a long escaped name", named(&"\\n".repeat(600_000)), 0),
        ("a long type", named("a").replace("U8", &"\\n".repeat(600_000)), 0),
        ("a long unknown type", named("a").replace("U8", &"x".repeat(1_000_000)), 0),
        ("text for a header", format!(r#""{}""#, "n".repeat(1_000_000)), 0),
        ("text for a description", format!(r#"{{"a":"{}"}}"#, "n".repeat(1_000_000)), 0),
        ("text in a shape", named("a").replace("[0]", &format!("[\"{}\"]", "n".repeat(1_000_000))), 0),
        (
            "many sizes that are not numbers",
            named("a").replace("[0]", &format!("[{}0]", "-1,".repeat(300_000))),
            0,
        ),
        ("a long key", named("a").replace("dtype", &"\\n".repeat(600_000)), 0),
        ("a long string", noted(&"n".repeat(1_100_000)), 0),
        ("a string with one escape", noted(&format!("\\n{}", "n".repeat(1_100_000))), 0),
        ("a string of escapes", noted(&"\\n".repeat(600_000)), 0),
        ("a string with half an escape", noted(&format!("{}\\ud800", "n".repeat(1_100_000))), 0),
        ("deep metadata", format!(r#"{{"__metadata__":{{"a":{}"#, "[".repeat(1_100_000)), 0),
        ("deep nesting", format!(r#"{{"a":{}"#, "[".repeat(1_100_000)), 0),
    ];
    for (what, header, n_bytes) in headers {
        write(&path, &header, n_bytes);
        let file_len = fs::metadata(&path).unwrap().len() as usize;
        let peak = ALLOCATOR.peak_of(|| {
            let _ = Archive::open(&path).map(|archive| archive.metadata("ff").map_err(|e| e.to_string()));
            let _ = weights::load(&path, &mut Params::new()).map_err(|error| error.to_string());
        });
        assert!(peak <= 2 * file_len + 8192, "{what}: {peak} bytes for a file of {file_len}");
    }
}

/// However a file is damaged: an error or values, and no more memory than twice its size. (That an error
/// changes nothing is in `weights.rs`.)
fn damaged_files_take_no_more_either() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    let (_net, mut params) = nn::build(Linear::new(20, 10), 0);
    weights::save(&path, &params, &[("note", "damage me"), ("more", "\u{e9}")]).unwrap();
    let whole = fs::read(&path).unwrap();
    let header_len = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut below = |n: usize| rng.next_u64() as usize % n;
    // `MUTATIONS=100000 cargo test -p nn --test memory` for the long form.
    let n_files = env::var("MUTATIONS").map_or(10_000, |text| text.parse().expect("a number"));
    let mut n_read = 0;
    for _ in 0..n_files {
        let mut bytes = whole.clone();
        for _ in 0..1 + below(4) {
            let at = below(8 + header_len).min(bytes.len() - 1);
            match below(5) {
                0 => bytes[at] = below(256) as u8,
                1 => bytes[at] ^= 1 << below(8),
                2 => drop(bytes.drain(at..(at + below(20)).min(bytes.len() - 1))),
                3 => bytes.insert(at, b"0123456789[]{},:\"\\"[below(18)]),
                _ => bytes.splice(at..at, bytes[at..].to_vec()).for_each(drop),
            }
        }
        let _ = fs::remove_file(&path);
        fs::write(&path, &bytes).unwrap();
        let peak = ALLOCATOR.peak_of(|| {
            let _ = Archive::open(&path).map(|archive| archive.metadata("note").map_err(|e| e.to_string()));
            n_read += usize::from(weights::load(&path, &mut params).is_ok());
        });
        assert!(peak <= 2 * bytes.len() + 8192, "{peak} bytes for a file of {}", bytes.len());
    }
    println!("{n_files} damaged files: {n_read} were read, the others an error");
}
