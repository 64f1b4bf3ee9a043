//! What the network has learned to look for, and what it sees in an image.

use std::path::Path;

use anyhow::{Result, ensure};
use autograd::{Mode, Tape};
use clap::Args;
use classifier::Images;
use classifier::ranges::within;
use data::Dataset;
use nn::Layer;
use viz::{Grid, ImageGrid, Tile};

use super::Experiment;
use crate::page::Section;
use crate::page::bibliography::ZEILER_FERGUS;
use crate::subjects::network::{NetworkFlags, Trained, rgb};

/// The network, and the image it looks at.
#[derive(Clone, Debug, PartialEq, Args)]
#[command(mut_arg("seed", |seed| seed.conflicts_with("model")))]
pub struct CnnInside {
    /// The network.
    #[command(flatten)]
    pub network: NetworkFlags,

    /// The test image to look at, counted from 0
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = within::<0, 9999>)]
    pub image: usize,

    /// Channels to show of each block, the most active first
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = within::<1, 128>)]
    pub channels: usize,
}

/// The activations of one block.
#[derive(Clone, Debug, PartialEq)]
pub struct Maps {
    /// Height and width.
    pub side: usize,
    /// One map per channel, row by row.
    pub channels: Vec<Vec<f32>>,
}

fn sum(channel: &[f32]) -> f32 {
    channel.iter().sum()
}

impl Maps {
    /// The channels' indices, those with the largest sums first.
    pub fn loudest(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.channels.len()).collect();
        order.sort_by(|&a, &b| sum(&self.channels[b]).total_cmp(&sum(&self.channels[a])));
        order
    }

    fn loudest_as_images(&self, block: usize, n_channels: usize, n_columns: usize) -> ImageGrid {
        let Self { side, channels } = self;
        let n_silent = channels.iter().filter(|channel| sum(channel) == 0.0).count();
        let title = format!("block {block}: {side} × {side}, {n_silent} of {} silent", channels.len());
        let grid = ImageGrid::new(title, n_columns).tile_width(64);
        let shown = self.loudest().into_iter().take(n_channels);
        shown.fold(grid, |grid, i| grid.tile(Tile::gray(*side, *side, &channels[i])))
    }
}

/// The filters of the first convolution, 3 × 3 pixels each, red, green and blue; all have one scale, so that
/// 0 is the same grey everywhere.
pub fn filters(trained: &Trained) -> Vec<Vec<u8>> {
    let (_, params) = trained.up_to_block(1);
    let weight = params.value(params.find("0.weight").expect("the first layer has weights"));
    let largest = weight.iter().fold(f32::MIN_POSITIVE, |max, w| max.max(w.abs()));
    let byte = |w: f32| (127.5 + 127.5 * w / largest).round() as u8;
    let filter = |w: &[f32]| (0..9).flat_map(|i| [w[i], w[9 + i], w[18 + i]].map(byte)).collect();
    weight.chunks_exact(27).map(filter).collect()
}

/// The activations of each of the three blocks for an image, after its ReLU.
pub fn activations(trained: &Trained, image: &[u8]) -> [Maps; 3] {
    [1, 2, 3].map(|block| {
        let (net, mut params) = trained.up_to_block(block);
        let mut tape = Tape::new();
        let g = tape.begin(&mut params, Mode::eval());
        let x = g.input([1, 32, 32, 3], &trained.normalized(image));
        let y = net.forward(&g, x);
        let (side, n_channels) = (g.shape(y)[1], g.shape(y)[3]);
        let values = g.value(y);
        let channel = |c| values.iter().skip(c).step_by(n_channels).copied().collect();
        Maps { side, channels: (0..n_channels).map(channel).collect() }
    })
}

impl Experiment for CnnInside {
    const TITLE: &'static str = "Inside the network";

    fn on(self, data: Option<&Path>, model: Option<&Path>) -> Self {
        Self { network: self.network.on(data, model), ..self }
    }

    fn run(&self, section: &mut Section) -> Result<()> {
        let n_test = Images::open(self.network.data.as_deref())?.test.len();
        ensure!(
            self.image < n_test,
            "--image {}: expected a whole number from 0 to {}",
            self.image,
            n_test - 1
        );
        let trained = self.network.network()?;
        let test = &trained.images.test;
        section.text(&format!("We look inside {}.", self.network.describe(&trained)));
        let filters = filters(&trained);
        let grid = |tile_width| {
            let grid = ImageGrid::new("The filters of the first convolution", 8).tile_width(tile_width);
            filters.iter().fold(grid, |grid, f| grid.tile(Tile::rgb(3, 3, f)))
        };
        section.plot(
            "filters",
            &grid(56),
            &grid(27),
            &section.told(
                "32 filters of 3 × 3 pixels, grey where the weight is zero. Light next to dark detects an edge; a colour \
                 detects that colour.",
                "After three epochs, much of the random initialisation is still there.",
            ),
        )?;
        let image = rgb(test, self.image);
        let name = &trained.classes()[test.label(self.image) as usize];
        let shown =
            ImageGrid::new("The image", 1).tile(Tile::rgb(32, 32, &image).caption(name)).tile_width(160);
        section.plot("image", &shown, &shown, "The network's input.")?;
        let blocks = activations(&trained, &image);
        ensure!(
            blocks.iter().all(|maps| maps.channels.iter().flatten().all(|value| value.is_finite())),
            "the network's activations are NaN or infinite"
        );
        let grid = |n_columns: usize| {
            let n_rows = self.channels.div_ceil(n_columns) as u32;
            let size = (78 * n_columns as u32 + 16, 78 * n_rows + 60);
            let grid = Grid::new("What each block makes of it", 1).panel_size(size.0, size.1);
            blocks.iter().enumerate().fold(grid, |grid, (block, maps)| {
                grid.panel(maps.loudest_as_images(block + 1, self.channels, n_columns))
            })
        };
        section.plot(
            "activations",
            &grid(8),
            &grid(4),
            "The most active channels of each block after the ReLU. Black is the smallest activation of a channel, white \
             its largest. The first block still shows the image; the third only shows where something is. A silent \
             channel is 0 everywhere for this image, and plain grey if it is shown.",
        )?;
        section.exercises(&[
            (
                "The titles count the channels that are silent for this image. Are they as many for another one?",
                "descent lecture cnn-inside --image 10",
            ),
            ("Untrained filters are noise. What does the first layer look like after an epoch on 500 images?",
                "descent lecture cnn-inside --epochs 1 --images 500"),
        ]);
        section.readings(&[ZEILER_FERGUS]);
        Ok(())
    }
}
