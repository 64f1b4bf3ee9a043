//! Activation functions; their kernels are in [`tensor::activation`].

use tensor::Shape;
use tensor::activation::{
    self as kernels, Activation, EluFactors, leaky_relu_backward, leaky_relu_forward, sigmoid_backward,
    sigmoid_forward, tanh_backward, tanh_forward,
};
use tensor::loss::{log_softmax_backward, log_softmax_forward, softmax_backward, softmax_forward};

use super::elementwise::Unary;
use super::shared::rows_and_cols;
use crate::{Backward, Forward, Grad, Graph, Images, Op, Operands, Recipe, ShapeError, Var};

/// y = f(x), for an activation that other ops compute, too, where they read it.
struct Activate {
    name: &'static str,
    f: Activation,
}

impl Op for Activate {
    fn name(&self) -> &'static str {
        self.name
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(inputs[0])
    }

    fn images(&self, inputs: Operands<'_>, _: Shape) -> Images {
        inputs.kept_of(0)
    }

    fn recipe(&self) -> Option<Recipe> {
        Some(Recipe::Activation(self.f))
    }

    fn forward(&self, _: Forward<'_>) {}

    /// dx = dy · f′(x).
    fn backward(&self, mut b: Backward<'_>) {
        let x = b.inputs.value(0);
        if let Some(dx) = b.grads.get(0) {
            self.f.backward(dx.data, b.dy, x, dx.beta);
        }
    }
}

