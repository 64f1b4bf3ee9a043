//! Gains: factors that compensate for the shrinking of the variance by an activation function.

/// The activation function after a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nonlinearity {
    /// None, or a linear or convolutional layer: gain 1.
    Linear,
    /// Gain 1.
    Sigmoid,
    /// Gain 5/3.
    Tanh,
    /// Gain √2: half of its inputs become 0.
    Relu,
    /// Gain √(2/(1 + a²)) for the negative slope a; PyTorch's default slope is 0.01.
    LeakyRelu(f64),
    /// Gain 3/4. For self-normalising networks use [`Linear`](Self::Linear), as PyTorch's documentation
    /// recommends.
    Selu,
}

impl Nonlinearity {
    /// The gain, as in `torch.nn.init.calculate_gain`.
    ///
    /// ```
    /// use init::Nonlinearity;
    /// assert_eq!(Nonlinearity::Relu.gain(), 2f64.sqrt());
    /// assert_eq!(Nonlinearity::LeakyRelu(0.0).gain(), Nonlinearity::Relu.gain());
    /// ```
    pub fn gain(self) -> f64 {
        match self {
            Self::Linear | Self::Sigmoid => 1.0,
            Self::Tanh => 5.0 / 3.0,
            Self::Relu => 2f64.sqrt(),
            Self::LeakyRelu(negative_slope) => (2.0 / (1.0 + negative_slope * negative_slope)).sqrt(),
            Self::Selu => 0.75,
        }
    }
}
