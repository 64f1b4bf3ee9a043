//! Stochastic weight averaging.

use parameters::Parameters;

use super::shared::{check_length, with, write};
use crate::Real;
use crate::elementwise::Lanes;

/// The plain mean of the weights it is given.
///
/// Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", arXiv:1803.05407:
/// update it at the end of each epoch of roughly the last quarter, at a constant or cyclic learning rate.
/// `torch.optim.swa_utils.AveragedModel`.
///
/// The running statistics of batch normalisation are not averaged and belong to other weights. Recompute them
/// (`update_bn` in PyTorch): [write the mean](Self::write_to) to the network, then run the training images
/// through it with a forward and a backward pass each, but without a step of the optimizer. The statistics move
/// in backward; with a momentum of 0.1, fifty batches replace them.
#[derive(Clone, Debug, PartialEq)]
pub struct Swa<F> {
    n_updates: u64,
    average: Vec<F>,
}

impl<F: Real> Swa<F> {
    /// An empty mean over `n` weights.
    pub fn new(n: usize) -> Self {
        Self { n_updates: 0, average: vec![F::ZERO; n] }
    }

    /// Adds the weights to the mean.
    ///
    /// # Panics
    /// When the number of weights differs from that in the mean.
    #[track_caller]
    pub fn update<P: Parameters<Value = F> + ?Sized>(&mut self, params: &P) {
        self.update_slice(params.values());
    }

    /// Writes the mean to the trainable parameters; before the first update it is 0.
    ///
    /// # Panics
    /// When the number of weights differs from that in the mean.
    #[track_caller]
    pub fn write_to<P: Parameters<Value = F> + ?Sized>(&self, params: &mut P) {
        write("Swa::write_to", params, &self.average, |average, out| out.copy_from_slice(average));
    }

    /// Runs `f` on the network with the mean weights, as [`Ema::with`](super::Ema::with).
    ///
    /// # Panics
    /// When the number of weights differs from that in the mean.
    #[track_caller]
    pub fn with<P, R>(&self, params: &mut P, f: impl FnOnce(&mut P) -> R) -> R
    where
        P: Parameters<Value = F> + ?Sized,
    {
        with(params, |params| self.write_to(params), f)
    }

    /// [`update`](Self::update) from a bare slice.
    ///
    /// # Panics
    /// When the number of weights differs from that in the mean.
    #[track_caller]
    pub fn update_slice(&mut self, values: &[F]) {
        check_length("Swa::update", values.len(), self.average.len());
        self.n_updates += 1;
        let new = F::of(1.0 / self.n_updates as f64);
        Lanes { values: &mut self.average, grads: values, slots: [] }
            .each(move |a, w, []| *a = a.lerp(w, new));
    }

    /// The mean; 0 before the first update.
    pub fn average(&self) -> &[F] {
        &self.average
    }

    /// The number of weights in the mean.
    pub fn n_updates(&self) -> u64 {
        self.n_updates
    }

    /// Resumes from a saved count and mean.
    ///
    /// # Panics
    /// When `average` has a different length.
    #[track_caller]
    pub fn resume(&mut self, n_updates: u64, average: &[F]) {
        check_length("Swa::resume", average.len(), self.average.len());
        self.n_updates = n_updates;
        self.average.copy_from_slice(average);
    }
}
