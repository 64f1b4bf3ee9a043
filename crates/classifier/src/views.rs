//! Test-time augmentation: an image is evaluated in several views, and the outputs are averaged.

use anyhow::Result;
use autograd::{Params, Tape};
use data::{Batch, Border, Dataset, Loader, Normalize, Subset, Transform, View};
use nn::{Layer, Sequential};

use crate::{Evaluation, Parts, input, normalized, softmax};

/// The views of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Views {
    /// The image itself.
    #[default]
    Plain,
    /// The image and its mirror image, in equal shares.
    Mirror,
    /// Both, with half the weight, and both of the image shifted by one pixel up and left and one down and
    /// right, reflected at the edges, with a quarter for each shift: the six views of airbench94 (Jordan,
    /// 2024).
    MirrorShift,
}

impl Views {
    /// Each view except the plain one, with its share; the plain one has the rest.
    fn others(self) -> Vec<(View, f32)> {
        let view = |flipped, shift| View { flipped, top: shift, left: shift, border: Border::Reflect };
        match self {
            Self::Plain => vec![],
            Self::Mirror => vec![(view(true, 0), 0.5)],
            Self::MirrorShift => vec![
                (view(true, 0), 0.25),
                (view(false, -1), 0.125),
                (view(true, -1), 0.125),
                (view(false, 1), 0.125),
                (view(true, 1), 0.125),
            ],
        }
    }
}

/// How images are presented to a network.
#[derive(Clone, Debug, Default)]
pub struct Asking {
    /// The views of each image.
    pub views: Views,
    /// The share of the images, those whose plain view the network is least certain of, that get the other
    /// views; `None` is all.
    pub least_certain: Option<f64>,
    /// The normalisation of the images.
    pub normalize: Option<Normalize>,
}

impl Asking {
    /// The logits for each image, `[images.len(), n_classes]`: the mean over its views. All processes that share
    /// the work in `parts` get all of them.
    ///
    /// # Errors
    /// When the images can no longer be read.
    pub fn logits(
        &self,
        net: &Sequential,
        params: &mut Params,
        tape: &mut Tape,
        images: &dyn Dataset,
        batch_size: usize,
        parts: &dyn Parts,
    ) -> Result<Vec<f32>> {
        let n_classes = images.class_names().len();
        let mut ask = |images: &dyn Dataset, view: View| -> Result<Vec<f32>> {
            let loader = parts.loader(Loader::new(images, batch_size));
            // The rows of a table have no views.
            let loader =
                if view == View::PLAIN { loader } else { loader.transform([Transform::View(view)], 0) };
            let mut loader = match &self.normalize {
                Some(normalize) => normalized(loader, images, normalize),
                None => loader,
            };
            let (mut batch, mut logits) = (Batch::new(), Vec::with_capacity(images.len() * n_classes));
            while loader.next_into(&mut batch)? {
                let n_images = batch.whole_indices().len();
                let g = tape.begin(params, parts.eval_mode(n_images));
                let answer = net.forward(&g, input(&g, &batch));
                logits.extend(parts.whole(g.value(answer), n_images, n_classes));
            }
            Ok(logits)
        };
        let mut logits = ask(images, View::PLAIN)?;
        let others = self.views.others();
        if others.is_empty() {
            return Ok(logits);
        }
        let chosen = self.chosen(&logits, n_classes);
        let again = Subset::new(images, chosen.clone());
        let plain = 1.0 - others.iter().map(|(_, share)| share).sum::<f32>();
        for &image_idx in &chosen {
            logits[image_idx * n_classes..][..n_classes].iter_mut().for_each(|z| *z *= plain);
        }
        for (view, share) in others {
            let seen = ask(&again, view)?;
            for (seen, &image_idx) in seen.chunks_exact(n_classes).zip(&chosen) {
                let sum = &mut logits[image_idx * n_classes..][..n_classes];
                sum.iter_mut().zip(seen).for_each(|(z, seen)| *z += share * seen);
            }
        }
        Ok(logits)
    }

    /// Evaluates the network on these images, by [`logits`](Self::logits).
    ///
    /// # Errors
    /// When the images can no longer be read.
    pub fn evaluate(
        &self,
        net: &Sequential,
        params: &mut Params,
        tape: &mut Tape,
        images: &dyn Dataset,
        batch_size: usize,
        parts: &dyn Parts,
    ) -> Result<Evaluation> {
        let logits = self.logits(net, params, tape, images, batch_size, parts)?;
        let labels = (0..images.len()).map(|image_idx| images.label(image_idx));
        Ok(Evaluation::of(&logits, labels, images.class_names().len()))
    }

