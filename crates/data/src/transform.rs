//! Lists of transforms of an image.

use keyed_random::substream;

use crate::augment::EpochStreams;
use crate::pixel_transforms::{Cut, cut, jitter, rotate, window};
use crate::pixels::ByteTable;
use crate::{Augment, ImageShape, Normalize, View, random};

/// A change that [`Loader::transform`](crate::Loader::transform) makes to each image, in the order of the
/// list.
///
/// For training the transforms are random. For evaluation leave them out, or use a fixed
/// [`View`](Self::View). Values are byte / 255 until they are normalised.
///
/// ```
/// use data::{Augment, Batch, Border, ImageShape, InMemory, Loader, Normalize, Transform, View};
/// let set = InMemory::new(ImageShape::CIFAR, vec![9; 50 * 3072], vec![0; 50], ["dark"]);
/// let train = [
///     Transform::Augment(Augment::flip_and_crop(4)),
///     Transform::Jitter { brightness: 0.2, contrast: 0.2, saturation: 0.2 },
///     Transform::Rotate { degrees: 10.0 },
///     Transform::Normalize(Normalize::cifar10()),
///     Transform::Cutout { size: 8 }, // to 0, the mean, because it comes after
/// ];
/// let mut batch = Batch::new();
/// Loader::new(&set, 50).shuffle(1).transform(train, 1).next_into(&mut batch)?;
///
/// let mirrored = View { flipped: true, ..View::PLAIN };
/// let mut flipped = Loader::new(&set, 50).transform([Transform::View(mirrored)], 0);
/// flipped.next_into(&mut batch)?;
/// # Ok::<(), data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Transform {
    /// Random mirroring and shifting. The loader panics if a reflected border is at least as wide as the
    /// image.
    Augment(Augment),
    /// Mirroring or shifting, the same for all images. The loader panics if the window reaches as far into a
    /// reflected border as the image is wide or high, or further.
    View(View),
    /// Multiplies brightness, contrast and saturation, in this order, by factors drawn from
    /// `[max(0, 1 − x), 1 + x]`, and clamps the result to `[0, 1]`. Like torchvision's `ColorJitter`, except
    /// that torchvision shuffles the order and can also change the hue.
    ///
    /// Contrast is the distance from the image's mean grey, saturation the distance from the pixel's grey;
    /// grey is 0.2989 R + 0.587 G + 0.114 B. The loader panics unless the images have 1 or 3 channels, or
    /// after a `Normalize`.
    Jitter {
        /// The largest difference of the brightness factor from 1.
        brightness: f32,
        /// The largest difference of the contrast factor from 1.
        contrast: f32,
        /// The largest difference of the saturation factor from 1; no effect on one-channel images.
        saturation: f32,
    },
    /// Rotates the image about its centre by an angle drawn from `[−degrees, degrees]`, bilinear, with zeros
    /// outside. Like torchvision's `RandomRotation` with `InterpolationMode.BILINEAR`.
    Rotate {
        /// The largest angle, at most 180.
        degrees: f32,
    },
    /// With some probability, sets a rectangle to 0. Its share of the image is drawn from `area`, and its
    /// ratio of height to width from `ratio`, log-uniformly; if ten rectangles do not fit, the image is
    /// unchanged. Like torchvision's `RandomErasing`, whose defaults are 0.5, `[0.02, 0.33]`, `[0.3, 3.3]`
    /// (Zhong et al., 2017).
    Erase {
        /// The probability of erasing.
        probability: f32,
        /// The smallest and largest share of the image.
        area: [f32; 2],
        /// The smallest and largest ratio of height to width.
        ratio: [f32; 2],
    },
    /// Sets a square around a random pixel to 0, clipped to the image (DeVries and Taylor, 2017).
    Cutout {
        /// The side of the square in pixels.
        size: usize,
    },
    /// Normalises each channel. The loader panics if it occurs twice.
    Normalize(Normalize),
}

/// A prepared list of transforms; the first ones are done by a lookup table of bytes.
pub(crate) struct Plan {
    shape: ImageShape,
    seed: u64,
    /// The requested transforms, followed by the normalisation that was requested separately.
    transforms: Vec<Transform>,
    ends_in_normalize: bool,
    table: ByteTable,
    /// The number of transforms done as the bytes are read: a window, then a normalisation.
    n_windows: usize,
    n_done: usize,
    epoch: Option<u64>,
    streams: Vec<EpochStreams>,
}

impl Plan {
    pub(crate) fn new(shape: ImageShape) -> Self {
        Self {
            shape,
            seed: 0,
            transforms: Vec::new(),
            ends_in_normalize: false,
            table: ByteTable::new(shape.channels, None),
            n_windows: 0,
            n_done: 0,
            epoch: None,
            streams: Vec::new(),
        }
    }

    #[track_caller]
    pub(crate) fn set_transforms(&mut self, transforms: Vec<Transform>, seed: u64) {
        let normalize = if self.ends_in_normalize { self.transforms.pop() } else { None };
        self.seed = seed;
        self.transforms = transforms;
        self.transforms.extend(normalize);
        self.make_ready("Loader::transform");
    }

    #[track_caller]
    pub(crate) fn set_normalize(&mut self, normalize: &Normalize) {
        if self.ends_in_normalize {
            self.transforms.pop();
        }
        self.ends_in_normalize = true;
        self.transforms.push(Transform::Normalize(normalize.clone()));
        self.make_ready("Loader::normalize");
    }

