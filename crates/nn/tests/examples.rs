//! The examples against their twins in PyTorch: the losses that `examples/twins/record_losses.py` recorded (of inference
//! the logits), the lengths of the programs, and each program as a user starts it with `--quick`.

mod common;
#[path = "common/pytorch.rs"]
mod pytorch;

use std::fs;
use std::path::{Path, PathBuf};

use autograd::{Graph, Mode, Params, Role, Tape};
use common::uniform;
use data::{Loader, Records};
use nn::Layer;
use pytorch::{assert_close, numbers, recorded};

/// A program of `examples/`.
macro_rules! example {
    ($name:ident, $path:literal) => {
        #[path = $path]
        #[allow(dead_code, unreachable_pub)]
        mod $name;
    };
}

example!(airbench, "../examples/airbench.rs");
example!(cross_validation, "../examples/cross_validation.rs");
example!(fine_tune, "../examples/fine_tune.rs");
example!(gan, "../examples/gan.rs");
example!(gru, "../examples/gru.rs");
example!(inference, "../../../examples/inference/src/main.rs");
example!(own_op, "../../../examples/own_op/src/main.rs");
example!(own_rule, "../../optim/examples/own_rule.rs");
example!(resnet18, "../examples/resnet18.rs");
example!(tabular, "../examples/tabular.rs");
example!(transformer, "../examples/transformer.rs");
example!(vae, "../examples/vae.rs");

const N_STEPS: usize = 20;

