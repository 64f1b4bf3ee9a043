//! The check of one row: forward, gradients, and every way in which a gradient can be asked for.

use autograd::{Graph, Mode, ParamId, Params, Role, Tape, Var};

use crate::case::{Case, Kind, Reference, Rng, Row};

/// The step of the numeric gradient, in f64.
const H: f64 = 1e-6;

/// Where the inputs of a case lie.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Variables,
    Params,
    /// Variables, of which all but one get no gradient.
    OnlyVariable(usize),
}

/// What a run of a case gave: the op that it recorded, the outputs of its uses, and the gradient of each input.
struct Run {
    op: Option<&'static str>,
    outputs: Vec<Vec<f32>>,
    grads: Vec<Option<Vec<f32>>>,
}

pub(crate) fn check_row(row: &Row, seed: u64) {
    let mut rng = Rng::new(seed);
    let case = sample(row, &mut rng);
    let label = format!("{} (seed {seed}), inputs {:?}", row.op, case.inputs);
    let forward = run(&case, Place::Variables, &[], None);
    assert_eq!(forward.op, Some(row.op), "the op that is recorded, {label}");
    let n_outputs = forward.outputs[0].len();
    let cotangents: Vec<Vec<f32>> =
        (0..2).map(|_| (0..n_outputs).map(|_| rng.float(-1.0..1.0)).collect()).collect();

    // Once, and twice on the same inputs: the second share is added to the first.
    for n_uses in [1, 2] {
        let cotangents = &cotangents[..n_uses];
        let result = run(&case, Place::Variables, cotangents, None);
        compare(row, &case, &result, cotangents, None, &label);
        let from_params = run(&case, Place::Params, cotangents, None);
        assert_eq!(bits(&result), bits(&from_params), "variables and parameters, {label}");
    }
    // A gradient is the same whether the others are asked for or not.
    let all = run(&case, Place::Variables, &cotangents[..1], None);
    for i in variables(&case) {
        let one = run(&case, Place::OnlyVariable(i), &cotangents[..1], None);
        assert_eq!(one.grads[i], all.grads[i], "gradient {i} alone, {label}");
        assert_eq!(one.grads.iter().flatten().count(), 1, "gradients that nobody asked for, {label}");
    }
    // One value as two inputs of the op.
    for (i, j) in pairs_alike(&case) {
        let mut inputs = as_f64(&case);
        inputs[j] = inputs[i].clone();
        if (case.margin)(&inputs) > MARGIN {
            let result = run(&case, Place::Variables, &cotangents[..1], Some((i, j)));
            compare(row, &case, &result, &cotangents[..1], Some((i, j)), &format!("{i} as {j}, {label}"));
        }
    }
}

const MARGIN: f64 = 1e-3;

/// A case that keeps its distance from kinks.
fn sample(row: &Row, rng: &mut Rng) -> Case {
    let mut cases = std::iter::repeat_with(|| (row.sample)(rng)).take(1000);
    let case = cases.find(|case| (case.margin)(&as_f64(case)) > MARGIN);
    case.unwrap_or_else(|| panic!("{}: 1000 cases in a row lie near a kink", row.op))
}

/// Records the case once for each cotangent, all on the same inputs, and runs backward from
/// Σ cotangent · output. Every buffer that the step writes is full of NaN beforehand.
fn run(case: &Case, place: Place, cotangents: &[Vec<f32>], alias: Option<(usize, usize)>) -> Run {
    let mut params = Params::new();
    let ids: Vec<ParamId> = case
        .inputs
        .iter()
        .enumerate()
        .map(|(i, input)| {
            let role = if input.kind == Kind::Variable { Role::Trainable } else { Role::Statistic };
            let id = params.add(i.to_string(), input.shape, role);
            params.value_mut(id).copy_from_slice(&input.values);
            id
        })
        .collect();
    let mut tape = Tape::new();
    let poison: Vec<Vec<f32>> = cotangents.iter().map(|c| vec![f32::NAN; c.len()]).collect();
    step(&mut tape, &mut params.clone(), case, &ids, place, &poison, alias);
    params.grads_mut().fill(f32::NAN);
    step(&mut tape, &mut params, case, &ids, place, cotangents, alias)
}

