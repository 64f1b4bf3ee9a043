//! Sizes that no memory can hold, chosen so that their products wrap around to lengths that fit: every public kernel
//! refuses them in a sentence of its own, before it writes anything.
//!
//! Where only the overflow checks of a debug build stood in the way, the sentence would be the compiler's
//! ("attempt to multiply with overflow"), and a release build would go on: so this test fails in either build.

use std::any::Any;
use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use tensor::attention::*;
use tensor::conv::block::{Block, PooledGradient, conv_pool_backward, conv_pool_forward};
use tensor::conv::*;
use tensor::cumsum::{cumsum_backward, cumsum_forward};
use tensor::embedding::{embedding_backward, embedding_forward};
use tensor::interpolate::*;
use tensor::linear::*;
use tensor::loss::*;
use tensor::matmul::{MatmulShape, batched_matmul, matmul};
use tensor::norm::*;
use tensor::pad::{PadMode, pad_backward, pad_forward};
use tensor::parallel::{MAX_SHARDS, Shards, for_each_chunk, rows_mut, sum_over_shards};
use tensor::pool::*;
use tensor::positions::*;
use tensor::random::{normal, uniform};
use tensor::recurrent::*;
use tensor::reduce::{Reduction, argmax, argmin, fold_to_shape, reduce_rows};
use tensor::sort::topk;
use tensor::{Beta, Shape, Tensor, activation, broadcast, dropout, elementwise, layout, scratch};

/// Sizes beyond what memory can address; times 4, the first two are 0 and 4.
const HUGE: [usize; 4] = [1 << 62, (1 << 62) + 1, usize::MAX, usize::MAX / 2 + 1];

/// Triples with a size from [`HUGE`], or whose product is as large.
fn hostile_sizes() -> Vec<[usize; 3]> {
    let usual = [0, 1, 4];
    let mut sizes = vec![
        [1 << 32, 1 << 32, 1],
        [1 << 32, 1, 1 << 32],
        [4, 1 << 31, 1 << 31],
        [(1 << 32) + 1, 1 << 32, 4],
        [1 << 16, 1 << 24, 1 << 24],
    ];
    for huge in HUGE {
        for a in usual.into_iter().chain(HUGE) {
            for b in usual.into_iter().chain(HUGE) {
                sizes.extend([[huge, a, b], [a, huge, b], [a, b, huge]]);
            }
        }
    }
    sizes
}

/// As many numbers as the sizes seem to need to whoever multiplies without care, if that is not too many.
fn len(sizes: &[usize]) -> usize {
    let n = sizes.iter().fold(1, |n: usize, &size| n.wrapping_mul(size));
    if n <= 64 { n } else { 4 }
}

fn input(sizes: &[usize]) -> Vec<f32> {
    vec![0.5; len(sizes)]
}

/// Calls `f` with an output of that length; nothing on either side of it may be written.
fn output<T>(sizes: &[usize], f: impl FnOnce(&mut [f32]) -> T) -> T {
    const SIDE: usize = 64;
    let n = len(sizes);
    let mut memory = vec![7.0_f32; n + 2 * SIDE];
    let done = catch_unwind(AssertUnwindSafe(|| f(&mut memory[SIDE..SIDE + n])));
    let sides = memory[..SIDE].iter().chain(&memory[SIDE + n..]);
    assert!(sides.into_iter().all(|&x| x == 7.0), "something beside the output was written");
    done.unwrap_or_else(|payload| std::panic::resume_unwind(payload))
}

/// What a panic says.
fn sentence(payload: Box<dyn Any + Send>) -> String {
    let text = payload.downcast_ref::<&str>().map(|&text| text.to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).expect("a panic with a text")
}

/// Whether the panic is one of ours and names the kernel.
#[track_caller]
fn assert_refused(name: &str, sizes: impl std::fmt::Debug, kernel: impl FnOnce()) {
    let payload = catch_unwind(AssertUnwindSafe(kernel)).err();
    let said = sentence(payload.unwrap_or_else(|| panic!("{name} took {sizes:?}")));
    // What is checked before a kernel sees it names itself.
    let named = [name, "Shape::new"].iter().any(|name| said.contains(name));
    assert!(named && !said.contains("attempt to"), "{name} with {sizes:?}: {said}");
}

