//! Parts of a step that are computed again in backward: the same bits as without.

use autograd::{BatchNormOptions, Graph, Mode, ParamId, Params, Role, Tape, Var};

/// A name, its shape, its role and its values.
fn add(params: &mut Params, name: &str, shape: &[usize], role: Role) -> ParamId {
    let id = params.add(name, shape, role);
    let values = params.value_mut(id);
    values.iter_mut().enumerate().for_each(|(i, v)| *v = ((i * 7 + name.len()) as f32).sin() + 1.5);
    id
}

/// Whether a part is recomputed, and whether there is one within it.
#[derive(Clone, Copy, PartialEq)]
enum How {
    Plain,
    Parts,
    Nested,
}

fn part(g: &Graph<'_>, how: How, inputs: &[Var], run: impl FnOnce(&Graph<'_>, &[Var]) -> Var) -> Var {
    if how == How::Plain { run(g, inputs) } else { g.recompute(inputs, run) }
}

/// A network with everything that a part could get wrong: an input that is used within and without, twice, and detached; a
/// leaf of its own; a weight that is shared; dropout before, within and behind; batch normalisation used twice.
fn network(g: &Graph<'_>, [weight, scale, mean, var]: [ParamId; 4], x: Var, how: How) -> Var {
    let x = g.dropout(g.linear(x, g.param(weight), None), 0.2);
    let block = |g: &Graph<'_>, x: Var| {
        let h = g.batch_norm(x, &[g.param(mean), g.param(var)], [None, None], BatchNormOptions::default());
        g.dropout(g.tanh(g.linear(h, g.param(weight), None)), 0.3)
    };
    let inputs = [x, g.reshape(x, [24]), g.detach(x), g.param(scale)];
    let y = part(g, how, &inputs, |g, v| {
        let table = g.input([4], &[0.5, 1.0, -1.0, 2.0]);
        let h = g.add(g.mul(v[0], table), g.reshape(v[1], [6, 4]));
        let h = g.mul(g.mul(h, v[2]), v[3]);
        let nested = if how == How::Nested { How::Parts } else { How::Plain };
        let h = g.scope("inner", |g| part(g, nested, &[h, v[0]], |g, v| g.add(block(g, v[0]), v[1])));
        g.add(block(g, h), v[0])
    });
    // A part that gives back what it got, and one that nothing reads.
    let same = part(g, how, &[y], |_, v| v[0]);
    part(g, how, &[y], |g, v| block(g, v[0]));
    g.add(g.dropout(same, 0.4), g.mul(x, y))
}

/// Losses, outputs, gradients and parameters of three steps.
fn train(how: How) -> Vec<Vec<u32>> {
    let mut params = Params::new();
    let ids = [
        add(&mut params, "weight", &[4, 4], Role::Trainable),
        add(&mut params, "scale", &[4], Role::Trainable),
        add(&mut params, "running_mean", &[4], Role::Statistic),
        add(&mut params, "running_var", &[4], Role::Statistic),
    ];
    let (mut tape, mut all) = (Tape::new(), Vec::new());
    for step in 0..3 {
        let values: Vec<f32> = (0..24).map(|i| ((i + step as usize * 5) as f32).cos()).collect();
        let mut g = tape.begin(&mut params, Mode::train(7, step));
        let x = g.variable([6, 4], &values);
        let y = g.scope("net", |g| network(g, ids, x, how));
        let loss = g.mean(g.mul(y, y));
        g.backward(loss);
        all.push(vec![g.scalar(loss)]);
        all.push(g.value(y).to_vec());
        all.push(g.grad(x).expect("x is a variable").to_vec());
        drop(g);
        all.extend([params.grads().to_vec(), params.values().to_vec()]);
        let grads = params.grads().to_vec();
        params.values_mut().iter_mut().zip(grads).for_each(|(value, grad)| *value -= 0.01 * grad);
    }
    assert!(all.iter().flatten().all(|v| v.is_finite()));
    all.iter().map(|values| values.iter().map(|v| v.to_bits()).collect()).collect()
}

#[test]
fn the_same_bits_with_parts_as_without() {
    let plain = train(How::Plain);
    assert_eq!(train(How::Parts), plain);
    assert_eq!(train(How::Nested), plain);
}

#[test]
fn evaluation_and_anomalies_go_through_parts() {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let g = tape.begin(&mut params, Mode::eval().detect_anomaly());
    let x = g.input([2], &[1.0, 0.0]);
    let y = g.scope("body", |g| g.recompute(&[x], |g, v| g.scope("0", |g| g.log(g.dropout(v[0], 0.5)))));
    assert_eq!(g.value(y), [0.0, f32::NEG_INFINITY]);
    let found = "log at layer \"body.0\", forward: element 1 of the output of shape [2] is -inf";
    assert_eq!(g.anomaly(), Some(found));
    drop(g);

    let mut g = tape.begin(&mut params, Mode::train(0, 0).detect_anomaly());
    let x = g.variable([2], &[4.0, 0.0]);
    let y = g.scope("body", |g| g.recompute(&[x], |g, v| g.scope("0", |g| g.sqrt(v[0]))));
    let loss = g.sum(y);
    g.backward(loss);
    let found =
        "sqrt at layer \"body.0\", backward: element 1 of the gradient of input 0 of shape [2] is inf";
    assert_eq!(g.anomaly(), Some(found));
}

#[test]
#[should_panic(
    expected = "mul at layer \"body\": this Var was recorded on another tape; record its values on this one too"
)]
fn a_part_uses_its_own_values_only() {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let g = tape.begin(&mut params, Mode::train(0, 0));
    let (x, w) = (g.input([1], &[1.0]), g.input([1], &[1.0]));
    g.scope("body", |g| g.recompute(&[x], |g, v| g.mul(v[0], w)));
}
