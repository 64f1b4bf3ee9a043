//! Named ranges of flat memory, and parameter groups made of them.

use std::ops::Range;

use parameters::Entry;

use crate::error::n_elements;
use crate::{AnyRule, Error, Real};

/// A parameter: its name, its range in the flat vectors of values and gradients, and its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// The name, such as `0.weight`, used in messages and saved states.
    pub name: String,
    /// The range of the parameter.
    pub range: Range<usize>,
    /// The shape, in row-major order; used by whole-tensor rules.
    pub shape: Vec<usize>,
}

impl Param {
    /// A parameter that is a vector, until it is given a shape.
    pub fn new(name: impl Into<String>, range: Range<usize>) -> Self {
        let shape = vec![range.len()];
        Self { name: name.into(), range, shape }
    }

    /// Sets the shape.
    pub fn with_shape(self, shape: impl Into<Vec<usize>>) -> Self {
        Self { shape: shape.into(), ..self }
    }
}

/// Name, range and shape of an entry, whether it is trainable or not.
impl From<Entry<'_>> for Param {
    fn from(entry: Entry<'_>) -> Self {
        Self::new(entry.name, entry.range).with_shape(entry.shape)
    }
}

/// Parameters that share a rule and its hyperparameters.
#[derive(Debug)]
pub struct Group<F: Real> {
    pub(crate) rule: AnyRule<F>,
    pub(crate) params: Vec<Param>,
    /// The index of each parameter in the [`Parameters`](crate::Parameters); empty for bare slices.
    pub(crate) entries: Vec<usize>,
    pub(crate) lr_scale: f64,
}

impl<F: Real> Group<F> {
    /// Parameters in bare slices that `rule` updates, for
    /// [`Optimizer::for_slices`](crate::Optimizer::for_slices). For those of a network, use
    /// [`Groups`](crate::Groups).
    pub fn new(rule: impl Into<AnyRule<F>>, params: impl IntoIterator<Item = Param>) -> Self {
        Self { rule: rule.into(), params: params.into_iter().collect(), entries: vec![], lr_scale: 1.0 }
    }

    /// Multiplies the optimizer's learning rate by `lr_scale` for this group (default: 1).
    pub fn with_lr_scale(self, lr_scale: f64) -> Self {
        Self { lr_scale, ..self }
    }

    /// The rule with its current hyperparameters.
    pub fn rule(&self) -> &AnyRule<F> {
        &self.rule
    }

    /// The parameters.
    pub fn params(&self) -> &[Param] {
        &self.params
    }
}

/// Checks that every shape fills its range, no two ranges overlap and no two names are equal.
pub(crate) fn check_params(params: &[&Param]) -> Result<(), Error> {
    for param in params {
        if n_elements(&param.shape) != param.range.len() {
            let Param { name, range, shape } = (*param).clone();
            return Err(Error::Shape { name, shape, range });
        }
    }
    let overlap = |a: &Param, b: &Param| {
        Err(Error::Overlap {
            first: a.name.clone(),
            first_range: a.range.clone(),
            second: b.name.clone(),
            second_range: b.range.clone(),
        })
    };
    let mut sorted = params.to_vec();
    sorted.sort_by_key(|param| (param.range.start, param.range.end));
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0].range.end > pair[1].range.start) {
        return overlap(pair[0], pair[1]);
    }
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    match sorted.windows(2).find(|pair| pair[0].name == pair[1].name) {
        Some(pair) => overlap(pair[0], pair[1]),
        None => Ok(()),
    }
}
