//! Fan-in and fan-out.

/// The fan that scales a Kaiming initialisation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FanMode {
    /// Preserves the variance of the activations in the forward pass.
    #[default]
    FanIn,
    /// Preserves the variance of the gradients in the backward pass.
    FanOut,
}

impl FanMode {
    /// The fan of a weight of this shape.
    ///
    /// # Panics
    /// When the shape has fewer than two dimensions.
    #[track_caller]
    pub fn of(self, shape: &[usize]) -> usize {
        let (fan_in, fan_out) = fans(shape);
        match self {
            Self::FanIn => fan_in,
            Self::FanOut => fan_out,
        }
    }
}

/// (fan_in, fan_out) of a weight: (in, out) for an `out × in` matrix, and both times the window size for an
/// `out × in × kh × kw` kernel. With groups, `in` is per group, as in PyTorch's layout.
///
/// ```
/// assert_eq!(init::fans(&[256, 2048]), (2048, 256));
/// assert_eq!(init::fans(&[64, 32, 3, 3]), (288, 576));
/// ```
///
/// # Panics
/// When the shape has fewer than two dimensions.
#[track_caller]
pub fn fans(shape: &[usize]) -> (usize, usize) {
    assert!(shape.len() >= 2, "fans: a weight has two dimensions or more, this shape is {shape:?}");
    let window: usize = shape[2..].iter().product();
    (shape[1] * window, shape[0] * window)
}
