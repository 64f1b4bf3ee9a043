//! Rows of the ops on sequences of tokens.

use autograd::{AttentionOptions, Pairing, QueryKeyValue, RotaryOptions};
use tensor::attention::{AttentionShape, HeadLayout, Mask, Scoring};
use tensor::positions::RotaryShape;
use tensor::{Shape, reference};

use super::case::{Case, Kind, Rng, Row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::new("index_select", 1e-6, |rng| {
            let shape = rng.shape(1..=4);
            let n_rows = rng.batch(1..=5);
            let picked = rng.indices_of_images(n_rows, 1, shape[0]);
            let (expected, row_len) = (picked.clone(), shape[1..].iter().product());
            Case::new(
                vec![rng.variable(shape)],
                move |g, v| {
                    let indices = g.indices(&picked);
                    g.index_select(v[0], indices)
                },
                move |x| reference::embedding_forward(&x[0], &expected, row_len),
            )
        }),
        Row::new("index_select", 1e-6, embedding),
        Row::new("scaled_dot_product_attention", 1e-5, attention_of_heads_apart),
        Row::new("scaled_dot_product_attention", 1e-5, attention_of_heads_side_by_side),
        Row::new("sinusoidal_positions", 1e-6, |rng| {
            let (n, tokens, dim) = (rng.batch(1..=3), rng.size(1..=4), rng.size(1..=5));
            Case::new(
                vec![rng.images([n, tokens, dim])],
                |g, v| g.sinusoidal_positions(v[0]),
                move |x| reference::sinusoidal_forward(&x[0], tokens, dim),
            )
        }),
        Row::new("rotary_positions", 1e-6, |rng| {
            let (n, tokens, heads, head_dim) =
                (rng.batch(1..=3), rng.size(1..=4), rng.size(1..=3), 2 * rng.size(1..=3));
            let pairing = if rng.bool() { Pairing::Interleaved } else { Pairing::Halves };
            let (n_rotated, base) = (rng.size(0..=heads), rng.float(2.0..100.0));
            let features = heads * head_dim;
            let shape = RotaryShape { tokens, features, head_dim, n_rotated, pairing, base };
            let options =
                RotaryOptions { head_dim: Some(head_dim), n_rotated: Some(n_rotated), pairing, base };
            Case::new(
                vec![rng.images([n, tokens, features])],
                move |g, v| g.rotary_positions(v[0], options),
                move |x| reference::rotary_forward(&x[0], &shape),
            )
        }),
    ]
}

/// Tokens `[n, t]`; the row for padding moves nothing, for the reference neither.
fn embedding(rng: &mut Rng) -> Case {
    let (n_images, n_tokens) = (rng.batch(1..=4), rng.size(1..=3));
    let (n_rows, dim, padding_idx) = (rng.size(2..=5), rng.size(1..=4), rng.size(0..=1));
    let tokens = rng.indices_of_images(n_images, n_tokens, n_rows);
    let weight = rng.variable([n_rows, dim]);
    let padding = weight.values[padding_idx * dim..][..dim].to_vec();
    let expected = tokens.clone();
    Case::new(
        vec![weight],
        move |g, v| {
            let tokens = g.tokens([tokens.len() / n_tokens, n_tokens], &tokens);
            g.embedding(tokens, v[0], Some(padding_idx))
        },
        move |x| {
            let mut weight = x[0].clone();
            weight[padding_idx * dim..][..dim].copy_from_slice(&reference::to_f64(&padding));
            reference::embedding_forward(&weight, &expected, dim)
        },
    )
}

/// What two forms of attention have alike: sizes, whether it is causal, and masks.
struct Setting {
    shape: AttentionShape,
    is_causal: bool,
    scale: Option<f32>,
    /// `[n, s]` of the images that are here.
    padding: Option<Vec<f32>>,
    has_mask: bool,
    dropout_p: f32,
}

fn setting(rng: &mut Rng, layout: HeadLayout, is_packed: bool) -> Setting {
    let ([queries, mut keys], [head_dim, mut value_dim]) = (rng.pair(1..=5), rng.pair(1..=3));
    let (batch, heads) = (rng.batch(1..=2), rng.size(1..=2));
    if is_packed {
        (keys, value_dim) = (queries, head_dim);
    }
    let shape = AttentionShape { batch, heads, queries, keys, head_dim, value_dim, layout };
    let hidden = |v: &f32| if *v < -1.0 { f32::NEG_INFINITY } else { *v };
    let padding = rng.images([batch, keys]).values.iter().map(hidden).collect();
    Setting {
        shape,
        is_causal: rng.bool(),
        scale: rng.bool().then(|| rng.float(0.1..1.0)),
        padding: rng.bool().then_some(padding),
        has_mask: rng.bool(),
        // Differences cannot know what is dropped; parts of a batch have to.
        dropout_p: if rng.is_batch() && rng.bool() { 0.4 } else { 0.0 },
    }
}

