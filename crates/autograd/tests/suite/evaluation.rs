//! Parts of a network in evaluation mode while the rest of it trains.

use autograd::{BatchNormOptions, Graph, Mode, ParamId, Params, Role, Tape, Var};

/// Batch normalisation and dropout, twice: in `body` and in `head`.
fn network(g: &Graph<'_>, [mean, var, weight, bias]: [ParamId; 4], x: Var) -> Var {
    let block = |g: &Graph<'_>, x: Var| {
        let affine = [weight, bias].map(|id| Some(g.param(id)));
        let y = g.batch_norm(x, &[g.param(mean), g.param(var)], affine, BatchNormOptions::default());
        g.dropout(y, 0.5)
    };
    let y = g.scope("body", |g| g.scope("0", |g| block(g, x)));
    g.scope("head", |g| g.scope("0", |g| block(g, y)))
}

fn params() -> (Params, [ParamId; 4]) {
    let mut params = Params::new();
    let mut add = |name, role, value| {
        let id = params.add(name, [2], role);
        params.value_mut(id).copy_from_slice(&[value, value + 0.5]);
        id
    };
    let ids = [
        add("running_mean", Role::Statistic, 0.25),
        add("running_var", Role::Statistic, 2.0),
        add("weight", Role::Trainable, 1.5),
        add("bias", Role::Trainable, 0.5),
    ];
    (params, ids)
}

const X: [f32; 8] = [1.0, -2.0, 3.0, 0.5, -1.5, 2.5, 0.25, -0.75];

/// The output of the network, and running mean and gradient of the weight after a step of training.
fn step(tape: &mut Tape) -> [Vec<f32>; 3] {
    let (mut params, ids) = params();
    let mut g = tape.begin(&mut params, Mode::train(3, 1));
    let y = network(&g, ids, g.input([4, 2], &X));
    let loss = g.sum(g.mul(y, y));
    g.backward(loss);
    let y = g.value(y).to_vec();
    drop(g);
    [y, params.value(ids[0]).to_vec(), params.grad(ids[2]).to_vec()]
}

/// The same, with the body or the head recorded in a step of evaluation.
fn evaluated() -> Vec<f32> {
    let (mut params, ids) = params();
    let mut tape = Tape::new();
    let g = tape.begin(&mut params, Mode::eval());
    let y = network(&g, ids, g.input([4, 2], &X));
    g.value(y).to_vec()
}

#[test]
fn a_part_evaluates_and_the_rest_trains() {
    let mut tape = Tape::new();
    let trained = step(&mut tape);
    tape.eval_under("body");
    let body = step(&mut tape);
    assert!(body[0] != trained[0] && body[1] != trained[1], "the head still trains");
    assert!(body[0].contains(&0.0), "the head still drops");

    tape.eval_under("head.0");
    let both = step(&mut tape);
    assert_eq!(both[0], evaluated());
    assert_eq!(both[1], [0.25, 0.75], "no statistic moves");
    assert!(both[2].iter().all(|dw| *dw != 0.0), "weights train as ever");

    tape.train_under("body");
    assert_ne!(step(&mut tape)[0], both[0]);
    tape.train_under("head.0");
    assert_eq!(step(&mut tape), trained, "as if nothing had been said");
}

#[test]
fn a_part_that_is_recomputed_evaluates_as_well() {
    let run = |recompute: bool| {
        let (mut params, ids) = params();
        let mut tape = Tape::new();
        tape.eval_under("body.0");
        let mut g = tape.begin(&mut params, Mode::train(3, 1));
        let x = g.input([4, 2], &X);
        let y = if recompute { g.recompute(&[x], |g, v| network(g, ids, v[0])) } else { network(&g, ids, x) };
        let loss = g.sum(g.mul(y, y));
        g.backward(loss);
        let y = g.value(y).to_vec();
        drop(g);
        [y, params.values().to_vec(), params.grads().to_vec()]
    };
    assert_eq!(run(true), run(false));
}

#[test]
#[should_panic(
    expected = "backward: Tape::eval_under(\"bdoy\") was called, but no layer of this step has that path"
)]
fn a_path_that_nothing_has_is_an_error() {
    let mut tape = Tape::new();
    tape.eval_under("bdoy");
    step(&mut tape);
}
