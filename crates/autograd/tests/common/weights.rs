//! Parameters filled with repeatable numbers.

use autograd::{ParamId, Params, Role};

use crate::numbers::numbers;

/// Adds a trainable entry, He-uniform for its fan-in.
pub(crate) fn weight(params: &mut Params, name: &str, dims: &[usize]) -> ParamId {
    let id = params.add(name, dims, Role::Trainable);
    let fan_in: usize = dims[1..].iter().product();
    let bound = (6.0 / fan_in.max(1) as f32).sqrt();
    let n = params.value(id).len();
    let values = numbers(n, (name.len() + n) as u64);
    params.value_mut(id).iter_mut().zip(values).for_each(|(weight, number)| *weight = bound * number);
    id
}