impl Setting {
    /// A row of `inputs`; `of_three` makes q, k and v of what is no mask.
    fn case(
        self,
        rng: &mut Rng,
        mut inputs: Vec<super::case::Input>,
        n_heads: Option<usize>,
        of_three: impl Fn(&[Vec<f64>]) -> [Vec<f64>; 3] + 'static,
    ) -> Case {
        let Self { shape, is_causal, scale, padding, has_mask, dropout_p } = self;
        let AttentionShape { batch, heads, queries, keys, head_dim, .. } = shape;
        let n_operands = inputs.len();
        let mut mask_shape = Shape::new(&[1, 1, queries, keys]);
        if has_mask {
            let mask = match rng.size(0..=2) {
                0 => rng.variable([queries, keys]),
                1 => rng.variable([1, heads, queries, keys]),
                _ => {
                    let one_or = |rng: &mut Rng, n| if rng.bool() { 1 } else { n };
                    let axes = [one_or(rng, heads), one_or(rng, queries)];
                    rng.images([batch, axes[0], axes[1], keys])
                }
            };
            if mask.shape.rank() == 4 {
                mask_shape = mask.shape;
            }
            let kind = if rng.bool() { Kind::Variable } else { Kind::Statistic };
            inputs.push(super::case::Input { kind, ..mask });
        }
        let expected_padding = padding.clone();
        let record = move |g: &autograd::Graph<'_>, v: &[autograd::Var]| {
            let padding = padding.as_ref().map(|mask| g.input([mask.len() / keys, keys], mask));
            let options = AttentionOptions {
                is_causal,
                attn_mask: has_mask.then(|| v[n_operands]),
                key_padding_mask: padding,
                dropout_p,
                scale,
            };
            match (n_heads, n_operands) {
                (None, _) => g.scaled_dot_product_attention(v[0], v[1], v[2], options),
                (Some(heads), 1) => g.multi_head_attention(QueryKeyValue::Packed(v[0]), heads, options),
                (Some(heads), _) => {
                    g.multi_head_attention(QueryKeyValue::Separate([v[0], v[1], v[2]]), heads, options)
                }
            }
        };
        Case::new(inputs, record, move |x| {
            // Masks are f32; two add up to one in f64.
            let all = Shape::new(&[shape.batch, heads, queries, keys]);
            let mut mask = match has_mask {
                true => reference::broadcast_forward(&x[n_operands], &mask_shape, &all),
                false => vec![0.0; all.numel()],
            };
            for (i, value) in mask.iter_mut().enumerate() {
                let image = i / (heads * queries * keys);
                *value +=
                    expected_padding.as_ref().map_or(0.0, |mask| f64::from(mask[image * keys + i % keys]));
            }
            let high: Vec<f32> = mask.iter().map(|&value| value as f32).collect();
            let rest =
                |(&value, &high): (&f64, &f32)| if high.is_finite() { value - f64::from(high) } else { 0.0 };
            let low: Vec<f32> = mask.iter().zip(&high).map(|both| rest(both) as f32).collect();
            let strides = [heads * queries * keys, queries * keys, keys];
            let masks = [&high[..], &low].map(|values| Some(Mask { values, strides }));
            let scale = scale.unwrap_or(1.0 / (head_dim as f32).sqrt());
            let scoring = Scoring { scale, is_causal, masks, dropout: None };
            let [q, k, v] = of_three(&x[..n_operands]);
            reference::attention_forward([&q, &k, &v], &scoring, &shape)
        })
    }
}

fn attention_of_heads_apart(rng: &mut Rng) -> Case {
    let mut setting = setting(rng, HeadLayout::First, false);
    let has_heads = rng.bool();
    if !has_heads {
        setting.shape.heads = 1;
    }
    let AttentionShape { batch, heads, queries, keys, head_dim, value_dim, .. } = setting.shape;
    let inputs = [(queries, head_dim), (keys, head_dim), (keys, value_dim)].map(|(tokens, dim)| {
        if has_heads { rng.images([batch, heads, tokens, dim]) } else { rng.images([batch, tokens, dim]) }
    });
    setting.case(rng, inputs.into(), None, |x| [x[0].clone(), x[1].clone(), x[2].clone()])
}

// ANCHOR: attention
fn attention_of_heads_side_by_side(rng: &mut Rng) -> Case {
    let is_packed = rng.bool();
    let setting = setting(rng, HeadLayout::Last, is_packed);
    let AttentionShape { batch, heads, queries, keys, head_dim, value_dim, .. } = setting.shape;
    if is_packed {
        let row_len = heads * head_dim;
        let inputs = vec![rng.images([batch, queries, 3 * row_len])];
        return setting.case(rng, inputs, Some(heads), move |x| {
            [0, 1, 2].map(|part| {
                let rows = x[0].chunks(3 * row_len);
                rows.flat_map(|row| row[part * row_len..][..row_len].to_vec()).collect()
            })
        });
    }
    let inputs = [(queries, head_dim), (keys, head_dim), (keys, value_dim)]
        .map(|(tokens, dim)| rng.images([batch, tokens, heads * dim]));
    setting.case(rng, inputs.into(), Some(heads), |x| [x[0].clone(), x[1].clone(), x[2].clone()])
}
// ANCHOR_END: attention
