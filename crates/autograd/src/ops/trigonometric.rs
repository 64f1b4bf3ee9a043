//! Trigonometric and hyperbolic functions, in radians, element by element.

use crate::{Graph, Var};

impl Graph<'_> {
    /// sin x; `torch.sin`. NaN for ±∞.
    #[track_caller]
    pub fn sin(&self, x: Var) -> Var {
        self.elementwise("sin", x, f32::sin, |dy, x, _| dy * x.cos())
    }

    /// cos x; `torch.cos`. NaN for ±∞.
    #[track_caller]
    pub fn cos(&self, x: Var) -> Var {
        self.elementwise("cos", x, f32::cos, |dy, x, _| -dy * x.sin())
    }

    /// tan x; `torch.tan`. NaN for ±∞.
    ///
    /// dx = dy · (1 + y²).
    #[track_caller]
    pub fn tan(&self, x: Var) -> Var {
        self.elementwise("tan", x, f32::tan, |dy, _, y| dy * (1.0 + y * y))
    }

    /// arcsin x; `torch.asin`. NaN outside [−1, 1]; the gradient at the ends is infinite.
    ///
    /// dx = dy / √(1 − x²).
    #[track_caller]
    pub fn asin(&self, x: Var) -> Var {
        // As a product, which is accurate to a few ε even near the ends.
        self.elementwise("asin", x, f32::asin, |dy, x, _| dy / ((1.0 - x) * (1.0 + x)).sqrt())
    }

    /// arccos x; `torch.acos`. NaN outside [−1, 1]; the gradient at the ends is infinite.
    ///
    /// dx = −dy / √(1 − x²).
    #[track_caller]
    pub fn acos(&self, x: Var) -> Var {
        self.elementwise("acos", x, f32::acos, |dy, x, _| -dy / ((1.0 - x) * (1.0 + x)).sqrt())
    }

    /// arctan x; `torch.atan`.
    ///
    /// dx = dy / (1 + x²).
    #[track_caller]
    pub fn atan(&self, x: Var) -> Var {
        self.elementwise("atan", x, f32::atan, |dy, x, _| dy / (1.0 + x * x))
    }

    /// (eˣ − e⁻ˣ) / 2; `torch.sinh`.
    #[track_caller]
    pub fn sinh(&self, x: Var) -> Var {
        self.elementwise("sinh", x, f32::sinh, |dy, x, _| dy * x.cosh())
    }

    /// (eˣ + e⁻ˣ) / 2; `torch.cosh`.
    #[track_caller]
    pub fn cosh(&self, x: Var) -> Var {
        self.elementwise("cosh", x, f32::cosh, |dy, x, _| dy * x.sinh())
    }
}
