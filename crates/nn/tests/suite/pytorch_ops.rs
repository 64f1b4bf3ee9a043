//! The ops of `Graph` against numbers that `pytorch/ops.py` recorded: what a gradient is at a tie or a kink, how axes
//! are counted and shapes come out, as PyTorch has it.

use std::collections::HashMap;

use crate::common::uniform;
use autograd::{Graph, Indices, Mode, PadMode, Params, Tape, Var};

/// The numbers of each line by its name.
fn recorded() -> HashMap<&'static str, Vec<f32>> {
    let lines = include_str!("../pytorch/ops.txt").lines().filter(|line| !line.starts_with('#'));
    let numbers = |words: std::str::Split<'static, char>| words.map(|word| word.parse().unwrap()).collect();
    lines
        .map(|line| {
            let mut words = line.split(' ');
            (words.next().unwrap(), numbers(words))
        })
        .collect()
}

/// Indices below 3, as the script makes them.
fn picks(n: u32) -> Vec<u32> {
    (0..n).map(|i| (i * 7 + i / 3) % 3).collect()
}

fn is_positive(g: &Graph<'_>, x: Var) -> Var {
    g.relu(g.sign(x))
}

type Record = fn(&Graph<'_>, &[Var]) -> Var;
const IMAGES: &[usize] = &[1, 4, 5, 2];

/// The cases of the script: name, shapes, whether the inputs are rounded to halves, the op.
const CASES: &[(&str, &[&[usize]], bool, Record)] = &[
    ("add", &[&[2, 3], &[3]], false, |g, v| g.add(v[0], v[1])),
    ("sub", &[&[2, 3], &[2, 1]], false, |g, v| g.sub(v[0], v[1])),
    ("mul", &[&[2, 1, 3], &[4, 1]], false, |g, v| g.mul(v[0], v[1])),
    ("div", &[&[2, 3], &[3]], false, |g, v| g.div(v[0], g.add_scalar(v[1], 2.0))),
    ("neg", &[&[2, 3]], false, |g, v| g.neg(v[0])),
    ("exp", &[&[5]], false, |g, v| g.exp(v[0])),
    ("log", &[&[5]], false, |g, v| g.log(g.add_scalar(v[0], 2.0))),
    ("sqrt", &[&[5]], false, |g, v| g.sqrt(g.add_scalar(v[0], 2.0))),
    ("pow", &[&[5]], false, |g, v| g.pow(g.add_scalar(v[0], 2.0), 1.5)),
    ("square", &[&[5]], true, |g, v| g.pow(v[0], 2.0)),
    ("sum", &[&[2, 3]], false, |g, v| g.sum(v[0])),
    ("sum_axes", &[&[2, 3, 4]], false, |g, v| g.sum_axes(v[0], [0, 2], true)),
    ("mean", &[&[2, 3]], false, |g, v| g.mean(v[0])),
    ("mean_axes", &[&[2, 3, 4]], false, |g, v| g.mean_axes(v[0], 1, false)),
    ("permute", &[&[2, 3, 4]], false, |g, v| g.permute(v[0], &[2, 0, 1])),
    ("transpose", &[&[2, 3, 4]], false, |g, v| g.transpose(v[0], 0, 2)),
    ("reshape", &[&[2, 3, 4]], false, |g, v| g.reshape(v[0], [4, 6])),
    ("flatten", &[&[2, 3, 4]], false, |g, v| g.flatten(v[0])),
    ("flatten_images", &[IMAGES], false, |g, v| g.flatten(v[0])),
    ("flatten_from", &[&[2, 3, 4, 2]], false, |g, v| g.flatten_from(v[0], 2)),
    ("flatten_between", &[&[2, 3, 4]], false, |g, v| g.flatten_between(v[0], 0, 1)),
    ("concat", &[&[2, 3], &[2, 2]], false, |g, v| g.concat(v, 1)),
    ("slice", &[&[2, 5]], false, |g, v| g.slice(v[0], 1, 1..4)),
    ("index_select", &[&[3, 2]], false, |g, v| g.index_select(v[0], g.indices(&picks(5)))),
    ("broadcast_to", &[&[3, 1]], false, |g, v| g.broadcast_to(v[0], [2, 3, 4])),
    ("expand_as", &[&[1, 3], &[2, 3]], false, |g, v| g.mul(g.expand_as(v[0], v[1]), v[1])),
    ("matmul", &[&[2, 1, 3, 4], &[5, 4, 2]], false, |g, v| g.matmul(v[0], v[1])),
    ("matmul_matrix", &[&[2, 3, 4], &[4, 5]], false, |g, v| g.matmul(v[0], v[1])),
    ("matmul_vector", &[&[2, 3, 4], &[4]], false, |g, v| g.matmul(v[0], v[1])),
    ("vector_matmul", &[&[4], &[2, 4, 3]], false, |g, v| g.matmul(v[0], v[1])),
    ("dot", &[&[4], &[4]], false, |g, v| g.matmul(v[0], v[1])),
    ("einsum_scores", &[&[2, 2, 3, 4], &[2, 2, 5, 4]], false, |g, v| g.einsum("nhtd,nhsd->nhts", v)),
    ("einsum_bilinear", &[&[2, 3], &[2, 4]], false, |g, v| g.einsum("ni,nj->ji", v)),
    ("einsum_ellipsis", &[&[2, 1, 3, 2], &[3, 2, 2]], false, |g, v| g.einsum("...ij,...kj->...ki", v)),
    ("einsum_ellipsis_summed", &[&[2, 3, 2], &[1, 2]], false, |g, v| g.einsum("...i,...j->ij", v)),
    ("einsum_ellipsis_implicit", &[&[2, 3], &[3, 2]], false, |g, v| g.einsum("j...,...i", v)),
    ("einsum_implicit", &[&[2, 3], &[4, 2]], false, |g, v| g.einsum("cb,ac", v)),
    ("where", &[&[2, 3], &[3]], false, |g, v| g.where_cond(is_positive(g, v[0]), v[0], v[1])),
    ("masked_fill", &[&[2, 3]], false, |g, v| g.masked_fill(v[0], is_positive(g, v[0]), -2.0)),
    ("clamp", &[&[2, 3]], true, |g, v| g.clamp(v[0], -0.5, 0.5)),
    ("clamp_crossed", &[&[2, 3]], false, |g, v| g.clamp(v[0], 0.5, -0.5)),
    ("abs", &[&[3, 4]], true, |g, v| g.abs(v[0])),
    ("sign", &[&[3, 4]], true, |g, v| g.sign(v[0])),
    ("maximum", &[&[3, 4], &[4]], true, |g, v| g.maximum(v[0], v[1])),
    ("minimum", &[&[3, 4], &[4]], true, |g, v| g.minimum(v[0], v[1])),
    ("amax", &[&[2, 3, 4]], true, |g, v| g.amax(v[0], [0, 2], false)),
    ("amin", &[&[2, 3, 4]], true, |g, v| g.amin(v[0], 1, true)),
    ("max_of_all", &[&[3, 4]], true, |g, v| g.amax(v[0], .., false)),
    ("max", &[&[3, 6]], true, |g, v| g.max(v[0], 1, false).0),
    ("min", &[&[3, 6]], true, |g, v| g.min(v[0], 0, true).0),
    ("sort", &[&[2, 5, 2]], true, |g, v| g.sort(v[0], 1, true).0),
    ("topk", &[&[2, 7]], false, |g, v| g.topk(v[0], 3, 1, true).0),
    ("topk_ties", &[&[2, 7]], true, |g, v| g.topk(v[0], 3, 1, true).0),
    ("topk_smallest", &[&[7, 2]], false, |g, v| g.topk(v[0], 3, 0, false).0),
    ("gather", &[&[3, 4]], false, |g, v| g.gather(v[0], 0, g.indices(&picks(8)))),
    ("scatter_add", &[&[2, 3], &[2, 5]], false, |g, v| g.scatter_add(v[0], 1, g.indices(&picks(10)), v[1])),
    ("cumsum", &[&[2, 3, 4]], false, |g, v| g.cumsum(v[0], 1)),
    ("cumsum_last", &[&[2, 5]], false, |g, v| g.cumsum(v[0], 1)),
    ("stack", &[&[2, 3], &[2, 3]], false, |g, v| g.stack(v, 1)),
    ("split", &[&[2, 7]], false, |g, v| {
        let [a, b, c] = g.split(v[0], [1, 4, 2], 1);
        g.concat(&[c, b, a], 1)
    }),
    ("split_first", &[&[5, 3]], false, |g, v| g.split(v[0], [3, 2], 0)[1]),
    ("chunk", &[&[2, 7]], false, |g, v| {
        let [a, b, c] = g.chunk(v[0], 1);
        g.concat(&[c, b, a], 1)
    }),
    ("roll", &[&[2, 5]], false, |g, v| g.roll(v[0], -2, 1)),
    ("outer", &[&[3], &[4]], false, |g, v| g.outer(v[0], v[1])),
    ("pad_constant", &[IMAGES], false, |g, v| {
        g.pad(v[0], &[[0, 0], [0, 3], [1, 2], [0, 0]], PadMode::Constant(0.5))
    }),
    ("pad_reflect", &[IMAGES], false, |g, v| {
        g.pad(v[0], &[[0, 0], [2, 3], [4, 1], [0, 0]], PadMode::Reflect)
    }),
    ("pad_replicate", &[IMAGES], false, |g, v| {
        g.pad(v[0], &[[0, 0], [5, 2], [1, 6], [0, 0]], PadMode::Replicate)
    }),
    ("pad_circular", &[IMAGES], false, |g, v| {
        g.pad(v[0], &[[0, 0], [2, 4], [5, 1], [0, 0]], PadMode::Circular)
    }),
    ("norm_1", &[&[3, 4]], true, |g, v| g.norm(v[0], 1.0, 1, false)),
    ("norm_2", &[&[3, 4]], false, |g, v| g.norm(v[0], 2.0, .., false)),
    ("norm_3", &[&[3, 4]], false, |g, v| g.norm(v[0], 3.0, 0, true)),
    ("norm_half", &[&[3, 4]], true, |g, v| g.norm(v[0], 0.5, 1, false)),
    ("norm_max", &[&[3, 4]], true, |g, v| g.norm(v[0], f32::INFINITY, 1, false)),
    ("logsumexp", &[&[2, 3, 4]], false, |g, v| g.logsumexp(g.scale(v[0], 90.0), [0, 2], false)),
    ("var", &[&[2, 3, 4]], false, |g, v| g.var(v[0], [0, 2], 1, false)),
    ("var_of_all", &[&[3, 4]], false, |g, v| g.var(v[0], .., 0, false)),
    ("std", &[&[2, 3, 4]], false, |g, v| g.std(v[0], 1, 1, true)),
    ("std_correction", &[&[3, 5]], false, |g, v| g.std(v[0], 1, 2, false)),
    ("cosine_similarity", &[&[3, 4], &[3, 4]], false, |g, v| g.cosine_similarity(v[0], v[1], 1, 1e-8)),
    ("cosine_similarity_axis", &[&[2, 3, 4], &[1, 3, 4]], false, |g, v| {
        g.cosine_similarity(v[0], v[1], 2, 0.9)
    }),
    ("pairwise_distance", &[&[3, 4], &[3, 4]], false, |g, v| {
        g.pairwise_distance(v[0], v[1], 2.0, 1e-6, false)
    }),
    ("pairwise_distance_3", &[&[3, 4], &[4]], false, |g, v| g.pairwise_distance(v[0], v[1], 3.0, 0.1, true)),
    ("sin", &[&[5]], false, |g, v| g.sin(v[0])),
    ("cos", &[&[5]], false, |g, v| g.cos(v[0])),
    ("tan", &[&[5]], false, |g, v| g.tan(v[0])),
    ("asin", &[&[5]], false, |g, v| g.asin(v[0])),
    ("acos", &[&[5]], false, |g, v| g.acos(v[0])),
    ("atan", &[&[5]], false, |g, v| g.atan(v[0])),
    ("sinh", &[&[5]], false, |g, v| g.sinh(v[0])),
    ("cosh", &[&[5]], false, |g, v| g.cosh(v[0])),
];

/// A case whose result is indices: name, shape, whether the input is rounded to halves, the op.
type IndexCase = (&'static str, &'static [usize], bool, fn(&Graph<'_>, Var) -> Indices);

/// Of the values rounded to halves many are equal.
const INDICES: &[IndexCase] = &[
    ("sort_indices", &[2, 5, 2], true, |g, x| g.sort(x, 1, true).1),
    ("sort_indices_ascending", &[4, 6], true, |g, x| g.sort(x, 0, false).1),
    ("argsort", &[3, 7], false, |g, x| g.argsort(x, 1, false)),
    ("argsort_ties", &[3, 7], true, |g, x| g.argsort(x, 1, true)),
    ("topk_indices", &[2, 7], false, |g, x| g.topk(x, 3, 1, true).1),
    ("topk_indices_smallest", &[7, 2], false, |g, x| g.topk(x, 3, 0, false).1),
    ("topk_indices_ties", &[2, 7], true, |g, x| g.topk(x, 3, 1, true).1),
    ("topk_indices_ties_smallest", &[7, 2], true, |g, x| g.topk(x, 4, 0, false).1),
    ("argmax_ties", &[3, 6], true, |g, x| g.argmax(x, 1)),
    ("argmin_ties", &[3, 6], true, |g, x| g.argmin(x, 0)),
    ("max_indices", &[3, 6], true, |g, x| g.max(x, 1, false).1),
    ("min_indices", &[3, 6], true, |g, x| g.min(x, 0, true).1),
];

/// The numbers of an input, as the script makes them.
fn numbers(stream: u32, shape: &[usize], is_rounded: bool) -> Vec<f32> {
    let mut values = uniform(stream, shape.iter().product());
    if is_rounded {
        values.iter_mut().for_each(|v| *v = (*v * 2.0).round_ties_even() / 2.0);
    }
    values
}

#[track_caller]
fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    let is_close = |(x, y): (&f32, &f32)| (x - y).abs() <= 2e-6 + 2e-5 * y.abs();
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(is_close),
        "{what}: {found:?}, PyTorch has {expected:?}"
    );
}

#[test]
fn ops_are_those_of_pytorch() {
    let recorded = recorded();
    for &(name, shapes, is_rounded, record) in CASES {
        let (mut tape, mut params) = (Tape::new(), Params::new());
        let mut g = tape.begin(&mut params, Mode::train(0, 0));
        let leaf =
            |(i, &shape): (usize, &&[usize])| g.variable(shape, &numbers(1 + i as u32, shape, is_rounded));
        let inputs: Vec<Var> = shapes.iter().enumerate().map(leaf).collect();
        let y = record(&g, &inputs);
        let shape: Vec<f32> = g.shape(y).iter().map(|&size| size as f32).collect();
        assert_eq!(shape, recorded[format!("{name}.shape").as_str()], "{name}");
        assert_close(g.value(y), &recorded[format!("{name}.y").as_str()], name);
        let dy = g.input(g.shape(y), &uniform(9, g.value(y).len()));
        let loss = g.sum(g.mul(y, dy));
        g.backward(loss);
        for (i, &x) in inputs.iter().enumerate() {
            // PyTorch gives a zero where we give none: to a condition, or to a sign.
            let dx = g.grad(x).expect("every input is a variable");
            assert_close(dx, &recorded[format!("{name}.d{i}").as_str()], &format!("gradient {i} of {name}"));
        }
    }
    let n_lines = CASES.iter().map(|(_, shapes, ..)| 2 + shapes.len()).sum::<usize>();
    assert_eq!(recorded.len(), n_lines + 2 * INDICES.len());
}

#[test]
fn indices_are_those_of_pytorch() {
    let recorded = recorded();
    for &(name, shape, is_rounded, record) in INDICES {
        let (mut tape, mut params) = (Tape::new(), Params::new());
        let g = tape.begin(&mut params, Mode::eval());
        let indices = record(&g, g.input(shape, &numbers(1, shape, is_rounded)));
        let expected = |key: &str| -> Vec<usize> {
            recorded[format!("{name}.{key}").as_str()].iter().map(|&number| number as usize).collect()
        };
        let found: Vec<usize> = g.integers(indices).iter().map(|&idx| idx as usize).collect();
        assert_eq!(found, expected("y"), "{name}");
        // The indices of a minimum have no axis of size 1, whether its values keep it or not.
        let sizes: Vec<usize> = expected("shape").into_iter().filter(|&size| size != 1).collect();
        assert_eq!(indices.shape().dims(), sizes, "{name}");
    }
}
