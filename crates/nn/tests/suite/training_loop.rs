//! The training loop that the README shows, on a network with what must not be trained: a frozen weight and
//! the running statistics of batch normalisation.

use std::fs;

use autograd::{Mode, Params, Tape};
use data::{Augment, Batch, ImageShape, InMemory, Loader};
use nn::{BatchNorm1d, Dropout, Flatten, Layer, Linear, ReLU, Sequential, sequential, weights};
use optim::average::{Ema, Lookahead};
use optim::{
    Adam, AdamW, AnyRule, Groups, Lamb, Muon, Norm, Optimizer, Param, RULE_NAMES, Sgd, check_finite,
    clip_norm, rule_named,
};

/// Trains for fifty epochs, line by line as the README does.
fn train(
    net: &Sequential,
    mut params: Params,
    mut optimizer: Optimizer<f32>,
    loader: &mut Loader<'_>,
) -> Result<Params, data::Error> {
    let seed = 0;
    // README: begin
    let (mut tape, mut batch) = (Tape::new(), Batch::new());
    for epoch in 1..=50 {
        let mut sum = 0.0;
        while loader.next_into(&mut batch)? {
            let mode = Mode::train(seed, optimizer.n_steps());
            sum += tape.step(&mut params, mode, |g| {
                let logits = net.forward(g, g.images(&batch));
                g.cross_entropy(logits, g.labels(&batch))
            });
            optimizer.step(&mut params);
        }
        println!("epoch {epoch}/50, loss {:.4}", sum / loader.n_batches() as f32);
    }
    // README: end
    Ok(params)
}

#[test]
fn the_loop_is_the_readmes_whose_program_is_short() {
    let readme = include_str!("../../../../README.md");
    let program = readme.split("```rust,no_run\n").nth(1).expect("a program").split("```").next().unwrap();
    let (this, [begin, end]) =
        (include_str!("training_loop.rs"), ["begin", "end"].map(|at| format!("// README: {at}\n")));
    let tested = this.split(&begin).nth(1).expect("a loop").split(&end).next().unwrap();
    let tested = tested.trim_end_matches(' ');
    assert!(program.contains(tested), "the README's loop is not this one:\n{tested}");
    assert!(program.lines().filter(|line| !line.trim().is_empty()).count() <= 36);
}

const N_IMAGES: usize = 128;
const N_PIXELS: usize = 12;
const N_HIDDEN: usize = 6;

/// Dark images of class 0 and bright ones of class 1.
fn images() -> InMemory {
    let labels: Vec<u32> = (0..N_IMAGES as u32).map(|i| i % 2).collect();
    let noise = |i: usize| ((i * 7919) % 61) as u8;
    let bytes = (0..N_IMAGES * N_PIXELS).map(|i| noise(i) + if labels[i / N_PIXELS] == 0 { 30 } else { 150 });
    InMemory::new(
        ImageShape { height: 2, width: 2, channels: 3 },
        bytes.collect(),
        labels,
        ["dark", "bright"],
    )
}

fn network() -> (Sequential, Params) {
    let net = Sequential::new()
        .add(Flatten)
        .add(Linear::new(N_PIXELS, N_HIDDEN))
        .add(BatchNorm1d::new(N_HIDDEN))
        .add(ReLU)
        .add(Linear::new(N_HIDDEN, 2));
    nn::build(net, 3)
}

/// The values of an entry.
fn value<'p>(params: &'p Params, name: &str) -> &'p [f32] {
    params.value(params.find(name).unwrap_or_else(|| panic!("there is no {name}")))
}

/// The variance of each hidden unit over all images.
fn hidden_variances(params: &Params, images: &InMemory) -> Vec<f32> {
    let (weight, bias) = (value(params, "1.weight"), value(params, "1.bias"));
    let unit = |row: &[f32], image_idx: usize| -> f32 {
        let pixels = data::Dataset::image(images, image_idx).iter().map(|&byte| f32::from(byte) / 255.0);
        row.iter().zip(pixels).map(|(w, x)| w * x).sum()
    };
    let variance = |(row, bias): (&[f32], &f32)| {
        let units: Vec<f32> = (0..N_IMAGES).map(|image_idx| unit(row, image_idx) + bias).collect();
        let mean = units.iter().sum::<f32>() / N_IMAGES as f32;
        units.iter().map(|h| (h - mean).powi(2)).sum::<f32>() / N_IMAGES as f32
    };
    weight.chunks(N_PIXELS).zip(bias).map(variance).collect()
}

