//! The losses that `--hardest-by last` goes by: they are by-products of the steps and need no pass of their own.

use anyhow::{Result, ensure};

use crate::checkpoint::Tensors;

/// The loss of each training image in the last step that trained on it.
#[derive(Clone, Debug, PartialEq)]
pub struct LastLosses(Vec<f32>);

/// The losses' group in a checkpoint, and their name.
const GROUP: &str = "losses";
const NAME: &str = "last";

/// More than any loss: no step has trained on the image yet, so it is chosen first.
const NEW: f32 = f32::MAX;

impl LastLosses {
    /// Before the first step on `n_images`.
    pub fn new(n_images: usize) -> Self {
        Self(vec![NEW; n_images])
    }

    /// Writes the losses of the images with these indices.
    pub fn write(&self, indices: &[usize], losses: &mut Vec<f32>) {
        losses.clear();
        losses.extend(indices.iter().map(|&idx| self.0[idx]));
    }

    /// Keeps the losses of a step, each with the index of its image. Of NaN or infinity nothing follows: such an
    /// image counts as new.
    pub fn keep(&mut self, losses: impl IntoIterator<Item = (usize, f32)>) {
        for (idx, loss) in losses {
            self.0[idx] = if loss.is_finite() { loss } else { NEW };
        }
    }

    /// Adds the losses to a checkpoint.
    pub fn save(&self, tensors: &mut Tensors) {
        tensors.add(GROUP, NAME, &self.0);
    }

    /// Takes the losses of a checkpoint. If it has none, since its run did not go by them, all images are new.
    ///
    /// # Errors
    /// When they are those of another number of images.
    pub fn resume(&mut self, tensors: &Tensors) -> Result<()> {
        let Some((_, losses)) = tensors.group(GROUP).find(|(name, _)| *name == NAME) else { return Ok(()) };
        ensure!(
            losses.len() == self.0.len(),
            "{GROUP}.{NAME} has the losses of {} images, expected {}",
            losses.len(),
            self.0.len()
        );
        self.0.copy_from_slice(losses);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_images_come_first_and_a_checkpoint_has_all_losses() {
        let mut last = LastLosses::new(4);
        last.keep([(2, 0.5), (0, f32::NAN), (3, 1.5)]);
        let mut losses = Vec::new();
        last.write(&[3, 0, 2, 1], &mut losses);
        assert_eq!(losses, [1.5, NEW, 0.5, NEW]);

        let mut tensors = Tensors::default();
        last.save(&mut tensors);
        tensors.check_finite().unwrap();
        let mut resumed = LastLosses::new(4);
        resumed.resume(&tensors).unwrap();
        assert_eq!(resumed, last);
        resumed.resume(&Tensors::default()).unwrap();
        assert_eq!(resumed, last);
        let error = LastLosses::new(5).resume(&tensors).unwrap_err().to_string();
        assert_eq!(error, "losses.last has the losses of 4 images, expected 5");
    }
}
