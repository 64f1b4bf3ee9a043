#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

use std::ops::Range;

/// Named, shaped parameters in two flat vectors, some of which are trained.
pub trait Parameters {
    /// The type of a number: `f32` or `f64`.
    type Value;

    /// The number of entries, trained or not.
    fn n_entries(&self) -> usize;

    /// Entry `idx`, in memory order.
    ///
    /// # Panics
    /// When `idx` is not less than the number of entries.
    fn entry(&self, idx: usize) -> Entry<'_>;

    /// All values, one entry after another.
    fn values(&self) -> &[Self::Value];

    /// All gradients, in the order of the values.
    fn grads(&self) -> &[Self::Value];

    /// All values and all gradients, mutable.
    fn values_and_grads_mut(&mut self) -> (&mut [Self::Value], &mut [Self::Value]);

    /// All values, mutable. A network that allocates its gradients on first use overrides this, so that writing
    /// weights allocates none.
    fn values_mut(&mut self) -> &mut [Self::Value] {
        self.values_and_grads_mut().0
    }

    /// All values, mutable, and all gradients.
    fn values_mut_and_grads(&mut self) -> (&mut [Self::Value], &[Self::Value]) {
        let (values, grads) = self.values_and_grads_mut();
        (values, grads)
    }

    /// All entries.
    fn all_entries(&self) -> impl Iterator<Item = Entry<'_>> {
        (0..self.n_entries()).map(|idx| self.entry(idx))
    }

    /// The trained ranges, with adjacent ones joined.
    fn trainable_ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let mut next = 0;
        std::iter::from_fn(move || {
            let (range, behind) = first_trainable(self, next)?;
            next = behind;
            Some(range)
        })
    }

    /// Calls `each(values, gradients)` for each trained range, with adjacent ones joined.
    fn for_each_trainable(&mut self, mut each: impl FnMut(&mut [Self::Value], &mut [Self::Value])) {
        let mut next = 0;
        while let Some((range, behind)) = first_trainable(self, next) {
            let (values, grads) = self.values_and_grads_mut();
            each(&mut values[range.clone()], &mut grads[range]);
            next = behind;
        }
    }
}

/// One entry of [`Parameters`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The name: `0.weight`, `1.running_mean`, …
    pub name: &'a str,
    /// The shape, row-major.
    pub shape: &'a [usize],
    /// The range of the entry in the flat vectors.
    pub range: Range<usize>,
    /// Whether training changes it. Frozen weights and running statistics are not trained.
    pub is_trainable: bool,
}

/// The first run of adjacent trained entries, starting from entry `start`, and the index of the entry after
/// it.
fn first_trainable<P: Parameters + ?Sized>(params: &P, start: usize) -> Option<(Range<usize>, usize)> {
    let n_entries = params.n_entries();
    let first = (start..n_entries).find(|&idx| params.entry(idx).is_trainable)?;
    let (mut range, mut next) = (params.entry(first).range, first + 1);
    while next < n_entries {
        let entry = params.entry(next);
        if !entry.is_trainable || entry.range.start != range.end {
            break;
        }
        range.end = entry.range.end;
        next += 1;
    }
    Some((range, next))
}

/// Whether a parameter is under a path: `0.body.1.weight` is under `0`, `0.body` and its own name, but not
/// under `0.bo`. Everything is under the empty path.
pub fn is_under(name: &str, path: &str) -> bool {
    path.is_empty() || name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Flat(Vec<(usize, bool)>, Vec<f32>, Vec<f32>);

    impl Parameters for Flat {
        type Value = f32;

        fn n_entries(&self) -> usize {
            self.0.len()
        }

        fn entry(&self, idx: usize) -> Entry<'_> {
            let start = self.0[..idx].iter().map(|(len, _)| len).sum();
            let (len, is_trainable) = self.0[idx];
            Entry { name: "", shape: &[], range: start..start + len, is_trainable }
        }

        fn values(&self) -> &[f32] {
            &self.1
        }

        fn grads(&self) -> &[f32] {
            &self.2
        }

        fn values_and_grads_mut(&mut self) -> (&mut [f32], &mut [f32]) {
            (&mut self.1, &mut self.2)
        }
    }

    #[test]
    fn neighbours_that_are_trained_are_one_range() {
        let lens = [(2, true), (1, true), (3, false), (0, true), (1, true), (2, false)];
        let mut flat = Flat(lens.to_vec(), vec![0.0; 9], vec![1.0; 9]);
        assert_eq!(flat.trainable_ranges().collect::<Vec<_>>(), [0..3, 6..7]);
        flat.for_each_trainable(|values, grads| values.copy_from_slice(grads));
        assert_eq!(flat.values(), [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
        flat.values_mut()[3] = 2.0;
        assert_eq!(flat.values()[2..5], [1.0, 2.0, 0.0]);
        assert_eq!(Flat(vec![(1, false)], vec![0.0], vec![0.0]).trainable_ranges().count(), 0);
    }

    #[test]
    fn a_path_ends_at_a_dot() {
        for (path, expected) in [
            ("", true),
            ("0", true),
            ("0.body", true),
            ("0.body.1.weight", true),
            ("0.bo", false),
            ("1", false),
        ] {
            assert_eq!(is_under("0.body.1.weight", path), expected, "{path:?}");
        }
    }
}
