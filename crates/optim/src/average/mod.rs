//! Averages of the weights over the steps.
//!
//! Each average holds its own copy of the weights and is updated after a step. Evaluate with the average and
//! continue training with the weights. Save the average and a count to resume.
//!
//! Only trainable parameters are averaged. Frozen weights and running statistics are kept as in the network,
//! just as `torch.optim.swa_utils.AveragedModel` copies buffers unless `use_buffers` is set.

use parameters::Parameters;

mod ema;
mod lookahead;
mod swa;

pub use ema::Ema;
pub use lookahead::Lookahead;
pub use swa::Swa;

/// Writes `average` to the trainable parameters, mapping each value by `change`.
#[track_caller]
fn write<P>(op: &str, params: &mut P, average: &[P::Value], change: impl Fn(&[P::Value], &mut [P::Value]))
where
    P: Parameters + ?Sized,
{
    check_length(op, params.values().len(), average.len());
    for idx in 0..params.n_entries() {
        let entry = params.entry(idx);
        if entry.is_trainable {
            let range = entry.range;
            change(&average[range.clone()], &mut params.values_mut_and_grads().0[range]);
        }
    }
}

/// Runs `f` on the network after `write_to` has replaced its weights by an average, and then restores them.
#[track_caller]
fn with<P, R>(params: &mut P, write_to: impl FnOnce(&mut P), f: impl FnOnce(&mut P) -> R) -> R
where
    P: Parameters<Value: Clone> + ?Sized,
{
    let weights = params.values().to_vec();
    write_to(params);
    let result = f(params);
    write("with", params, &weights, |weights, out| out.clone_from_slice(weights));
    result
}

#[track_caller]
fn check_length(op: &str, n_values: usize, n_average: usize) {
    assert!(n_values == n_average, "{op}: values has {n_values} elements, the average {n_average}");
}
