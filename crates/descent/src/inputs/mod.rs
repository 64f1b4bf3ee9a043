//! The inputs of a training step: the images of its batch, mixed with others, all of them or the hardest.

mod mix;

use std::ops::Range;

use data::Batch;

use crate::cli::Settings;
use mix::Mixing;

/// The examples of the current step, and memory for those that differ from the batch's.
///
/// If there are several processes, each holds those that it computes and what these need: with `--mixup` and
/// `--cutmix` also the ones they are mixed with, with `--hardest` all of them.
pub struct Inputs {
    n_classes: usize,
    mixing: Option<Mixing>,
    /// How many there are in all processes.
    n_examples: usize,
    /// `[n, h, w, c]` of the examples held here.
    shape: [usize; 4],
    /// Whether `values` holds the step's examples in place of the batch's.
    is_changed: bool,
    /// Whether only some were selected, with the labels `labels`.
    is_chosen: bool,
    values: Vec<f32>,
    /// The target probabilities of mixed images.
    targets: Vec<f32>,
    labels: Vec<u32>,
    /// Loss and index of each example.
    ranked: Vec<(f32, usize)>,
}

/// Some of the examples of a step.
pub struct Part<'a> {
    /// `[n, h, w, c]`.
    pub shape: [usize; 4],
    /// Their values.
    pub values: &'a [f32],
    /// Their classes.
    pub labels: &'a [u32],
    /// Their target probabilities, `[n, n_classes]`, if they are mixed.
    pub targets: Option<&'a [f32]>,
}

impl Inputs {
    /// Inputs before any step.
    pub fn new(settings: &Settings, n_classes: usize) -> Self {
        Self {
            n_classes,
            mixing: Mixing::of(settings),
            n_examples: 0,
            shape: [0; 4],
            is_changed: false,
            is_chosen: false,
            values: Vec::new(),
            targets: Vec::new(),
            labels: Vec::new(),
            ranked: Vec::new(),
        }
    }

    /// Takes the batch of a step. With `--mixup` or `--cutmix` each image is mixed with the one at the other
    /// end of the batch. Both are held here, so the other one is also at the other end of those held.
    pub fn take(&mut self, batch: &Batch, step: u64) {
        let (shape, values) = inputs_of(batch);
        self.n_examples = batch.whole_indices().len();
        (self.shape, self.is_changed, self.is_chosen) = (shape, false, false);
        let Some(mixing) = &self.mixing else { return };
        let lambda = mixing.apply(&mut self.values, values, shape, step);
        self.is_changed = true;
        let labels = batch.labels();
        self.targets.clear();
        self.targets.resize(labels.len() * self.n_classes, 0.0);
        for (at, row) in self.targets.chunks_exact_mut(self.n_classes).enumerate() {
            row[labels[at] as usize] += lambda as f32;
            row[labels[labels.len() - 1 - at] as usize] += (1.0 - lambda) as f32;
        }
    }

    /// Keeps this share of the examples, rounded up, those with the largest losses, in their order. Of equal
    /// losses the first are kept; NaN is larger than any number. All examples must be held here.
    pub fn keep_hardest(&mut self, batch: &Batch, losses: &[f32], share: f64) {
        let n = (share * losses.len() as f64).ceil() as usize;
        self.ranked.clear();
        self.ranked.extend(losses.iter().map(|loss| loss.abs()).zip(0..));
        self.ranked.sort_unstable_by(|(a, i), (b, j)| b.total_cmp(a).then(i.cmp(j)));
        self.ranked.truncate(n);
        self.ranked.sort_unstable_by_key(|(_, idx)| *idx);
        let len = self.shape[1..].iter().product();
        let kept = || self.ranked.iter().map(|(_, idx)| *idx);
        if self.is_changed {
            gather_within(&mut self.values, kept(), len);
        } else {
            let values = inputs_of(batch).1;
            self.values.clear();
            kept().for_each(|idx| self.values.extend_from_slice(&values[idx * len..][..len]));
        }
        if self.mixing.is_some() {
            gather_within(&mut self.targets, kept(), self.n_classes);
        }
        self.labels.clear();
        self.labels.extend(kept().map(|idx| batch.labels()[idx]));
        (self.shape[0], self.is_changed, self.is_chosen) = (n, true, true);
        self.n_examples = n;
    }

    /// The number of examples in all processes.
    pub fn n_examples(&self) -> usize {
        self.n_examples
    }

    /// The position in the batch of the example with this number.
    pub fn position(&self, number: usize) -> usize {
        if self.is_chosen { self.ranked[number].1 } else { number }
    }

    /// Whether they are the batch's, unchanged.
    pub fn are_the_batch(&self) -> bool {
        !self.is_changed
    }

    /// The classes of all of them.
    pub fn labels<'a>(&'a self, batch: &'a Batch) -> &'a [u32] {
        if self.is_chosen { &self.labels } else { batch.whole_labels() }
    }

