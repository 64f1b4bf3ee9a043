//! A batch split into shards, and the part of it that a process owns.

use std::ops::Range;

use super::{Exchange, Overlap, worth_splitting};

/// Images in a full shard, until the rule's maximum number of shards is reached.
const IMAGES_PER_SHARD: usize = 8;

/// The maximum number of shards under the rule.
const USUAL_SHARDS: usize = 16;

/// The maximum number of shards that a run may request.
pub const MAX_SHARDS: usize = 64;

/// How a batch is split into shards, and which of them are in this process; see the [module](super).
///
/// ```
/// use tensor::parallel::Shards;
/// let shards = Shards::whole(20);
/// assert_eq!((shards.n_shards(), shards.shard_range(1)), (3, 6..13));
/// // The second of two processes owns the second half of the tree.
/// assert_eq!(shards.part(1, 2).images(), 13..20);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Shards<'a> {
    n_images: usize,
    n_shards: usize,
    /// The first shard in this process, and the one after the last.
    owned: (usize, usize),
    exchange: Option<&'a dyn Exchange>,
}

impl<'a> Shards<'a> {
    /// Creates a whole batch, split by the default rule into min(⌈n/8⌉, 16) shards.
    pub fn whole(n_images: usize) -> Self {
        Self::with_count(n_images, n_images.div_ceil(IMAGES_PER_SHARD).min(USUAL_SHARDS))
    }

    /// Creates a whole batch, split into `n_shards`, but not into more than it has images.
    ///
    /// # Panics
    /// When `n_shards` is more than [`MAX_SHARDS`], or 0 for a batch that has images.
    #[track_caller]
    pub fn with_count(n_images: usize, n_shards: usize) -> Self {
        assert!(n_shards <= MAX_SHARDS, "Shards: {n_shards} shards, at most {MAX_SHARDS}");
        assert!(n_shards > 0 || n_images == 0, "Shards: {n_images} images cannot be cut into 0 shards");
        let n_shards = n_shards.min(n_images);
        Self { n_images, n_shards, owned: (0, n_shards), exchange: None }
    }

    /// What process number `part` of `n_parts` owns: a subtree of the shards, or possibly nothing if there
    /// are more processes than shards.
    ///
    /// # Panics
    /// When there is no such part.
    #[track_caller]
    pub fn part(self, part: usize, n_parts: usize) -> Self {
        assert!(part < n_parts, "Shards: there is no part {part} of {n_parts}");
        let (mut shards, mut parts) = (0..self.n_shards, 0..n_parts);
        while parts.len() > 1 && shards.len() > 1 {
            let (mid, mid_part) = halves(&shards, &parts);
            if part < mid_part {
                (shards.end, parts.end) = (mid, mid_part);
            } else {
                (shards.start, parts.start) = (mid, mid_part);
            }
        }
        // A single shard is owned by the first of the processes that could have it.
        let start = if part == parts.start { shards.start } else { shards.end };
        Self { owned: (start, shards.end), ..self }
    }

