//! What is done to a training image: a mirror image, a shifted window.

use keyed_random::substream;
use rand_chacha::ChaCha8Rng;

use crate::{ImageShape, random};

/// Random changes to training images. The default changes nothing.
///
/// What happens to an image depends on (seed, epoch, index of the image) alone: not on the batch it is in,
/// and not on the number of threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augment {
    /// Whether and when an image is mirrored left to right.
    pub flip: Flip,
    /// From how far around a window of the image's own size is cut, if at all.
    pub crop: Option<Crop>,
}

/// Whether and when an image is mirrored left to right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flip {
    /// Never.
    #[default]
    Never,
    /// In each epoch with probability ½, as torchvision's `RandomHorizontalFlip`.
    Random,
    /// In the first epoch with probability ½, then every other epoch, so that each image is seen both ways in
    /// two epochs (Jordan, 2024, <https://arxiv.org/abs/2404.00498>).
    Alternating,
}

/// A window of the image's own size, cut at random from the image with a border around it, as torchvision's
/// `RandomCrop` does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crop {
    /// The width of the border in pixels: the window moves by up to that much in each direction.
    pub padding: usize,
    /// What the border is filled with.
    pub border: Border,
}

/// What lies around an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// Byte 0: black, before [normalisation](crate::Normalize).
    Zero,
    /// The image mirrored at its edge, the edge itself not repeated (PyTorch's `reflect`).
    Reflect,
}

impl Augment {
    /// Flips at random and crops from a border of `padding` zeros: what most CIFAR recipes do, with 4.
    pub fn flip_and_crop(padding: usize) -> Self {
        Self { flip: Flip::Random, crop: Some(Crop { padding, border: Border::Zero }) }
    }

    /// Panics unless the border can be filled.
    #[track_caller]
    pub(crate) fn check(&self, shape: ImageShape) {
        if let Some(Crop { padding, border: Border::Reflect }) = self.crop {
            let smaller = shape.height.min(shape.width);
            assert!(
                padding < smaller,
                "Augment: {padding} pixels cannot be reflected from an image of {smaller}"
            );
        }
    }
}

/// The random streams of one epoch.
pub(crate) struct EpochStreams {
    pub(crate) changes: ChaCha8Rng,
    first_flips: ChaCha8Rng,
    epoch: u64,
}

impl EpochStreams {
    /// Those of what stands at `place` in the list of transforms.
    pub(crate) fn new(seed: u64, place: u64, epoch: u64) -> Self {
        let changes = random::stream_at(seed, "augment", place, epoch);
        Self { changes, first_flips: random::stream_at(seed, "flip", place, 0), epoch }
    }

    /// How the image is seen in this epoch.
    pub(crate) fn view(&self, augment: &Augment, image_idx: usize) -> View {
        let mut rng = substream(&self.changes, image_idx as u64);
        let coin = random::below(&mut rng, 2) == 1;
        let flipped = match augment.flip {
            Flip::Never => false,
            Flip::Random => coin,
            Flip::Alternating => {
                let first = random::below(&mut substream(&self.first_flips, image_idx as u64), 2);
                (u64::from(first) + self.epoch) % 2 == 1
            }
        };
        let Some(Crop { padding, border }) = augment.crop else {
            return View { flipped, ..View::PLAIN };
        };
        let n_shifts = u32::try_from(2 * padding + 1).expect("a border of less than 2^31 pixels");
        let mut shift = || random::below(&mut rng, n_shifts) as isize - padding as isize;
        View { flipped, top: shift(), left: shift(), border }
    }
}

/// One way to see an image: a window of its own size whose top left corner is at (`top`, `left`), then mirrored or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Whether it is mirrored left to right.
    pub flipped: bool,
    /// How many rows below the image's the window begins; above it, if negative.
    pub top: isize,
    /// How many columns to the right of the image's the window begins; to the left of it, if negative.
    pub left: isize,
    /// What lies around the image.
    pub border: Border,
}

impl View {
    /// The image as it is.
    pub const PLAIN: Self = Self { flipped: false, top: 0, left: 0, border: Border::Zero };

    /// Panics unless the border can be filled.
    #[track_caller]
    pub(crate) fn check(&self, caller: &str, shape: ImageShape) {
        let fits = self.top.unsigned_abs() < shape.height && self.left.unsigned_abs() < shape.width;
        assert!(
            fits || self.border == Border::Zero,
            "{caller}: {self:?} reaches further into a reflected border than the image, {shape:?}, has pixels"
        );
    }
}

impl Border {
    /// Which of `len` pixels is seen at `position`, which may lie outside; `None` is a zero.
    pub(crate) fn source(self, position: isize, len: usize) -> Option<usize> {
        let last = len as isize - 1;
        match self {
            _ if (0..=last).contains(&position) => Some(position as usize),
            Self::Zero => None,
            Self::Reflect if position < 0 => Some(-position as usize),
            Self::Reflect => Some((2 * last - position) as usize),
        }
    }
}
