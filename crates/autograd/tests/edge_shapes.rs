//! Shapes at the edge, through every op: a defined result, or a panic that says why.

#[path = "common/losses.rs"]
mod losses;
#[path = "common/unary.rs"]
mod unary;

use std::panic::{AssertUnwindSafe, catch_unwind};

use autograd::{
    AttentionOptions, BatchNormOptions, Conv2dOptions, ConvTranspose2dOptions, CrossEntropyOptions, Graph,
    Interpolation, LocalResponseNormOptions, Mode, PadMode, Params, Pool2dOptions, RecurrentOptions,
    Reduction, ResizeTo, Role, StochasticDepthMode, Tape, Var,
};
use losses::LOSSES;
use tensor::activation::Activation;
use unary::UNARY;

const NAN: f32 = f32::NAN;

/// What became of an op: the shape and the values of its output, or the message of its panic.
struct Outcome(Result<(Vec<usize>, Vec<f32>), String>);

/// Runs an op on variables of the given shapes, full of ones, in training mode; then backward.
fn on(shapes: &[&[usize]], op: impl Fn(&Graph<'_>, &[Var]) -> Var) -> Outcome {
    run(Mode::train(1, 0), shapes, &op)
}

fn run(mode: Mode, shapes: &[&[usize]], op: &dyn Fn(&Graph<'_>, &[Var]) -> Var) -> Outcome {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    for name in ["mean", "var"] {
        params.add(name, [3], Role::Statistic);
    }
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut g = tape.begin(&mut params, mode);
        let ones = |g: &Graph<'_>, dims: &[usize]| g.variable(dims, &vec![1.0; dims.iter().product()]);
        let inputs: Vec<Var> = shapes.iter().map(|dims| ones(&g, dims)).collect();
        let y = op(&g, &inputs);
        // A loss that depends on something even if the op does not.
        let (sum, anchor) = (g.sum(y), ones(&g, &[]));
        let loss = g.add(sum, anchor);
        g.backward(loss);
        for input in inputs {
            let n_grads = g.grad(input).map_or(g.value(input).len(), <[f32]>::len);
            assert_eq!(n_grads, g.value(input).len());
        }
        let found = (g.shape(y).to_vec(), g.value(y).to_vec());
        drop(g);
        assert!(
            params.values().iter().all(|value| value.is_finite()),
            "running statistics: {:?}",
            params.values()
        );
        found
    }));
    Outcome(result.map_err(|panic| panic.downcast_ref::<String>().expect("a panic with a message").clone()))
}

impl Outcome {
    /// Expects a shape full of one value; NaN equals NaN.
    #[track_caller]
    fn gives(self, dims: &[usize], value: f32) {
        let (found_dims, found) = self.0.expect("a defined result");
        assert_eq!(found_dims, dims);
        assert_eq!(found.len(), dims.iter().product::<usize>());
        let right = found.iter().all(|&v| v == value || (v.is_nan() && value.is_nan()));
        assert!(right, "{found:?}, expected {value}");
    }

    /// Expects a shape of no elements.
    #[track_caller]
    fn gives_nothing(self, dims: &[usize]) {
        assert_eq!(dims.iter().product::<usize>(), 0);
        self.gives(dims, NAN);
    }

    /// Expects a panic that contains `part`.
    #[track_caller]
    fn panics(self, part: &str) {
        let message = self.0.expect_err("it must panic");
        assert!(message.contains(part), "{message:?} does not contain {part:?}");
    }
}

