//! y = softmax(scale · q · kᵀ + mask) · v.

use keyed_random::skip;
use tensor::attention::{
    AttentionSaved, AttentionShape, HeadLayout, Mask, QueryKeyValue, Scoring, WeightDropout,
    attention_backward, attention_forward,
};
use tensor::broadcast::reduce_to_shape;
use tensor::elementwise::copy_or_add;
use tensor::parallel::Shards;
use tensor::reduce::Reduction;
use tensor::{Beta, Shape, scratch};

use super::shared::{count, there_are};
use crate::{Backward, Forward, Grads, Graph, Images, Inputs, Op, Operands, ShapeError, Var};

/// The options of [`Graph::scaled_dot_product_attention`]; the default is PyTorch's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AttentionOptions {
    /// Each token attends only to itself and those before it: query i attends to key j if j ≤ i. Both count
    /// from the first even if there are more queries than keys or vice versa.
    pub is_causal: bool,
    /// A mask added to the scores, `[t, s]` or `[n, heads, t, s]`; any of the first three axes may be of size
    /// 1 to broadcast. 0 keeps a key and −∞ hides it; [`Graph::attention_mask`] creates such a mask from booleans.
    pub attn_mask: Option<Var>,
    /// A mask added to the scores of each key, `[n, s]`: −∞ at padding positions.
    pub key_padding_mask: Option<Var>,
    /// The probability p of zeroing a weight in training, the others being divided by 1 − p (default 0).
    /// Which are zeroed is a function of the run's seed, the layer's path, the step and the weight's place in
    /// the whole batch.
    pub dropout_p: f32,
    /// The factor of the scores (default 1/√head_dim).
    pub scale: Option<f32>,
}

struct Attention {
    /// The number of heads in the last axis of the inputs; `None` if heads have their own axis or there are
    /// none.
    n_heads: Option<usize>,
    is_packed: bool,
    is_causal: bool,
    has_attn_mask: bool,
    has_padding_mask: bool,
    dropout_p: f32,
    scale: Option<f32>,
}

impl Attention {
    /// How many inputs come before the masks.
    fn n_operands(&self) -> usize {
        if self.is_packed { 1 } else { 3 }
    }

    /// The sizes, if queries, keys and values are compatible.
    fn sizes(&self, inputs: impl Fn(usize) -> Shape) -> Result<AttentionShape, ShapeError> {
        let q = inputs(0);
        let [k, v] = if self.is_packed { [q; 2] } else { [inputs(1), inputs(2)] };
        let sizes = match self.n_heads {
            None => separate_heads(q, k, v)?,
            Some(heads) => joined_heads(heads, self.is_packed, [q, k, v])?,
        };
        for (what, shape, n_tokens) in [("query", q, sizes.queries), ("key", k, sizes.keys)] {
            if n_tokens == 0 {
                return Err(ShapeError::new(format!(
                    "the {what} {shape} is a sequence without tokens; leave out empty sequences"
                )));
            }
        }
        Ok(sizes)
    }

    /// The strides of the masks along images, heads and queries, if they fit.
    fn mask_strides(
        &self,
        inputs: impl Fn(usize) -> Shape,
        sizes: &AttentionShape,
    ) -> Result<[Option<[usize; 3]>; 2], ShapeError> {
        let &AttentionShape { batch, heads, queries, keys, .. } = sizes;
        let attn = self.has_attn_mask.then(|| inputs(self.n_operands()));
        let padding =
            self.has_padding_mask.then(|| inputs(self.n_operands() + usize::from(self.has_attn_mask)));
        let attn = attn.map(|mask| {
            let dims = match *mask.dims() {
                [t, s] => [1, 1, t, s],
                [n, h, t, s] => [n, h, t, s],
                _ => [0; 4],
            };
            let fits = dims.iter().zip([batch, heads, queries]).all(|(&size, all)| size == 1 || size == all);
            if !fits || dims[3] != keys {
                return Err(ShapeError::new(format!(
                    "the attn_mask is {mask}, the scores are [{batch}, {heads}, {queries}, {keys}]; make it \
                     [{queries}, {keys}], or give it four axes, with size 1 where it is shared"
                )));
            }
            let step = |axis: usize| dims[axis + 1..].iter().product::<usize>() * usize::from(dims[axis] > 1);
            Ok([step(0), step(1), step(2)])
        });
        let padding = padding.map(|mask| {
            if mask.dims() == [batch, keys] {
                return Ok([keys, 0, 0]);
            }
            Err(ShapeError::new(format!(
                "the key_padding_mask is {mask}, {} in each of {}; make it [{batch}, {keys}]",
                there_are(keys, "key"),
                count(batch, "image")
            )))
        });
        Ok([attn.transpose()?, padding.transpose()?])
    }