impl Graph<'_> {
    /// An activation with a [recipe](Op::recipe).
    #[track_caller]
    fn activate(&self, name: &'static str, x: Var, f: Activation) -> Var {
        self.apply(Activate { name, f }, &[x])
    }

    /// Any activation given by kernels over slices: `forward(y, x)` and `backward(dx, dy, x, y)`.
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

    /// The same, if the elements along the last axis depend on each other.
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

    /// max(x, 0), element by element; `torch.relu`. Propagates NaN.
    ///
    /// dx = dy where x > 0, else 0.
    #[track_caller]
    pub fn relu(&self, x: Var) -> Var {
        self.activate("relu", x, Activation::Relu)
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

    /// x · Φ(x), element by element, with Φ the exact normal distribution function;
    /// `torch.nn.functional.gelu`. Hendrycks and Gimpel 2016.
    ///
    /// dx = dy · (Φ(x) + x · φ(x)), with φ the normal density.
    #[track_caller]
    pub fn gelu(&self, x: Var) -> Var {
        self.activate("gelu", x, Activation::Gelu)
    }

    /// GELU in its tanh form, ½ · x · (1 + tanh(√(2/π) · (x + 0.044715 · x³))); `torch.nn.functional.gelu` with
    /// `approximate="tanh"`.
    #[track_caller]
    pub fn gelu_tanh(&self, x: Var) -> Var {
        self.activate("gelu_tanh", x, Activation::GeluTanh)
    }

    /// x · σ(x), element by element; `torch.nn.functional.silu`. Elfwing, Uchibe and Doya 2018.
    ///
    /// dx = dy · σ(x) · (1 + x · (1 − σ(x))).
    #[track_caller]
    pub fn silu(&self, x: Var) -> Var {
        self.activate("silu", x, Activation::Silu)
    }

    /// x · tanh(ln(1 + eˣ)), element by element; `torch.nn.functional.mish`. Misra 2019.
    #[track_caller]
    pub fn mish(&self, x: Var) -> Var {
        self.elementwise("mish", x, kernels::mish, |dy, x, _| dy * kernels::mish_slope(x))
    }

    /// ln(1 + exp(β·x)) / β where β·x is at most `threshold`, x above; `torch.nn.functional.softplus`, by
    /// default with β = 1 and a threshold of 20.
    ///
    /// dx = dy · σ(β·x), dy above the threshold.
    #[track_caller]
    pub fn softplus(&self, x: Var, beta: f32, threshold: f32) -> Var {
        let f = move |x: f32| kernels::softplus(x, beta, threshold);
        self.elementwise("softplus", x, f, move |dy, x, _| dy * kernels::softplus_slope(x, beta, threshold))
    }

    /// ln σ(x), element by element, without overflow; `torch.nn.functional.logsigmoid`.
    ///
    /// dx = dy · σ(−x).
    #[track_caller]
    pub fn log_sigmoid(&self, x: Var) -> Var {
        self.elementwise("log_sigmoid", x, kernels::log_sigmoid, |dy, x, _| {
            dy * kernels::log_sigmoid_slope(x)
        })
    }

    /// x where positive, α · (eˣ − 1) elsewhere; `torch.nn.functional.elu`, by default with α = 1. Clevert et
    /// al. 2015.
    ///
    /// dx = dy where x > 0, dy · α · eˣ elsewhere.
    #[track_caller]
    pub fn elu(&self, x: Var, alpha: f32) -> Var {
        let by = EluFactors { alpha, scale: 1.0, input_scale: 1.0 };
        let f = move |x: f32| kernels::elu(x, by);
        self.elementwise("elu", x, f, move |dy, x, _| dy * kernels::elu_slope(x, by))
    }

    /// 1.0507 · ELU(x) with α = 1.6733, which keeps mean 0 and variance 1 from layer to layer;
    /// `torch.nn.functional.selu`. Klambauer et al. 2017.
    #[track_caller]
    pub fn selu(&self, x: Var) -> Var {
        const BY: EluFactors = EluFactors { alpha: 1.673_263_2, scale: 1.050_701, input_scale: 1.0 };
        self.elementwise("selu", x, |x| kernels::elu(x, BY), |dy, x, _| dy * kernels::elu_slope(x, BY))
    }

    /// x where positive, α · (exp(x / α) − 1) elsewhere; `torch.nn.functional.celu`, by default with α = 1.
    /// Barron 2017.
    ///
    /// # Panics
    /// When α is 0.
    #[track_caller]
    pub fn celu(&self, x: Var, alpha: f32) -> Var {
        assert!(
            alpha != 0.0,
            "celu{}: alpha is 0, but x is divided by alpha; choose another value",
            self.at()
        );
        let by = EluFactors { alpha, scale: 1.0, input_scale: 1.0 / alpha };
        let f = move |x: f32| kernels::elu(x, by);
        self.elementwise("celu", x, f, move |dy, x, _| dy * kernels::elu_slope(x, by))
    }

    /// x clamped to `min` and `max`; `torch.nn.functional.hardtanh`, by default with −1 and 1.
    ///
    /// dx = dy between the two, 0 at the bounds and beyond.
    ///
    /// # Panics
    /// When `min` is not less than `max`.
    #[track_caller]
    pub fn hardtanh(&self, x: Var, min: f32, max: f32) -> Var {
        assert!(min < max, "hardtanh{}: the bounds are {min} and {max}; min must be below max", self.at());
        let f = move |x: f32| kernels::hard_tanh(x, min, max);
        self.elementwise("hardtanh", x, f, move |dy, x, _| dy * kernels::hard_tanh_slope(x, min, max))
    }

    /// x clamped to 0 and 6; `torch.nn.functional.relu6`.
    #[track_caller]
    pub fn relu6(&self, x: Var) -> Var {
        self.hardtanh(x, 0.0, 6.0)
    }

    /// x / 6 + ½ clamped to 0 and 1; `torch.nn.functional.hardsigmoid`. Courbariaux et al. 2015.
    ///
    /// dx = dy / 6 between −3 and 3, 0 at the bounds and beyond.
    #[track_caller]
    pub fn hardsigmoid(&self, x: Var) -> Var {
        self.elementwise("hardsigmoid", x, kernels::hard_sigmoid, |dy, x, _| {
            dy * kernels::hard_sigmoid_slope(x)
        })
    }

    /// x · hardsigmoid(x); `torch.nn.functional.hardswish`. Howard et al. 2019.
    #[track_caller]
    pub fn hardswish(&self, x: Var) -> Var {
        self.elementwise("hardswish", x, kernels::hard_swish, |dy, x, _| dy * kernels::hard_swish_slope(x))
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