type Kernel = (&'static str, fn([usize; 3]));

/// Kernels that are told three sizes (or two, and the third does not matter).
const OF_SIZES: &[Kernel] = &[
    ("matmul", |[m, k, n]| {
        for (transpose_a, transpose_b) in [(false, false), (true, true)] {
            let shape = MatmulShape { m, k, n, transpose_a, transpose_b };
            output(&[m, n], |c| matmul(c, &input(&[m, k]), &input(&[k, n]), &shape, Beta::Zero));
        }
    }),
    ("batched_matmul", |[m, k, n]| {
        let shape = MatmulShape { m, k, n, transpose_a: true, transpose_b: false };
        let (a, b, two) = (input(&[2, m, k]), input(&[2, k, n]), Shape::new(&[2]));
        output(&[2, m, n], |c| batched_matmul(c, (&a, &two), (&b, &two), &two, &shape, Beta::Zero));
    }),
    ("linear_forward", |[n, i, o]| {
        let shape = LinearShape { batch: n, in_features: i, out_features: o };
        output(&[n, o], |y| {
            linear_forward(y, &input(&[n, i]), &input(&[o, i]), None, &shape, &Shards::whole(4))
        });
    }),
    ("linear_activation_forward", |[n, i, o]| {
        let shape = LinearShape { batch: n, in_features: i, out_features: o };
        let (x, w, bias) = (input(&[n, i]), input(&[o, i]), input(&[o]));
        output(&[n, o], |z| {
            let (mut y, f, shards) = (input(&[n, o]), activation::Activation::Silu, Shards::whole(4));
            linear_activation_forward(&mut y, Some(z), &x, &w, Some(&bias), f, &shape, &shards);
        });
    }),
    ("linear_backward_input", |[n, i, o]| {
        let shape = LinearShape { batch: n, in_features: i, out_features: o };
        let (dy, w) = (input(&[n, o]), input(&[o, i]));
        output(&[n, i], |dx| linear_backward_input(dx, &dy, &w, &shape, &Shards::whole(4), Beta::One));
    }),
    ("linear_backward_weight", |[n, i, o]| {
        let shape = LinearShape { batch: n, in_features: i, out_features: o };
        let (dy, x) = (input(&[n, o]), input(&[n, i]));
        output(&[o, i], |dw| linear_backward_weight(dw, &dy, &x, &shape, &Shards::whole(4), Beta::One));
    }),
    ("softmax_forward", |[a, b, c]| {
        let [rows, cols] = two_of([a, b, c]);
        output(&[rows, cols], |y| softmax_forward(y, &input(&[rows, cols]), rows, cols));
    }),
    ("softmax_backward", |sizes| {
        let [rows, cols] = two_of(sizes);
        let x = input(&[rows, cols]);
        output(&[rows, cols], |dx| softmax_backward(dx, &x, &x, rows, cols, Beta::Zero));
    }),
    ("log_softmax_forward", |sizes| {
        let [rows, cols] = two_of(sizes);
        output(&[rows, cols], |y| log_softmax_forward(y, &input(&[rows, cols]), rows, cols));
    }),
    ("log_softmax_backward", |sizes| {
        let [rows, cols] = two_of(sizes);
        let x = input(&[rows, cols]);
        output(&[rows, cols], |dx| log_softmax_backward(dx, &x, &x, rows, cols, Beta::Zero));
    }),
    ("cross_entropy_forward", |sizes| {
        let classes = the_huge(sizes);
        let logits = input(&[4, classes]);
        let expected = Expected::labels(&[0; 4], classes);
        output(&[4, classes], |p| cross_entropy_forward(&mut [0.0; 4], p, &logits, &expected));
    }),
    ("cross_entropy_backward", |sizes| {
        let classes = the_huge(sizes);
        let p = input(&[4, classes]);
        let expected = Expected::labels(&[0; 4], classes);
        output(&[4, classes], |d| cross_entropy_backward(d, |_| 1.0, &p, &expected, Beta::Zero));
    }),
    ("nll_forward", |sizes| {
        let classes = the_huge(sizes);
        nll_forward(&mut [0.0; 4], &input(&[4, classes]), &Expected::labels(&[0; 4], classes));
    }),
    ("nll_backward", |sizes| {
        let classes = the_huge(sizes);
        let expected = Expected::labels(&[0; 4], classes);
        output(&[4, classes], |d| nll_backward(d, |_| 1.0, &expected, Beta::Zero));
    }),
    ("target_backward", |sizes| {
        let classes = the_huge(sizes);
        let (p, expected) = (input(&[4, classes]), Expected::labels(&[0; 4], classes));
        output(&[4, classes], |d| target_backward(d, |_| 1.0, &p, &expected, Beta::Zero));
    }),
    ("reduce_rows", |sizes| {
        let [rows, cols] = two_of(sizes);
        let x = input(&[rows, cols]);
        output(&[cols], |y| reduce_rows(y, &x, rows, cols, Reduction::Sum, &Shards::whole(4), Beta::One));
    }),
    ("batch_norm_forward_train", |sizes| {
        let shape = batch_norm(sizes);
        let (n, c) = ([shape.rows, shape.channels], [shape.channels]);
        let [mut mean, mut rest, mut var, mut std] = [(); 4].map(|()| input(&c));
        output(&n, |y| {
            let (means, vars) = ([&mut mean[..], &mut rest[..]], [&mut var[..], &mut std[..]]);
            batch_norm_forward_train(y, means, vars, &input(&n), None, None, &shape, &Shards::whole(4));
        });
    }),
    ("batch_norm_statistics", |sizes| {
        let shape = batch_norm(sizes);
        let (n, c) = ([shape.rows, shape.channels], [shape.channels]);
        let [mut rest, mut var, mut std] = [(); 3].map(|()| input(&c));
        output(&c, |mean| {
            let (means, vars) = ([mean, &mut rest[..]], [&mut var[..], &mut std[..]]);
            batch_norm_statistics(means, vars, &input(&n), &shape, &Shards::whole(4));
        });
    }),
    ("batch_norm_forward_eval", |sizes| {
        let shape = batch_norm(sizes);
        let (n, c) = ([shape.rows, shape.channels], input(&[shape.channels]));
        output(&n, |y| batch_norm_forward_eval(y, &input(&n), &c, &c, None, None, &shape));
    }),
    ("batch_norm_backward", |sizes| {
        let shape = batch_norm(sizes);
        let (n, c) = ([shape.rows, shape.channels], input(&[shape.channels]));
        let x = input(&n);
        let saved =
            BatchNormSaved { x: &x, mean: &c, mean_rest: None, var: &c, std: None, weight: None, bias: None };
        output(&n, |dx| {
            let dx = Some((dx, Beta::Zero));
            batch_norm_backward(dx, None, None, &x, &saved, Statistics::Batch, &shape, &Shards::whole(4));
        });
    }),
    ("channel_dropout_forward", |sizes| {
        output(&sizes, |y| dropout::channel_dropout_forward(y, &input(&sizes), sizes, 0.5, 1));
    }),
    ("channel_dropout_backward", |sizes| {
        output(&sizes, |dx| dropout::channel_dropout_backward(dx, &input(&sizes), sizes, 0.5, 1, Beta::One));
    }),
    ("layer_norm_forward", |sizes| {
        let shape = layer_norm(sizes);
        let (n, mut saved) = ([shape.rows, shape.features], input(&[3, shape.rows]));
        output(&n, |y| layer_norm_forward(y, Some(&mut saved), &input(&n), None, None, &shape));
    }),
    ("layer_norm_backward", |sizes| {
        let shape = layer_norm(sizes);
        let (x, statistics) = (input(&[shape.rows, shape.features]), input(&[3, shape.rows]));
        let saved = LayerNormSaved { x: &x, statistics: &statistics, weight: None };
        output(&[shape.rows, shape.features], |dx| {
            layer_norm_backward(Some((dx, Beta::Zero)), None, None, &x, &saved, &shape, &Shards::whole(4));
        });
    }),
    ("group_norm_forward", |[images, pixels, channels]| {
        for groups in [1, channels] {
            let shape = GroupNormShape { images, pixels, channels, groups, eps: 1e-5 };
            let (n, mut saved) = ([images, pixels, channels], input(&[4, images, groups]));
            output(&n, |y| group_norm_forward(y, &mut saved, &input(&n), None, None, &shape));
        }
    }),
    ("group_norm_backward", |[images, pixels, channels]| {
        let shape = GroupNormShape { images, pixels, channels, groups: 1, eps: 1e-5 };
        let (x, statistics) = (input(&[images, pixels, channels]), input(&[4, images]));
        let saved = GroupNormSaved { x: &x, statistics: &statistics, weight: None };
        output(&[images, pixels, channels], |dx| {
            group_norm_backward(Some((dx, Beta::Zero)), None, None, &x, &saved, &shape, &Shards::whole(4));
        });
    }),
    ("local_response_norm_forward", |[rows, channels, size]| {
        for shape in local_response_norms([rows, channels, size]) {
            let n = [shape.rows, shape.channels];
            output(&n, |y| local_response_norm_forward(y, &input(&n), &shape));
        }
    }),
    ("local_response_norm_backward", |[rows, channels, size]| {
        for shape in local_response_norms([rows, channels, size]) {
            let n = [shape.rows, shape.channels];
            output(&n, |dx| local_response_norm_backward(dx, &input(&n), &input(&n), &shape, Beta::One));
        }
    }),
    ("recurrent_forward", |sizes| {
        let (shape, [gates, y, w, saved, _]) = recurrent(sizes);
        let (mut saved, layer) = (saved.clone(), recurrence(&w, shape));
        output(&[y.len()], |y| {
            recurrent_forward(y, Some(&mut saved), &gates, &layer, &Shards::whole(4));
        });
    }),
    ("recurrent_backward", |sizes| {
        let (shape, [_, y, w, saved, mut dinitial]) = recurrent(sizes);
        let layer = recurrence(&w, shape);
        output(&[saved.len()], |saved| {
            recurrent_backward(saved, &mut dinitial, &y, &y, &layer, &Shards::whole(4));
        });
    }),
    ("recurrent_backward_input", |sizes| {
        let (shape, [gates, _, _, saved, _]) = recurrent(sizes);
        output(&[gates.len()], |dgates| recurrent_backward_input(dgates, &saved, &shape, Beta::One));
    }),
    ("recurrent_backward_weight", |sizes| {
        let (shape, [_, y, w, saved, _]) = recurrent(sizes);
        let layer = recurrence(&w, shape);
        output(&[w.len()], |dw| {
            recurrent_backward_weight(dw, &saved, &y, &layer, &Shards::whole(4), Beta::One);
        });
    }),
    ("attention", |[batch, tokens, dim]| {
        let shape = attention_shape([batch, tokens, dim]);
        let (x, mut log_sums) = (input(&[batch, tokens, dim]), input(&[batch, tokens]));
        let inputs = QueryKeyValue::Separate([&x[..]; 3]);
        output(&[batch, tokens, dim], |y| attention_forward(y, &mut log_sums, inputs, &SCORING, &shape));
    }),
    ("attention", |[batch, tokens, dim]| {
        let shape = attention_shape([batch, tokens, dim]);
        let (x, log_sums) = (input(&[batch, tokens, dim]), input(&[batch, tokens]));
        let saved = AttentionSaved { dy: &x, y: &x, log_sums: &log_sums };
        let (mut dk, mut dv) = (x.clone(), x.clone());
        output(&[batch, tokens, dim], |dq| {
            let grads = QueryKeyValue::Separate([dq, &mut dk[..], &mut dv[..]].map(|dx| (dx, Beta::Zero)));
            attention_backward(grads, None, &saved, QueryKeyValue::Separate([&x[..]; 3]), &SCORING, &shape);
        });
    }),
    ("embedding_forward", |sizes| {
        let dim = the_huge(sizes);
        output(&[4, dim], |y| embedding_forward(y, &input(&[dim]), &[u32::MAX; 4], dim));
    }),
    ("embedding_backward", |sizes| {
        let (dim, mut order, shards) = (the_huge(sizes), Vec::new(), Shards::whole(4));
        output(&[dim], |dw| {
            embedding_backward(
                dw,
                &input(&[4, dim]),
                &[u32::MAX; 4],
                dim,
                None,
                &mut order,
                &shards,
                Beta::One,
            );
        });
    }),
    ("glu_forward", |sizes| {
        let half = the_huge(sizes);
        output(&[0], |y| activation::glu_forward(y, &[], half));
    }),
    ("glu_backward", |sizes| {
        let half = the_huge(sizes);
        output(&[0], |dx| activation::glu_backward(dx, &[], &[], half, Beta::One));
    }),
    ("sinusoidal_forward", |sizes| {
        let [tokens, dim] = two_of(sizes);
        output(&[4], |y| sinusoidal_forward(y, &[0.5; 4], tokens, dim));
    }),
    ("rotary_forward", |sizes| {
        output(&[4], |y| rotary_forward(y, &[0.5; 4], &rotary(sizes)));
    }),
    ("rotary_backward", |sizes| {
        output(&[4], |dx| rotary_backward(dx, &[0.5; 4], &rotary(sizes), Beta::One));
    }),
    ("global_avg_pool2d_forward", |[n, p, c]| {
        output(&[n, c], |y| global_avg_pool2d_forward(y, &input(&[n, p, c]), n, p, c));
    }),
    ("global_avg_pool2d_backward", |[n, p, c]| {
        output(&[n, p, c], |dx| global_avg_pool2d_backward(dx, &input(&[n, c]), n, p, c, Beta::Zero));
    }),
    ("max_pool2d_forward", |sizes| {
        let (shape, [y, x]) = pool(sizes);
        let mut indices = vec![0; len(&y)];
        output(&y, |y| max_pool2d_forward(y, &mut indices, &input(&x), &shape));
    }),
    ("max_pool2d_backward", |sizes| {
        let (shape, [y, x]) = pool(sizes);
        let indices = vec![u32::MAX; len(&y)];
        output(&x, |dx| max_pool2d_backward(dx, &input(&y), &indices, &shape, Beta::Zero));
    }),
    ("avg_pool2d_forward", |sizes| {
        let (shape, [y, x]) = pool(sizes);
        output(&y, |y| avg_pool2d_forward(y, &input(&x), &shape, true));
    }),
    ("avg_pool2d_backward", |sizes| {
        let (shape, [y, x]) = pool(sizes);
        output(&x, |dx| avg_pool2d_backward(dx, &input(&y), &shape, true, Beta::Zero));
    }),
    ("interpolate2d_forward", |sizes| {
        let (shape, [y, x]) = resized(sizes);
        output(&y, |y| interpolate2d_forward(y, &input(&x), &shape));
    }),
    ("interpolate2d_backward", |sizes| {
        let (shape, [y, x]) = resized(sizes);
        output(&x, |dx| interpolate2d_backward(dx, &input(&y), &shape, Beta::Zero));
    }),
];

/// Two sizes of three, the largest among them.
fn two_of([a, b, c]: [usize; 3]) -> [usize; 2] {
    if b.max(c) > a { [b, c] } else { [a, b.max(c)] }
}

/// The size that alone is beyond memory.
fn the_huge(sizes: [usize; 3]) -> usize {
    sizes.into_iter().find(|size| HUGE.contains(size)).unwrap_or(HUGE[0])
}

fn layer_norm(sizes: [usize; 3]) -> LayerNormShape {
    let [rows, features] = two_of(sizes);
    LayerNormShape { rows, features, eps: 1e-5, centred: true }
}

/// With hostile sizes, and with a hostile window on a row that is there.
fn local_response_norms(sizes: [usize; 3]) -> [LocalResponseNormShape; 2] {
    let usual = LocalResponseNormShape { rows: 1, channels: 4, size: 5, alpha: 1.0, beta: 0.75, k: 1.0 };
    let [rows, channels] = two_of(sizes);
    let huge_row = LocalResponseNormShape { rows, channels, ..usual };
    let huge_window = LocalResponseNormShape { size: the_huge(sizes), ..usual };
    if rows.checked_mul(channels.max(1)).is_some_and(|n| n < 1 << 60) {
        [huge_window; 2]
    } else {
        [huge_row, huge_window]
    }
}

fn recurrence(weight_hh: &[f32], shape: RecurrentShape) -> Recurrence<'_> {
    Recurrence { weight_hh, bias_hh: None, initial: [None, None], lengths: &[], shape }
}

