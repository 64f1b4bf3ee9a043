//! Random changes to training images: mirroring and shifting.

use keyed_random::substream;
use rand_chacha::ChaCha8Rng;

use crate::{ImageShape, random};

/// Random changes to training images. The default changes nothing.
///
/// The changes depend only on (seed, epoch, index of the image), not on the batch or the number of threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augment {
    /// Whether and when an image is mirrored left to right.
    pub flip: Flip,
    /// Whether and how a window of the image's size is cropped.
    pub crop: Option<Crop>,
}

/// Whether and when an image is mirrored left to right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flip {
    /// Never.
    #[default]
    Never,
    /// In each epoch with probability ½, like torchvision's `RandomHorizontalFlip`.
    Random,
    /// In the first epoch with probability ½, then every other epoch, so that each image is seen both ways in
    /// two epochs (Jordan, 2024, <https://arxiv.org/abs/2404.00498>).
    Alternating,
}

/// A random window of the image's size, cropped from the image with a border around it, like torchvision's
/// `RandomCrop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crop {
    /// The width of the border in pixels; the window moves by up to this much in each direction.
    pub padding: usize,
    /// How the border is filled.
    pub border: Border,
}

/// How the area outside an image is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// With 0: black, or the mean if a [normalisation](crate::Normalize) comes earlier in the list of
    /// transforms.
    Zero,
    /// The image mirrored at its edge, without repeating the edge (PyTorch's `reflect`).
    Reflect,
}

impl Augment {
    /// Flips at random and crops from a border of `padding` zeros; most CIFAR recipes do this with 4.
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
                "Augment: cannot reflect {padding} pixels of an image whose shorter side is {smaller}"
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
    /// The streams of the transform at index `place` in the list.
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

/// A view of an image: a window of the same size with its top left corner at (`top`, `left`), optionally
/// mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Whether it is mirrored left to right.
    pub flipped: bool,
    /// The top row of the window relative to the image's; negative is above it.
    pub top: isize,
    /// The left column of the window relative to the image's; negative is to the left of it.
    pub left: isize,
    /// How the area outside the image is filled.
    pub border: Border,
}

impl View {
    /// The image unchanged.
    pub const PLAIN: Self = Self { flipped: false, top: 0, left: 0, border: Border::Zero };

    /// Panics unless the border can be filled.
    #[track_caller]
    pub(crate) fn check(&self, caller: &str, shape: ImageShape) {
        let fits = self.top.unsigned_abs() < shape.height && self.left.unsigned_abs() < shape.width;
        assert!(
            fits || self.border == Border::Zero,
            "{caller}: {self:?} needs a larger reflected border than the image {shape:?} can give"
        );
    }
}

impl Border {
    /// The pixel, out of `len`, seen at `position`, which may lie outside; `None` is a zero.
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
