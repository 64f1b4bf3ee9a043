//! Scaled dot-product attention, y = softmax(scale · q · kᵀ + mask) · v, for each image and head separately.
//!
//! The matrix of weights has queries × keys numbers and is never materialised. Blocks of it are computed,
//! used and discarded, as in Dao, Fu, Ermon, Rudra and Ré, *FlashAttention: Fast and Memory-Efficient Exact
//! Attention with IO-Awareness*, 2022. Forward keeps a running maximum and a running sum for each query and
//! rescales the partial y when the maximum grows. It saves one number per query, the logarithm of the sum,
//! from which backward recomputes the same weights.
//!
//! ```text
//!                    64 queries                                  for each block of keys
//!              ┌──────────────────┐                 scores      = k · qᵀ, masked
//!     64 keys  │ scores, then     │  lanes are      max, factor = the maximum, and how far it grew
//!              │ weights          │  queries        weights     = 2^(scores − max)
//!              └──────────────────┘                 sum         = factor · sum + Σ weights
//!                                                   y           = factor · y + weightsᵀ · v
//! ```
//!
//! A block is stored with keys as rows and queries as columns, sixteen to a vector. Maximum, sum and factor
//! are then vectors too, lanes are never added to each other, and each of the products of forward (2) and
//! backward (5) broadcasts single numbers of one operand over vectors of the other (`product.rs`). Queries
//! are scaled by scale · log₂ e when they are packed, so that weights are powers of 2; logarithms are to
//! base 2.
//!
//! Forward is split into chunks of queries, backward into chunks of keys, which share packed data. A chunk's
//! share of the query gradient is added once complete, in the order of the chunks, whichever thread computes
//! them; at most eight shares of a head are in memory. Images are independent of each other.
//!
//! Rounding error, to first order and with ε = 2⁻²⁴: let r = 1 + max(scale · |q|·|k|ᵀ + |mask|) over the keys
//! of a query. Then
//! |Δy| ≤ (head_dim + keys + 12)·ε·r · (weights · |v|).

mod backward;
mod forward;
mod head;
mod pack;
mod product;
pub(crate) mod reference;
mod scores;

#[cfg(test)]
mod tests;

use crate::Beta;
use crate::shape::checked_len;
use simd::Level;

/// The sizes of attention.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AttentionShape {
    /// The number of images.
    pub batch: usize,
    /// The number of heads of each image.
    pub heads: usize,
    /// The number of queries of each head.
    pub queries: usize,
    /// The number of keys of each head.
    pub keys: usize,
    /// The size of a query and of a key.
    pub head_dim: usize,
    /// The size of a value.
    pub value_dim: usize,
    /// Where the heads are.
    pub layout: HeadLayout,
}

/// Where the heads of an image are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HeadLayout {
    /// `[batch, heads, tokens, dim]`: the tokens of each head are contiguous, as PyTorch's function takes
    /// them.
    First,
    /// `[batch, tokens, heads · dim]`: the heads of each token are contiguous, as a projection outputs them.
    Last,
}

impl AttentionShape {
    /// The total length of all queries.
    pub fn query_len(&self) -> usize {
        checked_len("attention", &[self.batch, self.heads, self.queries, self.head_dim])
    }

    /// The total length of all keys.
    pub fn key_len(&self) -> usize {
        checked_len("attention", &[self.batch, self.heads, self.keys, self.head_dim])
    }

    /// The total length of all values.
    pub fn value_len(&self) -> usize {
        checked_len("attention", &[self.batch, self.heads, self.keys, self.value_dim])
    }

    /// The length of the output.
    pub fn output_len(&self) -> usize {
        checked_len("attention", &[self.batch, self.heads, self.queries, self.value_dim])
    }

    /// The number of queries of all heads and images; forward saves a logarithm for each.
    pub fn n_rows(&self) -> usize {
        checked_len("attention", &[self.batch, self.heads, self.queries])
    }

    /// How many units are stored one after another, and how many side by side in each: images and heads, or
    /// all heads.
    fn outer_and_inner(&self) -> [usize; 2] {
        match self.layout {
            HeadLayout::First => [self.batch * self.heads, 1],
            HeadLayout::Last => [self.batch, self.heads],
        }
    }
}

/// Queries, keys and values, or their gradients.
#[derive(Clone, Copy, Debug)]
pub enum QueryKeyValue<T> {
    /// Separate arrays.
    Separate([T; 3]),
    /// `[batch, tokens, 3 · heads · dim]`: for each token all queries, then all keys, then all values.
    Packed(T),
}

/// How scores become weights.
#[derive(Clone, Copy, Debug)]
pub struct Scoring<'a> {
    /// The factor of q · kᵀ; usually 1/√head_dim.
    pub scale: f32,
    /// Whether a query attends only to keys up to its own position: query i attends to key j if j ≤ i.
    pub is_causal: bool,
    /// Masks added to the scores; −∞ hides a key.
    pub masks: [Option<Mask<'a>>; 2],
    /// Dropout of weights, if any.
    pub dropout: Option<WeightDropout>,
}

/// Numbers added to the scores, `[batch, heads, queries, keys]`; any axis but the last may be of size 1 to
/// broadcast.
#[derive(Clone, Copy, Debug)]
pub struct Mask<'a> {
    /// The numbers.
    pub values: &'a [f32],
    /// The strides from image to image, head to head and query to query; 0 for a broadcast axis.
    pub strides: [usize; 3],
}