#[test]
fn element_wise_ops_of_nothing_give_nothing() {
    let binary: [fn(&Graph<'_>, Var, Var) -> Var; 6] = [
        |g, a, b| g.add(a, b),
        |g, a, b| g.sub(a, b),
        |g, a, b| g.mul(a, b),
        |g, a, b| g.div(a, b),
        |g, a, b| g.maximum(a, b),
        |g, a, b| g.minimum(a, b),
    ];
    for dims in [&[0][..], &[0, 3], &[3, 0], &[2, 0, 4]] {
        for op in UNARY {
            on(&[dims], |g, v| op(g, v[0])).gives_nothing(dims);
        }
        on(&[dims], |g, v| g.detach(v[0])).gives_nothing(dims);
        on(&[dims, &[1]], |g, v| g.prelu(v[0], v[1])).gives_nothing(dims);
        for op in binary {
            on(&[dims, dims], |g, v| op(g, v[0], v[1])).gives_nothing(dims);
            on(&[dims, &[1]], |g, v| op(g, v[0], v[1])).gives_nothing(dims);
            on(&[&[1], dims], |g, v| op(g, v[0], v[1])).gives_nothing(dims);
        }
    }
}

#[test]
fn halves_of_nothing() {
    on(&[&[0, 4]], |g, v| g.glu(v[0])).gives_nothing(&[0, 2]);
    on(&[&[3, 0]], |g, v| g.glu(v[0])).gives_nothing(&[3, 0]);
}

#[test]
fn products_choices_and_borders_of_nothing() {
    on(&[&[0, 2, 3], &[0, 3, 4]], |g, v| g.matmul(v[0], v[1])).gives_nothing(&[0, 2, 4]);
    on(&[&[0, 2, 3], &[3, 4]], |g, v| g.matmul(v[0], v[1])).gives_nothing(&[0, 2, 4]);
    on(&[&[2, 3, 0], &[2, 0, 4]], |g, v| g.matmul(v[0], v[1])).gives(&[2, 3, 4], 0.0);
    on(&[&[0], &[0]], |g, v| g.matmul(v[0], v[1])).gives(&[], 0.0);
    on(&[&[2, 0], &[0, 4]], |g, v| g.einsum("ij,jk->ki", v)).gives(&[4, 2], 0.0);
    on(&[&[0, 3], &[0, 4]], |g, v| g.einsum("bi,bj->bij", v)).gives_nothing(&[0, 3, 4]);
    on(&[&[0, 3], &[3], &[1]], |g, v| g.where_cond(v[0], v[1], v[2])).gives_nothing(&[0, 3]);
    on(&[&[0, 2]], |g, v| g.pad(v[0], &[[0, 0], [1, 1]], PadMode::Reflect)).gives_nothing(&[0, 4]);
    on(&[&[2, 0]], |g, v| g.pad(v[0], &[[1, 0], [1, 1]], PadMode::Constant(0.5))).gives(&[3, 2], 0.5);
    on(&[&[2, 0]], |g, v| g.pad(v[0], &[[0, 0], [1, 1]], PadMode::Replicate))
        .panics("is too long for axis 1");
    on(&[&[0], &[0]], |g, v| g.stack(v, 1)).gives_nothing(&[0, 2]);
    on(&[], |g, v| g.stack(v, 1)).panics("there is nothing to stack");
    on(&[], |g, _| g.randn([0, 3])).gives_nothing(&[0, 3]);
}

#[test]
fn nothing_in_order_and_over_axes() {
    on(&[&[2, 0]], |g, v| g.cumsum(v[0], 1)).gives_nothing(&[2, 0]);
    on(&[&[0, 2]], |g, v| g.cumsum(v[0], 1)).gives_nothing(&[0, 2]);
    on(&[&[2, 0]], |g, v| g.sort(v[0], 1, true).0).gives_nothing(&[2, 0]);
    on(&[&[2, 3]], |g, v| g.topk(v[0], 0, 1, true).0).gives_nothing(&[2, 0]);
    on(&[&[0, 3]], |g, v| g.sort(v[0], 1, true).0).gives_nothing(&[0, 3]);
    on(&[&[0, 3]], |g, v| g.topk(v[0], 2, 1, true).0).gives_nothing(&[0, 2]);
    on(&[&[0, 3]], |g, v| g.max(v[0], 1, true).0).gives_nothing(&[0, 1]);
    on(&[&[0, 3]], |g, v| g.max(v[0], 1, false).0).gives_nothing(&[0]);
    on(&[&[2, 0], &[2, 0]], |g, v| g.scatter_add(v[0], 1, g.indices(&[]), v[1])).gives_nothing(&[2, 0]);
    on(&[&[2, 3], &[2, 0]], |g, v| g.scatter_add(v[0], 1, g.indices(&[]), v[1])).gives(&[2, 3], 1.0);
    on(&[&[0, 3]], |g, v| g.amax(v[0], 1, true)).gives_nothing(&[0, 1]);
    on(&[&[2, 0]], |g, v| g.norm(v[0], 2.0, 1, false)).gives(&[2], 0.0);
    on(&[&[2, 0]], |g, v| g.logsumexp(v[0], 1, false)).gives(&[2], f32::NEG_INFINITY);
}

#[test]
fn an_operand_broadcast_to_nothing_has_a_gradient_of_zeros() {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let mut g = tape.begin(&mut params, Mode::train(0, 0));
    let (a, b) = (g.variable([0, 3], &[]), g.variable([3], &[1.0; 3]));
    let y = g.mul(a, b);
    let loss = g.sum(y);
    g.backward(loss);
    assert_eq!((g.grad(a), g.grad(b)), (Some(&[][..]), Some(&[0.0; 3][..])));
}

#[test]
fn sums_and_means_of_nothing() {
    let x: &[&[usize]] = &[&[0, 3]];
    on(x, |g, v| g.sum(v[0])).gives(&[], 0.0);
    on(x, |g, v| g.sum_axes(v[0], 0, false)).gives(&[3], 0.0);
    on(x, |g, v| g.sum_axes(v[0], 1, true)).gives_nothing(&[0, 1]);
    on(x, |g, v| g.mean(v[0])).gives(&[], NAN);
    on(x, |g, v| g.mean_axes(v[0], 0, false)).gives(&[3], NAN);
    on(x, |g, v| g.mean_axes(v[0], 1, false)).gives_nothing(&[0]);
}

#[test]
fn products_of_nothing() {
    on(&[&[2, 0], &[0, 3]], |g, v| g.matmul(v[0], v[1])).gives(&[2, 3], 0.0);
    on(&[&[0, 2], &[2, 3]], |g, v| g.matmul(v[0], v[1])).gives_nothing(&[0, 3]);
    on(&[&[2, 3], &[3, 0]], |g, v| g.matmul(v[0], v[1])).gives_nothing(&[2, 0]);
    let linear: [fn(&Graph<'_>, &[Var]) -> Var; 2] = [
        |g, v| g.linear(v[0], v[1], Some(v[2])),
        |g, v| g.linear_activation(v[0], v[1], Some(v[2]), Activation::Relu),
    ];
    for linear in linear {
        on(&[&[0, 2], &[3, 2], &[3]], linear).gives_nothing(&[0, 3]);
        on(&[&[2, 0], &[3, 0], &[3]], linear).gives(&[2, 3], 1.0);
        on(&[&[2, 3], &[0, 3], &[0]], linear).gives_nothing(&[2, 0]);
    }
}

#[test]
fn moving_nothing() {
    on(&[&[0, 3]], |g, v| g.reshape(v[0], [5, 0])).gives_nothing(&[5, 0]);
    on(&[&[0, 3]], |g, v| g.transpose(v[0], 0, 1)).gives_nothing(&[3, 0]);
    on(&[&[0, 2, 2, 3]], |g, v| g.flatten(v[0])).gives_nothing(&[0, 12]);
    on(&[&[2, 2, 2, 0]], |g, v| g.flatten(v[0])).gives_nothing(&[2, 0]);
    on(&[&[3, 2]], |g, v| g.slice(v[0], 0, 1..1)).gives_nothing(&[0, 2]);
    on(&[&[0, 2], &[1, 2]], |g, v| g.concat(&[v[0], v[1], v[0]], 0)).gives(&[1, 2], 1.0);
    on(&[], |g, v| g.concat(v, 0)).panics("concat: there is nothing to concatenate");
}

#[test]
fn picking_nothing() {
    let gather = |axis| {
        move |g: &Graph<'_>, v: &[Var]| {
            let none = g.indices(&[]);
            g.gather(v[0], axis, none)
        }
    };
    on(&[&[3, 2]], gather(0)).gives_nothing(&[0, 2]);
    on(&[&[0, 2]], gather(1)).gives_nothing(&[0, 0]);
    let select = |rows: &'static [u32]| {
        move |g: &Graph<'_>, v: &[Var]| {
            let rows = g.indices(rows);
            g.index_select(v[0], rows)
        }
    };
    on(&[&[3, 2]], select(&[])).gives_nothing(&[0, 2]);
    on(&[&[3, 0]], select(&[2, 2])).gives_nothing(&[2, 0]);
    on(&[&[0, 2]], select(&[0]))
        .panics("index_select: row 0 at position 0 is out of range; it must be below 0");
}

