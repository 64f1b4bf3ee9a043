//! What the averages share.

use parameters::Parameters;

/// Writes `average` to the trainable parameters, mapping each value by `change`.
#[track_caller]
pub(super) fn write<P>(
    op: &str,
    params: &mut P,
    average: &[P::Value],
    change: impl Fn(&[P::Value], &mut [P::Value]),
) where
    P: Parameters + ?Sized,
{
    check_length(op, params.values().len(), average.len());
    for idx in 0..params.n_entries() {
        let entry = params.entry(idx);
        if entry.is_trainable {
            let range = entry.range;
            change(&average[range.clone()], &mut params.values_mut()[range]);
        }
    }
}

/// Runs `f` on the network after `write_to` has replaced its weights by an average, and then restores them.
#[track_caller]
pub(super) fn with<P, R>(params: &mut P, write_to: impl FnOnce(&mut P), f: impl FnOnce(&mut P) -> R) -> R
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
pub(super) fn check_length(op: &str, n_values: usize, n_average: usize) {
    assert!(n_values == n_average, "{op}: values has {n_values} elements, the average {n_average}");
}