fn evaluation_loss(net: &Sequential, params: &mut Params, images: &InMemory) -> f32 {
    let mut batch = Batch::new();
    assert!(Loader::new(images, N_IMAGES).next_into(&mut batch).unwrap());
    Tape::new().step(params, Mode::eval(), |g| {
        let logits = net.forward(g, g.images(&batch));
        g.cross_entropy(logits, g.labels(&batch))
    })
}

#[test]
fn no_rule_touches_a_frozen_weight_or_a_running_statistic() {
    let adamw = AdamW { lr: 0.02, weight_decay: 0.05, ..AdamW::default() };
    type Make = fn(&Params, AdamW) -> Optimizer<f32>;
    let optimizers: [(&str, Make); 5] = [
        ("adam", |p, _| Optimizer::new(Adam { lr: 0.02, weight_decay: 1e-4, ..Adam::default() }, p).unwrap()),
        ("adamw", |p, adamw| Optimizer::new(adamw, p).unwrap()),
        ("sgd", |p, _| {
            Optimizer::new(Sgd { lr: 0.1, momentum: 0.9, weight_decay: 1e-4, ..Sgd::default() }, p).unwrap()
        }),
        ("muon", |p, adamw| {
            let groups = Groups::new(adamw, p)
                .rule(|p: &Param| p.shape.len() == 2, Muon { lr: 0.1, ..Muon::default() });
            Optimizer::with_groups(groups).unwrap()
        }),
        ("lamb", |p, _| Optimizer::new(Lamb { lr: 0.02, weight_decay: 0.05, ..Lamb::default() }, p).unwrap()),
    ];
    for (name, optimizer) in optimizers {
        let (images, (net, mut params)) = (images(), network());
        params.freeze("1.weight").unwrap();
        let before = value(&params, "1.weight").to_vec();
        let optimizer = optimizer(&params, adamw);
        let mut seen: Vec<_> = optimizer.groups().flat_map(|group| group.params().to_vec()).collect();
        seen.sort_by_key(|param| param.range.start);
        let seen: Vec<_> = seen.iter().map(|param| (param.name.as_str(), param.shape.as_slice())).collect();
        let expected: [(&str, &[usize]); 5] = [
            ("1.bias", &[N_HIDDEN]),
            ("2.weight", &[N_HIDDEN]),
            ("2.bias", &[N_HIDDEN]),
            ("4.weight", &[2, N_HIDDEN]),
            ("4.bias", &[2]),
        ];
        assert_eq!(seen, expected, "{name}");

        let mut loader = Loader::new(&images, 64).shuffle(1);
        let mut params = train(&net, params, optimizer, &mut loader).unwrap();
        assert_eq!(value(&params, "1.weight"), before, "{name}");
        let variances = hidden_variances(&params, &images);
        for (running, variance) in value(&params, "2.running_var").iter().zip(variances) {
            assert!(
                (0.7..1.4).contains(&(running / variance)),
                "{name}: {running}, the data's is {variance}"
            );
        }
        let loss = evaluation_loss(&net, &mut params, &images);
        assert!(loss < 0.05, "{name}: the loss in evaluation is {loss}");
    }
}

/// Three matrices, which every rule takes, and a step on them.
struct Matrices {
    net: Sequential,
    params: Params,
    tape: Tape,
}

impl Matrices {
    fn new() -> Self {
        let matrix = |i, o| Linear::new(i, o).bias(false);
        let net = Sequential::new().add(matrix(3, 4)).add(matrix(4, 4)).add(matrix(4, 2));
        let (net, params) = nn::build(net, 0);
        Self { net, params, tape: Tape::new() }
    }