    /// The four axes of the mask that is input `i`, aligned with those of the scores, and whether the first
    /// runs over the images.
    fn mask_axes(&self, i: usize, mask: Shape, sizes: &AttentionShape) -> (Shape, bool) {
        let is_padding = i > self.n_operands() || !self.has_attn_mask;
        let dims = match *mask.dims() {
            [n, s] if is_padding => [n, 1, 1, s],
            [t, s] => [1, 1, t, s],
            [n, h, t, s] => [n, h, t, s],
            _ => unreachable!("checked by output_shape"),
        };
        (Shape::new(&dims), dims[0] == sizes.batch && (is_padding || mask.rank() == 4))
    }

    /// Sizes, operands and scoring of a step.
    fn problem<'a>(
        &self,
        inputs: Inputs<'a>,
        shards: Shards<'_>,
        key: u64,
    ) -> (AttentionShape, QueryKeyValue<&'a [f32]>, Scoring<'a>) {
        let checked = "checked by output_shape";
        let sizes = self.sizes(|i| inputs.shape(i)).expect(checked);
        let strides = self.mask_strides(|i| inputs.shape(i), &sizes).expect(checked);
        let mut next = self.n_operands();
        let masks = strides.map(|strides| {
            strides.map(|strides| {
                next += 1;
                Mask { values: inputs.value(next - 1), strides }
            })
        });
        let operands = if self.is_packed {
            QueryKeyValue::Packed(inputs.value(0))
        } else {
            QueryKeyValue::Separate([0, 1, 2].map(|i| inputs.value(i)))
        };
        let dropout = (self.dropout_p > 0.0).then(|| {
            let n_weights = sizes.n_rows() * sizes.keys;
            WeightDropout { p: self.dropout_p, key: skip(key, shards.first_row(n_weights) as u64) }
        });
        let scale = self.scale.unwrap_or(1.0 / (sizes.head_dim as f32).sqrt());
        (sizes, operands, Scoring { scale, is_causal: self.is_causal, masks, dropout })
    }
}

impl Attention {
    fn backward_operands(
        &self,
        grads: &mut Grads<'_>,
        dscores: Option<&mut [f32]>,
        saved: &AttentionSaved<'_>,
        operands: QueryKeyValue<&[f32]>,
        scoring: &Scoring<'_>,
        sizes: &AttentionShape,
    ) {
        if self.is_packed
            && let Some(grad) = grads.get(0)
        {
            let grads = QueryKeyValue::Packed((grad.data, grad.beta));
            return attention_backward(grads, dscores, saved, operands, scoring, sizes);
        }
        // One pass computes all gradients, but they are lent one at a time, and a mask's may be the only one.
        scratch::with(sizes.query_len() + sizes.key_len() + sizes.value_len(), |all| {
            if self.is_packed {
                let grads = QueryKeyValue::Packed((all, Beta::Zero));
                return attention_backward(grads, dscores, saved, operands, scoring, sizes);
            }
            let (dq, rest) = all.split_at_mut(sizes.query_len());
            let (dk, dv) = rest.split_at_mut(sizes.key_len());
            let parts = [&mut *dq, &mut *dk, &mut *dv].map(|dx| (dx, Beta::Zero));
            attention_backward(QueryKeyValue::Separate(parts), dscores, saved, operands, scoring, sizes);
            for (i, dx) in [dq, dk, dv].into_iter().enumerate() {
                if let Some(grad) = grads.get(i) {
                    copy_or_add(grad.data, dx, grad.beta);
                }
            }
        });
    }
}

/// The sizes of queries, keys and values with an axis for the heads, or of a single head without it.
fn separate_heads(q: Shape, k: Shape, v: Shape) -> Result<AttentionShape, ShapeError> {
    let axes = |x: Shape| match *x.dims() {
        [n, heads, tokens, dim] => Some([n, heads, tokens, dim]),
        [n, tokens, dim] => Some([n, 1, tokens, dim]),
        _ => None,
    };
    let Some([batch, heads, queries, head_dim]) = axes(q) else {
        return Err(ShapeError::new(format!(
            "the query is {q}, expected [n, heads, t, head_dim] or [n, t, head_dim]; reshape it"
        )));
    };
    match (axes(k), axes(v)) {
        (Some([nk, hk, keys, dk]), Some([nv, hv, sv, value_dim]))
            if [q.rank(); 2] == [k.rank(), v.rank()]
                && [batch, heads, head_dim] == [nk, hk, dk]
                && [nk, hk, keys] == [nv, hv, sv] =>
        {
            let layout = HeadLayout::First;
            Ok(AttentionShape { batch, heads, queries, keys, head_dim, value_dim, layout })
        }
        _ => Err(ShapeError::new(format!(
            "the query {q}, the key {k} and the value {v} do not fit; expected [n, heads, t, head_dim], [n, \
             heads, s, head_dim] and [n, heads, s, value_dim], or all three without the heads axis"
        ))),
    }
}

