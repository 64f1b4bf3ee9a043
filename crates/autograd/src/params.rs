//! Parameters: a flat vector of values, one of gradients, and a table of the range of each entry.

use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;

use parameters::{Parameters, is_under};
use tensor::Shape;

use crate::touched::Touched;

/// What training does with an entry of [`Params`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Receives a gradient and is updated by the optimizer.
    Trainable,
    /// A running statistic (a "buffer" in PyTorch): written by [`Op::commit`](crate::Op::commit), skipped by
    /// the optimizer and clipping, saved with the weights.
    Statistic,
}

/// One named entry of [`Params`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name, as in PyTorch's `state_dict`: `0.weight`, `1.running_mean`, …
    pub name: String,
    /// The shape, in PyTorch's layout.
    pub shape: Shape,
    /// The entry's range in [`Params::values`] and [`Params::grads`].
    pub range: Range<usize>,
    /// What training does with it.
    pub role: Role,
    /// Whether it is kept unchanged regardless of its role; see [`Params::freeze`].
    pub is_frozen: bool,
}

impl Entry {
    /// Whether training updates it by its gradient.
    pub fn is_trainable(&self) -> bool {
        self.role == Role::Trainable && !self.is_frozen
    }
}

/// A handle to one entry of the [`Params`] that created it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParamId(pub(crate) usize);

/// All parameters of a model in flat memory.
///
/// A checkpoint is one pass over [`values`](Self::values); the layers hold only [`ParamId`]s. Code that
/// trains, clips or averages parameters accesses them through the trait [`Parameters`] and skips what is not
/// trainable. Gradients are allocated on first use, so a model that only predicts has none.
///
/// ```
/// use autograd::{Params, Role};
/// let mut params = Params::new();
/// let weight = params.add("0.weight", [2, 3], Role::Trainable);
/// params.value_mut(weight).fill(0.5);
/// assert_eq!(params.values(), &[0.5; 6]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Params {
    values: Vec<f32>,
    /// As long as the values, once requested.
    grads: OnceLock<Vec<f32>>,
    /// By entry, where the gradients may differ from 0.
    touched: Vec<Touched>,
    entries: Vec<Entry>,
}

/// All of [`Params`], for backward.
pub(crate) struct PartsMut<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) grads: &'a mut [f32],
    pub(crate) touched: &'a mut [Touched],
    pub(crate) entries: &'a [Entry],
}

impl Params {
    /// Creates an empty set of parameters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an entry filled with zeros.
    ///
    /// # Panics
    /// When the name is taken.
    #[track_caller]
    pub fn add(&mut self, name: impl Into<String>, shape: impl Into<Shape>, role: Role) -> ParamId {
        let (name, shape) = (name.into(), shape.into());
        assert!(
            self.find(&name).is_none(),
            "Params::add: there is already a parameter named {name:?}; give each a name of its own"
        );
        let start = self.values.len();
        let end = start + shape.numel();
        huge_pages::resize(&mut self.values, end, 0.0);
        if let Some(grads) = self.grads.get_mut() {
            huge_pages::resize(grads, end, 0.0);
        }
        self.touched.push(Touched::default());
        self.entries.push(Entry { name, shape, range: start..end, role, is_frozen: false });
        ParamId(self.entries.len() - 1)
    }

    /// The entry behind a handle.
    ///
    /// # Panics
    /// When the handle is from other parameters and out of range here.
    #[track_caller]
    pub fn entry(&self, id: ParamId) -> &Entry {
        let n_entries = self.entries.len();
        assert!(
            id.0 < n_entries,
            "Params::entry: entry {} of {n_entries}; this ParamId belongs to other Params",
            id.0
        );
        &self.entries[id.0]
    }

    /// All entries, in the order they were added.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The handles of all entries, in order.
    pub fn ids(&self) -> impl Iterator<Item = ParamId> + use<> {
        (0..self.entries.len()).map(ParamId)
    }

    /// The handle of the entry with this name.
    pub fn find(&self, name: &str) -> Option<ParamId> {
        self.entries.iter().position(|entry| entry.name == name).map(ParamId)
    }

    /// Freezes the part of the network under `path` (for example `0.body`), or one parameter by its name. Its
    /// weights get no gradient and no update, and its running statistics do not change: batch normalisation
    /// uses them in training too, as in evaluation. [`thaw`](Self::thaw) undoes this.
    ///
    /// # Errors
    /// When there is nothing under this path.
    pub fn freeze(&mut self, path: &str) -> Result<(), UnknownPath> {
        self.set_frozen(path, true)
    }

    /// Restores the part of the network under `path` to what it was before it was [frozen](Self::freeze).
    ///
    /// # Errors
    /// When there is nothing under this path.
    pub fn thaw(&mut self, path: &str) -> Result<(), UnknownPath> {
        self.set_frozen(path, false)
    }

    fn set_frozen(&mut self, path: &str, is_frozen: bool) -> Result<(), UnknownPath> {
        let mut n_found = 0;
        for idx in 0..self.entries.len() {
            if is_under(&self.entries[idx].name, path) {
                n_found += 1;
                self.entries[idx].is_frozen = is_frozen;
                self.zero_untrained(idx);
            }
        }
        if n_found > 0 {
            return Ok(());
        }
        let (above, known) = self.parts_beside(path);
        Err(UnknownPath { path: path.into(), above: above.into(), known: known.join(", ") })
    }