    /// The images that get the other views, in order.
    fn chosen(&self, logits: &[f32], n_classes: usize) -> Vec<usize> {
        let n_images = logits.len() / n_classes.max(1);
        let Some(share) = self.least_certain else { return (0..n_images).collect() };
        let certainty = |logits: &[f32]| softmax(logits).into_iter().fold(0.0, f64::max);
        let mut ranked: Vec<_> = logits.chunks_exact(n_classes).map(certainty).enumerate().collect();
        ranked.sort_by(|a, b| a.1.total_cmp(&b.1));
        ranked.truncate((share * n_images as f64).ceil() as usize);
        let mut chosen: Vec<_> = ranked.into_iter().map(|(image_idx, _)| image_idx).collect();
        chosen.sort_unstable();
        chosen
    }
}

#[cfg(test)]
mod tests {
    use data::{ImageShape, InMemory};
    use nn::{Flatten, Linear};

    use super::*;
    use crate::Whole;

    /// A network whose logits are pixels of the image, which distinguish the views.
    fn pixels() -> (Sequential, Params) {
        let (net, mut params) =
            nn::build(Sequential::new().add(Flatten).add(Linear::new(16, 2).bias(false)), 0);
        params.values_mut().fill(0.0);
        // The second pixel of the second row, and the one to the right of it.
        (params.values_mut()[5], params.values_mut()[16 + 6]) = (1.0, 1.0);
        (net, params)
    }

    fn logits(asking: &Asking, n_images: usize) -> Vec<f32> {
        let shape = ImageShape { height: 4, width: 4, channels: 1 };
        // Pixel i of image k is 16·k + i, squared to make them distinct.
        let bytes = (0..16 * n_images).map(|i| ((i / 16) * 3 + (i % 16) * (i % 16)) as u8).collect();
        let set = InMemory::new(shape, bytes, vec![0; n_images], ["a", "b"]);
        let (net, mut params) = pixels();
        let logits = asking.logits(&net, &mut params, &mut Tape::new(), &set, 2, &Whole).unwrap();
        logits.iter().map(|z| z * 255.0).collect()
    }

    #[test]
    fn the_mean_is_over_the_views_that_airbench_has() {
        let asking = |views| Asking { views, ..Asking::default() };
        let pixel = |row: usize, col: usize| ((row * 4 + col) * (row * 4 + col)) as f32;
        let close = |views, expected: [f32; 2]| {
            let found = logits(&asking(views), 1);
            let is_close =
                found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-3);
            assert!(is_close, "{views:?}: {found:?}, expected {expected:?}");
        };
        close(Views::Plain, [pixel(1, 1), pixel(1, 2)]);
        let mirrored = (pixel(1, 1) + pixel(1, 2)) / 2.0;
        close(Views::Mirror, [mirrored; 2]);
        // A window whose corner is at (−1, −1) shows pixel (0, 0) at (1, 1).
        let shifted = |by: isize| {
            let at = |place: usize| (place as isize + by) as usize;
            (pixel(at(1), at(1)) + pixel(at(1), at(2))) / 2.0
        };
        let expected = mirrored / 2.0 + (shifted(-1) + shifted(1)) / 4.0;
        close(Views::MirrorShift, [expected; 2]);
    }

    #[test]
    fn only_the_least_certain_are_seen_again() {
        // 0.3 of five images, rounded up.
        let all = Asking { views: Views::Mirror, ..Asking::default() };
        let some = Asking { least_certain: Some(0.3), ..all.clone() };
        let none = Asking { least_certain: Some(0.0), ..all.clone() };
        let plain = logits(&Asking::default(), 5);
        assert_eq!(logits(&none, 5), plain);
        let (some, all) = (logits(&some, 5), logits(&all, 5));
        let n_seen = some.chunks(2).zip(all.chunks(2)).filter(|(some, all)| some == all).count();
        let n_plain = some.chunks(2).zip(plain.chunks(2)).filter(|(some, plain)| some == plain).count();
        assert_eq!((n_seen, n_plain), (2, 3));
    }
}