/// An LSTM, and operands as long as its gates, output, weight, saved numbers and state seem to be.
fn recurrent([batch, steps, hidden]: [usize; 3]) -> (RecurrentShape, [Vec<f32>; 5]) {
    let shape = RecurrentShape { batch, steps, hidden, cell: Cell::Lstm, reverse: false };
    let of_sample = steps.wrapping_add(2);
    let gates = input(&[batch, steps, 4, hidden]);
    let (y, w) = (input(&[batch, of_sample, hidden]), input(&[4, hidden, hidden]));
    (shape, [gates, y, w, input(&[batch, steps, 5, hidden]), input(&[batch, 2, hidden])])
}

const SCORING: Scoring<'_> = Scoring { scale: 1.0, is_causal: false, masks: [None; 2], dropout: None };

fn attention_shape([batch, tokens, dim]: [usize; 3]) -> AttentionShape {
    let (heads, layout) = (1, HeadLayout::First);
    AttentionShape { batch, heads, queries: tokens, keys: tokens, head_dim: dim, value_dim: dim, layout }
}

fn rotary([tokens, head_dim, n_rotated]: [usize; 3]) -> RotaryShape {
    RotaryShape { tokens, features: 4, head_dim, n_rotated, pairing: Pairing::Halves, base: 10_000.0 }
}