    /// What this process owns according to `exchange`; sums are combined with those of the other processes.
    pub fn exchanging<'b>(self, exchange: &'b dyn Exchange) -> Shards<'b> {
        let Self { n_images, n_shards, owned, .. } = self.part(exchange.part(), exchange.n_parts());
        Shards { n_images, n_shards, owned, exchange: Some(exchange) }
    }

    /// The same without the other processes: sums are over the shards in this process.
    pub fn alone(self) -> Shards<'static> {
        let Self { n_images, n_shards, owned, .. } = self;
        Shards { n_images, n_shards, owned, exchange: None }
    }

    /// The number of images in the whole batch.
    pub fn n_images(&self) -> usize {
        self.n_images
    }

    /// The number of shards in the whole batch.
    pub fn n_shards(&self) -> usize {
        self.n_shards
    }

    /// The shards in this process.
    pub fn owned(&self) -> Range<usize> {
        self.owned.0..self.owned.1
    }

    /// The images in this process, by their numbers in the whole batch.
    pub fn images(&self) -> Range<usize> {
        self.start(self.owned.0)..self.start(self.owned.1)
    }

    /// The images of a shard, by their numbers in the whole batch: consecutive, and in shards whose sizes
    /// differ by at most one.
    pub fn shard_range(&self, shard: usize) -> Range<usize> {
        self.start(shard)..self.start(shard + 1)
    }

    /// How many of `n_rows` rows in this process belong to each image; 0 if it has no image.
    ///
    /// # Panics
    /// When the rows cannot be divided evenly among the images, so that these are the shards of another batch.
    #[track_caller]
    pub fn rows_per_image(&self, n_rows: usize) -> usize {
        let n_images = self.images().len();
        let rows_per_image = n_rows.checked_div(n_images).unwrap_or(0);
        assert!(
            rows_per_image * n_images == n_rows,
            "Shards: {n_rows} rows cannot be divided evenly among {n_images} images; give the shards of the \
             batch that the rows belong to"
        );
        rows_per_image
    }

    /// The number, in the whole batch, of the first of `n_rows` rows in this process.
    ///
    /// # Panics
    /// As [`rows_per_image`](Self::rows_per_image).
    #[track_caller]
    pub fn first_row(&self, n_rows: usize) -> usize {
        self.rows_per_image(n_rows).saturating_mul(self.images().start)
    }

    /// How many rows the whole batch has if `n_rows` are in this process; 0 if it has no image.
    ///
    /// # Panics
    /// As [`rows_per_image`](Self::rows_per_image).
    #[track_caller]
    pub fn rows_of_batch(&self, n_rows: usize) -> usize {
        self.rows_per_image(n_rows).saturating_mul(self.n_images)
    }

    /// The range, within the `n_rows` rows in this process, of the rows of some owned shards.
    #[track_caller]
    pub(crate) fn rows_of(&self, shards: Range<usize>, n_rows: usize) -> Range<usize> {
        let (first, rows_per_image) = (self.images().start, self.rows_per_image(n_rows));
        let row = |shard| (self.start(shard) - first) * rows_per_image;
        row(shards.start)..row(shards.end)
    }

    /// Whether other processes own parts of the batch.
    pub fn is_exchanging(&self) -> bool {
        self.exchange.is_some_and(|exchange| exchange.n_parts() > 1)
    }

    /// How sums over the batch can be added up beside other work, if there are other processes and they can.
    pub fn overlap(&self) -> Option<&'a dyn Overlap> {
        self.exchange.filter(|exchange| exchange.n_parts() > 1)?.overlap()
    }

    /// Whether both are the same shards of the same batch, so that their sums can be joined together.
    pub fn is_same_cut(&self, other: &Shards<'_>) -> bool {
        let of = |shards: &Shards<'_>| (shards.n_images, shards.n_shards, shards.owned);
        of(self) == of(other)
    }

    /// Calls `join(into, from)` for each node of the tree whose two sides are in different parts, in an order
    /// in which everything below a node comes before it: the values of part `from` are to be added to those
    /// of part `into`. Those of part 0 are then the whole batch's.
    pub fn for_each_join(&self, n_parts: usize, join: &mut dyn FnMut(usize, usize)) {
        fn walk(shards: Range<usize>, parts: Range<usize>, join: &mut dyn FnMut(usize, usize)) {
            if parts.len() > 1 && shards.len() > 1 {
                let (mid, mid_part) = halves(&shards, &parts);
                walk(shards.start..mid, parts.start..mid_part, join);
                walk(mid..shards.end, mid_part..parts.end, join);
                join(parts.start, mid_part);
            }
        }
        walk(0..self.n_shards, 0..n_parts, join);
    }

    /// Adds the other processes' partial sums of the batch to this one's, if there are other processes.
    pub(crate) fn join(&self, sum: &mut [f32]) {
        if let Some(exchange) = self.exchange {
            exchange.join(self, sum);
        }
    }

    /// Combines the values accumulated by the other processes with those of this one; see
    /// [`Exchange::join_f64`].
    pub(crate) fn join_f64(&self, values: &mut [f64], combine: &dyn Fn(&mut [f64], &[f64])) {
        if let Some(exchange) = self.exchange {
            exchange.join_f64(self, values, combine);
        }
    }

    /// How many rows the whole batch has if `n_rows` are in this process, summed over all processes,
    /// including those without images.
    pub fn count(&self, n_rows: usize) -> usize {
        let mut count = [n_rows as f64];
        self.join_f64(&mut count, &|into, from| into[0] += from[0]);
        count[0] as usize
    }

    /// Combines the results of `leaf` for the owned shards in the tree; returns `empty` if none is owned. For
    /// `work` see [`for_each_chunk`](super::for_each_chunk).
    pub(crate) fn fold<T: Send>(
        &self,
        work: usize,
        empty: T,
        leaf: impl Fn(usize) -> T + Sync,
        combine: impl Fn(&mut T, T) + Sync,
    ) -> T {
        fold_in_tree(self.owned(), worth_splitting(work), &leaf, &combine).unwrap_or(empty)
    }

    fn start(&self, shard: usize) -> usize {
        // In parts, since the product of large numbers could wrap around.
        let n_shards = self.n_shards.max(1);
        self.n_images / n_shards * shard + self.n_images % n_shards * shard / n_shards
    }
}

