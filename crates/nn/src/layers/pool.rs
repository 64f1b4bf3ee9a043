//! Pooling layers.

use std::fmt;

use autograd::{Graph, Var};

use super::pair::Pair;
use crate::layer::Layer;

/// The sizes of a pooling window.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Window {
    kernel_size: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
}

impl Window {
    fn new(kernel_size: Pair) -> Self {
        Self { kernel_size: kernel_size.0, stride: kernel_size.0, padding: [0, 0] }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, layer: &str) -> fmt::Result {
        let size = |[a, b]: [usize; 2]| if a == b { a.to_string() } else { format!("({a}, {b})") };
        write!(f, "{layer}(kernel_size={}, stride={}", size(self.kernel_size), size(self.stride))?;
        if self.padding != [0, 0] {
            write!(f, ", padding={}", size(self.padding))?;
        }
        write!(f, ")")
    }
}

/// The builder methods of a layer with a field `window`.
macro_rules! window_options {
    () => {
        /// The step of the window; one number or `[vertical, horizontal]`. The default is its size.
        pub fn stride(mut self, stride: impl Into<Pair>) -> Self {
            self.window.stride = stride.into().0;
            self
        }

        /// The border added on each side, at most half the window; the default is none.
        pub fn padding(mut self, padding: impl Into<Pair>) -> Self {
            self.window.padding = padding.into().0;
            self
        }
    };
}

/// The maximum of each window; padding never wins. `[n, h, w, c]` to `[n, h', w', c]`, where
/// `h' = ⌊(h + 2·padding − kernel_size) / stride⌋ + 1` and `w'` likewise.
#[derive(Clone)]
#[must_use]
pub struct MaxPool2d {
    window: Window,
}

impl MaxPool2d {
    /// Windows of this size side by side.
    pub fn new(kernel_size: impl Into<Pair>) -> Self {
        Self { window: Window::new(kernel_size.into()) }
    }

    window_options!();

    /// Whether this is the 2 × 2 window with stride 2 and no padding.
    pub(crate) fn is_2x2(&self) -> bool {
        self.window == Window::new(Pair([2, 2]))
    }
}

/// The mean of each window, zeros of the padding counted as PyTorch counts them by default. Shapes
/// as for [`MaxPool2d`].
#[derive(Clone)]
#[must_use]
pub struct AvgPool2d {
    window: Window,
}

impl AvgPool2d {
    /// Windows of this size side by side.
    pub fn new(kernel_size: impl Into<Pair>) -> Self {
        Self { window: Window::new(kernel_size.into()) }
    }

    window_options!();
}

/// The mean of each channel over the whole image: `[n, h, w, c]` to `[n, c]`, as PyTorch's
/// `AdaptiveAvgPool2d(1)` and `Flatten` together.
#[derive(Clone)]
pub struct GlobalAvgPool2d;

impl Layer for MaxPool2d {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let Window { kernel_size, stride, padding } = self.window;
        g.max_pool2d(x, kernel_size, stride, padding)
    }
}

impl Layer for AvgPool2d {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let Window { kernel_size, stride, padding } = self.window;
        g.avg_pool2d(x, kernel_size, stride, padding)
    }
}

impl Layer for GlobalAvgPool2d {
    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        g.global_avg_pool2d(x)
    }
}

impl fmt::Debug for MaxPool2d {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.window.write(f, "MaxPool2d")
    }
}

impl fmt::Debug for AvgPool2d {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.window.write(f, "AvgPool2d")
    }
}

impl fmt::Debug for GlobalAvgPool2d {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GlobalAvgPool2d()")
    }
}
