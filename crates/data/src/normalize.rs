//! Means and standard deviations, given or computed.

use crate::Dataset;
use crate::fields::{Kind, ValuesMut};

/// Normalises each channel: (x − mean) / std.
///
/// For images, x = byte / 255. For a [field](crate::Field), x is its value, and the channels are its last
/// axis; it is computed in f64, so that numbers far from 0 or close to the largest f32 keep their differences.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalize {
    /// For each channel, the mean over the training images.
    pub mean: Vec<f64>,
    /// For each channel, the standard deviation over the training images.
    pub std: Vec<f64>,
}

impl Normalize {
    /// The usual values for CIFAR-10: means 0.4914, 0.4822, 0.4465, deviations 0.2470, 0.2435, 0.2616.
    pub fn cifar10() -> Self {
        Self { mean: vec![0.4914, 0.4822, 0.4465], std: vec![0.2470, 0.2435, 0.2616] }
    }

    /// The mean and standard deviation (divided by the number of pixels) of each channel over all images of
    /// `dataset`.
    ///
    /// A channel that is the same in every pixel has the standard deviation 1, so it becomes 0. Bytes are
    /// counted rather than summed, so rounding cannot look like variation.
    ///
    /// # Panics
    /// When there is no image.
    #[track_caller]
    pub fn measure(dataset: &dyn Dataset) -> Self {
        assert!(!dataset.is_empty(), "Normalize::measure: the data set is empty");
        let shape = dataset.image_shape();
        let mut counts = vec![[0_u64; 256]; shape.channels];
        for image_idx in 0..dataset.len() {
            let planes = dataset.image(image_idx).chunks_exact(shape.height * shape.width);
            for (counts, plane) in counts.iter_mut().zip(planes) {
                plane.iter().for_each(|&byte| counts[usize::from(byte)] += 1);
            }
        }
        let (mean, std) = counts.iter().map(mean_and_std).unzip();
        Self { mean, std }
    }

    /// The mean and standard deviation (divided by the number of values) of the field `name` over all
    /// examples of `dataset`, for each position on the field's last axis, such as each feature.
    ///
    /// A position that is the same in every example has the standard deviation 1, so it becomes 0.
    ///
    /// # Panics
    /// When there is no example, or no such f32 field.
    #[track_caller]
    pub fn measure_field(dataset: &dyn Dataset, name: &str) -> Self {
        let field_idx = f32_field("Normalize::measure_field", dataset, name);
        assert!(!dataset.is_empty(), "Normalize::measure_field: the data set is empty");
        let field = &dataset.fields()[field_idx];
        let n_channels = field.shape.last().copied().unwrap_or(1);
        let mut values = vec![0.0; field.len()];
        let mut each_row = |add: &mut dyn FnMut(&[f32])| {
            for example_idx in 0..dataset.len() {
                dataset.read_field(field_idx, example_idx, ValuesMut::F32(&mut values));
                values.chunks_exact(n_channels).for_each(&mut *add);
            }
        };
        let mut n_rows = 0.0;
        let mut means = vec![0.0_f64; n_channels];
        let mut first: Option<Vec<f32>> = None;
        let mut is_constant = vec![true; n_channels];
        each_row(&mut |row| {
            n_rows += 1.0;
            let first = first.get_or_insert_with(|| row.to_vec());
            for (channel, &value) in row.iter().enumerate() {
                means[channel] += f64::from(value);
                is_constant[channel] &= value == first[channel];
            }
        });
        means.iter_mut().for_each(|mean| *mean /= n_rows);
        // Rounding must not make a constant column differ from its mean.
        let constants = first.iter().flatten().zip(&is_constant);
        for (mean, (&value, _)) in
            means.iter_mut().zip(constants).filter(|(_, (_, is_constant))| **is_constant)
        {
            *mean = value.into();
        }
        let mut squares = vec![0.0_f64; n_channels];
        each_row(&mut |row| {
            let terms = squares.iter_mut().zip(&means).zip(row);
            terms.for_each(|((sum, mean), &value)| *sum += (f64::from(value) - mean).powi(2));
        });
        let std = squares.iter().zip(is_constant);
        let std = std.map(|(m2, is_constant)| if is_constant { 1.0 } else { (m2 / n_rows).sqrt() });
        Self { std: std.collect(), mean: means }
    }

    /// Panics unless there is a valid mean and deviation for each channel.
    #[track_caller]
    pub(crate) fn check(&self, caller: &str, what: &str, n_channels: usize) {
        let (n_means, n_stds) = (self.mean.len(), self.std.len());
        assert!(
            n_means == n_channels && n_stds == n_channels,
            "{caller}: {n_means} means and {n_stds} standard deviations for {what} of {n_channels} channels",
        );
        let mut stds = self.std.iter();
        let sound = self.mean.iter().all(|mean| mean.is_finite())
            && stds.all(|&std| 0.0 < std && std < f64::INFINITY);
        assert!(
            sound,
            "{caller}: means must be finite and standard deviations positive and finite, found {self:?}"
        );
    }

    /// The same for pixels, which are normalised in f32.
    #[track_caller]
    pub(crate) fn check_pixels(&self, caller: &str, n_channels: usize) {
        self.check(caller, "images", n_channels);
        let mut stds = self.std.iter().map(|&std| std as f32);
        let sound = self.mean.iter().all(|&mean| (mean as f32).is_finite())
            && stds.all(|std| 0.0 < std && (1.0 / std).is_finite() && std < f32::INFINITY);
        assert!(
            sound,
            "{caller}: pixels are f32, and means or standard deviations are beyond its range, found {self:?}"
        );
    }

    /// Normalises the pixels of an image, in f32 as for all images.
    pub(crate) fn apply_to_pixels(&self, pixels: &mut [f32]) {
        for pixel in pixels.chunks_exact_mut(self.mean.len()) {
            let channels = pixel.iter_mut().zip(&self.mean).zip(&self.std);
            channels.for_each(|((value, &mean), &std)| *value = (*value - mean as f32) / std as f32);
        }
    }

    /// Normalises a field, whose last axis is channels, in f64.
    pub(crate) fn apply_to_field(&self, values: &mut [f32]) {
        for row in values.chunks_exact_mut(self.mean.len()) {
            let channels = row.iter_mut().zip(&self.mean).zip(&self.std);
            channels.for_each(|((value, mean), std)| *value = ((f64::from(*value) - mean) / std) as f32);
        }
    }
}

/// The index of the f32 field `name`.
#[track_caller]
pub(crate) fn f32_field(caller: &str, dataset: &dyn Dataset, name: &str) -> usize {
    let fields = dataset.fields();
    let found = fields.iter().position(|field| field.name == name && field.kind == Kind::F32);
    found.unwrap_or_else(|| panic!("{caller}: no f32 field {name} among {fields:?}"))
}

/// The mean and standard deviation of x = byte / 255, given how often each byte occurs. The deviation is
/// computed from squared distances to the mean, and is 1 if all are the same.
fn mean_and_std(counts: &[u64; 256]) -> (f64, f64) {
    let n = counts.iter().sum::<u64>() as f64;
    let sum_over = |value: &dyn Fn(f64) -> f64| -> f64 {
        (0..).zip(counts).map(|(byte, &count)| count as f64 * value(f64::from(byte))).sum()
    };
    let mean = sum_over(&|byte| byte) / n;
    let m2 = sum_over(&|byte| (byte - mean).powi(2));
    let is_constant = counts.iter().filter(|&&count| count > 0).count() == 1;
    (mean / 255.0, if is_constant { 1.0 } else { (m2 / n).sqrt() / 255.0 })
}
