//! Each shape error in full: the op, the layer, both shapes, and what to change.

use std::panic::{AssertUnwindSafe, catch_unwind};

use autograd::{
    AttentionOptions, BatchNormOptions, Conv2dOptions, Graph, LocalResponseNormOptions, Mode, PadMode,
    Params, QueryKeyValue, RecurrentOptions, Reduction, RnnNonlinearity, RotaryOptions, StochasticDepthMode,
    Tape, Var,
};

type Record = fn(&Graph<'_>, &[Var]) -> Var;

/// The message with which an op refuses inputs of these shapes at layer "body.3".
fn refusal(shapes: &[&[usize]], record: Record) -> String {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let g = tape.begin(&mut params, Mode::train(0, 0));
    let ones = |g: &Graph<'_>, dims: &[usize]| g.input(dims, &vec![1.0; dims.iter().product()]);
    let inputs: Vec<Var> = shapes.iter().map(|dims| ones(&g, dims)).collect();
    let run = AssertUnwindSafe(|| g.scope("body", |g| g.scope("3", |g| record(g, &inputs))));
    let panic = catch_unwind(run).expect_err("the op must refuse");
    panic.downcast_ref::<String>().expect("a panic with a message").clone()
}

fn conv(g: &Graph<'_>, v: &[Var]) -> Var {
    g.conv2d(v[0], v[1], v.get(2).copied(), Conv2dOptions::default())
}

fn batch_norm(g: &Graph<'_>, v: &[Var]) -> Var {
    g.batch_norm(v[0], &[v[1], v[2]], [Some(v[3]), Some(v[4])], Default::default())
}

fn cross_entropy(g: &Graph<'_>, v: &[Var]) -> Var {
    let labels = g.indices(&[0, 1, 7]);
    g.cross_entropy(v[0], labels)
}

fn gather(g: &Graph<'_>, v: &[Var]) -> Var {
    let indices = g.indices(&[0, 1, 2]);
    g.gather(v[0], 1, indices)
}

fn attention(g: &Graph<'_>, v: &[Var]) -> Var {
    masked(g, v, AttentionOptions::default())
}

fn masked(g: &Graph<'_>, v: &[Var], options: AttentionOptions) -> Var {
    g.scaled_dot_product_attention(v[0], v[1], v[2], options)
}

fn lstm_of(g: &Graph<'_>, v: &[Var], lengths: &[u32]) -> Var {
    let lengths = Some(g.indices(lengths));
    g.lstm(v[0], v[1], None, None, RecurrentOptions { lengths, ..Default::default() })
}

#[rustfmt::skip]
const TABLE: &[(&[&[usize]], Record, &str)] = &[
    (&[&[2, 3], &[2, 4]], |g, v| g.add(v[0], v[1]),
     "add at layer \"body.3\": [2, 3] and [2, 4] do not broadcast; aligned at the last axis, sizes must be equal or 1: reshape one of them"),
    (&[&[3], &[2]], |g, v| g.sub(v[0], v[1]),
     "sub at layer \"body.3\": [3] and [2] do not broadcast; aligned at the last axis, sizes must be equal or 1: reshape one of them"),
    (&[&[2, 3], &[3, 2]], |g, v| g.mul(v[0], v[1]),
     "mul at layer \"body.3\": [2, 3] and [3, 2] do not broadcast; aligned at the last axis, sizes must be equal or 1: reshape one of them"),
    (&[&[2, 1, 3], &[5, 2]], |g, v| g.div(v[0], v[1]),
     "div at layer \"body.3\": [2, 1, 3] and [5, 2] do not broadcast; aligned at the last axis, sizes must be equal or 1: reshape one of them"),
    (&[&[2, 3], &[2, 4]], |g, v| g.maximum(v[0], v[1]),
     "maximum at layer \"body.3\": [2, 3] and [2, 4] do not broadcast; aligned at the last axis, sizes must be equal or 1: reshape one of them"),
    (&[&[2], &[2, 3], &[2, 3]], |g, v| g.where_cond(v[0], v[1], v[2]),
     "where at layer \"body.3\": [2] and [2, 3] and [2, 3] do not broadcast; aligned at the last axis, sizes must be equal or 1: reshape one of them"),
    (&[&[2, 3], &[4, 2, 3]], |g, v| g.masked_fill(v[0], v[1], 0.0),
     "masked_fill at layer \"body.3\": the mask [4, 2, 3] does not broadcast to [2, 3]; aligned at the last axis, its sizes must be equal or 1: reshape it"),
    (&[&[2]], |g, v| g.clamp(v[0], f32::NAN, 1.0),
     "clamp at layer \"body.3\": the bounds are NaN and 1; a bound is a number"),
    (&[&[2, 3], &[2]], |g, v| g.outer(v[0], v[1]),
     "outer at layer \"body.3\": [2, 3] and [2] are not both vectors; reshape them to one axis"),
    (&[&[2, 3], &[2]], |g, v| g.stack(v, 0),
     "stack at layer \"body.3\": [2, 3] and [2] differ; make all shapes equal"),
    (&[&[2, 3]], |g, v| g.stack(v, 3),
     "stack at layer \"body.3\": [2, 3] can have no new axis 3; it can be at most 2, and a shape has at most 6 axes"),
    (&[&[2, 3]], |g, v| g.split(v[0], [1, 1], 1)[0],
     "split at layer \"body.3\": parts of [1, 1] make 2, axis 1 of [2, 3] has 3; make them add up"),
    (&[&[2, 5]], |g, v| g.chunk::<4>(v[0], 1)[0],
     "chunk at layer \"body.3\": axis 1 of [2, 5] makes no 4 parts of 2, the last of which may be smaller; choose another number of them, or sizes by Graph::split"),
    (&[&[2, 5]], |g, v| g.roll(v[0], 1, 2),
     "roll at layer \"body.3\": [2, 5] has no axis 2; axes count from 0"),
    (&[&[2, 5]], |g, v| g.pad(v[0], &[[1, 1]], PadMode::Replicate),
     "pad at layer \"body.3\": there are 1 borders for the 2 axes of [2, 5]; give [before, after] for each axis from the first"),
    (&[&[2, 5]], |g, v| g.pad(v[0], &[[0, 0], [1, 5]], PadMode::Reflect),
     "pad at layer \"body.3\": a border of [1, 5] is too long for axis 1 of [2, 5] in the mode Reflect; it can be 4 at each end, so make it shorter or choose another mode"),
    (&[&[2, 5]], |g, v| g.cumsum(v[0], 2),
     "cumsum at layer \"body.3\": [2, 5] has no axis 2; axes count from 0"),
    (&[&[2, 5]], |g, v| g.sort(v[0], 2, true).0,
     "argsort at layer \"body.3\": [2, 5] has no axis 2; axes count from 0"),
    (&[&[2, 5]], |g, v| g.topk(v[0], 6, 1, true).0,
     "topk at layer \"body.3\": axis 1 of [2, 5] has 5 elements, 6 are wanted; ask for fewer, or choose another axis"),
    (&[&[2, 0]], |g, v| g.max(v[0], 1, true).0,
     "argmax at layer \"body.3\": axis 1 of [2, 0] has 0 elements, 1 are wanted; ask for fewer, or choose another axis"),
    (&[&[2, 0]], |g, v| g.amax(v[0], 1, true),
     "amax at layer \"body.3\": [2, 0] has no elements to choose from; give at least one"),
    (&[&[2, 3]], |g, v| g.amin(v[0], [0, 3], true),
     "amin at layer \"body.3\": [2, 3] has 2 axes, and one beyond them is to be reduced; axes count from 0"),
    (&[&[2, 3]], |g, v| g.norm(v[0], 0.0, 1, true),
     "norm at layer \"body.3\": p is 0, it must be above 0; 2 gives the Euclidean norm"),
    (&[&[2, 3], &[2, 2]], |g, v| g.scatter_add(v[0], 1, g.indices(&[0, 1, 2, 0, 1, 2]), v[1]),
     "scatter_add at layer \"body.3\": the source is [2, 2] and there are 6 indices for axis 1 of [2, 3]; the source has the shape of the input but for that axis, and an index for each element"),
    (&[&[2, 3], &[2, 1]], |g, v| g.scatter_add(v[0], 1, g.indices(&[0, 3]), v[1]),
     "scatter_add at layer \"body.3\": index 3 at position 1 is out of range; it must be below 3"),
    (&[&[2, 3]], |g, v| g.reshape(v[0], [4, 2]),
     "reshape at layer \"body.3\": [2, 3] has 6 elements, [4, 2] has 8; make the counts agree"),
    (&[&[2, 3]], |g, v| g.permute(v[0], &[0]),
     "permute at layer \"body.3\": [0] is not an order of the 2 axes of [2, 3]; name each axis from 0 once"),
    (&[&[2, 3]], |g, v| g.permute(v[0], &[1, 1]),
     "permute at layer \"body.3\": [1, 1] is not an order of the 2 axes of [2, 3]; name each axis from 0 once"),
    (&[&[2]], |g, v| g.permute(v[0], &[0, 1, 2, 3, 4, 5, 6]),
     "permute at layer \"body.3\": [0, 1, 2, 3, 4, 5, 6] names 7 axes, a shape has at most 6; name each axis from 0 once"),
    (&[&[2, 3]], |g, v| g.transpose(v[0], 0, 2),
     "transpose at layer \"body.3\": [2, 3] has no axes 0 and 2; axes count from 0"),
    (&[&[]], |g, v| g.flatten(v[0]),
     "flatten at layer \"body.3\": a scalar has no first axis to keep; reshape it to [1, 1]"),
    (&[&[2, 3]], |g, v| g.slice(v[0], 2, 0..1),
     "slice at layer \"body.3\": [2, 3] has no axis 2; axes count from 0"),
    (&[&[2, 3]], |g, v| g.slice(v[0], 1, 2..4),
     "slice at layer \"body.3\": 2..4 does not lie in axis 1 of [2, 3]; it must lie in 0..3"),
    (&[&[2, 3], &[2, 4]], |g, v| g.concat(v, 0),
     "concat at layer \"body.3\": [2, 3] and [2, 4] differ elsewhere than on axis 0; make the other axes equal"),
    (&[&[2, 3], &[3]], |g, v| g.concat(v, 0),
     "concat at layer \"body.3\": [2, 3] and [3] differ elsewhere than on axis 0; make the other axes equal"),
    (&[&[2, 3]], |g, v| g.concat(v, 2),
     "concat at layer \"body.3\": [2, 3] has no axis 2; axes count from 0"),
    (&[&[2, 3]], gather,
     "gather at layer \"body.3\": 3 indices do not make a shape that differs from [2, 3] only on axis 1; their number must be a multiple of 2"),
    (&[&[3, 2]], gather,
     "gather at layer \"body.3\": index 2 at position 2 is out of range; it must be below 2"),
    (&[&[3]], gather,
     "gather at layer \"body.3\": [3] has no axis 1; axes count from 0"),
    (&[&[]], |g, v| { let rows = g.indices(&[0]); g.index_select(v[0], rows) },
     "index_select at layer \"body.3\": the input is a scalar, expected rows [n, …]; reshape it"),
    (&[&[4, 2]], |g, v| { let rows = g.indices(&[3, 4]); g.index_select(v[0], rows) },
     "index_select at layer \"body.3\": row 4 at position 1 is out of range; it must be below 4"),
    (&[&[65, 4]], |g, v| { let tokens = g.tokens([1, 2], &[3, 70]); g.embedding(tokens, v[0], None) },
     "embedding at layer \"body.3\": token 70 at position 1 is out of range; it must be below 65"),
    (&[&[2, 1, 1, 1, 1, 3]], |g, v| { let tokens = g.tokens([1, 2], &[0, 1]); g.embedding(tokens, v[0], None) },
     "index_select at layer \"body.3\": rows of [2, 1, 1, 1, 1, 3] for indices [1, 2] make 7 axes, a shape has at most 6; reshape one of them"),
    (&[&[2, 4], &[2, 4], &[2, 4]], attention,
     "scaled_dot_product_attention at layer \"body.3\": the query is [2, 4], expected [n, heads, t, head_dim] or [n, t, head_dim]; reshape it"),
    (&[&[2, 5, 4], &[2, 6, 3], &[2, 6, 3]], attention,
     "scaled_dot_product_attention at layer \"body.3\": the query [2, 5, 4], the key [2, 6, 3] and the value [2, 6, 3] do not fit; they are [n, heads, t, head_dim], [n, heads, s, head_dim] and [n, heads, s, value_dim], the heads may be missing in all"),
    (&[&[2, 5, 4], &[2, 0, 4], &[2, 0, 4]], attention,
     "scaled_dot_product_attention at layer \"body.3\": the key [2, 0, 4] is a sequence without tokens; leave empty sequences out"),
    (&[&[2, 0, 12]], |g, v| g.multi_head_attention(QueryKeyValue::Packed(v[0]), 2, Default::default()),
     "scaled_dot_product_attention at layer \"body.3\": the query [2, 0, 12] is a sequence without tokens; leave empty sequences out"),
    (&[&[2, 5, 12]], |g, v| g.multi_head_attention(QueryKeyValue::Packed(v[0]), 3, Default::default()),
     "scaled_dot_product_attention at layer \"body.3\": the inputs [2, 5, 12] and [2, 5, 12] do not divide into queries, keys and values of 3 heads; make their last axes a multiple"),
    (&[&[2, 5, 4], &[2, 6, 4], &[2, 7, 4]], |g, v| g.multi_head_attention(QueryKeyValue::Separate([v[0], v[1], v[2]]), 2, Default::default()),
     "scaled_dot_product_attention at layer \"body.3\": the query [2, 5, 4], the key [2, 6, 4] and the value [2, 7, 4] do not fit; they are [n, t, heads · head_dim], [n, s, heads · head_dim] and [n, s, heads · value_dim]"),
    (&[&[2, 5, 4], &[2, 6, 4], &[2, 6, 4], &[5, 5]], |g, v| masked(g, v, AttentionOptions { attn_mask: Some(v[3]), ..Default::default() }),
     "scaled_dot_product_attention at layer \"body.3\": the attn_mask is [5, 5], the scores are [2, 1, 5, 6]; make it [5, 6], or of four axes with 1 where it is shared"),
    (&[&[2, 5, 4], &[2, 6, 4], &[2, 6, 4], &[5, 6]], |g, v| masked(g, v, AttentionOptions { key_padding_mask: Some(v[3]), ..Default::default() }),
     "scaled_dot_product_attention at layer \"body.3\": the key_padding_mask is [5, 6], there are 6 keys in each of 2 images; make it [2, 6]"),
    (&[&[2, 5, 4], &[2, 5, 4], &[2, 5, 4]], |g, v| masked(g, v, AttentionOptions { attn_mask: Some(g.variable([5, 5], &[0.0; 25])), ..Default::default() }),
     "scaled_dot_product_attention at layer \"body.3\": the attn_mask asks for a gradient and gets none; detach it"),
    (&[&[2, 5, 4], &[2, 5, 4], &[2, 5, 4]], |g, v| masked(g, v, AttentionOptions { dropout_p: -0.1, ..Default::default() }),
     "scaled_dot_product_attention at layer \"body.3\": dropout_p is -0.1, it must lie in [0, 1]"),
    (&[&[5, 4]], |g, v| g.sinusoidal_positions(v[0]),
     "sinusoidal_positions at layer \"body.3\": the input is [5, 4], expected tokens [n, t, features]; reshape it"),
    (&[&[2, 5, 6]], |g, v| g.rotary_positions(v[0], RotaryOptions { head_dim: Some(4), ..Default::default() }),
     "rotary_positions at layer \"body.3\": the input [2, 5, 6] has 6 features, which are not whole heads of an even head_dim = 4; change head_dim"),
    (&[&[2, 5, 8]], |g, v| g.rotary_positions(v[0], RotaryOptions { head_dim: Some(4), n_rotated: Some(3), ..Default::default() }),
     "rotary_positions at layer \"body.3\": the input [2, 5, 8] has 2 heads of 4 features, n_rotated is 3; lower it"),
    (&[&[2, 3]], |g, v| g.sum_axes(v[0], 2, false),
     "sum at layer \"body.3\": [2, 3] has 2 axes, and one beyond them is to be reduced; axes count from 0"),
    (&[&[2, 3]], |g, v| g.mean_axes(v[0], [0, 3], true),
     "mean at layer \"body.3\": [2, 3] has 2 axes, and one beyond them is to be reduced; axes count from 0"),
    (&[&[2, 3], &[4, 5]], |g, v| g.matmul(v[0], v[1]),
     "matmul at layer \"body.3\": [2, 3] has 3 columns, [4, 5] has 4 rows; make them equal, or transpose one"),
    (&[&[2, 3], &[3, 5]], |g, v| g.matmul_transposed(v[0], v[1], [true, true]),
     "matmul at layer \"body.3\": [2, 3] transposed has 2 columns, [3, 5] transposed has 5 rows; make them equal, or transpose one"),
    (&[&[], &[3, 5]], |g, v| g.matmul(v[0], v[1]),
     "matmul at layer \"body.3\": [] and [3, 5] do not both have rows and columns; reshape them to two axes or more"),
    (&[&[2, 4, 3], &[3, 3, 5]], |g, v| g.matmul(v[0], v[1]),
     "matmul at layer \"body.3\": the axes of [2, 4, 3] and [3, 3, 5] before the last two do not broadcast; sizes must be equal or 1: reshape one of them"),
    (&[&[64, 100], &[256, 2048]], |g, v| g.linear(v[0], v[1], None),
     "linear at layer \"body.3\": the input [64, 100] has 100 features, the weight [256, 2048] takes 2048; make in_features 100, or change what comes before"),
    (&[&[], &[4, 3]], |g, v| g.linear(v[0], v[1], None),
     "linear at layer \"body.3\": the input is a scalar, the weight [4, 3] takes [n, 3]; reshape the input"),
    (&[&[2, 3], &[3]], |g, v| g.linear(v[0], v[1], None),
     "linear at layer \"body.3\": the weight is [3], expected [out_features, in_features]; reshape it"),
    (&[&[2, 3], &[4, 3], &[3]], |g, v| g.linear_relu(v[0], v[1], Some(v[2])),
     "linear_relu at layer \"body.3\": the bias is [3], the weight [4, 3] makes 4 features; make the bias [4]"),
    (&[&[8, 3, 32, 32], &[16, 3, 3, 3]], conv,
     "conv2d at layer \"body.3\": the input [8, 3, 32, 32] has 32 channels, the weight [16, 3, 3, 3] with groups = 1 takes 3; make in_channels 32, or change what comes before"),
    (&[&[32, 32, 3], &[16, 3, 3, 3]], conv,
     "conv2d at layer \"body.3\": the input is [32, 32, 3], expected images [n, h, w, c]; reshape it, or add the missing axes"),
    (&[&[8, 4, 4, 3], &[16, 27]], conv,
     "conv2d at layer \"body.3\": the weight is [16, 27], expected [out_channels, in_channels / groups, kernel height, kernel width]"),
    (&[&[8, 4, 4, 3], &[16, 3, 3, 3], &[3]], conv,
     "conv2d at layer \"body.3\": the bias is [3], the weight [16, 3, 3, 3] makes 16 channels; make the bias [16]"),
    (&[&[8, 4, 4, 3], &[16, 3, 5, 5]], conv,
     "conv2d at layer \"body.3\": the input [8, 4, 4, 3] and the weight [16, 3, 5, 5] do not fit: the kernel of size 5 with dilation 1 does not fit the height 4 with padding 0"),
    (&[&[1, 3, 3, 2], &[3, 1, 3, 3]], |g, v| g.conv2d(v[0], v[1], None, Conv2dOptions { groups: 2, ..Default::default() }),
     "conv2d at layer \"body.3\": the input [1, 3, 3, 2] and the weight [3, 1, 3, 3] do not fit: out_channels = 3 does not divide by groups = 2"),
    (&[&[1, 3, 3, 2], &[3, 1, 3, 3]], |g, v| g.conv_relu_pool(v[0], v[1], None, Conv2dOptions::default()),
     "conv2d at layer \"body.3\": the input [1, 3, 3, 2] has 2 channels, the weight [3, 1, 3, 3] with groups = 1 takes 1; make in_channels 2, or change what comes before"),
    (&[&[1, 4, 4, 2], &[3, 2, 3, 3], &[2]], |g, v| g.conv_relu_pool(v[0], v[1], Some(v[2]), Conv2dOptions::default()),
     "conv_relu_pool at layer \"body.3\": the bias is [2], the weight [3, 2, 3, 3] makes 3 channels; make the bias [3]"),
    (&[&[8, 2, 2, 3]], |g, v| g.max_pool2d(v[0], [3, 3], [2, 2], [0, 0]),
     "max_pool2d at layer \"body.3\": a window [3, 3] by [2, 2] does not fit the input [8, 2, 2, 3]: kernel size 3 does not fit the size 2 with padding 0"),
    (&[&[8, 4, 4, 3]], |g, v| g.avg_pool2d(v[0], [2, 2], [2, 2], [0, 2]),
     "avg_pool2d at layer \"body.3\": a window [2, 2] by [2, 2] does not fit the input [8, 4, 4, 3]: padding 2 is more than half of the kernel size 2"),
    (&[&[8, 10]], |g, v| g.global_avg_pool2d(v[0]),
     "global_avg_pool2d at layer \"body.3\": the input is [8, 10], expected images [n, h, w, c]; reshape it, or add the missing axes"),
    (&[&[8, 4], &[4], &[4], &[4], &[3]], batch_norm,
     "batch_norm at layer \"body.3\": the input [8, 4] has 4 channels, the bias is [3]; make it [4], or change what comes before"),
    (&[&[8, 4], &[3], &[3], &[3], &[3]], batch_norm,
     "batch_norm at layer \"body.3\": the input [8, 4] has 4 channels, the running_mean is [3]; make it [4], or change what comes before"),
    (&[&[8, 4]], |g, v| g.batch_norm(v[0], &[v[0]], [None, None], Default::default()),
     "batch_norm at layer \"body.3\": there are 1 running statistics; give mean and variance, these and the number of batches, or none"),
    (&[&[8, 4], &[4]], |g, v| g.batch_norm(v[0], &[v[1], v[1]], [None, None], BatchNormOptions { momentum: None, eps: 1e-5 }),
     "batch_norm at layer \"body.3\": a momentum of None needs the number of batches; give it as the third running statistic"),
    (&[&[8, 4], &[4]], |g, v| g.batch_norm(v[0], &[v[1]; 3], [None, None], Default::default()),
     "batch_norm at layer \"body.3\": the number of batches is [4], expected one number; make it []"),
    (&[&[8, 5, 4]], |g, v| g.layer_norm(v[0], [5], [None, None], 1e-5),
     "layer_norm at layer \"body.3\": the input [8, 5, 4] does not end in the normalized shape [5]; make that the last axes of the input, or change what comes before"),
    (&[&[8, 5, 4], &[4]], |g, v| g.layer_norm(v[0], [5, 4], [Some(v[1]), None], 1e-5),
     "layer_norm at layer \"body.3\": the weight is [4], the normalized shape [5, 4]; make the weight [5, 4]"),
    (&[&[8, 4], &[4], &[3]], |g, v| g.layer_norm(v[0], [4], [Some(v[1]), Some(v[2])], 1e-5),
     "layer_norm at layer \"body.3\": the bias is [3], the normalized shape [4]; make the bias [4]"),
    (&[&[4]], |g, v| g.rms_norm(v[0], [8, 4], None, 1e-5),
     "rms_norm at layer \"body.3\": the input [4] does not end in the normalized shape [8, 4]; make that the last axes of the input, or change what comes before"),
    (&[&[8, 2, 2, 6]], |g, v| g.group_norm(v[0], 4, [None, None], 1e-5),
     "group_norm at layer \"body.3\": the input [8, 2, 2, 6] has 6 channels, which do not make 4 equal groups; change either"),
    (&[&[8, 6, 2, 2], &[6]], |g, v| g.group_norm(v[0], 2, [Some(v[1]), None], 1e-5),
     "group_norm at layer \"body.3\": the input [8, 6, 2, 2] has 2 channels, the weight is [6]; make it [2], or change what comes before"),
    (&[&[6]], |g, v| g.group_norm(v[0], 2, [None, None], 1e-5),
     "group_norm at layer \"body.3\": the input is [6], expected [n, c] or images [n, h, w, c]; reshape it"),
    (&[&[8, 2, 2, 6], &[3]], |g, v| g.instance_norm(v[0], Some([v[1], v[1]]), [None, None], Default::default()),
     "instance_norm at layer \"body.3\": the input [8, 2, 2, 6] has 6 channels, the running_mean is [3]; make it [6], or change what comes before"),
    (&[&[8, 1, 1, 6]], |g, v| g.instance_norm(v[0], None, [None, None], Default::default()),
     "instance_norm at layer \"body.3\": [8, 1, 1, 6] has 1 value per channel of an image, which needs at least 2; give larger images"),
    (&[&[6]], |g, v| g.local_response_norm(v[0], LocalResponseNormOptions::new(5)),
     "local_response_norm at layer \"body.3\": the input is [6], expected images [n, h, w, c]; reshape it"),
    (&[&[8, 2, 2, 6]], |g, v| g.local_response_norm(v[0], LocalResponseNormOptions::new(13)),
     "local_response_norm at layer \"body.3\": a window of 13 channels does not fit the input [8, 2, 2, 6]; it must have 1 to 12"),
    (&[&[6]], |g, v| g.dropout2d(v[0], 0.5),
     "dropout2d at layer \"body.3\": the input is [6], expected images [n, h, w, c]; reshape it, or add the missing axes"),
    (&[&[2, 2]], |g, v| g.stochastic_depth(v[0], -0.5, StochasticDepthMode::Batch),
     "stochastic_depth at layer \"body.3\": p is -0.5, it must lie in [0, 1]"),
    (&[&[2, 5, 8], &[8, 3]], |g, v| g.lstm(v[0], v[1], None, None, Default::default()),
     "lstm at layer \"body.3\": weight_hh is [8, 3], expected [4 · hidden_size, hidden_size]; make it that"),
    (&[&[2, 5], &[9, 3]], |g, v| g.gru(v[0], v[1], None, None, Default::default()),
     "gru at layer \"body.3\": the gates of the input are [2, 5], expected sequences [n, t, 9]; reshape them"),
    (&[&[2, 0, 9], &[9, 3]], |g, v| g.gru(v[0], v[1], None, None, Default::default()),
     "gru at layer \"body.3\": the gates of the input are [2, 0, 9]: sequences without a step; give at least one"),
    (&[&[2, 5, 12], &[9, 3]], |g, v| g.gru(v[0], v[1], None, None, Default::default()),
     "gru at layer \"body.3\": the gates of the input are [2, 5, 12], those of weight_hh [9, 3] are 9; make the last axis 9"),
    (&[&[2, 5, 3], &[3, 3], &[4]], |g, v| g.rnn(v[0], v[1], Some(v[2]), None, RnnNonlinearity::Tanh, Default::default()),
     "rnn at layer \"body.3\": bias_hh is [4], weight_hh is [3, 3]; make it [3]"),
    (&[&[2, 5, 12], &[12, 3], &[2, 3], &[1, 3]], |g, v| g.lstm(v[0], v[1], None, Some([v[2], v[3]]), Default::default()),
     "lstm at layer \"body.3\": a state is [1, 3], 2 sequences with a hidden size of 3 take [2, 3]; give one row for each sequence"),
    (&[&[2, 5, 12], &[12, 3]], |g, v| lstm_of(g, v, &[5, 4, 3]),
     "lstm at layer \"body.3\": there are 3 lengths for 2 sequences; give one for each"),
    (&[&[2, 5, 12], &[12, 3]], |g, v| lstm_of(g, v, &[5, 0]),
     "lstm at layer \"body.3\": the length of sequence 1 is 0; a sequence has at least 1 step, and here at most 5"),
    (&[&[2, 5, 12], &[12, 3]], |g, v| lstm_of(g, v, &[6, 1]),
     "lstm at layer \"body.3\": the length of sequence 0 is 6; a sequence has at least 1 step, and here at most 5"),
    (&[&[2]], |g, v| g.dropout(v[0], 1.5),
     "dropout at layer \"body.3\": p is 1.5, it must lie in [0, 1]"),
    (&[&[4, 5]], |g, v| g.glu(v[0]),
     "glu at layer \"body.3\": the last axis of [4, 5] has 5 elements, which do not make two halves; make it even"),
    (&[&[]], |g, v| g.glu(v[0]),
     "glu at layer \"body.3\": the input is a scalar, which has no halves; reshape it to [.., 2n]"),
    (&[&[4, 5], &[4]], |g, v| g.prelu(v[0], v[1]),
     "prelu at layer \"body.3\": the input [4, 5] has 5 channels, the weight is [4]; make it [1] or [5]"),
    (&[&[4, 5], &[1, 5]], |g, v| g.prelu(v[0], v[1]),
     "prelu at layer \"body.3\": the input [4, 5] has 5 channels, the weight is [1, 5]; make it [1] or [5]"),
    (&[&[4]], |g, v| g.hardtanh(v[0], 1.0, 1.0),
     "hardtanh at layer \"body.3\": the ends are 1 and 1; min must be below max"),
    (&[&[4]], |g, v| g.celu(v[0], 0.0),
     "celu at layer \"body.3\": alpha is 0, and x is divided by it"),
    (&[&[4, 10]], cross_entropy,
     "cross_entropy at layer \"body.3\": the logits [4, 10] have 4 rows, there are 3 labels; pass one label per row"),
    (&[&[3, 5]], cross_entropy,
     "cross_entropy at layer \"body.3\": label 7 at position 2 is out of range; it must be below 5"),
    (&[&[10]], cross_entropy,
     "cross_entropy at layer \"body.3\": the logits are [10], expected [n, classes]; reshape them"),
    (&[&[4, 1], &[4]], |g, v| g.mse_loss(v[0], v[1], Reduction::Mean),
     "mse_loss at layer \"body.3\": the input is [4, 1] and the target is [4]; losses do not broadcast, so reshape one of them"),
    (&[&[4], &[3]], |g, v| g.l1_loss(v[0], v[1], Reduction::Mean),
     "l1_loss at layer \"body.3\": the input is [4] and the target is [3]; losses do not broadcast, so reshape one of them"),
    (&[&[4], &[3]], |g, v| g.huber_loss(v[0], v[1], 1.0, Reduction::Mean),
     "huber_loss at layer \"body.3\": the input is [4] and the target is [3]; losses do not broadcast, so reshape one of them"),
    (&[&[4], &[4]], |g, v| g.huber_loss(v[0], v[1], 0.0, Reduction::Mean),
     "huber_loss at layer \"body.3\": delta is 0, it must be positive"),
    (&[&[4], &[3]], |g, v| g.bce_with_logits(v[0], v[1], Reduction::Mean),
     "bce_with_logits at layer \"body.3\": the input is [4] and the target is [3]; losses do not broadcast, so reshape one of them"),
];

#[test]
fn every_message_is_as_written() {
    for &(shapes, record, expected) in TABLE {
        assert_eq!(refusal(shapes, record), expected);
    }
}