    fn gradients(&mut self) {
        self.tape.step(&mut self.params, Mode::train(0, 0), |g| {
            let logits = self.net.forward(g, g.input([2, 3], &[1.0, 2.0, 3.0, -1.0, 0.5, 0.0]));
            g.cross_entropy(logits, g.indices(&[0, 1]))
        });
    }
}

#[test]
fn every_rule_passes_over_what_was_frozen_after_the_optimizer_was_made_until_it_is_thawed() {
    for name in RULE_NAMES {
        let mut rule: AnyRule<f32> = rule_named(name).unwrap();
        rule.set("lr", 0.01).unwrap();
        _ = rule.set("weight_decay", 0.1);
        let mut m = Matrices::new();
        let mut optimizer = Optimizer::new(rule, &m.params).unwrap();
        let mut steps = |m: &mut Matrices| {
            let before = m.params.clone();
            for _ in 0..3 {
                m.gradients();
                optimizer.step(&mut m.params);
            }
            ["0.weight", "1.weight", "2.weight"].map(|name| value(&before, name) != value(&m.params, name))
        };
        assert_eq!(steps(&mut m), [true; 3], "{name}");
        m.params.freeze("1").unwrap();
        assert_eq!(steps(&mut m), [true, false, true], "{name}");
        m.params.thaw("1").unwrap();
        assert_eq!(steps(&mut m), [true; 3], "{name}");
    }
}

#[test]
fn a_frozen_part_behaves_as_in_evaluation_and_its_statistics_stand_still() {
    let net = Sequential::new()
        .add(Sequential::new().add(Linear::new(3, 4)).add(BatchNorm1d::new(4)))
        .add(Linear::new(4, 2));
    let (net, mut params) = nn::build(net, 0);
    let x = [0.5, -1.0, 2.0, 1.0, 0.0, -2.0, 3.0, 1.0, 1.0];
    let mut tape = Tape::new();
    let mut run = |params: &mut Params, mode| {
        let mut g = tape.begin(params, mode);
        let y = net.forward(&g, g.input([3, 3], &x));
        let output = g.value(y).to_vec();
        if mode.grad {
            let loss = g.sum(y);
            g.backward(loss);
        }
        output
    };
    let (trained, evaluated) = (run(&mut params, Mode::train(0, 0)), run(&mut params, Mode::eval()));
    assert_ne!(trained, evaluated);

    params.freeze("0").unwrap();
    let before = params.values().to_vec();
    assert_eq!(run(&mut params, Mode::train(0, 1)), evaluated);
    assert_eq!(params.values(), before, "neither weights nor statistics move");
    assert!(
        ["0.0.weight", "0.0.bias", "0.1.weight", "0.1.bias"]
            .iter()
            .all(|name| params.grad(params.find(name).unwrap()).iter().all(|&dw| dw == 0.0))
    );
    assert!(params.grad(params.find("1.weight").unwrap()).iter().any(|&dw| dw != 0.0));
    assert_eq!(params.n_trainable(), 4 * 2 + 2);
    let summary = net.summary(&params, [3, 3]);
    assert_eq!((summary.n_trainable, summary.n_frozen, summary.n_statistics), (10, 3 * 4 + 4 + 2 * 4, 8));

    params.thaw("0").unwrap();
    assert_eq!(run(&mut params, Mode::train(0, 2)), trained);
    assert_ne!(params.values(), before, "the statistics move again");
}

#[test]
fn a_path_that_is_not_there_is_named() {
    let (_, mut params) = nn::build(Sequential::new().add(Linear::new(1, 1)).add(Dropout::new(0.5)), 0);
    let message = "there is no parameter under `features.0`; the parts of the network are 0";
    assert_eq!(params.freeze("features.0").unwrap_err().to_string(), message);
    assert_eq!(params.thaw("features.0").unwrap_err().to_string(), message);
    let message = "there is no parameter under `0.weights`; the parts of `0` are weight, bias";
    assert_eq!(params.freeze("0.weights").unwrap_err().to_string(), message);
}