impl<'a> Mask<'a> {
    /// The numbers of a head, starting with those of its first query, and the stride from query to query.
    fn of_head(&self, [image, head]: [usize; 2]) -> (&'a [f32], usize) {
        let [image_stride, head_stride, query_stride] = self.strides;
        (&self.values[image * image_stride + head * head_stride..], query_stride)
    }
}

impl Mask<'_> {
    /// The number added to a score of head number `idx` among all heads of all images.
    fn at(&self, idx: usize, heads: usize, query: usize, key: usize) -> f64 {
        let (values, query_stride) = self.of_head([idx / heads, idx % heads]);
        f64::from(values[query * query_stride + key])
    }
}

/// Dropout of weights: the same as [`dropout_forward`](crate::dropout::dropout_forward) on the full matrix,
/// `[batch, heads, queries, keys]`, if it were in memory.
#[derive(Clone, Copy, Debug)]
pub struct WeightDropout {
    /// The probability of dropping a weight.
    pub p: f32,
    /// The key of the first weight.
    pub key: u64,
}

/// y = softmax(scale · q · kᵀ + masks) · v. `log_sums` gets log₂ Σ 2^(scores · log₂ e) for each row, for backward.
///
/// If all keys are hidden from a query, its output is zero, as in PyTorch since 2.5, and it has no gradient.
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
pub fn attention_forward(
    y: &mut [f32],
    log_sums: &mut [f32],
    inputs: QueryKeyValue<&[f32]>,
    scoring: &Scoring<'_>,
    shape: &AttentionShape,
) {
    check("attention_forward", shape, scoring, &inputs, |x| x.len());
    assert_eq!(y.len(), shape.output_len(), "attention_forward: output length for {shape:?}");
    assert_eq!(log_sums.len(), shape.n_rows(), "attention_forward: a logarithm for each row of {shape:?}");
    forward::forward(Level::current(), y, log_sums, inputs, scoring, shape);
}

/// The results of forward, and the gradient of its output.
#[derive(Clone, Copy, Debug)]
pub struct AttentionSaved<'a> {
    /// The gradient of the output.
    pub dy: &'a [f32],
    /// The output.
    pub y: &'a [f32],
    /// The logarithms that forward saved.
    pub log_sums: &'a [f32],
}

/// Computes the gradients of queries, keys and values and, if it is asked for, of the scores with their masks,
/// `[batch, heads, queries, keys]`: the gradient of a mask is its sum over the axes along which the mask is
/// broadcast. It is the only result of this size.
///
/// # Panics
/// When a length does not fit the shape.
#[track_caller]
pub fn attention_backward(
    grads: QueryKeyValue<(&mut [f32], Beta)>,
    dscores: Option<&mut [f32]>,
    saved: &AttentionSaved<'_>,
    inputs: QueryKeyValue<&[f32]>,
    scoring: &Scoring<'_>,
    shape: &AttentionShape,
) {
    check("attention_backward", shape, scoring, &inputs, |x| x.len());
    check("attention_backward", shape, scoring, &grads, |(dx, _)| dx.len());
    let lengths = [saved.dy.len(), saved.y.len(), saved.log_sums.len()];
    let expected = [shape.output_len(), shape.output_len(), shape.n_rows()];
    assert_eq!(lengths, expected, "attention_backward: lengths of dy, y and log_sums for {shape:?}");
    if let Some(dscores) = &dscores {
        let n_scores = checked_len("attention_backward", &[shape.n_rows(), shape.keys]);
        assert_eq!(dscores.len(), n_scores, "attention_backward: a gradient for each score of {shape:?}");
    }
    backward::backward(Level::current(), grads, dscores, saved, inputs, scoring, shape);
}

#[track_caller]
fn check<T>(
    name: &str,
    shape: &AttentionShape,
    scoring: &Scoring<'_>,
    operands: &QueryKeyValue<T>,
    len: impl Fn(&T) -> usize,
) {
    let expected = [shape.query_len(), shape.key_len(), shape.value_len()];
    match operands {
        QueryKeyValue::Separate(operands) => {
            let found = operands.each_ref().map(len);
            assert_eq!(found, expected, "{name}: lengths of queries, keys and values for {shape:?}");
        }
        QueryKeyValue::Packed(operand) => {
            let fits = shape.layout == HeadLayout::Last && expected[1..] == [expected[0]; 2];
            assert!(fits, "{name}: queries, keys and values of {shape:?} cannot be packed");
            assert_eq!(len(operand), 3 * expected[0], "{name}: length of the packed operand for {shape:?}");
        }
    }
    assert!(shape.keys > 0 || shape.n_rows() == 0, "{name}: {shape:?} has no keys to attend to");
    for Mask { values, strides } in scoring.masks.iter().flatten() {
        let sizes = [shape.batch, shape.heads, shape.queries];
        let last =
            strides.iter().zip(sizes).map(|(stride, size)| stride.saturating_mul(size.saturating_sub(1)));
        let reaches = last.fold(shape.keys, usize::saturating_add);
        assert!(
            reaches <= values.len() || shape.n_rows() == 0,
            "{name}: the mask is too short for {shape:?}"
        );
    }
}
