//! The tensors of a checkpoint, in groups: `model`, `optimizer`, `lookahead`, `average`, `best`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use autograd::Params;
use foreign_text::Foreign;
use nn::weights::Archive;
use optim::{Param, check_finite_slice};
use tensor::{MAX_RANK, Shape};

/// Named tensors; the part of a name before its first dot is the group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensors(BTreeMap<String, (Shape, Vec<f32>)>);

impl Tensors {
    /// Adds a vector to a group.
    pub fn add(&mut self, group: &str, name: &str, values: &[f32]) {
        self.0.insert(format!("{group}.{name}"), (Shape::from([values.len()]), values.to_vec()));
    }

    /// Adds one value per value of the model, under the model's names and in its shapes.
    pub fn add_model(&mut self, group: &str, params: &Params, values: &[f32]) {
        for entry in params.entries() {
            let values = values[entry.range.clone()].to_vec();
            self.0.insert(format!("{group}.{}", entry.name), (entry.shape, values));
        }
    }

    /// The vectors of a group, by their names without the group.
    pub fn group<'t>(&'t self, group: &'t str) -> impl Iterator<Item = (&'t str, &'t [f32])> {
        self.0.iter().filter_map(move |(name, (_, values))| {
            let (found, name) = name.split_once('.')?;
            (found == group).then_some((name, values.as_slice()))
        })
    }

    /// The vector given to [`add_model`](Self::add_model).
    ///
    /// # Errors
    /// When a tensor is missing, has another shape, or belongs to another model.
    pub fn model(&self, group: &str, params: &Params) -> Result<Vec<f32>> {
        let mut values = vec![0.0; params.values().len()];
        for entry in params.entries() {
            let name = format!("{group}.{}", entry.name);
            let (shape, saved) = self.0.get(&name).with_context(|| format!("{name} is missing"))?;
            ensure!(*shape == entry.shape, "{name} has shape {shape}, expected {}", entry.shape);
            values[entry.range.clone()].copy_from_slice(saved);
        }
        for (name, _) in self.group(group) {
            ensure!(params.find(name).is_some(), "{group}.{name} is not in the network");
        }
        Ok(values)
    }

    /// Checks that all values are finite.
    ///
    /// # Errors
    /// Names the first tensor with NaN or infinity, and the position.
    pub fn check_finite(&self) -> Result<()> {
        for (name, (_, values)) in &self.0 {
            let all = Param::new(Foreign::new(name).to_string(), 0..values.len());
            check_finite_slice(&[all], values)?;
        }
        Ok(())
    }

    /// All tensors, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Shape, &[f32])> {
        self.0.iter().map(|(name, (shape, values))| (name.as_str(), *shape, values.as_slice()))
    }

    /// Reads all tensors of a file.
    pub(super) fn read(archive: &Archive) -> Result<Self> {
        let (n_tensors, n_values) = archive
            .tensors()
            .filter_map(|tensor| tensor.shape())
            .fold((0, 0_usize), |(n, n_values), shape| (n + 1, n_values + shape.numel()));
        // A network has few small tensors; a large number of them is an attack on memory. The most, 272, are
        // those of `mlp` with sixteen tiny hidden layers, adan and all averages: eight per weight and bias.
        ensure!(
            n_tensors <= 288 + n_values / 64,
            "it has {n_tensors} tensors with only {n_values} values in total"
        );
        let mut tensors = BTreeMap::new();
        for tensor in archive.tensors() {
            let (Some(shape), "F32") = (tensor.shape(), tensor.dtype()) else {
                bail!("{tensor} is not a tensor of a checkpoint, expected F32 of at most {MAX_RANK} axes");
            };
            let mut values = vec![0.0; shape.numel()];
            archive.read(tensor.name(), &mut values)?;
            tensors.insert(tensor.name().to_owned(), (shape, values));
        }
        Ok(Self(tensors))
    }
}