fn batch_norm(sizes: [usize; 3]) -> BatchNormShape {
    let [rows, channels] = two_of(sizes);
    BatchNormShape { rows, channels, eps: 1e-5, activation: None }
}

/// A pooling over windows of one pixel, and the sizes of its output and its input.
fn pool([batch, height, channels]: [usize; 3]) -> (Pool2dShape, [[usize; 4]; 2]) {
    let images = [batch, height, 1, channels];
    (Pool2dShape::new(images, [1; 2], [1; 2], [0; 2]), [images; 2])
}

/// Images made as high as they are, and the sizes of output and input.
fn resized([batch, height, channels]: [usize; 3]) -> (Interpolate2dShape, [[usize; 4]; 2]) {
    let (to, mode) = (ResizeTo::Size([height, 1]), Interpolation::Nearest);
    let shape = Interpolate2dShape { batch, height, width: 1, channels, to, mode };
    (shape, [[batch, height, 1, channels]; 2])
}

#[test]
fn sizes_beyond_memory_are_refused_before_anything_is_written() {
    for sizes in hostile_sizes() {
        for (name, kernel) in OF_SIZES {
            // Of two sizes, those that matter may be harmless.
            let is_two = ["softmax", "reduce_rows", "batch_norm", "layer_norm", "sinusoidal"]
                .iter()
                .any(|part| name.contains(part));
            let [a, b] = two_of(sizes).map(|size| size.max(1));
            let fits = a.checked_mul(b).is_some_and(|n| n <= isize::MAX as usize / 4);
            if !(is_two && fits) {
                assert_refused(name, sizes, || kernel(sizes));
            }
        }
    }
}