/// The sizes of queries, keys and values whose heads are beside each other on the last axis; packed, all three
/// are.
fn joined_heads(heads: usize, is_packed: bool, [q, k, v]: [Shape; 3]) -> Result<AttentionShape, ShapeError> {
    let (&[batch, queries, features], &[nk, keys, dk], &[nv, sv, dv]) = (q.dims(), k.dims(), v.dims()) else {
        return Err(unlike_joined_heads([q, k, v]));
    };
    if [batch, features] != [nk, dk] || [nk, keys] != [nv, sv] {
        return Err(unlike_joined_heads([q, k, v]));
    }
    let n_parts = heads * if is_packed { 3 } else { 1 };
    if n_parts == 0 || !features.is_multiple_of(n_parts) || !dv.is_multiple_of(heads) {
        let what = if is_packed { "queries, keys and values of " } else { "" };
        return Err(ShapeError::new(format!(
            "the inputs {q} and {v} cannot be divided into {what}{heads} heads; change the number of heads or \
             the last axes"
        )));
    }
    let head_dim = features / n_parts;
    let value_dim = if is_packed { head_dim } else { dv / heads };
    Ok(AttentionShape { batch, heads, queries, keys, head_dim, value_dim, layout: HeadLayout::Last })
}

fn unlike_joined_heads([q, k, v]: [Shape; 3]) -> ShapeError {
    ShapeError::new(format!(
        "the query {q}, the key {k} and the value {v} do not fit; expected [n, t, heads · head_dim], [n, s, \
         heads · head_dim] and [n, s, heads · value_dim]"
    ))
}

impl Op for Attention {
    fn name(&self) -> &'static str {
        "scaled_dot_product_attention"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let sizes = self.sizes(|i| inputs[i])?;
        self.mask_strides(|i| inputs[i], &sizes)?;
        let features = sizes.value_dim * self.n_heads.unwrap_or(1);
        Ok(inputs[0].with_axis(inputs[0].rank() - 1, features))
    }

    fn images(&self, inputs: Operands<'_>, _: Shape) -> Images {
        let sizes = self.sizes(|i| inputs.shape(i)).expect("checked by output_shape");
        let mut operands = (0..self.n_operands()).map(|i| inputs.has_images(i));
        // Only a mask that gets a gradient has to say whether it is each image's own or shared by all.
        let is_misplaced = |i: usize| {
            let (_, runs_along) = self.mask_axes(i, inputs.shape(i), &sizes);
            let has_images = inputs.has_images(i);
            inputs.slots[i].needs_grad && has_images != runs_along && (has_images || sizes.batch != 1)
        };
        let all_fit = !(self.n_operands()..inputs.slots.len()).any(is_misplaced);
        if operands.clone().all(|has_images| has_images) && all_fit {
            Images::Kept(0)
        } else if operands.any(|has_images| has_images) {
            Images::Mixed
        } else {
            Images::Summed
        }
    }

    fn multiply_adds(&self, inputs: &[Shape], _: Shape) -> u64 {
        let sizes = self.sizes(|i| inputs[i]).expect("checked by output_shape");
        (sizes.n_rows() * sizes.keys * (sizes.head_dim + sizes.value_dim)) as u64
    }

    // ANCHOR: op
    fn forward(&self, f: Forward<'_>) {
        let (sizes, operands, scoring) = self.problem(f.inputs, f.shards, f.key);
        if f.needs_grad {
            f.saved.floats.resize(sizes.n_rows(), 0.0);
            return attention_forward(f.output, &mut f.saved.floats, operands, &scoring, &sizes);
        }
        scratch::with(sizes.n_rows(), |log_sums| {
            attention_forward(f.output, log_sums, operands, &scoring, &sizes);
        });
    }

    /// With P the weights and dP = dy · vᵀ: dv = Pᵀ · dy, dS = P ⊙ (dP − Σ dy · y), dq = scale · dS · k and
    /// dk = scale · dSᵀ · q. The gradient of a mask is the sum of dS over the axes along which it is broadcast.
    fn backward(&self, b: Backward<'_>) {
        let (sizes, operands, scoring) = self.problem(b.inputs, b.shards, b.key);
        let Backward { dy, output: y, inputs, shards, has_images, saved, mut grads, .. } = b;
        let saved = AttentionSaved { dy, y, log_sums: &saved.floats };
        let masks = self.n_operands()..inputs.len();
        let AttentionShape { batch, heads, queries, keys, .. } = sizes;
        if !masks.clone().any(|i| grads.needs(i)) {
            return self.backward_operands(&mut grads, None, &saved, operands, &scoring, &sizes);
        }
        let scores = Shape::new(&[batch, heads, queries, keys]);
        scratch::with(scores.numel(), |dscores| {
            self.backward_operands(&mut grads, Some(&mut *dscores), &saved, operands, &scoring, &sizes);
            for i in masks {
                let (mask, runs_along) = self.mask_axes(i, inputs.shape(i), &sizes);
                let is_shared = !(inputs.has_images(i) && runs_along);
                let shards = (has_images && is_shared).then_some(&shards);
                if let Some(grad) = grads.get(i) {
                    reduce_to_shape(grad.data, dscores, &mask, &scores, Reduction::Sum, shards, grad.beta);
                }
            }
        });
    }
    // ANCHOR_END: op

    fn is_random(&self) -> bool {
        self.dropout_p > 0.0
    }
}