    /// Those with these numbers, which are held here.
    pub fn part<'a>(&'a self, batch: &'a Batch, numbers: Range<usize>) -> Part<'a> {
        let [_, h, w, c] = self.shape;
        let values = if self.is_changed { &self.values } else { inputs_of(batch).1 };
        let first = match self.is_chosen {
            true => numbers.start,
            false => batch.positions().partition_point(|&position| position < numbers.start),
        };
        let rows = |len: usize| first * len..(first + numbers.len()) * len;
        let targets = self.mixing.is_some().then(|| &self.targets[rows(self.n_classes)]);
        Part {
            shape: [numbers.len(), h, w, c],
            values: &values[rows(h * w * c)],
            labels: &self.labels(batch)[numbers],
            targets,
        }
    }
}

/// Moves the kept rows of `len` numbers, in ascending order, to the front, and drops the rest.
fn gather_within(values: &mut Vec<f32>, kept: impl ExactSizeIterator<Item = usize>, len: usize) {
    let n = kept.len();
    kept.enumerate().for_each(|(to, from)| values.copy_within(from * len..(from + 1) * len, to * len));
    values.truncate(n * len);
}

/// The range of the `n` examples that is part `part` of `n_parts`.
pub fn part_of(n: usize, part: usize, n_parts: usize) -> Range<usize> {
    part * n / n_parts..(part + 1) * n / n_parts
}

/// The part that has example `number` of `n`; the inverse of [`part_of`].
pub fn part_with(number: usize, n: usize, n_parts: usize) -> usize {
    ((number + 1) * n_parts - 1) / n
}

/// The shape and the values of a batch's inputs: its images, or the numbers of a table as images of one pixel.
fn inputs_of(batch: &Batch) -> ([usize; 4], &[f32]) {
    if batch.image_len() == 0 {
        let [n, d] = *batch.shape_of("features") else { unreachable!("numbers in a row") };
        return ([n, 1, 1, d], batch.f32("features"));
    }
    (batch.shape(), batch.images())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use data::{ImageShape, InMemory, Loader};

    use super::*;
    use crate::cli::{Cli, Command};

    /// Compared with images selected one by one, with and without mixing.
    #[test]
    fn the_hardest_are_left_in_their_order_with_what_belongs_to_them() {
        let shape = ImageShape { height: 2, width: 1, channels: 1 };
        let set =
            InMemory::new(shape, (0..10).map(|i| i * 20).collect(), vec![0, 1, 2, 1, 0], ["a", "b", "c"]);
        let mut batch = Batch::new();
        assert!(Loader::new(&set, 5).next_into(&mut batch).unwrap());
        for more in [&[][..], &["--mixup", "1"]] {
            let Command::Train(args) = Cli::parse_from([&["descent", "train"], more].concat()).command()
            else {
                unreachable!()
            };
            let mut inputs = Inputs::new(&args.settings, 3);
            for (share, losses, expected) in [
                (0.5, [0.1, 2.0, 0.3, 2.0, 1.0], &[1, 3, 4][..]),
                (0.2, [0.1, 2.0, 0.3, 2.0, 1.0], &[1]),
                (0.01, [5.0, 0.0, f32::NAN, 1.0, -f32::NAN], &[2]),
                (1.0, [0.0; 5], &[0, 1, 2, 3, 4]),
            ] {
                inputs.take(&batch, 7);
                let all = inputs.part(&batch, 0..5);
                let rows = |values: &[f32], len: usize| -> Vec<f32> {
                    expected.iter().flat_map(|&i| values[i * len..(i + 1) * len].to_vec()).collect()
                };
                let (values, targets) = (rows(all.values, 2), all.targets.map(|targets| rows(targets, 3)));
                let labels: Vec<u32> = expected.iter().map(|&i| all.labels[i]).collect();
                inputs.keep_hardest(&batch, &losses, share);
                let kept = inputs.part(&batch, 0..expected.len());
                assert_eq!(kept.shape, [expected.len(), 2, 1, 1]);
                assert_eq!((kept.values, kept.labels), (&values[..], &labels[..]), "{share} {more:?}");
                assert_eq!(kept.targets, targets.as_deref());
                assert_eq!((inputs.n_examples(), inputs.are_the_batch()), (expected.len(), false));
                assert!(
                    (0..expected.len()).map(|number| inputs.position(number)).eq(expected.iter().copied())
                );
            }
            // The next step starts with all examples again.
            inputs.take(&batch, 8);
            assert_eq!((inputs.n_examples(), inputs.are_the_batch()), (5, more.is_empty()));
        }
    }

    #[test]
    fn rows_are_moved_to_the_front() {
        let mut values: Vec<f32> = (0..10).map(|i| i as f32).collect();
        gather_within(&mut values, [1, 2, 4].into_iter(), 2);
        assert_eq!(values, [2.0, 3.0, 4.0, 5.0, 8.0, 9.0]);
    }

    #[test]
    fn parts_cover_the_batch() {
        let parts: Vec<_> = (0..3).map(|part| part_of(10, part, 3)).collect();
        assert_eq!(parts, [0..3, 3..6, 6..10]);
        for (n, n_parts) in [(1, 1), (10, 3), (7, 7), (64, 5), (37, 36)] {
            for part in 0..n_parts {
                assert!(part_of(n, part, n_parts).all(|number| part_with(number, n, n_parts) == part));
            }
        }
    }
}
