//! Outputs that are computed where they are read: the bits of a step are those of one that stores them.

use crate::numbers::numbers;
use crate::weights::weight;
use autograd::{
    Backward, BatchNormOptions, Conv1dOptions, Conv2dOptions, Forward, Graph, Mode, Op, Operands, ParamId,
    Params, Pool2dOptions, Role, ShapeError, Tape, Var,
};
use tensor::Shape;
use tensor::activation::Activation;
use tensor::conv::Algorithm;

const CHANNELS: usize = 16;

/// The images [n, 9, 7, 16] of an op with a recipe.
type Producer = fn(&Graph<'_>, Var, &Entries) -> Var;

/// A scalar of images [n, 9, 7, 16].
type Consumer = fn(&Graph<'_>, Var, &Entries) -> Var;

/// Weights of convolutions, and what a batch norm needs.
struct Entries {
    wide: ParamId,
    usual: ParamId,
    of_columns: ParamId,
    depthwise: ParamId,
    sequence: ParamId,
    running: [ParamId; 2],
    affine: [ParamId; 2],
}

fn entries(params: &mut Params) -> Entries {
    let mut vector = |name: &str, role, values: Vec<f32>| {
        let id = params.add(name, [CHANNELS], role);
        params.value_mut(id).copy_from_slice(&values);
        id
    };
    let positive = |seed| numbers(CHANNELS, seed).iter().map(|v| v + 1.5).collect::<Vec<_>>();
    let running =
        [vector("mean", Role::Statistic, numbers(CHANNELS, 1)), vector("var", Role::Statistic, positive(2))];
    let affine =
        [vector("w", Role::Trainable, positive(3)), vector("b", Role::Trainable, numbers(CHANNELS, 4))];
    let mut weight = |name: &str, dims: &[usize]| weight(params, name, dims);
    Entries {
        wide: weight("wide", &[5, CHANNELS, 5, 5]),
        usual: weight("usual", &[CHANNELS, CHANNELS, 3, 3]),
        of_columns: weight("of_columns", &[8, 7, 3, 3]),
        depthwise: weight("depthwise", &[CHANNELS, 1, 3, 3]),
        sequence: weight("sequence", &[6, CHANNELS, 3]),
        running,
        affine,
    }
}

fn normalised(g: &Graph<'_>, x: Var, entries: &Entries, activation: Option<Activation>) -> Var {
    let (running, options) = (entries.running.map(|id| g.param(id)), BatchNormOptions::default());
    let affine = entries.affine.map(|id| Some(g.param(id)));
    match activation {
        Some(activation) => g.batch_norm_activation(x, &running, affine, options, activation),
        None => g.batch_norm(x, &running, affine, options),
    }
}

const PRODUCERS: [(&str, Producer); 9] = [
    ("relu", |g, x, _| g.relu(x)),
    ("gelu", |g, x, _| g.gelu(x)),
    ("gelu_tanh", |g, x, _| g.gelu_tanh(x)),
    ("silu", |g, x, _| g.silu(x)),
    ("batch_norm", |g, x, entries| normalised(g, x, entries, None)),
    ("batch_norm_activation", |g, x, entries| normalised(g, x, entries, Some(Activation::Gelu))),
    ("batch_norm in evaluation", |g, x, entries| {
        g.evaluating(|g| normalised(g, x, entries, Some(Activation::Silu)))
    }),
    ("an activation of a batch norm", |g, x, entries| g.gelu(normalised(g, x, entries, None))),
    ("a batch norm without statistics", |g, x, _| {
        let options = BatchNormOptions::default();
        g.batch_norm_activation(x, &[], [None, None], options, Activation::Relu)
    }),
];

fn convolved(g: &Graph<'_>, x: Var, id: ParamId, options: Conv2dOptions) -> Var {
    g.mean(g.conv2d(x, g.param(id), None, options))
}

const PADDED: Conv2dOptions = Conv2dOptions {
    stride: [1, 1],
    padding: [1, 1],
    dilation: [1, 1],
    groups: 1,
    algorithm: Algorithm::Auto,
};

/// Those that compute, those that need the values, and both in either order.
const CONSUMERS: [(&str, Consumer); 14] = [
    ("direct", |g, x, e| convolved(g, x, e.wide, Conv2dOptions { padding: [2, 1], ..PADDED })),
    ("Winograd", |g, x, e| convolved(g, x, e.usual, PADDED)),
    ("with a pool", |g, x, e| g.mean(g.conv_pool(x, g.param(e.usual), None, PADDED))),
    ("with ReLU and pool", |g, x, e| g.mean(g.conv_relu_pool(x, g.param(e.usual), None, PADDED))),
    ("two convolutions", |g, x, e| g.add(convolved(g, x, e.usual, PADDED), convolved(g, x, e.wide, PADDED))),
    ("sequences", |g, x, e| {
        let rows = g.reshape(x, [g.shape(x)[0] * 9, 7, CHANNELS]);
        g.mean(g.conv1d(rows, g.param(e.sequence), None, Conv1dOptions::default()))
    }),
    ("other channels", |g, x, e| {
        convolved(g, g.reshape(x, [g.shape(x)[0], 9, CHANNELS, 7]), e.of_columns, PADDED)
    }),
    ("strided", |g, x, e| convolved(g, x, e.usual, Conv2dOptions { stride: [2, 2], ..PADDED })),
    ("depthwise", |g, x, e| convolved(g, x, e.depthwise, Conv2dOptions { groups: CHANNELS, ..PADDED })),
    ("pool", |g, x, _| g.mean(g.max_pool2d(x, Pool2dOptions::new([2, 2])))),
    ("computed, then stored", |g, x, e| g.add(convolved(g, x, e.usual, PADDED), g.mean(g.mul(x, x)))),
    ("stored, then computed", |g, x, e| g.add(g.mean(g.mul(x, x)), convolved(g, x, e.usual, PADDED))),
    ("in a part", |g, x, e| g.recompute(&[x], |g, x| convolved(g, x[0], e.usual, PADDED))),
    ("detached", |g, x, e| {
        g.add(convolved(g, g.detach(x), e.usual, PADDED), convolved(g, x, e.wide, PADDED))
    }),
];

/// How the step runs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Usual,
    /// The images are stored as soon as they are recorded.
    Stored,
    /// The step is a part that is computed again in backward.
    Part,
    /// NaN and infinity are searched for.
    Searching,
}

/// The bits of two steps (losses, gradients and parameters), and those of the images, read after backward.
fn bits(producer: Producer, consumer: Consumer, n_images: usize, how: How) -> [Vec<u32>; 2] {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let entries = entries(&mut params);
    let (mut all, mut images) = (Vec::new(), Vec::new());
    for step in 0..2 {
        let mode = Mode::train(7, step);
        let mode = if how == How::Searching { mode.detect_anomaly() } else { mode };
        let mut g = tape.begin(&mut params, mode);
        let x = g.variable([n_images, 9, 7, CHANNELS], &numbers(n_images * 9 * 7 * CHANNELS, 5 + step));
        let (y, loss) = match how {
            How::Part => (None, g.recompute(&[x], |g, x| consumer(g, producer(g, x[0], &entries), &entries))),
            _ => {
                let y = producer(&g, x, &entries);
                if how == How::Stored {
                    g.value(y);
                }
                (Some(y), consumer(&g, y, &entries))
            }
        };
        g.backward(loss);
        assert_eq!(g.anomaly(), None);
        all.push(g.scalar(loss));
        all.extend_from_slice(g.grad(x).expect("x is a variable"));
        images.extend(y.map(|y| g.value(y).to_vec()));
        drop(g);
        all.extend([params.grads(), params.values()].concat());
    }
    assert!(all.iter().all(|v| v.is_finite()));
    [all, images.concat()].map(|values| values.into_iter().map(f32::to_bits).collect())
}

#[test]
fn a_step_has_the_bits_of_one_that_stores_all_values() {
    let pool = |n_threads| rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().expect("threads");
    let (one, three) = (pool(1), pool(3));
    for (of, producer) in PRODUCERS {
        for (by, consumer) in CONSUMERS {
            for n_images in [1, 21] {
                let stored = one.install(|| bits(producer, consumer, n_images, How::Stored));
                for how in [How::Usual, How::Part, How::Searching] {
                    let [all, images] = three.install(|| bits(producer, consumer, n_images, how));
                    assert!(all == stored[0], "{of}, read by {by}: {n_images} images, {how:?}");
                    assert!(how == How::Part || images == stored[1], "{of}, read by {by}: {how:?}");
                }
            }
        }
    }
}

/// Reads recipes, or says so.
struct Sum {
    reads_recipes: bool,
}

impl Op for Sum {
    fn name(&self) -> &'static str {
        "sum_of_recipe"
    }

    fn output_shape(&self, _: &[Shape]) -> Result<Shape, ShapeError> {
        Ok([].into())
    }

    fn reads_recipe(&self, _: usize, _: Operands<'_>) -> bool {
        true
    }

    fn forward(&self, f: Forward<'_>) {
        let mut y = vec![0.0; f.inputs.shape(0).numel()];
        match self.reads_recipes {
            true => f.inputs.pointwise(0).write(&mut y),
            false => y.copy_from_slice(f.inputs.value(0)),
        }
        f.output[0] = y.iter().sum();
    }

    fn backward(&self, _: Backward<'_>) {}
}

#[test]
fn an_op_of_another_crate_can_read_recipes() {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let g = tape.begin(&mut params, Mode::train(0, 0));
    let x = g.input([3], &[1.0, -2.0, 3.0]);
    assert_eq!(g.scalar(g.apply(Sum { reads_recipes: true }, &[g.relu(x)])), 4.0);
    assert_eq!(g.scalar(g.apply(Sum { reads_recipes: true }, &[x])), 2.0, "what is stored is one, too");
}

#[test]
#[should_panic(expected = "input 0 is a recipe; read it with Inputs::pointwise")]
fn a_recipe_is_no_value() {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let g = tape.begin(&mut params, Mode::train(0, 0));
    g.apply(Sum { reads_recipes: false }, &[g.relu(g.input([3], &[1.0, -2.0, 3.0]))]);
}

/// Backward moves a running statistic, but not what was recorded of it.
#[test]
fn an_activation_of_a_statistic_keeps_its_value() {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let entries = entries(&mut params);
    let mut g = tape.begin(&mut params, Mode::train(0, 0));
    let mean = g.param(entries.running[0]);
    let (before, y) = (numbers(CHANNELS, 1), g.relu(mean));
    let x = g.variable([2, 3, 3, CHANNELS], &numbers(18 * CHANNELS, 2));
    let loss = g.mean(normalised(&g, x, &entries, Some(Activation::Relu)));
    g.backward(loss);
    assert_ne!(g.value(mean), before);
    assert!(g.value(y).iter().zip(&before).all(|(y, mean)| *y == mean.max(0.0)));
}
