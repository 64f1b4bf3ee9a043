//! y = (x − mean) / √(var + ε) · weight + bias over the last axes, row by row; and RMS normalisation, without the mean.

use tensor::Shape;
use tensor::norm::{LayerNormSaved, LayerNormShape, layer_norm_backward, layer_norm_forward};
use tensor::parallel::Shards;

use super::shared::{Affine, channels_last_hint};
use crate::{Backward, Forward, Graph, Images, Inputs, Op, Operands, ShapeError, Var};

/// Layer normalisation, and RMS normalisation.
struct RowNorm {
    name: &'static str,
    /// The axes that are normalised over, the last ones of x.
    normalized: Shape,
    eps: f32,
    /// Whether the mean is subtracted.
    centred: bool,
    affine: Affine,
}

// ANCHOR: op
impl RowNorm {
    fn sizes(&self, x: Shape) -> LayerNormShape {
        let rows = x[..x.rank() - self.normalized.rank()].iter().product();
        LayerNormShape { rows, features: self.normalized.numel(), eps: self.eps, centred: self.centred }
    }

    /// The shards of the rows; a single one if all axes are normalised over.
    fn shards<'a>(&self, inputs: Inputs<'a>) -> Shards<'a> {
        let has_rows = inputs.shape(0).rank() > self.normalized.rank();
        if has_rows { inputs.shards(0) } else { Shards::whole(1) }
    }
}

impl Op for RowNorm {
    fn name(&self) -> &'static str {
        self.name
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        let (x, normalized) = (inputs[0], self.normalized);
        if normalized.rank() == 0 || !x.ends_with(&normalized) {
            let hint = channels_last_hint(x, |first| normalized.last() == Some(&first));
            return Err(ShapeError::new(format!(
                "the input {x} does not end in the normalized shape {normalized}; make that the last axes of \
                 the input, or change the preceding layer{hint}"
            )));
        }
        for (name, shape) in self.affine.named(inputs) {
            if *shape != normalized {
                return Err(ShapeError::new(format!(
                    "the {name} is {shape}, the normalized shape {normalized}; make the {name} {normalized}"
                )));
            }
        }
        Ok(x)
    }

    fn images(&self, inputs: Operands<'_>, output: Shape) -> Images {
        if output.rank() > self.normalized.rank() { inputs.kept_of(0) } else { inputs.mixed_of(0) }
    }

    fn forward(&self, f: Forward<'_>) {
        let (sizes, [weight, bias]) = (self.sizes(f.shape), self.affine.values(f.inputs));
        let saved = &mut f.saved.floats;
        saved.resize(if f.needs_grad { sizes.n_saved() } else { 0 }, 0.0);
        let statistics = f.needs_grad.then_some(&mut saved[..]);
        layer_norm_forward(f.output, statistics, f.inputs.value(0), weight, bias, &sizes);
    }

    /// With g = dy · weight: dx = (g − mean(g) − x̂ · mean(g · x̂)) / √(var + ε), dweight = Σ dy · x̂, dbias = Σ dy.
    fn backward(&self, mut b: Backward<'_>) {
        let (sizes, shards, dy) = (self.sizes(b.shape), self.shards(b.inputs), b.dy);
        let [weight, _] = self.affine.values(b.inputs);
        let saved = LayerNormSaved { x: b.inputs.value(0), statistics: &b.saved.floats, weight };
        self.affine.backward(&mut b.grads, sizes.features, |dx, dweight, dbias| {
            layer_norm_backward(dx, dweight, dbias, dy, &saved, &sizes, &shards);
        });
    }
}
// ANCHOR_END: op

impl Graph<'_> {
    /// Layer normalisation over the last axes of `x`, which must be `normalized_shape`. Each row over these
    /// axes is normalised to mean 0 and variance 1, then scaled and shifted by `affine`, weight and bias of
    /// that shape, by default 1 and 0. `torch.nn.functional.layer_norm`; Ba, Kiros and Hinton, "Layer
    /// Normalization", 2016.
    ///
    /// # Panics
    /// When the shapes do not fit each other.
    #[track_caller]
    pub fn layer_norm(
        &self,
        x: Var,
        normalized_shape: impl Into<Shape>,
        affine: [Option<Var>; 2],
        eps: f32,
    ) -> Var {
        self.row_norm("layer_norm", x, normalized_shape.into(), affine, eps, true)
    }

    /// RMS normalisation over the last axes of `x`, which must be `normalized_shape`:
    /// y = x / √(mean(x²) + ε) · weight, with a weight of that shape, by default 1.
    /// `torch.nn.functional.rms_norm`, whose ε defaults to f32's 1.19e-7; Zhang and Sennrich, "Root Mean
    /// Square Layer Normalization", 2019.
    ///
    /// # Panics
    /// When the shapes do not fit each other.
    #[track_caller]
    pub fn rms_norm(&self, x: Var, normalized_shape: impl Into<Shape>, weight: Option<Var>, eps: f32) -> Var {
        self.row_norm("rms_norm", x, normalized_shape.into(), [weight, None], eps, false)
    }

    #[track_caller]
    fn row_norm(
        &self,
        name: &'static str,
        x: Var,
        normalized: Shape,
        affine: [Option<Var>; 2],
        eps: f32,
        centred: bool,
    ) -> Var {
        let op = RowNorm { name, normalized, eps, centred, affine: Affine::new(1, affine) };
        self.apply_present(op, x, affine)
    }
}
