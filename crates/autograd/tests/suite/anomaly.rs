//! The first NaN or infinity is traced to its op, in forward and in backward.

use autograd::{AttentionOptions, Graph, Mode, Params, Role, Tape, Var};

/// What the search finds in `record`, whose output is summed and differentiated.
fn found(mode: Mode, values: &[f32], record: impl FnOnce(&Graph<'_>, Var) -> Var) -> Option<String> {
    let mut params = Params::new();
    let w = params.add("0.weight", [values.len()], Role::Trainable);
    params.value_mut(w).copy_from_slice(values);
    let mut tape = Tape::new();
    let mut g = tape.begin(&mut params, mode);
    let w = g.param(w);
    let y = record(&g, w);
    let loss = g.sum(y);
    g.backward(loss);
    g.anomaly().map(str::to_owned)
}

fn searching() -> Mode {
    Mode::train(0, 0).detect_anomaly()
}

#[test]
fn finite_steps_have_none() {
    assert_eq!(found(searching(), &[1.0, 2.0], |g, w| g.log(w)), None);
}

#[test]
fn only_the_mode_looks_for_them() {
    assert_eq!(found(Mode::train(0, 0), &[0.0], |g, w| g.log(w)), None);
}

#[test]
fn the_first_op_of_forward_is_named() {
    let message = found(searching(), &[1.0, -1.0, 0.0], |g, w| {
        g.scope("block", |g| {
            let y = g.scope("0", |g| g.log(w));
            g.scope("1", |g| g.mul(y, y))
        })
    });
    let expected = "log at layer \"block.0\", forward: element 1 of the output of shape [3] is NaN";
    assert_eq!(message.as_deref(), Some(expected));
}

#[test]
fn the_first_op_of_backward_is_named() {
    // √0 is finite, its slope is not; behind it, ∞ · 0 makes NaN, which is not the first.
    let message = found(searching(), &[4.0, 0.0], |g, w| {
        let squares = g.scope("0", |g| g.mul(w, w));
        g.scope("1", |g| g.sqrt(squares))
    });
    let expected = "sqrt at layer \"1\", backward: element 1 of the gradient of input 0 of shape [2] is inf";
    assert_eq!(message.as_deref(), Some(expected));
}

#[test]
fn what_came_in_is_named() {
    let message = found(searching(), &[1.0, f32::NAN], |g, w| g.scope("0", |g| g.relu(w)));
    assert_eq!(message.as_deref(), Some("param \"0.weight\": element 1 of shape [2] is NaN"));
    let message = found(searching(), &[1.0, 2.0], |g, w| {
        let x = g.scope("0", |g| g.input([2], &[f32::NEG_INFINITY, 0.0]));
        g.mul(w, x)
    });
    let leaf = "input at layer \"0\": element 0 of shape [2] is -inf";
    assert_eq!(message, Some(format!("the loss is -inf; before it, {leaf}")));
    let message = found(searching(), &[0.0, 2.0], |g, w| {
        let x = g.scope("0", |g| g.input([2], &[f32::NEG_INFINITY, 0.0]));
        let x = g.recompute(&[x], |g, x| g.add(x[0], g.input([2], &[1.0, 1.0])));
        g.scope("1", |g| g.mul(w, g.reshape(x, [2])))
    });
    let product = "mul at layer \"1\", forward: element 0 of the output of shape [2] is NaN";
    assert_eq!(message, Some(format!("{product}; before it, {leaf}")));
}

#[test]
fn a_mask_is_not_the_first_unless_something_is_made_of_it() {
    let hidden = |g: &Graph<'_>| g.attention_mask([1, 3], &[false, true, false]);
    // −∞ added to scores, whose softmax is finite; and in an attention.
    let softmax = |g: &Graph<'_>, w: Var| g.softmax(g.add(g.reshape(w, [1, 3]), hidden(g)));
    assert_eq!(found(searching(), &[1.0, -1.0, 0.5], |g, w| g.exp(softmax(g, w))), None);
    let attention = |g: &Graph<'_>, w: Var| {
        let x = g.reshape(w, [1, 3, 1]);
        let options = AttentionOptions { key_padding_mask: Some(hidden(g)), ..Default::default() };
        g.scaled_dot_product_attention(x, x, x, options)
    };
    assert_eq!(found(searching(), &[1.0, -1.0, 0.5], attention), None);
    let message = found(searching(), &[1.0, -1.0, 0.5], |g, w| g.log(g.neg(g.exp(softmax(g, w)))));
    let expected = "log, forward: element 0 of the output of shape [1, 3] is NaN";
    assert_eq!(message.as_deref(), Some(expected));
}

#[test]
fn a_step_starts_without_the_findings_of_the_last() {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let g = tape.begin(&mut params, searching());
    let x = g.input([1], &[0.0]);
    g.log(x);
    assert!(g.anomaly().is_some());
    drop(g);
    assert_eq!(tape.begin(&mut params, searching()).anomaly(), None);
}
