//! Checks for NaN and infinity.

use parameters::Parameters;

use crate::{Error, Param, Real};

const BLOCK: usize = 1024;

/// Checks that all trainable parameters have finite gradients.
///
/// # Errors
/// Names the first parameter whose gradient has a NaN or an infinity, and its index.
pub fn check_finite<P>(params: &P) -> Result<(), Error>
where
    P: Parameters<Value: Real> + ?Sized,
{
    let mut trainable = params.all_entries().filter(|entry| entry.is_trainable);
    trainable.try_for_each(|entry| check(entry.name, &params.grads()[entry.range]))
}

/// Checks that all values (or gradients) in some ranges of a bare slice are finite.
///
/// ```
/// use optim::{Param, check_finite_slice};
/// let params = [Param::new("0.weight", 0..2), Param::new("0.bias", 2..3)];
/// assert!(check_finite_slice(&params, &[1.0f32, 2.0, 3.0]).is_ok());
/// let error = check_finite_slice(&params, &[1.0, 2.0, f32::NAN]).unwrap_err();
/// assert_eq!(error.to_string(), "`0.bias` is NaN at index 0");
/// ```
///
/// # Errors
/// Names the first parameter, in the given order, that has a NaN or an infinity, and its index.
///
/// # Panics
/// When `values` is too short for a range.
pub fn check_finite_slice<F: Real>(params: &[Param], values: &[F]) -> Result<(), Error> {
    params.iter().try_for_each(|param| check(&param.name, &values[param.range.clone()]))
}

fn check<F: Real>(name: &str, values: &[F]) -> Result<(), Error> {
    // Whole blocks are tested without a branch; only a bad block is searched.
    let is_bad = |block: &[F]| !block.iter().fold(true, |good, x| good & x.is_finite());
    let Some(block_idx) = values.chunks(BLOCK).position(is_bad) else { return Ok(()) };
    let in_block = values[block_idx * BLOCK..].iter().position(|x| !x.is_finite());
    let index = block_idx * BLOCK + in_block.expect("the block is bad");
    Err(Error::NonFinite { name: name.into(), index, value: values[index].to_f64() })
}