/// A small convolution with one field, or several, changed to something hostile.
fn hostile_convolutions() -> Vec<Conv2dShape> {
    let good = Conv2dShape::same(1, [4, 4], [1, 1], 3);
    let mut shapes = vec![
        Conv2dShape { padding: [1 << 33; 2], kernel_size: [1 << 33; 2], ..good },
        Conv2dShape { in_channels: 1 << 32, out_channels: 1 << 32, batch: 0, ..good },
        Conv2dShape { batch: 1 << 32, out_channels: 1 << 30, ..good },
    ];
    for huge in HUGE {
        shapes.extend([
            Conv2dShape { batch: huge, ..good },
            Conv2dShape { height: huge, ..good },
            Conv2dShape { width: huge, ..good },
            Conv2dShape { in_channels: huge, ..good },
            Conv2dShape { out_channels: huge, ..good },
            Conv2dShape { kernel_size: [huge, 3], ..good },
            Conv2dShape { kernel_size: [huge; 2], padding: [huge / 2; 2], ..good },
            Conv2dShape { dilation: [huge, 1], ..good },
            Conv2dShape { padding: [huge, 1], ..good },
            Conv2dShape { padding: [huge / 4; 2], ..good },
            Conv2dShape { in_channels: huge, out_channels: huge, groups: huge, ..good },
        ]);
    }
    shapes
}

#[test]
fn convolutions_beyond_memory_are_refused() {
    for shape in hostile_convolutions() {
        assert!(Block::plan(&shape).is_none(), "{shape:?}");
        for algorithm in [Algorithm::Auto, Algorithm::Im2col] {
            for n in [0, 1, 4, 16] {
                let (x, w) = (vec![0.5; n], vec![0.5; 9]);
                assert_refused("conv2d_forward", shape, || {
                    output(&[n], |y| conv2d_forward(y, &x, &w, None, &shape, algorithm));
                });
                assert_refused("conv2d_backward_input", shape, || {
                    output(&[n], |dx| conv2d_backward_input(dx, &x, &w, &shape, Beta::Zero, algorithm));
                });
                assert_refused("conv2d_backward_weight", shape, || {
                    let shards = Shards::whole(4);
                    output(&[9], |dw| {
                        conv2d_backward_weight(dw, &x, &x, &shape, &shards, Beta::One, algorithm)
                    });
                });
            }
        }
    }
}

#[test]
fn transposed_and_depthwise_convolutions_beyond_memory_are_refused() {
    let good = ConvTranspose2dShape {
        batch: 1,
        height: 2,
        width: 2,
        in_channels: 2,
        out_channels: 2,
        kernel_size: [2; 2],
        stride: [2; 2],
        padding: [0; 2],
        output_padding: [0; 2],
        dilation: [1; 2],
        groups: 2,
    };
    for huge in HUGE {
        let transposed = [
            ConvTranspose2dShape { batch: huge, ..good },
            ConvTranspose2dShape { height: huge, ..good },
            ConvTranspose2dShape { in_channels: huge, out_channels: huge, groups: huge, ..good },
            ConvTranspose2dShape { kernel_size: [huge, 1], ..good },
            ConvTranspose2dShape { stride: [huge; 2], output_padding: [huge - 1; 2], ..good },
            ConvTranspose2dShape { padding: [huge, 1], ..good },
            ConvTranspose2dShape { dilation: [1, huge], ..good },
            ConvTranspose2dShape { dilation: [huge; 2], output_padding: [huge - 1; 2], ..good },
        ];
        for (shape, n) in transposed.into_iter().flat_map(|shape| [(shape, 0), (shape, 8)]) {
            let (x, w, auto) = (vec![0.5; n], vec![0.5; 8], Algorithm::Auto);
            assert_refused("conv_transpose2d_forward", shape, || {
                output(&[n], |y| conv_transpose2d_forward(y, &x, &w, None, &shape, auto));
            });
            assert_refused("conv_transpose2d_backward_input", shape, || {
                output(&[n], |dx| conv_transpose2d_backward_input(dx, &x, &w, &shape, Beta::One, auto));
            });
            assert_refused("conv_transpose2d_backward_weight", shape, || {
                let shards = Shards::whole(4);
                output(&[8], |dw| {
                    conv_transpose2d_backward_weight(dw, &x, &x, &shape, &shards, Beta::One, auto);
                });
            });
        }
        let convolution = good.convolution();
        for shape in [
            Conv2dShape { in_channels: huge, out_channels: huge, groups: huge, ..convolution },
            Conv2dShape { batch: huge, ..convolution },
            Conv2dShape { width: huge, padding: [0, huge], ..convolution },
        ] {
            assert_refused("conv2d_forward", shape, || {
                output(&[8], |y| conv2d_forward(y, &[0.5; 8], &[0.5; 8], None, &shape, Algorithm::Depthwise));
            });
        }
    }
}

