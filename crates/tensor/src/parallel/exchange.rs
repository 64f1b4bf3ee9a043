//! How processes that own parts of one batch combine their sums.

use std::fmt;

use super::Shards;

/// Communication between the processes that own the parts of a batch: a subtree's sums go in, the sums of the
/// whole batch come out.
///
/// Every process runs the same step on its own images, so all of them, including those without images, call
/// the same methods in the same order with the same number of values. [`Shards::for_each_join`] gives the
/// order in which values are combined. If it is followed, all processes get the same bits, which are those of
/// a single process that owns the whole batch.
pub trait Exchange: fmt::Debug + Send + Sync {
    /// The number of this process, counted from 0.
    fn part(&self) -> usize;

    /// How many processes there are.
    fn n_parts(&self) -> usize;

    /// Adds up the partial sums of all parts; every process gets the result.
    fn join(&self, shards: &Shards<'_>, sum: &mut [f32]);

    /// The same for values kept in f64, which are combined by `combine(into, from)` and not necessarily
    /// added.
    fn join_f64(&self, shards: &Shards<'_>, values: &mut [f64], combine: &dyn Fn(&mut [f64], &[f64]));

    /// How sums can be added up while the process goes on computing; `None` if they cannot.
    fn overlap(&self) -> Option<&dyn Overlap> {
        None
    }
}

/// Adds up sums beside other work, one after another.
///
/// All processes start the same sums in the same order. They may [join](Exchange::join) others meanwhile.
pub trait Overlap {
    /// Whether `n_values` are enough to be sent; fewer had better wait for more. The same in all processes.
    fn is_enough(&self, n_values: usize) -> bool;

    /// Begins to add up the partial sums of all parts, as [`Exchange::join`] does.
    fn start(&self, shards: &Shards<'_>, sum: Vec<f32>);

    /// Waits for the first sum that was started and not yet returned, and returns it.
    ///
    /// # Panics
    /// When there is none.
    fn finish(&self) -> Vec<f32>;
}
