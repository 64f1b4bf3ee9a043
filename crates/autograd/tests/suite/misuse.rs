//! Misuse panics, and the message says what to do.

use std::panic::{AssertUnwindSafe, catch_unwind};

use autograd::{Mode, Params, Role, Tape};

/// The message with which `f` panics.
fn message_of(f: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("it must panic");
    panic
        .downcast_ref::<String>()
        .cloned()
        .unwrap_or_else(|| panic.downcast_ref::<&str>().expect("text").to_string())
}

#[test]
fn a_var_of_another_tape() {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let (mut other_tape, mut other_params) = (Tape::new(), Params::new());
    let g = tape.begin(&mut params, Mode::train(0, 0));
    let other = other_tape.begin(&mut other_params, Mode::train(0, 0));
    let (x, labels) = (g.input([1], &[1.0]), g.indices(&[0]));
    let logits = other.input([1, 1], &[1.0]);
    let message = message_of(|| _ = other.scope("head", |g| g.relu(x)));
    assert_eq!(
        message,
        "relu at layer \"head\": this Var was recorded on another tape; record its values on this one too"
    );
    let message = message_of(|| _ = other.cross_entropy(logits, labels));
    assert!(message.starts_with("cross_entropy"), "{message}");
    assert!(message.contains("this list of indices was recorded on another tape"), "{message}");
}

#[test]
fn a_var_of_an_earlier_step() {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let g = tape.begin(&mut params, Mode::train(0, 0));
    let (x, rows) = (g.input([1], &[1.0]), g.indices(&[0]));
    drop(g);
    let mut g = tape.begin(&mut params, Mode::train(0, 1));
    let fresh = g.input([1], &[1.0]);
    let advice = "it is valid until the next Tape::begin, so record it again";
    for message in [
        message_of(|| _ = g.add(fresh, x)),
        message_of(|| _ = g.value(x)),
        message_of(|| _ = g.grad(x)),
        message_of(|| _ = g.reshape(x, [1, 1])),
        message_of(|| _ = g.detach(x)),
        message_of(|| g.backward(x)),
        message_of(|| _ = g.index_select(fresh, rows)),
    ] {
        assert!(message.contains("belongs to an earlier step") && message.contains(advice), "{message}");
    }
}

#[test]
fn backward_from_what_is_not_a_loss() {
    let mut params = Params::new();
    let w = params.add("w", [2], Role::Trainable);
    let mut tape = Tape::new();
    let mut g = tape.begin(&mut params, Mode::train(0, 0));
    let (w, constant) = (g.param(w), g.input([1], &[1.0]));
    assert_eq!(
        message_of(|| g.backward(w)),
        "backward: the loss has shape [2], expected one element; reduce it with Graph::sum or Graph::mean"
    );
    assert_eq!(
        message_of(|| g.backward(constant)),
        "backward: the loss depends on no parameter or variable that needs a gradient; \
         use Graph::param or Graph::variable for values to be learned"
    );
    let detached = g.detach(w);
    let loss = g.sum(detached);
    assert!(message_of(|| g.backward(loss)).contains("depends on no parameter"));
}

#[test]
fn backward_twice_or_without_gradients() {
    let mut params = Params::new();
    let w = params.add("w", [1], Role::Trainable);
    let mut tape = Tape::new();
    let mut g = tape.begin(&mut params, Mode::train(0, 0));
    let loss = g.param(w);
    assert_eq!(message_of(|| _ = g.grad(loss)), "grad: there is no gradient yet; run Graph::backward first");
    g.backward(loss);
    assert_eq!(
        message_of(|| g.backward(loss)),
        "backward: already run on this step; start a new one with Tape::begin"
    );
    drop(g);

    let mut g = tape.begin(&mut params, Mode::train(0, 0));
    let (exp, kept) = (g.exp(g.param(w)), g.retain_grad(g.exp(g.param(w))));
    let loss = g.sum(g.mul(exp, kept));
    g.backward(loss);
    assert_eq!(
        message_of(|| _ = g.grad(exp)),
        "grad: the gradient of the output of exp was not kept; name it with Graph::retain_grad before Graph::backward"
    );
    assert_eq!(g.grad(kept), Some(g.value(exp)));
    drop(g);
    let mut g = tape.begin(&mut params, Mode::eval());
    let loss = g.param(w);
    assert_eq!(
        message_of(|| g.backward(loss)),
        "backward: this step was started without gradients; use Mode::train or Mode::with_grad(true)"
    );
}

#[test]
fn leaves_and_parameters_that_do_not_fit() {
    let mut params = Params::new();
    let mut larger = Params::new();
    larger.add("a", [1], Role::Trainable);
    let foreign = larger.add("b", [1], Role::Trainable);
    params.add("a", [1], Role::Trainable);
    assert_eq!(
        message_of(|| _ = params.add("a", [2], Role::Trainable)),
        "Params::add: there is already a parameter named \"a\"; give each a name of its own"
    );
    let mut tape = Tape::new();
    let g = tape.begin(&mut params, Mode::train(0, 0));
    assert_eq!(
        message_of(|| _ = g.input([2, 3], &[0.0; 5])),
        "input: 5 values do not fill the shape [2, 3], which has 6 elements"
    );
    assert_eq!(
        message_of(|| _ = g.variable([2], &[])),
        "variable: 0 values do not fill the shape [2], which has 2 elements"
    );
    assert_eq!(
        message_of(|| _ = g.param(foreign)),
        "Params::entry: entry 1 of 1; this ParamId belongs to other Params"
    );
    let x = g.input([2], &[1.0, 2.0]);
    assert_eq!(message_of(|| _ = g.scalar(x)), "scalar: the shape [2] has 2 elements, expected one");
}

#[test]
fn a_graph_is_usable_after_a_panic_that_was_caught() {
    let mut params = Params::new();
    let w = params.add("w", [2], Role::Trainable);
    params.value_mut(w).copy_from_slice(&[3.0, 4.0]);
    let mut tape = Tape::new();
    let mut g = tape.begin(&mut params, Mode::train(0, 0));
    let w_var = g.param(w);
    let wrong = g.input([3], &[1.0; 3]);
    message_of(|| _ = g.scope("inner", |g| g.add(w_var, wrong)));
    let y = g.mul(w_var, w_var);
    let loss = g.sum(y);
    g.backward(loss);
    drop(g);
    assert_eq!(params.grad(w), &[6.0, 8.0]);
    // The path is the next step's own again.
    let g = tape.begin(&mut params, Mode::train(0, 1));
    let (a, b) = (g.input([2], &[0.0; 2]), g.input([3], &[0.0; 3]));
    assert!(message_of(|| _ = g.add(a, b)).starts_with("add: [2] and [3]"));
}