#[test]
fn wrong_lengths_of_a_fused_block_are_refused() {
    let block = Block::plan(&Conv2dShape::same(1, [4, 4], [1, 1], 3)).unwrap();
    let good = [block.output_len(), block.output_len(), 16, 9];
    for at in 0..good.len() {
        for wrong in [0, 1, good[at] + 1] {
            let mut lens = good;
            lens[at] = wrong;
            let [y, argmax, x, w] = lens;
            let (x, w, mut argmax) = (vec![0.5; x], vec![0.5; w], vec![255_u8; argmax]);
            assert_refused("conv_pool_forward", lens, || {
                output(&[y], |y| conv_pool_forward(y, &mut argmax, &x, &w, None, &block));
            });
            assert_refused("conv_pool_backward", lens, || {
                let y = vec![0.5; y];
                let pooled = PooledGradient { dy: &y, y: &y, argmax: &argmax };
                let shards = Shards::whole(1);
                output(&[w.len()], |dw| {
                    conv_pool_backward(None, (dw, Beta::Zero), None, pooled, &x, &w, &block, &shards);
                });
            });
        }
    }
    // Whatever a stranger says of the places of the maxima, they lie in their windows.
    let (x, w, y, argmax) = ([0.5; 16], [0.5; 9], [0.5; 4], [255; 4]);
    let pooled = PooledGradient { dy: &y, y: &y, argmax: &argmax };
    output(&[16], |dx| {
        let (dx, shards) = (Some((dx, Beta::Zero)), Shards::whole(1));
        output(&[9], |dw| conv_pool_backward(dx, (dw, Beta::One), None, pooled, &x, &w, &block, &shards));
    });
}

/// What the sentence contains, and a call with an output of a wrong length.
type Case<'a> = (&'static str, &'a dyn Fn(&mut [f32]));