#[test]
fn attention_of_no_images_and_of_hidden_keys() {
    let attention =
        |g: &Graph<'_>, v: &[Var]| g.scaled_dot_product_attention(v[0], v[1], v[2], Default::default());
    on(&[&[0, 2, 5, 4], &[0, 2, 5, 4], &[0, 2, 5, 4]], attention).gives_nothing(&[0, 2, 5, 4]);
    on(&[&[2, 0, 5, 4], &[2, 0, 5, 4], &[2, 0, 5, 4]], attention).gives_nothing(&[2, 0, 5, 4]);
    on(&[&[1, 5, 0], &[1, 3, 0], &[1, 3, 2]], attention).gives(&[1, 5, 2], 1.0);
    on(&[&[1, 5, 2], &[1, 3, 2], &[1, 3, 0]], attention).gives_nothing(&[1, 5, 0]);
    on(&[&[1, 1, 2], &[1, 1, 2], &[1, 1, 2]], attention).gives(&[1, 1, 2], 1.0);
    let hidden = |g: &Graph<'_>, v: &[Var]| {
        let key_padding_mask = Some(g.attention_mask([2, 3], &[true; 6]));
        let options = AttentionOptions { key_padding_mask, ..Default::default() };
        g.scaled_dot_product_attention(v[0], v[1], v[2], options)
    };
    on(&[&[2, 5, 4], &[2, 3, 4], &[2, 3, 4]], hidden).gives(&[2, 5, 4], 0.0);
    let dropped = |g: &Graph<'_>, v: &[Var]| {
        let options = AttentionOptions { dropout_p: 1.0, ..Default::default() };
        g.scaled_dot_product_attention(v[0], v[1], v[2], options)
    };
    on(&[&[2, 5, 4], &[2, 5, 4], &[2, 5, 4]], dropped).gives(&[2, 5, 4], 0.0);
}