    #[track_caller]
    fn make_ready(&mut self, caller: &str) {
        let mut is_normalized = false;
        for transform in &self.transforms {
            transform.check(caller, self.shape, is_normalized);
            is_normalized |= matches!(transform, Transform::Normalize(_));
        }
        let is_window =
            |transform: &&Transform| matches!(transform, Transform::Augment(_) | Transform::View(_));
        self.n_windows = usize::from(self.transforms.first().is_some_and(|first| is_window(&first)));
        let folded = match self.transforms.get(self.n_windows) {
            Some(Transform::Normalize(normalize)) => Some(normalize),
            _ => None,
        };
        self.table = ByteTable::new(self.shape.channels, folded);
        self.n_done = self.n_windows + usize::from(folded.is_some());
        self.epoch = None;
    }

    /// Whether [`write`](Self::write) needs space for a copy of an image.
    pub(crate) fn needs_copy(&self) -> bool {
        use Transform::{Augment, Rotate, View};
        self.transforms[self.n_done..].iter().any(|rest| matches!(rest, Augment(_) | View(_) | Rotate { .. }))
    }

    /// Prepares the random streams of `epoch`.
    pub(crate) fn start(&mut self, epoch: u64) {
        if self.epoch != Some(epoch) {
            self.epoch = Some(epoch);
            self.streams.clear();
            let places = 0..self.transforms.len() as u64;
            self.streams.extend(places.map(|place| EpochStreams::new(self.seed, place, epoch)));
        }
    }

    /// Writes the image `planes`, as it is seen in the epoch, into `pixels`; `copy` has space for as many
    /// values.
    pub(crate) fn write(&self, planes: &[u8], image_idx: usize, pixels: &mut [f32], copy: &mut [f32]) {
        let view = match self.transforms.first() {
            Some(Transform::Augment(augment)) => self.streams[0].view(augment, image_idx),
            Some(Transform::View(view)) => *view,
            _ => View::PLAIN,
        };
        self.table.write(planes, self.shape, view, pixels);
        for (transform, streams) in self.transforms.iter().zip(&self.streams).skip(self.n_done) {
            transform.apply(streams, self.shape, image_idx, pixels, copy);
        }
    }
}

impl Transform {
    #[track_caller]
    fn check(&self, caller: &str, shape: ImageShape, is_normalized: bool) {
        match self {
            Self::Augment(augment) => augment.check(shape),
            Self::View(view) => view.check(caller, shape),
            Self::Jitter { brightness, contrast, saturation } => {
                assert!(!is_normalized, "{caller}: Jitter takes values from 0 to 1: put it before Normalize");
                let channels = shape.channels;
                assert!(
                    channels == 1 || channels == 3,
                    "{caller}: Jitter of {channels} channels, expected 1 or 3"
                );
                let is_sound = [brightness, contrast, saturation].iter().all(|x| x.is_finite() && **x >= 0.0);
                assert!(is_sound, "{caller}: expected finite, non-negative numbers, found {self:?}");
            }
            Self::Rotate { degrees } => {
                assert!(
                    (0.0..=180.0).contains(degrees),
                    "{caller}: expected 0 to 180 degrees, found {self:?}"
                );
            }
            Self::Erase { probability, area, ratio } => {
                let is_sound = (0.0..=1.0).contains(probability)
                    && 0.0 < area[0]
                    && area[0] <= area[1]
                    && area[1] <= 1.0
                    && 0.0 < ratio[0]
                    && ratio[0] <= ratio[1]
                    && ratio[1].is_finite();
                assert!(
                    is_sound,
                    "{caller}: expected a probability, an area of at most 1 and a ratio, both as \
                     [min, max] above 0, found {self:?}"
                );
            }
            Self::Cutout { size } => assert!(*size > 0, "{caller}: Cutout of 0 pixels"),
            Self::Normalize(normalize) => {
                assert!(!is_normalized, "{caller}: the images would be normalised twice");
                normalize.check_pixels(caller, shape.channels);
            }
        }
    }

    fn apply(
        &self,
        streams: &EpochStreams,
        shape: ImageShape,
        image_idx: usize,
        pixels: &mut [f32],
        copy: &mut [f32],
    ) {
        let mut rng = substream(&streams.changes, image_idx as u64);
        // From −1 to 1.
        let mut even = || 2.0 * random::unit(&mut rng) - 1.0;
        match self {
            Self::Augment(augment) => window(pixels, copy, shape, streams.view(augment, image_idx)),
            Self::View(view) => window(pixels, copy, shape, *view),
            Self::Jitter { brightness, contrast, saturation } => {
                let factors = [brightness, contrast, saturation].map(|&x| factor(x, even()));
                jitter(pixels, shape.channels, factors);
            }
            Self::Rotate { degrees } => {
                rotate(pixels, copy, shape, f64::from(*degrees) * f64::from(even()));
            }
            Self::Erase { probability, area, ratio } => {
                let found = Cut::erased(&mut rng, shape, *probability, *area, *ratio);
                found.into_iter().for_each(|found| cut(pixels, shape, found));
            }
            Self::Cutout { size } => cut(pixels, shape, Cut::square(&mut rng, shape, *size)),
            Self::Normalize(normalize) => normalize.apply_to_pixels(pixels),
        }
    }
}

/// A factor from `[max(0, 1 − x), 1 + x]`; `even` is from −1 to 1.
fn factor(x: f32, even: f32) -> f32 {
    if x <= 1.0 { 1.0 + x * even } else { (1.0 + x) * ((1.0 + even) / 2.0) }
}
