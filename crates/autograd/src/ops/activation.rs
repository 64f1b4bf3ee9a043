//! Activation functions: their kernels are those of [`tensor::activation`].

use tensor::activation::{
    gelu_backward, gelu_forward, leaky_relu_backward, leaky_relu_forward, relu_backward, relu_forward,
    sigmoid_backward, sigmoid_forward, tanh_backward, tanh_forward,
};
use tensor::loss::{log_softmax_backward, log_softmax_forward, softmax_backward, softmax_forward};

use super::elementwise::Unary;
use super::shared::rows_and_cols;
use crate::{Grad, Graph, Var};

impl Graph<'_> {
    /// Any activation of kernels over slices: `forward(y, x)` and `backward(dx, dy, x, y)`.
    #[track_caller]
    fn activation(
        &self,
        name: &'static str,
        x: Var,
        forward: impl Fn(&mut [f32], &[f32]) + Send + Sync + 'static,
        backward: impl Fn(Grad<'_>, &[f32], &[f32], &[f32]) + Send + Sync + 'static,
    ) -> Var {
        self.apply(Unary { name, forward, backward, along_last_axis: false }, &[x])
    }

    /// The same, where the elements along the last axis depend on each other.
    #[track_caller]
    fn along_last_axis(
        &self,
        name: &'static str,
        x: Var,
        forward: impl Fn(&mut [f32], &[f32]) + Send + Sync + 'static,
        backward: impl Fn(Grad<'_>, &[f32], &[f32], &[f32]) + Send + Sync + 'static,
    ) -> Var {
        self.apply(Unary { name, forward, backward, along_last_axis: true }, &[x])
    }

    /// max(x, 0), element by element; `torch.relu`. NaN passes through.
    ///
    /// dx = dy where y > 0, else 0.
    #[track_caller]
    pub fn relu(&self, x: Var) -> Var {
        self.activation("relu", x, relu_forward, |dx, dy, _, y| relu_backward(dx.data, dy, y, dx.beta))
    }

    /// x where x > 0, slope · x elsewhere; `torch.nn.functional.leaky_relu`.
    ///
    /// dx = dy where x > 0, slope · dy elsewhere.
    #[track_caller]
    pub fn leaky_relu(&self, x: Var, slope: f32) -> Var {
        let forward = move |y: &mut [f32], x: &[f32]| leaky_relu_forward(y, x, slope);
        self.activation("leaky_relu", x, forward, move |dx, dy, x, _| {
            leaky_relu_backward(dx.data, dy, x, slope, dx.beta);
        })
    }

    /// σ(x) = 1 / (1 + e⁻ˣ), element by element; `torch.sigmoid`.
    ///
    /// dx = dy · y · (1 − y).
    #[track_caller]
    pub fn sigmoid(&self, x: Var) -> Var {
        self.activation("sigmoid", x, sigmoid_forward, |dx, dy, _, y| {
            sigmoid_backward(dx.data, dy, y, dx.beta);
        })
    }

    /// The hyperbolic tangent, element by element; `torch.tanh`.
    ///
    /// dx = dy · (1 − y²).
    #[track_caller]
    pub fn tanh(&self, x: Var) -> Var {
        self.activation("tanh", x, tanh_forward, |dx, dy, _, y| tanh_backward(dx.data, dy, y, dx.beta))
    }

    /// x · Φ(x), element by element, Φ the normal distribution function in its exact form;
    /// `torch.nn.functional.gelu`. Hendrycks and Gimpel 2016.
    ///
    /// dx = dy · (Φ(x) + x · φ(x)), φ the normal density.
    #[track_caller]
    pub fn gelu(&self, x: Var) -> Var {
        self.activation("gelu", x, gelu_forward, |dx, dy, x, _| gelu_backward(dx.data, dy, x, dx.beta))
    }

    /// eˣ / Σ eˣ over the last axis; `torch.softmax` with `dim=-1`. Finite inputs do not overflow.
    ///
    /// dx = y · (dy − Σ dy · y).
    #[track_caller]
    pub fn softmax(&self, x: Var) -> Var {
        let (rows, cols) = rows_and_cols(self.shape(x));
        let forward = move |y: &mut [f32], x: &[f32]| softmax_forward(y, x, rows, cols);
        self.along_last_axis("softmax", x, forward, move |dx, dy, _, y| {
            softmax_backward(dx.data, dy, y, rows, cols, dx.beta);
        })
    }

    /// x − ln Σ eˣ over the last axis; `torch.log_softmax` with `dim=-1`. Finite inputs do not overflow.
    ///
    /// dx = dy − eʸ · Σ dy.
    #[track_caller]
    pub fn log_softmax(&self, x: Var) -> Var {
        let (rows, cols) = rows_and_cols(self.shape(x));
        let forward = move |y: &mut [f32], x: &[f32]| log_softmax_forward(y, x, rows, cols);
        self.along_last_axis("log_softmax", x, forward, move |dx, dy, _, y| {
            log_softmax_backward(dx.data, dy, y, rows, cols, dx.beta);
        })
    }
}
