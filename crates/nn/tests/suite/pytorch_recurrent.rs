//! The recurrent layers compute what `pytorch/record_recurrent.py` recorded, and their files are PyTorch's.

use crate::common::uniform;
use crate::pytorch::{assert_close, numbers, path, recorded};
use autograd::{Graph, Mode, Params, RnnNonlinearity, Tape, Var};
use nn::weights::{self, Archive};
use nn::{
    CarriedState, GRU, LSTM, Layer, Linear, RNN, Recurrent, RecurrentCell, Sequences, Sequential, State,
};
use serde_json::Value;

const N: usize = 3;
const T: usize = 4;
const D: usize = 3;
const H: usize = 2;
const LENGTHS: [u32; N] = [3, 4, 1];

/// Fills the parameters as the script does.
fn fill(params: &mut Params) {
    for (position, id) in params.ids().enumerate() {
        let values = uniform(100 + position as u32, params.value(id).len());
        params.value_mut(id).copy_from_slice(&values);
    }
}

fn variable(g: &Graph<'_>, stream: u32, shape: [usize; 3]) -> Var {
    g.variable(shape, &uniform(stream, shape.iter().product()))
}

/// The sum of a value's elements, each times a number of a stream.
fn weighted(g: &Graph<'_>, values: Var, stream: u32) -> Var {
    let shape = g.shape(values);
    let factors = g.input(shape, &uniform(stream, shape.numel()));
    g.sum(g.mul(values, factors))
}

fn assert_grads(name: &str, params: &Params, expected: &Value) {
    for entry in params.entries() {
        let grad = &params.grads()[entry.range.clone()];
        let expected = numbers(&expected[format!("grad of {}", entry.name)]);
        assert_close(&format!("{name}, {}", entry.name), grad, &expected, 1e-5, 1e-6);
    }
}

/// Runs a layer from a state if `n_layers` (times directions) is not 0, on sequences with lengths or without.
fn check<C: RecurrentCell>(name: &str, layer: Recurrent<C>, n_layers: usize, has_lengths: bool) {
    let expected = &recorded("recurrent.json")["cases"][name];
    let (net, mut params) = nn::build(layer, 0);
    fill(&mut params);
    let mut tape = Tape::new();
    let mut g = tape.begin(&mut params, Mode::train(0, 0));
    let x = variable(&g, 1, [N, T, D]);
    let state = (n_layers > 0).then(|| {
        let is_lstm = name.starts_with("lstm");
        State {
            hidden: variable(&g, 20, [N, n_layers, H]),
            cell: is_lstm.then(|| variable(&g, 21, [N, n_layers, H])),
        }
    });
    let lengths = has_lengths.then(|| g.indices(&LENGTHS));
    let (y, last) = net.run(&g, x, Sequences { lengths, state });
    let mut loss = g.add(weighted(&g, y, 50), weighted(&g, last.hidden, 51));
    if let Some(cell) = last.cell {
        loss = g.add(loss, weighted(&g, cell, 52));
    }
    g.backward(loss);
    let close = |what: &str, found: &[f32]| {
        assert_close(&format!("{name}, {what}"), found, &numbers(&expected[what]), 1e-5, 1e-6);
    };
    close("y", g.value(y));
    close("dx", g.grad(x).unwrap());
    for (i, part) in [Some(last.hidden), last.cell].into_iter().flatten().enumerate() {
        close(&format!("state {i}"), g.value(part));
    }
    if let Some(state) = state {
        for (i, part) in [Some(state.hidden), state.cell].into_iter().flatten().enumerate() {
            close(&format!("grad of state {i}"), g.grad(part).unwrap());
        }
    }
    drop(g);
    assert_grads(name, &params, expected);
}