#[test]
fn images_of_nothing_and_of_one_pixel() {
    let options = Conv2dOptions { padding: [1, 1], ..Default::default() };
    let conv = |g: &Graph<'_>, v: &[Var]| g.conv2d(v[0], v[1], Some(v[2]), options);
    let block = |g: &Graph<'_>, v: &[Var]| g.conv_relu_pool(v[0], v[1], Some(v[2]), options);
    on(&[&[0, 4, 4, 3], &[2, 3, 3, 3], &[2]], conv).gives_nothing(&[0, 4, 4, 2]);
    on(&[&[0, 4, 4, 3], &[2, 3, 3, 3], &[2]], block).gives_nothing(&[0, 2, 2, 2]);
    on(&[&[1, 1, 1, 1], &[2, 1, 3, 3], &[2]], conv).gives(&[1, 1, 1, 2], 2.0);
    on(&[&[1, 2, 2, 1], &[2, 1, 3, 3], &[2]], block).gives(&[1, 1, 1, 2], 5.0);
    on(&[&[1, 1, 2, 1], &[2, 1, 3, 3], &[2]], block).panics("max_pool2d: a window [2, 2]");
    for op in [&conv as &dyn Fn(&Graph<'_>, &[Var]) -> Var, &block] {
        on(&[&[1, 0, 4, 3], &[2, 3, 3, 3], &[2]], op).panics("must be at least 1");
        on(&[&[1, 4, 4, 0], &[2, 0, 3, 3], &[2]], op).panics("must be at least 1");
        on(&[&[1, 4, 4, 3], &[0, 3, 3, 3], &[0]], op).panics("must be at least 1");
    }
    let pools: [fn(&Graph<'_>, &[Var]) -> Var; 2] = [
        |g, v| g.max_pool2d(v[0], Pool2dOptions { padding: [1, 1], ..Pool2dOptions::new([2, 2]) }),
        |g, v| g.avg_pool2d(v[0], Pool2dOptions { padding: [1, 1], ..Pool2dOptions::new([2, 2]) }),
    ];
    for (pool, expected) in pools.into_iter().zip([1.0, 0.25]) {
        on(&[&[0, 4, 4, 3]], pool).gives_nothing(&[0, 3, 3, 3]);
        on(&[&[1, 4, 4, 0]], pool).gives_nothing(&[1, 3, 3, 0]);
        on(&[&[1, 0, 4, 3]], pool).panics("must be at least 1");
        on(&[&[1, 1, 1, 1]], pool).gives(&[1, 1, 1, 1], expected);
    }
    on(&[&[0, 4, 4, 3]], |g, v| g.global_avg_pool2d(v[0])).gives_nothing(&[0, 3]);
    on(&[&[1, 0, 4, 3]], |g, v| g.global_avg_pool2d(v[0])).gives(&[1, 3], NAN);
}

#[test]
fn batch_norm_of_too_little() {
    let batch_norm = |g: &Graph<'_>, v: &[Var]| {
        let running = ["mean", "var"].map(|name| g.params().find(name).expect("it was added"));
        let running = running.map(|id| g.param(id));
        g.batch_norm(v[0], &running, [None, None], BatchNormOptions { eps: 1.0, ..Default::default() })
    };
    on(&[&[0, 3]], batch_norm)
        .panics("batch_norm: [0, 3] has 0 values per channel, training needs at least 2");
    on(&[&[1, 3]], batch_norm)
        .panics("batch_norm: [1, 3] has 1 value per channel, training needs at least 2");
    on(&[&[3]], batch_norm).panics("batch_norm: [3] has 1 value per channel, training needs at least 2");
    on(&[&[2, 3]], batch_norm).gives(&[2, 3], 0.0);
    let evaluation = Mode::eval().with_grad(true);
    run(evaluation, &[&[0, 3]], &batch_norm).gives_nothing(&[0, 3]);
    run(evaluation, &[&[1, 3]], &batch_norm).gives(&[1, 3], 1.0);
}

#[test]
fn norms_of_nothing_and_of_one() {
    let layer_norm = |g: &Graph<'_>, v: &[Var]| {
        let features = g.shape(v[0]).last().copied().expect("an axis");
        g.layer_norm(v[0], [features], [None, None], 1e-5)
    };
    on(&[&[0, 3]], layer_norm).gives_nothing(&[0, 3]);
    on(&[&[3, 0]], layer_norm).gives_nothing(&[3, 0]);
    on(&[&[3, 1]], layer_norm).gives(&[3, 1], 0.0);
    on(&[&[3]], layer_norm).gives(&[3], 0.0);
    on(&[&[3, 2]], |g, v| g.rms_norm(v[0], [2], None, 0.0)).gives(&[3, 2], 1.0);
    let group_norm = |g: &Graph<'_>, v: &[Var]| g.group_norm(v[0], 1, [None, None], 1e-5);
    on(&[&[0, 2, 2, 3]], group_norm).gives_nothing(&[0, 2, 2, 3]);
    on(&[&[2, 0, 2, 3]], group_norm).gives_nothing(&[2, 0, 2, 3]);
    on(&[&[2, 2, 2, 0]], group_norm).gives_nothing(&[2, 2, 2, 0]);
    on(&[&[2, 1, 1, 1]], group_norm).gives(&[2, 1, 1, 1], 0.0);
    let instance_norm = |g: &Graph<'_>, v: &[Var]| {
        let running = ["mean", "var"].map(|name| g.params().find(name).expect("it was added"));
        let running = Some(running.map(|id| g.param(id)));
        g.instance_norm(v[0], running, [None, None], BatchNormOptions::default())
    };
    on(&[&[0, 2, 2, 3]], instance_norm).gives_nothing(&[0, 2, 2, 3]);
    on(&[&[2, 0, 2, 3]], instance_norm).gives_nothing(&[2, 0, 2, 3]);
    on(&[&[2, 2, 2, 3]], instance_norm).gives(&[2, 2, 2, 3], 0.0);
    let response = |g: &Graph<'_>, v: &[Var]| g.local_response_norm(v[0], LocalResponseNormOptions::new(2));
    on(&[&[0, 3]], response).gives_nothing(&[0, 3]);
    on(&[&[2, 0]], response).gives_nothing(&[2, 0]);
    for dims in [&[0, 2, 2, 3][..], &[2, 0, 2, 3], &[2, 2, 2, 0]] {
        on(&[dims], |g, v| g.dropout2d(v[0], 0.5)).gives_nothing(dims);
        on(&[dims], |g, v| g.stochastic_depth(v[0], 0.5, StochasticDepthMode::Row)).gives_nothing(dims);
    }
    on(&[&[]], |g, v| g.stochastic_depth(v[0], 0.0, StochasticDepthMode::Batch)).gives(&[], 1.0);
}

