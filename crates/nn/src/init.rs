//! How a layer's weight begins.

use init::{FanMode, Nonlinearity};
use rand_chacha::ChaCha8Rng;

/// How the weight of a [`Linear`](crate::Linear) or [`Conv2d`](crate::Conv2d) is initialised.
///
/// For what is not here, write into the parameters of the built model with the functions of the crate
/// `init`:
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
    /// One number throughout.
    Constant(f32),
    /// Uniform in ±√(6 / fan_in): He et al., "Delving Deep into Rectifiers", 2015.
    HeUniform,
    /// Normal with variance 2 / fan_in: the same paper.
    HeNormal,
    /// Normal with variance 2 / fan_out: the same paper, for the way back.
    HeNormalFanOut,
    /// PyTorch's default, but that the first filters of a convolution, as many as there are input channels, hand each channel
    /// on: `torch.nn.init.dirac_` over those.
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
                // As torch.std: by the count less one.
                let std = (squares / (n - 1.0)).sqrt();
                weight.iter_mut().for_each(|w| *w = (f64::from(*w) / std) as f32);
            }
            Self::XavierUniform => init::xavier_uniform(weight, shape, 1.0, rng),
            Self::XavierNormal => init::xavier_normal(weight, shape, 1.0, rng),
        }
    }
}
