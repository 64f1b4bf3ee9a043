//! Exponential moving average.

use parameters::Parameters;

use super::shared::{check_length, with, write};
use crate::elementwise::Lanes;
use crate::{Error, Interval, Real};

/// An exponential moving average of the weights.
///
/// ```text
/// a ← d·a + (1 − d)·w
/// ```
/// Without bias correction a starts as the first w, as in `torch.optim.swa_utils.get_ema_avg_fn`. With it, a
/// starts as 0 and the average is a/(1 − dᵗ), so the first weights count no more than the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Ema<F> {
    decay: f64,
    is_corrected: bool,
    n_updates: u64,
    average: Vec<F>,
}

impl<F: Real> Ema<F> {
    /// An empty average over `n` weights. A common decay is 0.999.
    ///
    /// # Errors
    /// When `decay` is outside [0, 1).
    pub fn new(n: usize, decay: f64, bias_correction: bool) -> Result<Self, Error> {
        Interval::DECAY_RATE.check("ema", "decay", decay)?;
        Ok(Self { decay, is_corrected: bias_correction, n_updates: 0, average: vec![F::ZERO; n] })
    }

    /// Updates the average with the weights after a step.
    ///
    /// # Panics
    /// When the number of weights differs from that in the average.
    #[track_caller]
    pub fn update<P: Parameters<Value = F> + ?Sized>(&mut self, params: &P) {
        self.update_slice(params.values());
    }

    /// [`update`](Self::update) from a bare slice.
    ///
    /// # Panics
    /// When the number of weights differs from that in the average.
    #[track_caller]
    pub fn update_slice(&mut self, values: &[F]) {
        check_length("Ema::update", values.len(), self.average.len());
        self.n_updates += 1;
        let starts = self.n_updates == 1 && !self.is_corrected;
        let new = F::of(if starts { 1.0 } else { 1.0 - self.decay });
        Lanes { values: &mut self.average, grads: values, slots: [] }
            .each(move |a, w, []| *a = a.lerp(w, new));
    }

    /// Writes the average to the trainable parameters; before the first update it is 0.
    ///
    /// # Panics
    /// When the number of weights differs from that in the average.
    #[track_caller]
    pub fn write_to<P: Parameters<Value = F> + ?Sized>(&self, params: &mut P) {
        write("Ema::write_to", params, &self.average, |average, out| self.correct(average, out));
    }

    /// Runs `f` on the network with the averaged weights and then restores the original weights exactly.
    /// Returns the result of `f`.
    ///
    /// ```
    /// # use optim::{Parameters, average::Ema};
    /// # fn accuracy(params: &impl Parameters<Value = f32>) -> f64 { f64::from(params.values()[0]) }
    /// # fn f(params: &mut impl Parameters<Value = f32>, ema: &Ema<f32>) {
    /// let of_the_average = ema.with(params, |params| accuracy(params));
    /// # }
    /// ```
    ///
    /// # Panics
    /// When the number of weights differs from that in the average.
    #[track_caller]
    pub fn with<P, R>(&self, params: &mut P, f: impl FnOnce(&mut P) -> R) -> R
    where
        P: Parameters<Value = F> + ?Sized,
    {
        with(params, |params| self.write_to(params), f)
    }

    /// [`write_to`](Self::write_to) for a whole bare slice.
    ///
    /// # Panics
    /// When `out` differs in length from the average.
    #[track_caller]
    pub fn write_to_slice(&self, out: &mut [F]) {
        check_length("Ema::write_to", out.len(), self.average.len());
        self.correct(&self.average, out);
    }

    fn correct(&self, average: &[F], out: &mut [F]) {
        let correction = if self.is_corrected && self.n_updates > 0 {
            F::of(1.0 - self.decay.powf(self.n_updates as f64))
        } else {
            F::ONE
        };
        Lanes { values: out, grads: average, slots: [] }.each(move |out, a, []| *out = a / correction);
    }

    /// The number of updates, to be saved.
    pub fn n_updates(&self) -> u64 {
        self.n_updates
    }

    /// The running average before any correction, to be saved.
    pub fn raw(&self) -> &[F] {
        &self.average
    }

    /// Resumes from a saved count and running average.
    ///
    /// # Panics
    /// When `raw` differs in length from the average.
    #[track_caller]
    pub fn resume(&mut self, n_updates: u64, raw: &[F]) {
        check_length("Ema::resume", raw.len(), self.average.len());
        self.n_updates = n_updates;
        self.average.copy_from_slice(raw);
    }
}
