//! The check of one row, by `autograd::gradcheck`.

use autograd::gradcheck::GradCheck;
use autograd::{Mode, Params, Tape, Var};

use crate::case::{Case, Kind, Rng, Row};

const MARGIN: f64 = 1e-3;

pub(crate) fn check_row(row: &Row, seed: u64) {
    let case = sample(row, &mut Rng::new(seed));
    let mode = if case.training { Mode::train(1, 2) } else { Mode::eval() };
    let check = GradCheck::new(|g, v| {
        let y = (case.record)(g, v);
        assert!(
            row.is_composition || g.op_name(y) == Some(row.op),
            "{} is recorded as {:?}",
            row.op,
            g.op_name(y)
        );
        y
    });
    let check = case.inputs.iter().fold(check, |check, input| match input.kind {
        Kind::Variable => check.input(input.shape, &input.values),
        Kind::Statistic => check.statistic(input.shape, &input.values),
    });
    let check = check
        .named(format!("{} (seed {seed}), inputs {:?}", row.op, case.inputs))
        .reference_given_output(&*case.reference)
        .margin(&*case.margin)
        .tolerance(row.tolerance)
        .mode(mode)
        .seed(seed);
    check.run();
}

/// A case that keeps its distance from kinks.
fn sample(row: &Row, rng: &mut Rng) -> Case {
    let mut cases = std::iter::repeat_with(|| (row.sample)(rng)).take(1000);
    let case = cases.find(|case| (case.margin)(&as_f64(case)) > MARGIN);
    case.unwrap_or_else(|| panic!("{}: 1000 cases in a row lie near a kink", row.op))
}

/// Checks the points without a derivative.
pub(crate) fn check_kinks(row: &Row) {
    for kink in &row.kinks {
        let (mut tape, mut params) = (Tape::new(), Params::new());
        let mut g = tape.begin(&mut params, Mode::train(0, 0));
        let vars: Vec<Var> = kink.inputs.iter().map(|values| g.variable([values.len()], values)).collect();
        let y = (kink.record)(&g, &vars);
        let loss = g.sum(y);
        g.backward(loss);
        let dx = g.grad(vars[0]).expect("a gradient was asked for");
        assert!((kink.allowed)(dx), "{} at {:?}: the gradient is {dx:?}", row.op, kink.inputs);
    }
}

fn as_f64(case: &Case) -> Vec<Vec<f64>> {
    case.inputs.iter().map(|input| tensor::reference::to_f64(&input.values)).collect()
}
