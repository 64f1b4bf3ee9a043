//! How a layer's weights begin.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// How a parameter is initialised; fans are those of the layer's weight.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Init {
    /// PyTorch's default for `Linear` and `Conv2d`, weight and bias alike: uniform in ±1/√fan_in.
    Default,
    /// One number throughout.
    Constant(f32),
    /// Uniform in ±√(6 / fan_in): He et al., "Delving Deep into Rectifiers", 2015.
    HeUniform,
    /// Uniform in ±√(6 / (fan_in + fan_out)): Glorot and Bengio, 2010.
    XavierUniform,
}

impl Init {
    /// Fills a weight, or a bias, of a layer whose weight has the shape `weight`.
    pub(crate) fn fill(self, values: &mut [f32], weight: &[usize], rng: &mut ChaCha8Rng) {
        let field: usize = weight[2..].iter().product();
        let (fan_in, fan_out) = ((weight[1] * field) as f64, (weight[0] * field) as f64);
        match self {
            Self::Default => uniform(values, (1.0 / fan_in).sqrt(), rng),
            Self::Constant(value) => values.fill(value),
            Self::HeUniform => uniform(values, (6.0 / fan_in).sqrt(), rng),
            Self::XavierUniform => uniform(values, (6.0 / (fan_in + fan_out)).sqrt(), rng),
        }
    }
}

fn uniform(values: &mut [f32], bound: f64, rng: &mut ChaCha8Rng) {
    let unit = |bits: u32| f64::from(bits >> 8) / f64::from(1 << 24);
    values.iter_mut().for_each(|value| *value = (bound * (2.0 * unit(rng.next_u32()) - 1.0)) as f32);
}