    /// The longest beginning of a path under which there is something, and the names of the parts there.
    fn parts_beside<'p>(&'p self, path: &'p str) -> (&'p str, Vec<&'p str>) {
        let beginnings =
            std::iter::successors(Some(path), |path| path.rsplit_once('.').map(|(above, _)| above));
        let exists = |above: &&str| self.entries.iter().any(|entry| is_under(&entry.name, above));
        let above = beginnings.skip(1).find(exists).unwrap_or("");
        let within = |entry: &'p Entry| match above {
            "" => Some(entry.name.as_str()),
            _ => entry.name.strip_prefix(above)?.strip_prefix('.'),
        };
        let mut known: Vec<&str> =
            self.entries.iter().filter_map(within).filter_map(|rest| rest.split('.').next()).collect();
        known.dedup();
        (above, known)
    }

    /// Zeroes the gradient of an entry that is not trainable, since backward does not write it.
    fn zero_untrained(&mut self, idx: usize) {
        if !self.entries[idx].is_trainable()
            && let Some(grads) = self.grads.get_mut()
        {
            self.touched[idx].zero(&mut grads[self.entries[idx].range.clone()]);
        }
    }

    /// The values of one entry.
    ///
    /// # Panics
    /// As [`entry`](Self::entry).
    #[track_caller]
    pub fn value(&self, id: ParamId) -> &[f32] {
        &self.values[self.entry(id).range.clone()]
    }

    /// The values of one entry, for writing.
    ///
    /// # Panics
    /// As [`entry`](Self::entry).
    #[track_caller]
    pub fn value_mut(&mut self, id: ParamId) -> &mut [f32] {
        let range = self.entry(id).range.clone();
        &mut self.values[range]
    }

    /// The gradient of one entry, from the last backward pass.
    ///
    /// # Panics
    /// As [`entry`](Self::entry).
    #[track_caller]
    pub fn grad(&self, id: ParamId) -> &[f32] {
        &self.grads()[self.entry(id).range.clone()]
    }

    /// All values, one entry after the other.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All values, for writing.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// All gradients, in the order of [`values`](Self::values); 0 for entries that are not trainable.
    pub fn grads(&self) -> &[f32] {
        self.grads.get_or_init(|| {
            let mut grads = Vec::new();
            huge_pages::resize(&mut grads, self.values.len(), 0.0);
            grads
        })
    }

    /// All gradients, for writing (clipping, an all-reduce).
    pub fn grads_mut(&mut self) -> &mut [f32] {
        self.values_and_grads_mut().1
    }

    /// Values and gradients of all entries together, for a manual update.
    pub fn values_mut_and_grads(&mut self) -> (&mut [f32], &[f32]) {
        self.grads();
        (&mut self.values, self.grads.get().expect("made in the line above"))
    }

    /// The number of trainable values.
    pub fn n_trainable(&self) -> usize {
        self.trainable_ranges().map(|range| range.len()).sum()
    }

    pub(crate) fn parts_mut(&mut self) -> PartsMut<'_> {
        self.grads();
        let grads = self.grads.get_mut().expect("made in the line above");
        PartsMut { values: &self.values, grads, touched: &mut self.touched, entries: &self.entries }
    }
}

impl Parameters for Params {
    type Value = f32;

    fn n_entries(&self) -> usize {
        self.entries.len()
    }

    fn entry(&self, idx: usize) -> parameters::Entry<'_> {
        let entry = &self.entries[idx];
        parameters::Entry {
            name: &entry.name,
            shape: entry.shape.dims(),
            range: entry.range.clone(),
            is_trainable: entry.is_trainable(),
        }
    }

    fn values(&self) -> &[f32] {
        &self.values
    }

    fn grads(&self) -> &[f32] {
        self.grads()
    }

    fn values_and_grads_mut(&mut self) -> (&mut [f32], &mut [f32]) {
        self.grads();
        self.touched.iter_mut().for_each(Touched::set_whole);
        (&mut self.values, self.grads.get_mut().expect("made above"))
    }

    fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    fn values_mut_and_grads(&mut self) -> (&mut [f32], &[f32]) {
        self.values_mut_and_grads()
    }
}

/// The error for a path with no parameters under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPath {
    path: String,
    /// Where the path leads to nothing; empty at its beginning.
    above: String,
    known: String,
}

impl fmt::Display for UnknownPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, above, known } = self;
        match above.as_str() {
            "" => write!(f, "there is no parameter under `{path}`; the parts of the network are {known}"),
            _ => write!(f, "there is no parameter under `{path}`; the parts of `{above}` are {known}"),
        }
    }
}

impl std::error::Error for UnknownPath {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mode, Tape};

    #[test]
    fn gradients_take_no_memory_before_they_are_asked_for() {
        let mut params = Params::new();
        let w = params.add("w", [2], Role::Trainable);
        params.freeze("w").unwrap();
        params.thaw("w").unwrap();
        let mut tape = Tape::new();
        let g = tape.evaluate(&params);
        assert_eq!(g.value(g.param(w)), [0.0; 2]);
        let g = tape.begin(&mut params, Mode::train(0, 0).with_grad(false));
        g.sum(g.param(w));
        Parameters::values_mut(&mut params).fill(0.5);
        assert_eq!(params.values(), [0.5; 2]);
        assert!(params.grads.get().is_none());

        tape.step(&mut params, Mode::train(0, 0), |g| g.sum(g.param(w)));
        let b = params.add("b", [1], Role::Trainable);
        assert_eq!(params.grads(), [1.0, 1.0, 0.0]);
        assert_eq!(params.grad(b), [0.0]);
    }
}