/// Where the tree divides: the left subtree is the largest complete one, so its shape does not depend on the
/// rest.
pub(crate) fn tree_mid(range: &Range<usize>) -> usize {
    range.start + range.len().next_power_of_two() / 2
}

/// The first shard and the first part of the right half.
fn halves(shards: &Range<usize>, parts: &Range<usize>) -> (usize, usize) {
    (tree_mid(shards), parts.start + parts.len().div_ceil(2))
}

/// Combines the results of `leaf` for each index in the tree; `None` for an empty range.
pub(crate) fn fold_in_tree<T: Send>(
    range: Range<usize>,
    parallel: bool,
    leaf: &(dyn Fn(usize) -> T + Sync),
    combine: &(dyn Fn(&mut T, T) + Sync),
) -> Option<T> {
    if range.len() < 2 {
        return range.map(leaf).next();
    }
    let mid = tree_mid(&range);
    let left = || fold_in_tree(range.start..mid, parallel, leaf, combine);
    let right = || fold_in_tree(mid..range.end, parallel, leaf, combine);
    let (left, right) = if parallel { rayon::join(left, right) } else { (left(), right()) };
    let mut folded = left?;
    combine(&mut folded, right?);
    Some(folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_cover_the_batch_in_order() {
        for n in 0..300 {
            let shards = Shards::whole(n);
            let images: Vec<usize> = shards.owned().flat_map(|shard| shards.shard_range(shard)).collect();
            assert_eq!(images, (0..n).collect::<Vec<_>>());
            let sizes = shards.owned().map(|shard| shards.shard_range(shard).len());
            assert!(n == 0 || sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1);
        }
        assert_eq!([1, 8, 9, 64, 128, 1000].map(|n| Shards::whole(n).n_shards()), [1, 1, 2, 8, 16, 16]);
        assert_eq!(Shards::with_count(5, 64).n_shards(), 5, "no more than images");
    }

    #[test]
    fn parts_are_subtrees_and_cover_the_batch_in_order() {
        for n_shards in 0..=MAX_SHARDS {
            for n_parts in 1..=20 {
                let whole = Shards::with_count(3 * n_shards, n_shards);
                let owned: Vec<_> = (0..n_parts).map(|part| whole.part(part, n_parts).owned()).collect();
                assert_eq!(
                    owned.iter().cloned().flatten().collect::<Vec<_>>(),
                    (0..n_shards).collect::<Vec<_>>()
                );
                // Joining subtrees in the given order yields the tree, written as nested pairs.
                let tree = |range: Range<usize>| {
                    fold_in_tree(range, false, &|shard| shard.to_string(), &|a: &mut String, b| {
                        *a = format!("({a}{b})");
                    })
                };
                let mut parts: Vec<_> = owned.into_iter().map(tree).collect();
                whole.for_each_join(n_parts, &mut |into, from| {
                    let (a, b) = (parts[into].take().unwrap(), parts[from].take().unwrap());
                    parts[into] = Some(format!("({a}{b})"));
                });
                assert_eq!(parts[0], tree(0..n_shards));
            }
        }
    }

    #[test]
    fn rows_follow_their_images() {
        let shards = Shards::whole(20).part(1, 2);
        assert_eq!((shards.images(), shards.owned()), (13..20, 2..3));
        assert_eq!((shards.rows_of_batch(14), shards.rows_of(2..3, 14)), (40, 0..14));
        assert_eq!(Shards::whole(1).part(1, 2).rows_of_batch(0), 0);
    }

    #[test]
    #[should_panic(expected = "Shards: 14 rows cannot be divided evenly among 13 images")]
    fn rows_of_another_batch_are_refused() {
        Shards::whole(20).part(0, 2).rows_per_image(14);
    }
}