#[test]
fn sequences_of_nothing() {
    let lstm = |g: &Graph<'_>, v: &[Var]| g.lstm(v[0], v[1], None, None, RecurrentOptions::default());
    on(&[&[0, 4, 12], &[12, 3]], lstm).gives_nothing(&[0, 6, 3]);
    on(&[&[2, 4, 0], &[0, 0]], lstm).gives_nothing(&[2, 6, 0]);
    on(&[&[2, 0, 12], &[12, 3]], lstm).panics("the sequences have no steps");
}

#[test]
fn losses_of_nothing() {
    let cross_entropy = |labels: &'static [u32], reduction| {
        move |g: &Graph<'_>, v: &[Var]| {
            let labels = g.indices(labels);
            g.cross_entropy_with(
                v[0],
                labels,
                CrossEntropyOptions { reduction, label_smoothing: 0.5, ..Default::default() },
            )
        }
    };
    for (reduction, expected) in [(Reduction::Mean, NAN), (Reduction::Sum, 0.0)] {
        for loss in LOSSES {
            on(&[&[0, 2], &[0, 2]], |g, v| loss(g, [v[0], v[1]], g.indices(&[]), reduction))
                .gives(&[], expected);
        }
        // One class is certain; none cannot be right.
        on(&[&[2, 1]], cross_entropy(&[0, 0], reduction)).gives(&[], 0.0);
        on(&[&[1, 0]], cross_entropy(&[0], reduction)).panics("the label 0 of row 0 is out of range");
        on(&[&[2, 0], &[2, 0]], |g, v| g.cross_entropy_with(v[0], v[1], reduction)).gives(&[], 0.0);
    }
}

