//! Smaller images in the early epochs: the cost of a step is proportional to their area.

use anyhow::{Context, Error, Result, ensure};
use autograd::{Graph, Params, Var};
use classifier::Images;
use data::ImageShape;
use nn::{Layer, Sequential};
use tensor::interpolate::{Interpolation, ResizeTo};

use crate::cli::Settings;
use crate::flags::resizes;
use crate::recipe::Length;

/// A network, and the size to which its input images are resized.
#[derive(Clone, Copy)]
pub struct Network<'a> {
    net: &'a Sequential,
    size: Option<[usize; 2]>,
}

impl<'a> Network<'a> {
    /// For images at their own size.
    pub fn new(net: &'a Sequential) -> Self {
        Self { net, size: None }
    }

    /// The logits of images `[n, h, w, c]` of any size, `[n, n_classes]`.
    pub fn forward(self, g: &Graph<'_>, images: Var) -> Var {
        let images = match self.size {
            None => images,
            Some(size) => {
                g.interpolate(images, ResizeTo::Size(size), Interpolation::Bilinear { align_corners: false })
            }
        };
        self.net.forward(g, images)
    }
}

/// The smaller sizes of a run, each with the network built for it.
pub struct Sizes(Vec<Phase>);

struct Phase {
    /// The first step after it.
    end: u64,
    size: [usize; 2],
    net: Sequential,
}

impl Sizes {
    /// The sizes that `--resize-until` selects, for a network with these parameters.
    ///
    /// # Errors
    /// When the examples are not images, a size is not smaller than theirs, or the network has other
    /// parameters at it.
    pub fn new(settings: &Settings, params: &Params, images: &Images, length: Length) -> Result<Self> {
        let Some(text) = &settings.resize_until else { return Ok(Self(Vec::new())) };
        let shape = images.input_shape();
        ensure!(
            !images.train.image_shape().is_empty(),
            "--resize-until needs images, but the examples are rows of numbers"
        );
        let phase = |(epochs, height): (f64, usize)| -> Result<Phase> {
            ensure!(
                height < shape.height,
                "--resize-until: {height} pixels, expected fewer than the {} of an image",
                shape.height
            );
            // Keeps the aspect ratio as closely as whole pixels allow.
            let width = (height * shape.width).div_ceil(shape.height);
            let small = ImageShape { height, width, ..shape };
            let net = settings.net.network(small, images.train.class_names().len(), settings.dropout as f32);
            let (net, own) =
                nn::build(net.context("--resize-until")?.fuse(!settings.no_fusion), settings.seed);
            let same = |(a, b): (&autograd::Entry, &autograd::Entry)| a.name == b.name && a.shape == b.shape;
            let is_same = own.entries().len() == params.entries().len()
                && own.entries().iter().zip(params.entries()).all(same);
            ensure!(
                is_same,
                "--resize-until: the network {} has different parameters for images of {height} × {width} \
                 than for {} × {}. Use one that ends in a pool over the whole image: airbench94, depthwise, \
                 resnet20, resnet18",
                settings.net,
                shape.height,
                shape.width
            );
            Ok(Phase { end: length.step_after(epochs), size: [height, width], net })
        };
        let phases = resizes(text).map_err(Error::msg).context("--resize-until")?;
        phases.into_iter().map(phase).collect::<Result<_>>().map(Self)
    }

    /// The network for a step; `full` once images have their own size.
    pub fn at<'a>(&'a self, step: u64, full: &'a Sequential) -> Network<'a> {
        match self.0.iter().find(|phase| step < phase.end) {
            Some(Phase { size, net, .. }) => Network { net, size: Some(*size) },
            None => Network::new(full),
        }
    }

    /// The networks for smaller images, with their height and width.
    pub fn networks(&self) -> impl Iterator<Item = (&Sequential, [usize; 2])> {
        self.0.iter().map(|phase| (&phase.net, phase.size))
    }

    /// What the steps of the run cost, beside those on images of their own size.
    pub fn costs(&self, full: ImageShape) -> Costs {
        let area = (full.height * full.width) as f64;
        let share = |phase: &Phase| phase.size.iter().product::<usize>() as f64 / area;
        Costs::new(self.0.iter().map(|phase| (phase.end, share(phase))))
    }

    /// A description with a line for each size.
    pub fn describe(&self) -> String {
        let line = |phase: &Phase| {
            let Phase { end, size: [height, width], .. } = phase;
            format!("images of {height} × {width} up to step {end}\n")
        };
        self.0.iter().map(line).collect()
    }
}

/// What steps cost, to estimate the time of those to come: 1 for a step on a whole batch of images of their own
/// size, on smaller ones their share of its area.
#[derive(Clone, Debug, Default)]
pub struct Costs(Vec<(u64, f64)>);

impl Costs {
    /// The first step after each phase and the cost of its steps, in order; 1 after the last.
    pub fn new(phases: impl IntoIterator<Item = (u64, f64)>) -> Self {
        Self(phases.into_iter().collect())
    }

    /// The same with the cost of each step before `end` multiplied by `factor`.
    pub fn times_until(self, end: u64, factor: f64) -> Self {
        let (mut phases, mut start) = (Vec::new(), 0);
        for (phase_end, cost) in self.0.into_iter().chain([(u64::MAX, 1.0)]) {
            if start < end {
                phases.push((phase_end.min(end), cost * factor));
            }
            if end < phase_end {
                phases.push((phase_end, cost));
            }
            start = phase_end;
        }
        Self(phases)
    }

    /// The cost of the steps from `start` up to `end`, without it.
    pub fn between(&self, start: u64, end: u64) -> f64 {
        let (mut sum, mut from) = (0.0, start);
        for (phase_end, cost) in self.0.iter().copied().chain([(u64::MAX, 1.0)]) {
            let to = phase_end.min(end).max(from);
            sum += (to - from) as f64 * cost;
            from = to;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_steps_count_as_their_area() {
        let costs = Costs::new([(10, 0.25), (20, 0.5)]);
        let one_by_one = |start, end| (start..end).map(|step| costs.between(step, step + 1)).sum::<f64>();
        for (start, end) in [(0, 30), (5, 12), (10, 20), (19, 21), (25, 30), (7, 7), (30, 5)] {
            assert_eq!(costs.between(start, end), one_by_one(start, end), "{start}..{end}");
        }
        assert_eq!(costs.between(0, 30), 2.5 + 5.0 + 10.0);
        assert_eq!(Costs::default().between(3, 8), 5.0);
        for (end, expected) in
            [(0, 17.5), (5, 16.875), (10, 16.25), (15, 15.0), (20, 13.75), (25, 11.25), (40, 8.75)]
        {
            assert_eq!(costs.clone().times_until(end, 0.5).between(0, 30), expected, "half until {end}");
        }
        assert_eq!(Costs::default().times_until(5, 0.5).between(3, 8), 4.0);
    }
}
