//! Looking for NaN and infinity.

use crate::{Error, Param, Real};

const BLOCK: usize = 1024;

/// Checks that all values (or gradients) of all parameters are finite.
///
/// ```
/// use optim::{Param, check_finite};
/// let params = [Param::new("0.weight", 0..2), Param::new("0.bias", 2..3)];
/// assert!(check_finite(&params, &[1.0f32, 2.0, 3.0]).is_ok());
/// let error = check_finite(&params, &[1.0, 2.0, f32::NAN]).unwrap_err();
/// assert_eq!(error.to_string(), "`0.bias` is NaN at index 0");
/// ```
///
/// # Errors
/// Names the first parameter, in the order given, that has a NaN or an infinity, and where.
pub fn check_finite<F: Real>(params: &[Param], values: &[F]) -> Result<(), Error> {
    for Param { name, range, .. } in params {
        let values = &values[range.clone()];
        // Whole blocks are tested without a branch; only a bad one is searched.
        let is_bad = |block: &[F]| !block.iter().fold(true, |good, x| good & x.is_finite());
        if let Some(block_idx) = values.chunks(BLOCK).position(is_bad) {
            let in_block = values[block_idx * BLOCK..].iter().position(|x| !x.is_finite());
            let index = block_idx * BLOCK + in_block.expect("the block is bad");
            return Err(Error::NonFinite { name: name.clone(), index, value: values[index].to_f64() });
        }
    }
    Ok(())
}