#[test]
fn shapes_that_overflow() {
    const HUGE: usize = 1 << 40;
    let too_large = "more elements than memory can address";
    on(&[&[HUGE, 0], &[0, HUGE]], |g, v| g.matmul(v[0], v[1])).panics(too_large);
    on(&[&[HUGE, 0], &[HUGE, 0]], |g, v| g.linear(v[0], v[1], None)).panics(too_large);
    on(&[&[HUGE, 0], &[HUGE, 0]], |g, v| g.linear_activation(v[0], v[1], None, Activation::Silu))
        .panics(too_large);
    on(&[&[HUGE, 1, 0], &[HUGE, 0]], |g, v| g.add(v[0], v[1])).panics(too_large);
    on(&[&[HUGE, 1 << 20, 0]], |g, v| g.concat(&[v[0]; 3], 0)).panics(too_large);
    on(&[&[0]], |g, v| g.reshape(v[0], [0, HUGE, HUGE])).panics(too_large);
    on(&[], |g, _| g.input([HUGE, HUGE], &[])).panics(too_large);
}

#[test]
fn options_that_overflow() {
    const HUGE: usize = 1 << 40;
    let conv = |change: fn(&mut Conv2dOptions)| {
        let mut options = Conv2dOptions::default();
        change(&mut options);
        on(&[&[1, 3, 3, 1], &[1, 1, 3, 3]], |g, v| g.conv2d(v[0], v[1], None, options))
    };
    conv(|options| options.padding = [usize::MAX, 0]).panics("does not fit");
    conv(|options| options.padding = [HUGE, HUGE]).panics("more elements than memory can address");
    conv(|options| options.dilation = [usize::MAX, 1]).panics("does not fit");
    conv(|options| options.dilation = [0, 1]).panics("must be at least 1");
    conv(|options| options.stride = [1, 0]).panics("must be at least 1");
    conv(|options| options.stride = [usize::MAX, usize::MAX]).gives(&[1, 1, 1, 1], 9.0);
    conv(|options| options.groups = 0).panics("with groups = 0 expects 0");
    conv(|options| options.groups = usize::MAX).panics("has 1 channel,");

    type Pool = fn(&Graph<'_>, Var, Pool2dOptions) -> Var;
    let pools: [Pool; 2] =
        [|g, x, options| g.max_pool2d(x, options), |g, x, options| g.avg_pool2d(x, options)];
    for (pool, ceil_mode) in pools.into_iter().flat_map(|pool| [(pool, false), (pool, true)]) {
        let pool = |kernel_size: usize, stride: usize, padding: usize| {
            let new = Pool2dOptions::new([kernel_size; 2]);
            let options = Pool2dOptions { stride: [stride; 2], padding: [padding; 2], ceil_mode, ..new };
            on(&[&[1, 3, 3, 1]], |g, v| pool(g, v[0], options))
        };
        pool(usize::MAX, 1, 0).panics("does not fit");
        pool(usize::MAX, 1, usize::MAX / 2).panics("too many pixels");
        pool(2, 1, usize::MAX).panics("more than half");
        pool(0, 1, 0).panics("must be at least 1");
        pool(1, 0, 0).panics("must be at least 1");
        pool(3, usize::MAX, 0).gives(&[1, 1, 1, 1], 1.0);
    }
}

#[test]
fn images_and_sequences_of_nothing_and_without_bounds() {
    let twice = |g: &Graph<'_>, v: &[Var]| {
        let mode = Interpolation::Bilinear { align_corners: false };
        g.interpolate(v[0], ResizeTo::ScaleFactor([2.0, 2.0]), mode)
    };
    let up = |g: &Graph<'_>, v: &[Var]| g.conv_transpose2d(v[0], v[1], Some(v[2]), Default::default());
    let conv1d = |g: &Graph<'_>, v: &[Var]| g.conv1d(v[0], v[1], None, Default::default());
    for (dims, pooled, doubled) in
        [([0, 4, 4, 3], [0, 2, 3, 3], [0, 8, 8, 3]), ([1, 4, 4, 0], [1, 2, 3, 0], [1, 8, 8, 0])]
    {
        on(&[&dims], |g, v| g.adaptive_avg_pool2d(v[0], [2, 3])).gives_nothing(&pooled);
        on(&[&dims], |g, v| g.adaptive_max_pool2d(v[0], [2, 3])).gives_nothing(&pooled);
        on(&[&dims], twice).gives_nothing(&doubled);
    }
    on(&[&[0, 2, 2, 4]], |g, v| g.pixel_shuffle(v[0], 2)).gives_nothing(&[0, 4, 4, 1]);
    on(&[&[0, 2, 2, 4]], |g, v| g.pixel_unshuffle(v[0], 2)).gives_nothing(&[0, 1, 1, 16]);
    on(&[&[0, 12]], |g, v| g.unflatten(v[0], 1, &[2, 2, 3])).gives_nothing(&[0, 2, 2, 3]);
    on(&[&[0, 4, 4, 3], &[3, 2, 3, 3], &[2]], up).gives_nothing(&[0, 6, 6, 2]);
    on(&[&[1, 1, 1, 1], &[1, 1, 3, 3], &[1]], up).gives(&[1, 3, 3, 1], 2.0);
    on(&[&[1, 0, 4, 3], &[3, 2, 3, 3], &[2]], up).panics("must be at least 1");
    on(&[&[0, 4, 3], &[2, 3, 3]], conv1d).gives_nothing(&[0, 2, 2]);
    on(&[&[1, 0, 3], &[2, 3, 3]], conv1d).panics("must be at least 1");
    on(&[&[1, 0, 4, 3]], |g, v| g.adaptive_avg_pool2d(v[0], [1, 1])).panics("at least one pixel");
    on(&[&[1, 0, 4, 3]], twice).panics("has no pixel");

    on(&[&[1, 3, 3, 1]], |g, v| g.adaptive_max_pool2d(v[0], [usize::MAX, 1])).panics("is too large");
    on(&[&[1, 3, 3, 1]], |g, v| g.interpolate(v[0], ResizeTo::Size([usize::MAX, 2]), Interpolation::Nearest))
        .panics("more elements than memory can address");
    on(&[&[1, 3, 3, 4]], |g, v| g.pixel_shuffle(v[0], usize::MAX)).panics("cannot be divided by");
    on(&[&[1, 3, 3, 1], &[1, 1, 3, 3]], |g, v| {
        let options = ConvTranspose2dOptions { stride: [usize::MAX, 1], ..Default::default() };
        g.conv_transpose2d(v[0], v[1], None, options)
    })
    .panics("more elements than memory can address");
}