/// FNV-1a.
fn stream(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |value, byte| (value ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Numbers in [−1, 1) under a name.
fn noise(name: &str, n: usize) -> Vec<f32> {
    uniform(stream(name), n)
}

/// Numbers in [0, 1) under a name.
fn light(name: &str, n: usize) -> Vec<f32> {
    noise(name, n).into_iter().map(|u| (u + 1.0) / 2.0).collect()
}

/// Whole numbers below `n_classes` under a name.
fn labels(name: &str, n_classes: u32, n: usize) -> Vec<u32> {
    light(name, n).iter().map(|u| (u * n_classes as f32) as u32).collect()
}

/// Matrices and filters within 1/√fan_in, scales around 1 and biases around 0 within 0.1.
fn fill(params: &mut Params) {
    for id in params.ids().collect::<Vec<_>>() {
        let entry = params.entry(id).clone();
        if entry.role == Role::Statistic {
            continue;
        }
        let fan_in = entry.shape[1..].iter().product::<usize>() as f64;
        let is_bias = entry.name.ends_with("bias") || entry.name.contains("bias_");
        let (factor, offset) = match entry.shape.rank() {
            1 => (0.1, if is_bias { 0.0 } else { 1.0 }),
            _ => (1.0 / fan_in.sqrt() as f32, 0.0),
        };
        let values = noise(&entry.name, entry.shape.numel());
        params.value_mut(id).iter_mut().zip(values).for_each(|(w, u)| *w = u * factor + offset);
    }
}

/// Batches of rows of numbers and classes, as a loader hands them out.
fn rows(n: usize, n_features: usize, n_classes: u32) -> Records {
    let steps = 0..N_STEPS;
    let x = steps.clone().flat_map(|i| noise(&format!("x{i}"), n * n_features)).collect();
    let y = steps.flat_map(|i| labels(&format!("y{i}"), n_classes, n)).collect();
    let names = (0..n_classes).map(|class| class.to_string());
    Records::new().with_f32("features", &[n_features], x).with_labels(y, names)
}

/// Batches of 16 images of ten classes.
fn images() -> Records {
    let byte = |u: f32| ((u + 1.0) * 128.0) as u8;
    let bytes = (0..N_STEPS).flat_map(|i| noise(&format!("x{i}"), 16 * 3072).into_iter().map(byte));
    let y = (0..N_STEPS).flat_map(|i| labels(&format!("y{i}"), 10, 16)).collect();
    let names = (0..10).map(|class| class.to_string());
    Records::new().with_u8("x", &[3, 32, 32], bytes.collect()).with_images_of("x").with_labels(y, names)
}

#[track_caller]
fn assert_as_recorded(name: &str, losses: &[f32]) {
    let recorded = recorded("../../examples/twins/losses.json");
    assert_close(name, losses, &numbers(&recorded[name]), 1e-4, 0.0);
}

/// The lines of a program without blanks, comments and docstrings.
fn n_lines(path: &Path) -> usize {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let is_python = path.extension().is_some_and(|extension| extension == "py");
    let mut in_docstring = false;
    let is_code = |line: &&str| {
        let quotes = if is_python { line.matches("\"\"\"").count() } else { 0 };
        let was_in_docstring = in_docstring;
        in_docstring ^= quotes == 1;
        let comment = if is_python { "#" } else { "//" };
        !(line.is_empty() || line.starts_with(comment) || was_in_docstring || quotes > 0)
    };
    text.lines().map(str::trim).filter(is_code).count()
}

/// Each program and its twin, by name.
fn programs() -> Vec<(String, [PathBuf; 2])> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let mut programs = Vec::new();
    for folder in ["crates/nn/examples", "crates/optim/examples"].map(|folder| root.join(folder)) {
        for entry in fs::read_dir(folder.join("twins")).unwrap() {
            let twin = entry.unwrap().path();
            let ours = folder.join(twin.file_name().unwrap()).with_extension("rs");
            let name = twin.file_stem().unwrap().to_str().unwrap().to_owned();
            programs.extend(ours.exists().then_some((name, [ours, twin])));
        }
    }
    for name in ["own_op", "inference"] {
        let folder = root.join("examples").join(name);
        programs.push((name.to_owned(), [folder.join("src/main.rs"), folder.join("twin.py")]));
    }
    assert_eq!(programs.len(), 12, "a program has no twin, or a twin no program: {programs:?}");
    programs
}

/// Of a program's text, whatever ends its lines.
fn checksum(program: &Path) -> u32 {
    stream(&fs::read_to_string(program).unwrap().replace('\r', ""))
}

#[test]
fn every_twin_is_the_one_whose_losses_were_recorded() {
    let recorded = recorded("../../examples/twins/losses.json");
    for (name, [_, twin]) in programs() {
        assert!(
            recorded["checksums"][&name] == checksum(&twin),
            "{} was changed after its losses were recorded; run crates/nn/examples/twins/record_losses.py {name}",
            twin.display()
        );
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/twins/record_losses.py");
    assert!(
        recorded["checksums"]["record_losses"] == checksum(&script),
        "{} was changed after it recorded the losses; run it for all programs",
        script.display()
    );
}

#[test]
fn the_programs_are_hardly_longer_than_their_twins() {
    let mut ratios = Vec::new();
    for (_, [ours, twin]) in programs() {
        let (n_ours, n_twin) = (n_lines(&ours), n_lines(&twin));
        let ratio = n_ours as f64 / n_twin as f64;
        println!("{n_ours:3} / {n_twin:3} = {ratio:.2}  {}", ours.display());
        assert!(ratio <= 2.0, "{} has {n_ours} lines, its twin {n_twin}", ours.display());
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    assert!(
        median <= 1.5,
        "in the median our programs are {median:.2} times as long as their twins: {ratios:.2?}"
    );
}

#[test]
fn gru_learns_as_its_twin() {
    let (net, mut params) = nn::build(gru::Adder::new(16), 0);
    fill(&mut params);
    let batch = |g: &Graph<'_>| {
        let i = g.mode().step;
        let x = g.input([8, 20, 2], &noise(&format!("x{i}"), 8 * 20 * 2));
        (x, g.input([8, 1], &noise(&format!("y{i}"), 8)))
    };
    assert_as_recorded("gru", &gru::train(&net, &mut params, N_STEPS as u64, batch).unwrap());
    assert!(gru::run(true).unwrap() < 0.02, "the mean square of guessing the mean is 1/6");
}

#[test]
fn tabular_learns_as_its_twin() {
    let (net, mut params) = nn::build(tabular::network(), 0);
    fill(&mut params);
    let rows = rows(16, 6, 2);
    let losses = tabular::train(&net, &mut params, Loader::new(&rows, 16), 1).unwrap();
    assert_as_recorded("tabular", &losses);
    assert!(tabular::run(true).unwrap() > 0.9, "the area under the curve is one half of what knows nothing");
}

#[test]
fn vae_learns_as_its_twin() {
    let (vae, mut params) = nn::build(vae::Vae::new(32, 4), 0);
    fill(&mut params);
    let batch = |g: &Graph<'_>| {
        let i = g.mode().step;
        let x = g.input([8, 144], &light(&format!("x{i}"), 8 * 144));
        (x, g.input([8, 4], &noise(&format!("noise{i}"), 8 * 4)))
    };
    assert_as_recorded("vae", &vae::train(&vae, &mut params, N_STEPS as u64, batch).unwrap());
    assert!(vae::run(true).unwrap() < 40.0, "100 is what grey images have");
}

#[test]
fn gan_learns_as_its_twin() {
    let (gan, mut params) = nn::build(gan::Gan::new(4), 0);
    fill(&mut params);
    let batch = |g: &Graph<'_>| {
        let i = g.mode().step;
        let x = g.input([8, 12, 12, 1], &light(&format!("x{i}"), 8 * 144));
        (x, g.input([8, 16], &noise(&format!("noise{i}"), 8 * 16)))
    };
    assert_as_recorded("gan", &gan::train(&gan, &mut params, N_STEPS as u64, batch).unwrap());
    assert!(gan::run(true).unwrap().is_finite());
}