impl Graph<'_> {
    /// softmax(scale · q · kᵀ + mask) · v for each image and head: queries `[n, heads, t, head_dim]`, keys
    /// `[n, heads, s, head_dim]` and values `[n, heads, s, value_dim]` to `[n, heads, t, value_dim]`, or all
    /// without the heads axis; `torch.nn.functional.scaled_dot_product_attention`. Vaswani et al. 2017.
    ///
    /// The t × s weights are never materialised (Dao et al. 2022), except that the gradient of a mask, such as
    /// a learned bias of relative positions, needs a temporary array of their size. If all keys are hidden from
    /// a query, its output is zero, as in PyTorch since 2.5, and it gets no gradient. In evaluation nothing is
    /// dropped.
    ///
    /// # Panics
    /// When the shapes do not fit each other, a sequence has no tokens, or p is not in [0, 1].
    #[track_caller]
    pub fn scaled_dot_product_attention(&self, q: Var, k: Var, v: Var, options: AttentionOptions) -> Var {
        self.attention(QueryKeyValue::Separate([q, k, v]), None, options)
    }

    /// [`scaled_dot_product_attention`](Self::scaled_dot_product_attention) of tokens with their heads side
    /// by side, as a projection outputs them; nothing is transposed. Queries `[n, t, heads · head_dim]`, keys
    /// and values `[n, s, heads · …]`, or all three packed as `[n, t, 3 · heads · head_dim]`, to
    /// `[n, t, heads · value_dim]`.
    ///
    /// # Panics
    /// As there, and when the last axes are not divisible by the number of heads.
    #[track_caller]
    pub fn multi_head_attention(
        &self,
        inputs: QueryKeyValue<Var>,
        n_heads: usize,
        options: AttentionOptions,
    ) -> Var {
        self.attention(inputs, Some(n_heads), options)
    }

    #[track_caller]
    fn attention(
        &self,
        inputs: QueryKeyValue<Var>,
        n_heads: Option<usize>,
        options: AttentionOptions,
    ) -> Var {
        let AttentionOptions { is_causal, attn_mask, key_padding_mask, dropout_p, scale } = options;
        let name = "scaled_dot_product_attention";
        assert!(
            (0.0..=1.0).contains(&dropout_p),
            "{name}{}: dropout_p is {dropout_p}, it must lie in [0, 1]",
            self.at()
        );
        let op = Attention {
            n_heads,
            is_packed: matches!(inputs, QueryKeyValue::Packed(_)),
            is_causal,
            has_attn_mask: attn_mask.is_some(),
            has_padding_mask: key_padding_mask.is_some(),
            dropout_p: if self.mode().training { dropout_p } else { 0.0 },
            scale,
        };
        let [q, k, v] = match inputs {
            QueryKeyValue::Separate(operands) => operands,
            QueryKeyValue::Packed(operand) => [operand; 3],
        };
        // At most five, some of which may be missing.
        let mut vars = [q, k, v, q, q];
        let mut n = op.n_operands();
        for mask in [attn_mask, key_padding_mask].into_iter().flatten() {
            vars[n] = mask;
            n += 1;
        }
        self.apply(op, &vars[..n])
    }

    /// Creates an additive mask from booleans, for [`AttentionOptions`]: −∞ where a key is hidden, 0
    /// elsewhere. `true` hides a key, as in the masks of `torch.nn.MultiheadAttention`. (In the boolean mask
    /// of PyTorch's `scaled_dot_product_attention`, `true` means visible.) It is an [`input`](Self::input): where
    /// several processes share a batch, record a mask `[t, s]` of all images as a [`constant`](Self::constant).
    ///
    /// # Panics
    /// When the values do not fill the shape.
    #[track_caller]
    pub fn attention_mask(&self, shape: impl Into<Shape>, is_hidden: &[bool]) -> Var {
        let shape = shape.into();
        scratch::with(is_hidden.len(), |mask| {
            for (mask, &is_hidden) in mask.iter_mut().zip(is_hidden) {
                *mask = if is_hidden { f32::NEG_INFINITY } else { 0.0 };
            }
            self.input(shape, mask)
        })
    }
}