#[test]
fn kernels_that_go_by_lengths_or_shapes_refuse_others() {
    let (x, shape) = ([0.5; 4], Shape::new(&[2, 2]));
    let cases: &[Case<'_>] = &[
        ("", &|y| activation::relu_forward(y, &x)),
        ("", &|y| activation::relu_backward(y, &x, &x, Beta::One)),
        ("", &|y| activation::leaky_relu_forward(y, &x, 0.1)),
        ("", &|y| activation::leaky_relu_backward(y, &x, &x, 0.1, Beta::Zero)),
        ("", &|y| activation::sigmoid_forward(y, &x)),
        ("", &|y| activation::sigmoid_backward(y, &x, &x, Beta::Zero)),
        ("", &|y| activation::tanh_forward(y, &x)),
        ("", &|y| activation::tanh_backward(y, &x, &x, Beta::Zero)),
        ("", &|y| activation::gelu_forward(y, &x)),
        ("", &|y| activation::gelu_backward(y, &x, &x, Beta::Zero)),
        ("", &|y| elementwise::map(y, &x, Beta::Zero, |x| x)),
        ("", &|y| elementwise::zip(y, &x, &x, Beta::Zero, |a, _| a)),
        ("", &|y| elementwise::zip3(y, &x, &x, &x, Beta::Zero, |a, _, _| a)),
        ("", &|y| elementwise::add_assign(y, &x)),
        ("", &|y| elementwise::copy_or_add(y, &x, Beta::One)),
        ("", &|y| elementwise::scaled_copy_or_add(y, &x, 2.0, Beta::One)),
        ("", &|y| elementwise::zip_all(y, [&x[..]; 4], Beta::One, |[a, ..]| a)),
        ("attention_forward: the mask", &|y| {
            let mask = Mask { values: &x, strides: [HUGE[0], HUGE[1], usize::MAX] };
            let scoring = Scoring { masks: [Some(mask), None], ..SCORING };
            let (shape, q) = (attention_shape([4, 1, 1]), QueryKeyValue::Separate([&x[..]; 3]));
            attention_forward(&mut [y, &[0.0][..]].concat(), &mut [0.0; 4], q, &scoring, &shape);
        }),
        ("dropout_forward", &|y| dropout::dropout_forward(y, &x, 0.5, 1)),
        ("dropout_backward", &|y| dropout::dropout_backward(y, &x, 0.5, 1, Beta::One)),
        ("permute", &|y| layout::permute(y, &x, &shape, &[1, 0], Beta::Zero)),
        ("permute", &|y| layout::permute(y, &x, &shape, &[usize::MAX, 0], Beta::Zero)),
        ("slice_forward", &|y| layout::slice_forward(y, &x, &shape, 0, 0..1, Beta::Zero)),
        ("slice_forward", &|y| layout::slice_forward(y, &x, &shape, 1, 1..usize::MAX, Beta::Zero)),
        ("slice_backward", &|y| layout::slice_backward(y, &x, &shape, 1, HUGE[0]..4, Beta::Zero)),
        ("slice_backward", &|y| layout::slice_backward(y, &x, &shape, 1, 0..usize::MAX, Beta::Zero)),
        ("concat_part", &|y| layout::concat_part(y, &x, &shape, 0, 1..HUGE[1])),
        ("axis", &|y| layout::concat_part(y, &x, &shape, usize::MAX, 0..1)),
        ("gather_forward", &|y| layout::gather_forward(y, &x, &[u32::MAX; 3], &shape, 0)),
        ("axis", &|y| layout::gather_forward(y, &x, &[0; 3], &shape, usize::MAX)),
        ("gather_backward", &|y| layout::gather_backward(y, &x, &[u32::MAX; 4], &shape, 1, Beta::Zero)),
        ("broadcast_forward", &|y| broadcast::broadcast_forward(y, &x, &shape, &shape, Beta::Zero)),
        ("broadcast_zip", &|y| broadcast::broadcast_zip(y, (&x, &shape), (&x, &shape), &shape, |a, _| a)),
        ("broadcast_zip3", &|y| {
            broadcast::broadcast_zip3(y, [(&x, &shape); 3], &shape, |a, _, _| a);
        }),
        ("reduce_to_shape", &|y| {
            broadcast::reduce_to_shape(y, &x, &Shape::scalar(), &shape, Reduction::Mean, None, Beta::One);
        }),
        ("fold_to_shape", &|y| fold_to_shape(y, &x, &shape, &shape, 0.0, f32::max)),
        ("argmax", &|_| argmax(&mut [0; 3], &x, &shape, 0)),
        ("axis", &|_| argmax(&mut [0; 2], &x, &shape, usize::MAX)),
        ("argmin", &|_| argmin(&mut [0; 3], &x, &shape, 0)),
        ("topk", &|_| topk(&mut [0; 3], &x, &shape, 0, 1, true)),
        ("topk", &|_| topk(&mut [0; 2], &x, &shape, 0, usize::MAX, true)),
        ("axis", &|_| topk(&mut [0; 2], &x, &shape, usize::MAX, 1, true)),
        ("cumsum_forward", &|y| cumsum_forward(y, &x, &shape, 1)),
        ("axis", &|y| cumsum_forward(y, &x, &shape, usize::MAX)),
        ("cumsum_backward", &|y| cumsum_backward(y, &x, &shape, 0, Beta::One)),
        ("batched_matmul", &|y| {
            // As many products as would make the length of what is there wrap around.
            let (many, one) = (Shape::new(&[1 << 60]), Shape::scalar());
            let of_16 = MatmulShape { m: 4, k: 0, n: 4, transpose_a: true, transpose_b: false };
            batched_matmul(&mut y[..0], (&[], &many), (&[], &one), &many, &of_16, Beta::Zero);
        }),
        ("batched_matmul", &|y| {
            let (three, of_1) = (Shape::new(&[3]), [1; 3]);
            let [m, k, n] = of_1;
            let of_1 = MatmulShape { m, k, n, transpose_a: true, transpose_b: false };
            batched_matmul(y, (&x[..2], &[2].into()), (&x[..1], &Shape::scalar()), &three, &of_1, Beta::Zero);
        }),
        ("pad_forward", &|y| pad_forward(y, &x, &shape, &[[1, 1], [0, 0]], PadMode::Replicate)),
        ("pad", &|y| pad_forward(y, &x, &shape, &[[3, 0], [0, 0]], PadMode::Reflect)),
        ("Shape::new", &|y| pad_forward(y, &x, &shape, &[[usize::MAX; 2]; 2], PadMode::Replicate)),
        ("pad_backward", &|y| pad_backward(y, &x, &shape, &[[1, 1], [0, 0]], PadMode::Reflect, Beta::One)),
        ("Shape::new", &|y| {
            pad_backward(y, &x, &shape, &[[HUGE[0]; 2]; 2], PadMode::Constant(0.0), Beta::One)
        }),
        ("Shape::new", &|_| _ = broadcast::broadcast_shapes(&[1 << 60, 1].into(), &[1, 1 << 60].into())),
        ("Shape::new", &|_| _ = Tensor::zeros([1 << 31, 1 << 31])),
        ("Shape::new", &|_| _ = Tensor::arange(0.0, 3e38, 1e-38)),
        ("scratch", &|_| scratch::with(usize::MAX, |_| ())),
        ("Shards", &|_| _ = Shards::with_count(usize::MAX, usize::MAX)),
        ("Shards", &|_| _ = Shards::whole(4).part(usize::MAX, usize::MAX)),
    ];
    for (row, (name, kernel)) in cases.iter().enumerate() {
        // Three numbers where four, two or one are due.
        assert_refused(name, row, || output(&[3], |y| kernel(y)));
    }
}