/// As in the twin, which calls the generator once in each step.
#[test]
fn gan_updates_its_running_statistics_once_in_each_step() {
    let (gan, mut params) = nn::build(gan::Gan::new(4), 0);
    let (_, mut expected) = nn::build(gan::Gan::new(4), 0);
    let batch = |g: &Graph<'_>| (g.rand([8, 12, 12, 1]), g.randn([8, 16]));
    gan::train(&gan, &mut params, 1, batch).unwrap();
    Tape::new().step(&mut expected, Mode::train(0, 0), |g| g.mean(gan.forward(g, batch(g).1)));
    for name in ["generator.2.running_mean", "generator.5.running_var"] {
        let value = |params: &Params| params.value(params.find(name).unwrap()).to_vec();
        assert_eq!(value(&params), value(&expected), "{name}");
    }
}

#[test]
fn resnet18_learns_as_its_twin() {
    let (net, mut params) = nn::build(resnet18::ResNet18::new(4, 10), 0);
    fill(&mut params);
    let images = images();
    let losses = resnet18::train(&net, &mut params, Loader::new(&images, 16), 1, 0.0001, 0.5).unwrap();
    assert_as_recorded("resnet18", &losses);
}

#[test]
fn resnet18_runs() {
    assert!(resnet18::run(true).unwrap() >= 0.1, "one tenth is what guessing has");
}

#[test]
fn transformer_learns_as_its_twin() {
    let (model, mut params) = nn::build(transformer::CharacterModel::new(11, 16, 2), 0);
    fill(&mut params);
    let head = params.find("head.weight").unwrap();
    params.value_mut(head).iter_mut().for_each(|w| *w *= 16.0); // so that most gradients are clipped
    let windows = (0..N_STEPS).map(|i| labels(&format!("w{i}"), 11, 4 * (transformer::CONTEXT + 1)));
    assert_as_recorded("transformer", &transformer::train(&model, &mut params, windows).unwrap());
    assert!(transformer::run(true).unwrap() < 3.0, "the logarithm of the number of characters is about 4.8");
}

#[test]
fn fine_tune_learns_as_its_twin() {
    let (net, mut params) = nn::build(fine_tune::Net::new(3), 0);
    fill(&mut params);
    let batch = |g: &Graph<'_>| {
        let i = g.mode().step;
        let x = g.input([8, 12, 12, 1], &noise(&format!("x{i}"), 8 * 144));
        (x, g.indices(&labels(&format!("y{i}"), 3, 8)))
    };
    assert_as_recorded("fine_tune", &fine_tune::fine_tune(&net, &mut params, N_STEPS as u64, batch).unwrap());
    assert!(fine_tune::run(true).unwrap() < 0.1, "the logarithm of three is 1.1");
}

#[test]
fn cross_validation_learns_as_its_twin() {
    let (net, mut params) = nn::build(cross_validation::network(), 0);
    fill(&mut params);
    let rows = rows(16, 6, 2);
    let losses = cross_validation::train(&net, &mut params, Loader::new(&rows, 16), 1, 0.05).unwrap();
    assert_as_recorded("cross_validation", &losses);
    assert!(cross_validation::run(true).unwrap() > 0.85, "one half is what guessing has");
}

#[test]
fn own_rule_descends_as_its_twin() {
    let losses: Vec<f32> =
        own_rule::train([-1.2, 1.0], N_STEPS).unwrap().iter().map(|&loss| loss as f32).collect();
    assert_as_recorded("own_rule", &losses);
    assert!(own_rule::run(true).unwrap() < 1e-6, "the minimum is 0");
}

#[test]
fn airbench_learns_as_its_twin() {
    let (net, mut params) = nn::build(airbench::Net::new([6, 8, 8]), 0);
    fill(&mut params);
    let images = images();
    let losses = airbench::train(&net, &mut params, Loader::new(&images, 16), 1, 0.05).unwrap();
    assert_as_recorded("airbench", &losses);
    assert!(airbench::run(true).unwrap() >= 0.1, "one tenth is what guessing has");
}

#[test]
fn own_op_learns_as_its_twin() {
    assert_as_recorded("own_op", &own_op::train(N_STEPS as u64).unwrap());
    assert!(own_op::run(true).unwrap() < 1e-4);
}

#[test]
fn inference_predicts_as_its_twin() {
    let recorded = recorded("../../examples/twins/losses.json");
    let logits = inference::logits(20).unwrap();
    assert_close("inference", &logits, &numbers(&recorded["inference"]), 1e-4, 1e-5);
    assert_eq!(inference::run().unwrap(), 1.0);
}
