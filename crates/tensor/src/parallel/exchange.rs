//! How processes that own parts of one batch join their sums.

use std::fmt;

use super::Shards;

/// What the processes that own the parts of a batch tell each other: a subtree's sums, which become the sums of the
/// whole batch.
///
/// Every process runs the same step on its own images, so all of them call the same methods in the same order with
/// equally many values, those without an image too. [`Shards::for_each_join`] says in which order values are
/// combined; then all processes get the same bits, which are those of one process that owns the whole batch.
pub trait Exchange: fmt::Debug + Send + Sync {
    /// The number of this process, counted from 0.
    fn part(&self) -> usize;

    /// How many processes there are.
    fn n_parts(&self) -> usize;

    /// Adds up the partial sums of all parts; everyone gets the result.
    fn join(&self, shards: &Shards<'_>, sum: &mut [f32]);

    /// The same for what is kept in f64, and not always added: `combine(into, from)`.
    fn join_f64(&self, shards: &Shards<'_>, values: &mut [f64], combine: &dyn Fn(&mut [f64], &[f64]));
}