/// Batches that are cut otherwise than the operands: another sum or a panic, but nothing outside of the operands.
#[test]
fn shards_of_another_batch_do_no_harm() {
    let convolution = Conv2dShape::same(4, [4, 4], [1, 1], 3);
    let block = Block::plan(&convolution).unwrap();
    let (x, dy, w, argmax) = ([0.5; 64], [0.5; 64], [0.5; 9], [0; 16]);
    let linear = LinearShape { batch: 4, in_features: 16, out_features: 16 };
    for n_images in [0, 1, 3, 5, 1000, usize::MAX - 1, usize::MAX] {
        for n_shards in [1, 3, MAX_SHARDS] {
            let whole = Shards::with_count(n_images, n_shards);
            for shards in [whole, whole.part(0, 2), whole.part(1, 2), whole.part(7, usize::MAX)] {
                let images = shards.images();
                assert!(images.start <= images.end && images.end <= n_images, "{shards:?}");
                let most_rows = usize::MAX / images.len().max(1) * images.len();
                assert!(shards.first_row(most_rows) <= shards.rows_of_batch(most_rows), "{shards:?}");
                let kernels: [&dyn Fn(); 6] = [
                    &|| {
                        output(&[9], |dw| {
                            conv2d_backward_weight(
                                dw,
                                &dy,
                                &x,
                                &convolution,
                                &shards,
                                Beta::Zero,
                                Algorithm::Auto,
                            );
                        })
                    },
                    &|| {
                        output(&[9], |dw| {
                            let pooled = PooledGradient { dy: &dy[..16], y: &dy[..16], argmax: &argmax };
                            let dw = (dw, Beta::Zero);
                            conv_pool_backward(None, dw, None, pooled, &x, &w, &block, &shards);
                        })
                    },
                    &|| {
                        output(&[16, 1], |dw| {
                            let shape = LinearShape { batch: 4, in_features: 1, out_features: 16 };
                            linear_backward_weight(dw, &dy, &x[..4], &shape, &shards, Beta::Zero);
                        })
                    },
                    &|| output(&[4, 16], |y| linear_forward(y, &x, &[0.5; 256], None, &linear, &shards)),
                    &|| output(&[16], |y| reduce_rows(y, &x, 4, 16, Reduction::Mean, &shards, Beta::Zero)),
                    &|| output(&[4], |sum| sum_over_shards(sum, &shards, 0, (), |_, sum, ()| sum.fill(1.0))),
                ];
                for kernel in kernels {
                    if let Err(payload) = catch_unwind(AssertUnwindSafe(kernel)) {
                        let said = sentence(payload);
                        assert!(!said.contains("beside the output"), "{shards:?}: {said}");
                    }
                }
            }
        }
    }
}

/// Rows that cannot be those of the images are refused, in a release build too: sums would leave some of them out.
#[test]
fn rows_of_another_batch_are_refused() {
    let (x, dy, linear) = ([0.5; 4], [0.5; 64], LinearShape { batch: 4, in_features: 1, out_features: 16 });
    for n_images in [3, 5, 1000] {
        let shards = &Shards::whole(n_images);
        let cases: [&dyn Fn(); 6] = [
            &|| _ = shards.rows_per_image(4),
            &|| _ = shards.first_row(4),
            &|| _ = shards.rows_of_batch(4),
            &|| output(&[16, 1], |dw| linear_backward_weight(dw, &dy, &x, &linear, shards, Beta::Zero)),
            &|| output(&[4, 16], |y| linear_forward(y, &x, &[0.5; 16], None, &linear, shards)),
            &|| output(&[16], |y| reduce_rows(y, &dy, 4, 16, Reduction::Sum, shards, Beta::Zero)),
        ];
        for case in cases {
            assert_refused("Shards: 4 rows cannot be divided evenly", n_images, case);
        }
    }
}

#[test]
fn loops_over_rows_stay_within_what_is_there() {
    // These go by the slice alone.
    output(&[3], |y| uniform(y, u64::MAX));
    output(&[3], |y| normal(y, u64::MAX));
    let mut data = [0.0_f32; 12];
    for (n_rows, row_len) in [(4, usize::MAX), (6, 3), (4, HUGE[0]), (4, HUGE[1])] {
        let visit =
            || for_each_chunk(n_rows, 1, 0, rows_mut(&mut data, row_len), |_, rows| _ = rows.into_slice());
        let said = sentence(catch_unwind(AssertUnwindSafe(visit)).unwrap_err());
        assert!(!said.contains("attempt to"), "{n_rows} rows of {row_len}: {said}");
    }
    let mut n_visited = 0;
    let visited = std::sync::Mutex::new(&mut n_visited);
    for_each_chunk(usize::MAX, usize::MAX / 2 + 1, 0, (), |rows, ()| **visited.lock().unwrap() += rows.len());
    assert_eq!(n_visited, usize::MAX);
}

/// Whatever writes into a slice needs a case here.
#[test]
fn no_public_kernel_is_left_out() {
    let cases = include_str!("hostile.rs");
    let mut kernels = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().unwrap() != "reference.rs" {
                let source = fs::read_to_string(&path).unwrap();
                let signatures =
                    source.split("\npub fn ").skip(1).map(|text| text.split('{').next().unwrap());
                let kernels_of_file = signatures.filter(|signature| signature.contains("&mut ["));
                kernels.extend(kernels_of_file.map(|text| text.split(['(', '<']).next().unwrap().to_owned()));
            }
        }
    }
    assert!(kernels.len() > 50, "{kernels:?}");
    let untried: Vec<_> = kernels.iter().filter(|name| !cases.contains(&format!("{name}("))).collect();
    assert!(untried.is_empty(), "{untried:?}");
}
