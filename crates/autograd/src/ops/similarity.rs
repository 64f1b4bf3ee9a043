//! Similarities and distances of vectors, made of other ops.

use crate::{Graph, Var};

impl Graph<'_> {
    /// The cosine of the angle between the vectors along an axis, which is removed: Σ (x₁ / max(‖x₁‖, eps)) ·
    /// (x₂ / max(‖x₂‖, eps)); `torch.nn.functional.cosine_similarity`, whose defaults are axis 1 and an `eps`
    /// of 1e-8. The other axes broadcast.
    ///
    /// 0 if a vector is all zeros.
    ///
    /// # Panics
    /// When the inputs differ in rank or along the axis, do not have it, or do not broadcast.
    #[track_caller]
    pub fn cosine_similarity(&self, x1: Var, x2: Var, axis: usize, eps: f32) -> Var {
        let [a, b] = [x1, x2].map(|x| self.shape(x));
        assert!(
            a.rank() == b.rank() && axis < a.rank() && a[axis] == b[axis],
            "cosine_similarity{}: {a} and {b} do not have vectors of one length along axis {axis}; reshape one \
             of them, or name another axis",
            self.at()
        );
        let [x1, x2] = [x1, x2].map(|x| {
            let length = self.norm(x, 2.0, axis, true);
            self.div(x, self.clamp(length, eps, f32::INFINITY))
        });
        self.sum_axes(self.mul(x1, x2), axis, false)
    }

    /// The p-norm of x₁ − x₂ + eps over the last axis, which is removed, or kept with size 1;
    /// `torch.nn.functional.pairwise_distance`, whose defaults are p = 2 and an `eps` of 1e-6. The inputs
    /// broadcast.
    ///
    /// # Panics
    /// When p is not above 0, the inputs do not broadcast, or are scalars.
    #[track_caller]
    pub fn pairwise_distance(&self, x1: Var, x2: Var, p: f32, eps: f32, keepdim: bool) -> Var {
        let difference = self.add_scalar(self.sub(x1, x2), eps);
        let rank = self.shape(difference).rank();
        assert!(rank > 0, "pairwise_distance{}: the inputs are scalars, expected vectors [.., d]", self.at());
        self.norm(difference, p, rank - 1, keepdim)
    }
}