#[test]
fn outputs_states_and_gradients_are_those_of_pytorch() {
    assert_eq!(recorded("recurrent.json")["cases"].as_object().unwrap().len(), 11);
    check("rnn", RNN::new(D, H), 0, false);
    let relu = RNN::new(D, H).num_layers(2).nonlinearity(RnnNonlinearity::Relu).bias(false);
    check("rnn_relu", relu, 2, false);
    check("rnn_both_ways", RNN::new(D, H).num_layers(2).bidirectional(true), 4, false);
    check("rnn_packed", RNN::new(D, H).num_layers(2).bidirectional(true), 4, true);
    check("gru", GRU::new(D, H), 0, false);
    check("gru_both_ways", GRU::new(D, H).num_layers(2).bidirectional(true), 4, false);
    check("gru_packed", GRU::new(D, H).bidirectional(true), 0, true);
    check("gru_dropout", GRU::new(D, H).num_layers(2).dropout(1.0), 0, false);
    check("lstm", LSTM::new(D, H), 0, false);
    check("lstm_both_ways", LSTM::new(D, H).num_layers(2).bidirectional(true), 4, false);
    check("lstm_packed", LSTM::new(D, H).num_layers(2).bidirectional(true).bias(false), 4, true);
}

/// The state goes on into the next step, the gradient does not come back from it.
#[test]
fn truncated_backpropagation_is_that_of_pytorch() {
    let expected = &recorded("recurrent.json")["truncated"];
    let (net, mut params) = nn::build(LSTM::new(D, H), 0);
    fill(&mut params);
    let (mut tape, mut carried) = (Tape::new(), CarriedState::new());
    for step in 0..2 {
        tape.step(&mut params, Mode::train(0, step.into()), |g| {
            let x = variable(g, 1 + step, [N, T, D]);
            let (y, state) = net.run(g, x, Sequences { state: carried.get(g), ..Sequences::default() });
            carried.set(g, state);
            if step == 1 {
                assert_close("truncated", g.value(y), &numbers(&expected["y"]), 1e-5, 1e-6);
            }
            weighted(g, y, 50)
        });
    }
    assert_grads("truncated", &params, expected);
    carried.clear();
    let g = tape.begin(&mut params, Mode::eval());
    assert!(carried.get(&g).is_none());
}

#[test]
fn what_lies_past_the_end_of_a_sequence_does_not_matter() {
    let gradients = |past_end: f32| {
        let (net, mut params) = nn::build(GRU::new(D, H).num_layers(2).bidirectional(true), 0);
        let mut values = uniform(1, N * T * D);
        for (sequence, &length) in values.chunks_exact_mut(T * D).zip(&LENGTHS) {
            sequence[length as usize * D..].fill(past_end);
        }
        let mut tape = Tape::new();
        let mut g = tape.begin(&mut params, Mode::train(0, 0));
        let x = g.variable([N, T, D], &values);
        let lengths = Some(g.indices(&LENGTHS));
        let (y, last) = net.run(&g, x, Sequences { lengths, ..Sequences::default() });
        let loss = g.add(weighted(&g, y, 50), weighted(&g, last.hidden, 51));
        g.backward(loss);
        let (y, dx) = (g.value(y).to_vec(), g.grad(x).unwrap().to_vec());
        drop(g);
        [y, dx, params.grads().to_vec()]
    };
    let expected = gradients(0.0);
    for past_end in [1.0, f32::NAN, f32::INFINITY] {
        assert_eq!(gradients(past_end), expected, "{past_end} past the end");
    }
}

#[test]
fn files_go_both_ways() {
    let net = Sequential::new()
        .add_named("lstm", LSTM::new(D, H).num_layers(2).bidirectional(true))
        .add_named("gru", GRU::new(2 * H, H).bidirectional(true))
        .add_named("rnn", RNN::new(2 * H, H).num_layers(2).bias(false))
        .add_named("out", Linear::new(H, 2));
    let (net, mut params) = nn::build(net, 0);
    weights::load(path("recurrent.safetensors"), &mut params).unwrap();
    let mut tape = Tape::new();
    let g = tape.begin(&mut params, Mode::eval());
    let y = net.forward(&g, variable(&g, 1, [N, T, D]));
    assert_eq!(g.shape(y).dims(), [N, T, 2]);
    assert_close("file", g.value(y), &numbers(&recorded("recurrent.json")["file"]), 1e-5, 1e-6);
    drop(g);

    let dir = tempfile::tempdir().unwrap();
    let ours = dir.path().join("ours.safetensors");
    weights::save(&ours, &params, &[]).unwrap();
    let [ours, theirs] = [ours, path("recurrent.safetensors")].map(|path| Archive::open(path).unwrap());
    let names = |archive: &Archive| archive.tensors().map(|tensor| tensor.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&ours), names(&theirs));
}