fn step(
    tape: &mut Tape,
    params: &mut Params,
    case: &Case,
    ids: &[ParamId],
    place: Place,
    cotangents: &[Vec<f32>],
    alias: Option<(usize, usize)>,
) -> Run {
    let mode = if case.training { Mode::train(1, 2) } else { Mode::eval().with_grad(true) };
    let mut g = tape.begin(params, mode);
    let leaf = |g: &Graph<'_>, i: usize| {
        let input = &case.inputs[i];
        match (input.kind, place) {
            (Kind::Statistic, _) | (_, Place::Params) => g.param(ids[i]),
            (_, Place::OnlyVariable(only)) if i != only => g.input(input.shape, &input.values),
            _ => g.variable(input.shape, &input.values),
        }
    };
    let mut vars: Vec<Var> = (0..case.inputs.len()).map(|i| leaf(&g, i)).collect();
    if let Some((i, j)) = alias {
        vars[j] = vars[i];
    }
    if cotangents.is_empty() {
        let y = (case.record)(&g, &vars);
        return Run { op: g.op_name(y), outputs: vec![g.value(y).to_vec()], grads: Vec::new() };
    }
    let (mut op, mut outputs, mut loss) = (None, Vec::new(), None);
    for cotangent in cotangents {
        let y = (case.record)(&g, &vars);
        op = g.op_name(y);
        outputs.push(g.value(y).to_vec());
        let cotangent = g.input(g.shape(y), cotangent);
        let product = g.mul(y, cotangent);
        let share = g.sum(product);
        loss = Some(loss.map_or(share, |loss| g.add(loss, share)));
    }
    g.backward(loss.expect("there is a use"));
    let grads = vars.iter().map(|&var| g.grad(var).map(<[f32]>::to_vec)).collect();
    Run { op, outputs, grads }
}

/// Holds outputs and gradients against the reference.
fn compare(
    row: &Row,
    case: &Case,
    run: &Run,
    cotangents: &[Vec<f32>],
    alias: Option<(usize, usize)>,
    label: &str,
) {
    let mut inputs = as_f64(case);
    if let Some((i, j)) = alias {
        inputs[j] = inputs[i].clone();
    }
    for output in &run.outputs {
        let expected = (case.reference)(&inputs, output);
        assert_close(output, &expected, row.tolerance, &format!("forward of {label}"));
    }
    for i in variables(case) {
        if alias.is_some_and(|(_, j)| i == j) {
            continue;
        }
        let expected = numeric_gradient(&case.reference, &inputs, i, alias, run, cotangents);
        let actual = run.grads[i].as_ref().unwrap_or_else(|| panic!("gradient {i} is missing, {label}"));
        assert_close(actual, &expected, row.tolerance, &format!("gradient {i} of {label}"));
    }
}

/// The central difference of Σ cotangent · reference at every element of input `i`.
fn numeric_gradient(
    reference: &Reference,
    inputs: &[Vec<f64>],
    i: usize,
    alias: Option<(usize, usize)>,
    run: &Run,
    cotangents: &[Vec<f32>],
) -> Vec<f64> {
    let loss = |inputs: &[Vec<f64>]| -> f64 {
        let uses = run.outputs.iter().zip(cotangents);
        let shares = uses.map(|(output, cotangent)| {
            let y = reference(inputs, output);
            y.iter().zip(cotangent).map(|(y, &c)| y * f64::from(c)).sum::<f64>()
        });
        shares.sum()
    };
    let at = |idx: usize, step: f64| {
        let mut moved = inputs.to_vec();
        moved[i][idx] += step;
        if let Some((i, j)) = alias {
            moved[j] = moved[i].clone();
        }
        loss(&moved)
    };
    (0..inputs[i].len()).map(|idx| (at(idx, H) - at(idx, -H)) / (2.0 * H)).collect()
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

fn assert_close(actual: &[f32], expected: &[f64], tolerance: f64, label: &str) {
    assert_eq!(actual.len(), expected.len(), "{label}: number of elements");
    let largest = expected.iter().fold(1.0, |largest, v| v.abs().max(largest));
    for (idx, (&actual, &expected)) in actual.iter().zip(expected).enumerate() {
        let error = (f64::from(actual) - expected).abs();
        // Written so that NaN fails.
        assert!(error <= tolerance * largest, "{label}: element {idx} is {actual}, expected {expected}");
    }
}

fn variables(case: &Case) -> impl Iterator<Item = usize> {
    (0..case.inputs.len()).filter(|&i| case.inputs[i].kind == Kind::Variable)
}

/// Pairs of variables that one value can stand for.
fn pairs_alike(case: &Case) -> Vec<(usize, usize)> {
    let pairs = variables(case).flat_map(|i| variables(case).map(move |j| (i, j)));
    pairs.filter(|&(i, j)| i < j && case.inputs[i].shape == case.inputs[j].shape).collect()
}

fn as_f64(case: &Case) -> Vec<Vec<f64>> {
    case.inputs.iter().map(|input| tensor::reference::to_f64(&input.values)).collect()
}

fn bits(run: &Run) -> Vec<Vec<u32>> {
    let grads = run.grads.iter().flatten();
    run.outputs.iter().chain(grads).map(|values| values.iter().map(|v| v.to_bits()).collect()).collect()
}