#[test]
fn clipping_and_averages_pass_over_what_is_not_trained() {
    let (net, mut params) = network();
    params.freeze("1").unwrap();
    let mut ema = Ema::new(params.values().len(), 0.5, true).unwrap();
    let mut lookahead = Lookahead::new(params.values(), 0.5, 1).unwrap();
    let mut optimizer = Optimizer::new(Sgd { lr: 0.1, ..Sgd::default() }, &params).unwrap();
    let (images, mut batch, mut tape) = (images(), Batch::new(), Tape::new());
    assert!(Loader::new(&images, 64).next_into(&mut batch).unwrap());
    let (start, mut first) = (params.clone(), None);
    for step in 0..2 {
        tape.step(&mut params, Mode::train(0, step), |g| {
            let logits = net.forward(g, g.images(&batch));
            g.cross_entropy(logits, g.labels(&batch))
        });
        check_finite(&params).unwrap();
        clip_norm(&mut params, 0.01, Norm::L2);
        assert!((Norm::L2.of(&[params.grads()]) - 0.01).abs() < 1e-5);
        optimizer.step(&mut params);
        let fast = params.clone();
        lookahead.after_step(&mut params);
        assert_eq!(value(&params, "2.running_var"), value(&fast, "2.running_var"));
        assert_ne!(value(&params, "4.weight"), value(&fast, "4.weight"));
        ema.update(&params);
        first.get_or_insert(params.clone());
    }
    let mut averaged = params.clone();
    ema.write_to(&mut averaged);
    let first = first.unwrap();
    for (name, is_averaged) in
        [("1.weight", false), ("2.running_mean", false), ("2.bias", true), ("4.weight", true)]
    {
        let [a, b, average] = [&first, &params, &averaged].map(|params| value(params, name));
        if is_averaged {
            for ((a, b), average) in a.iter().zip(b).zip(average) {
                assert!((average - (a + 2.0 * b) / 3.0).abs() < 1e-6, "{name}");
            }
        } else {
            assert_eq!(average, b, "{name}");
        }
    }
    assert_eq!(value(&start, "1.weight"), value(&params, "1.weight"));
}

/// Everything follows from the file: weights, the optimizer's state, and by the step the batches of a shuffled
/// and augmented set and what dropout leaves out.
#[test]
fn a_loop_interrupted_anywhere_ends_with_the_same_bits() {
    let (set, dir) = (images(), tempfile::tempdir().unwrap());
    let train = |name: &str, end: u64| {
        let path = dir.path().join(name);
        let hidden = sequential![Linear::new(N_PIXELS, N_HIDDEN), BatchNorm1d::new(N_HIDDEN), ReLU];
        let net = sequential![Flatten, Dropout::new(0.2), hidden, Linear::new(N_HIDDEN, 2)];
        let (net, mut params) = nn::build(net, 3);
        let mut optimizer = Optimizer::new(AdamW::default(), &params).unwrap();
        if path.exists() {
            let extra = weights::load_with(&path, &mut params).unwrap();
            optimizer.load_state(extra.number("n_steps").unwrap(), extra.slices()).unwrap();
        }
        let mut loader = Loader::new(&set, 48).shuffle(1).augment(Augment::flip_and_crop(1), 2);
        loader = loader.skip(optimizer.n_steps());
        let (mut tape, mut batch) = (Tape::new(), Batch::new());
        while optimizer.n_steps() < end {
            if loader.next_into(&mut batch).unwrap() {
                tape.step(&mut params, Mode::train(0, optimizer.n_steps()), |g| {
                    g.cross_entropy(net.forward(g, g.images(&batch)), g.labels(&batch))
                });
                optimizer.step(&mut params);
            }
        }
        let n_steps = optimizer.n_steps().to_string();
        weights::save_with(&path, &params, optimizer.state(), &[("n_steps", &n_steps)]).unwrap();
        fs::read(path).unwrap()
    };
    let straight = train("straight", 11);
    for cut in 0..11 {
        let name = cut.to_string();
        train(&name, cut);
        assert!(train(&name, 11) == straight, "interrupted after {cut} steps, of which an epoch has 3");
    }
}
