//! How a layer's weight is initialised.

use init::{FanMode, Nonlinearity};
use rand_chacha::ChaCha8Rng;

/// How the weight of a [`Linear`](crate::Linear) or of a convolution is initialised.
///
/// For other initialisations, apply the functions of the crate `init` to the parameters of the built model:
///
/// ```
/// use nn::{Init, Linear};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// let (_net, mut params) = nn::build(Linear::new(8, 4).weight_init(Init::HeNormal), 0);
/// let weight = params.find("weight").unwrap();
/// init::orthogonal(params.value_mut(weight), &[4, 8], 1.0, &mut ChaCha8Rng::seed_from_u64(1));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Init {
    /// PyTorch's default: uniform in ±1/√fan_in.
    #[default]
    Default,
    /// The same number everywhere.
    Constant(f32),
    /// Uniform in ±√(6 / fan_in): He et al., "Delving Deep into Rectifiers", 2015.
    HeUniform,
    /// Normal with variance 2 / fan_in: the same paper.
    HeNormal,
    /// Normal with variance 2 / fan_out: the same paper, for the backward pass.
    HeNormalFanOut,
    /// PyTorch's default, except that the first filters of a convolution, as many as there are input
    /// channels in a group, each pass one channel through: `torch.nn.init.dirac_` on those. Not for
    /// [`Linear`](crate::Linear): building it panics.
    Dirac,
    /// PyTorch's default, divided by its standard deviation.
    UnitVariance,
    /// Uniform in ±√(6 / (fan_in + fan_out)): Glorot and Bengio, "Understanding the difficulty of
    /// training deep feedforward neural networks", 2010.
    XavierUniform,
    /// Normal with variance 2 / (fan_in + fan_out): the same paper.
    XavierNormal,
}

impl Init {
    pub(crate) fn fill(self, weight: &mut [f32], shape: &[usize], rng: &mut ChaCha8Rng) {
        match self {
            Self::Default => init::default_weight(weight, shape, rng),
            Self::Constant(value) => init::constant(weight, value),
            Self::HeUniform => init::kaiming_uniform(weight, shape, FanMode::FanIn, Nonlinearity::Relu, rng),
            Self::HeNormal => init::kaiming_normal(weight, shape, FanMode::FanIn, Nonlinearity::Relu, rng),
            Self::HeNormalFanOut => {
                init::kaiming_normal(weight, shape, FanMode::FanOut, Nonlinearity::Relu, rng);
            }
            Self::Dirac => {
                init::default_weight(weight, shape, rng);
                let mut first = shape.to_vec();
                first[0] = shape[0].min(shape[1]);
                init::dirac(&mut weight[..first.iter().product()], &first, 1);
            }
            Self::UnitVariance => {
                init::default_weight(weight, shape, rng);
                let n = weight.len() as f64;
                let mean = weight.iter().map(|&w| f64::from(w)).sum::<f64>() / n;
                let squares: f64 = weight.iter().map(|&w| (f64::from(w) - mean).powi(2)).sum();
                // As in torch.std: divided by the count less one.
                let std = (squares / (n - 1.0)).sqrt();
                weight.iter_mut().for_each(|w| *w = (f64::from(*w) / std) as f32);
            }
            Self::XavierUniform => init::xavier_uniform(weight, shape, 1.0, rng),
            Self::XavierNormal => init::xavier_normal(weight, shape, 1.0, rng),
        }
    }
}
