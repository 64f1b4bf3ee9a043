//! Weights and the other state of a training loop, in one file.

use std::path::Path;

use autograd::Params;

use super::archive::Archive;
use super::error::WeightsError;
use super::header::is_count;
use super::write::{Contents, tensors_of};

/// The prefix of names that are not weights, unless the network has a weight with the whole name.
const PREFIX: &str = "extra.";

/// Writes weights like [`save`](super::save), plus named slices such as the state of an optimizer. Together
/// with the number of steps, stored as metadata, this is all that is needed to resume training: random numbers
/// and the place in a shuffled data set follow from the step.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("checkpoint.safetensors");
/// use autograd::{Mode, Tape};
/// use data::{Batch, Loader, Records};
/// use nn::{Layer, Linear, weights};
/// use optim::{Adam, Optimizer};
///
/// /// Trains up to step `end`, from where the file left off if there is one, and returns the last loss.
/// fn train(set: &Records, path: &std::path::Path, end: u64) -> Result<f32, Box<dyn std::error::Error>> {
///     let (net, mut params) = nn::build(Linear::new(3, 1), 0);
///     let mut optimizer = Optimizer::new(Adam::default(), &params)?;
///     if path.exists() {
///         let extra = weights::load_with(path, &mut params)?;
///         optimizer.load_state(extra.number("n_steps")?, extra.slices())?;
///     }
///     let mut loader = Loader::new(set, 8).shuffle(0).skip(optimizer.n_steps());
///     assert!(loader.n_batches() > 0, "there is nothing to train on");
///     let (mut tape, mut batch, mut loss) = (Tape::new(), Batch::new(), 0.0);
///     while optimizer.n_steps() < end {
///         if loader.next_into(&mut batch)? {
///             loss = tape.step(&mut params, Mode::train(0, optimizer.n_steps()), |g| {
///                 let y = net.forward(g, g.input(batch.shape_of("x"), batch.f32("x")));
///                 g.mean(g.mul(y, y))
///             });
///             optimizer.step(&mut params);
///         }
///     }
///     weights::save_with(path, &params, optimizer.state(), &[("n_steps", &optimizer.n_steps().to_string())])?;
///     Ok(loss)
/// }
///
/// let set = Records::new().with_f32("x", &[3], (0..60).map(|i| i as f32 / 60.0).collect());
/// train(&set, &path, 7)?; // within the third epoch of three steps
/// let resumed = train(&set, &path, 20)?;
/// std::fs::remove_file(&path)?;
/// assert_eq!(resumed, train(&set, &path, 20)?);
/// # Ok(()) }
/// ```
///
/// The loader, which counts batches over all epochs, is put back by `Loader::skip`. [`Extra::take`] shows the
/// same with an average of the weights.
///
/// # Errors
/// When the file cannot be written; the old file is then unchanged, unless only syncing its folder failed,
/// and no temporary file remains.
///
/// # Panics
/// When two slices have the same name, or a slice `x` is saved beside a weight `extra.x`: both would have
/// that name in the file.
pub fn save_with<'a>(
    path: impl AsRef<Path>,
    params: &Params,
    slices: impl IntoIterator<Item = (String, &'a [f32])>,
    metadata: &[(&str, &str)],
) -> Result<(), WeightsError> {
    let slices: Vec<_> = slices.into_iter().map(|(name, slice)| (format!("{PREFIX}{name}"), slice)).collect();
    let slices = slices.iter().map(|(name, slice)| (name.as_str(), [slice.len()].into(), *slice));
    Contents::new(tensors_of(params).chain(slices), metadata, is_count).save(path.as_ref())
}

/// Reads a file written by [`save_with`]: the weights into a model, like [`load`](super::load), the rest into
/// memory.
///
/// # Errors
/// Same as [`load`](super::load); the parameters are then unchanged.
pub fn load_with(path: impl AsRef<Path>, params: &mut Params) -> Result<Extra, WeightsError> {
    let archive = Archive::open(path)?;
    // A network may have a child named `extra`.
    let is_extra = |name: &str| name.starts_with(PREFIX) && params.find(name).is_none();
    let mut slices = Vec::new();
    for tensor in archive.tensors().filter(|tensor| tensor.is_float() && is_extra(tensor.name())) {
        if let (Some(name), Some(shape)) = (tensor.name().strip_prefix(PREFIX), tensor.shape()) {
            let mut slice = vec![0.0; shape.numel()];
            archive.read(tensor.name(), &mut slice)?;
            slices.push((name.to_owned(), slice));
        }
    }
    let archive = archive.without(is_extra);
    archive.load_into(params)?;
    Ok(Extra { archive, slices })
}

/// The data saved in addition to the weights.
#[derive(Debug)]
pub struct Extra {
    archive: Archive,
    slices: Vec<(String, Vec<f32>)>,
}

impl Extra {
    /// Returns the slices by name, in the form that `Optimizer::load_state` takes. It refuses slices that are
    /// not its own: [`take`](Self::take) those first.
    pub fn slices(&self) -> impl Iterator<Item = (&str, &[f32])> {
        self.slices.iter().map(|(name, slice)| (name.as_str(), slice.as_slice()))
    }

    /// Removes the slice with this name and returns it, for example an average of the weights.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("checkpoint.safetensors");
    /// use nn::{Linear, weights};
    /// use optim::{Adam, Optimizer, average::Ema};
    /// let (_net, mut params) = nn::build(Linear::new(3, 1), 0);
    /// let mut optimizer = Optimizer::new(Adam::default(), &params)?;
    /// let mut ema = Ema::new(params.values().len(), 0.999, false)?;
    /// optimizer.step(&mut params);
    /// ema.update(&params);
    /// let slices = optimizer.state().chain([("ema".to_owned(), ema.raw())]);
    /// let counts = [optimizer.n_steps(), ema.n_updates()].map(|n| n.to_string());
    /// weights::save_with(&path, &params, slices, &[("n_steps", &counts[0]), ("n_updates", &counts[1])])?;
    ///
    /// let mut resumed = Ema::new(params.values().len(), 0.999, false)?;
    /// let mut extra = weights::load_with(&path, &mut params)?;
    /// resumed.resume(extra.number("n_updates")?, &extra.take("ema").ok_or("the file has no average")?);
    /// optimizer.load_state(extra.number("n_steps")?, extra.slices())?;
    /// assert_eq!(resumed, ema);
    /// # Ok(()) }
    /// ```
    pub fn take(&mut self, name: &str) -> Option<Vec<f32>> {
        let at = self.slices.iter().position(|(found, _)| found == name)?;
        Some(self.slices.remove(at).1)
    }

    /// Returns an integer from the metadata, for example the number of steps.
    ///
    /// # Errors
    /// When there is no integer under this name.
    pub fn number(&self, key: &str) -> Result<u64, WeightsError> {
        let text = self.archive.metadata(key)?;
        text.and_then(|text| text.parse().ok()).ok_or_else(|| WeightsError::Format {
            path: self.archive.path.clone(),
            reason: format!("its metadata have no integer \"{key}\""),
        })
    }
}
