//! Fan-in and fan-out.

/// The fan that scales a Kaiming initialisation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FanMode {
    /// Keeps the variance of the activations on the way forward.
    #[default]
    FanIn,
    /// Keeps the variance of the gradients on the way back.
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

/// (fan_in, fan_out) of a weight: of an `out × in` matrix (in, out), of an `out × in × kh × kw` kernel
/// both times the size of its window. With groups, `in` is that of one group, as in PyTorch's layout.
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
