//! Parameters: one flat vector of values, one of gradients, and a table of who owns which range.

use std::ops::Range;

use tensor::Shape;

/// What training does with an entry of [`Params`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Receives a gradient and is moved by the optimizer.
    Trainable,
    /// A weight that stays as it is: no gradient is computed for it.
    Frozen,
    /// A running statistic (a "buffer" in PyTorch): written by [`Op::commit`](crate::Op::commit),
    /// passed over by optimizer and clipping, saved with the weights.
    Statistic,
}

/// One named entry of [`Params`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name, as PyTorch's `state_dict` has it: `0.weight`, `1.running_mean`, …
    pub name: String,
    /// The shape, in PyTorch's layout.
    pub shape: Shape,
    /// Where the entry lies in [`Params::values`] and [`Params::grads`].
    pub range: Range<usize>,
    /// What training does with it.
    pub role: Role,
}

/// A handle to one entry of the [`Params`] that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParamId(pub(crate) usize);

/// All parameters of a model in flat memory.
///
/// The optimizer, gradient clipping, averaging and a checkpoint are each one pass over
/// [`values`](Self::values) and [`grads`](Self::grads); the layers hold only [`ParamId`]s.
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
    grads: Vec<f32>,
    entries: Vec<Entry>,
}

impl Params {
    /// No parameters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an entry, filled with zeros.
    ///
    /// # Panics
    /// When the name is taken.
    #[track_caller]
    pub fn add(&mut self, name: impl Into<String>, shape: impl Into<Shape>, role: Role) -> ParamId {
        let (name, shape) = (name.into(), shape.into());
        assert!(self.find(&name).is_none(), "Params::add: there is already a parameter named {name:?}");
        let start = self.values.len();
        let end = start + shape.numel();
        huge_pages::resize(&mut self.values, end, 0.0);
        huge_pages::resize(&mut self.grads, end, 0.0);
        self.entries.push(Entry { name, shape, range: start..end, role });
        ParamId(self.entries.len() - 1)
    }

    /// The entry behind a handle.
    ///
    /// # Panics
    /// When the handle is of other parameters, and there are fewer of these.
    #[track_caller]
    pub fn entry(&self, id: ParamId) -> &Entry {
        let n_entries = self.entries.len();
        assert!(
            id.0 < n_entries,
            "Params::entry: entry {} of {n_entries}; this ParamId was made by other Params",
            id.0
        );
        &self.entries[id.0]
    }

    /// All entries, in the order in which they were added.
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

    /// Changes what training does with an entry; freezing also zeroes its gradient.
    #[track_caller]
    pub fn set_role(&mut self, id: ParamId, role: Role) {
        self.entries[id.0].role = role;
        if role != Role::Trainable {
            let range = self.entries[id.0].range.clone();
            self.grads[range].fill(0.0);
        }
    }

    /// The values of one entry.
    #[track_caller]
    pub fn value(&self, id: ParamId) -> &[f32] {
        &self.values[self.entry(id).range.clone()]
    }

    /// The values of one entry, to be written.
    #[track_caller]
    pub fn value_mut(&mut self, id: ParamId) -> &mut [f32] {
        let range = self.entry(id).range.clone();
        &mut self.values[range]
    }

    /// The gradient of one entry, as the last backward pass left it.
    #[track_caller]
    pub fn grad(&self, id: ParamId) -> &[f32] {
        &self.grads[self.entry(id).range.clone()]
    }

    /// All values, one entry after the other.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All values, to be written.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// All gradients, in the order of [`values`](Self::values); 0 where an entry is not trainable.
    pub fn grads(&self) -> &[f32] {
        &self.grads
    }

    /// All gradients, to be written (clipping, an all-reduce).
    pub fn grads_mut(&mut self) -> &mut [f32] {
        &mut self.grads
    }

    /// Values and gradients together, as an update rule takes them.
    pub fn values_and_grads(&mut self) -> (&mut [f32], &[f32]) {
        (&mut self.values, &self.grads)
    }

    /// The trainable ranges of the flat vectors, neighbours joined.
    pub fn trainable_ranges(&self) -> Vec<Range<usize>> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.role == Role::Trainable) {
            match ranges.last_mut() {
                Some(last) if last.end == entry.range.start => last.end = entry.range.end,
                _ => ranges.push(entry.range.clone()),
            }
        }
        ranges
    }

    /// The number of trainable numbers.
    pub fn n_trainable(&self) -> usize {
        self.trainable_ranges().iter().map(ExactSizeIterator::len).sum()
    }

    pub(crate) fn parts_mut(&mut self) -> (&mut [f32], &mut [f32], &[Entry]) {
        (&mut self.values, &mut self.grads, &self.entries)
    }
}
