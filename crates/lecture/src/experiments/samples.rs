//! The images, and how many batches they make.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use classifier::Images;
use classifier::ranges::within;
use data::{Batch, Dataset, ImageShape, InMemory, Loader};
use viz::{ImageGrid, Tile};

use super::Experiment;
use crate::page::bibliography::CIFAR;
use crate::page::{Section, Table, count};
use crate::subjects::network::rgb;

/// The images to be shown.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct Samples {
    /// Folder of CIFAR-10 [default: datasets/cifar-10-batches-bin, else the built-in set]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Images per class
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = within::<1, 100>)]
    pub per_class: usize,

    /// Images per batch
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = within::<1, 50_000>)]
    pub batch_size: usize,
}

/// The batches of an epoch: how many, and how many images the last one has.
///
/// # Errors
/// When the images can no longer be read.
pub fn batches(images: &dyn Dataset, batch_size: usize) -> Result<(usize, usize)> {
    let (mut loader, mut batch) = (Loader::new(images, batch_size), Batch::new());
    let (mut n_batches, mut last) = (0, 0);
    while loader.next_into(&mut batch)? {
        (n_batches, last) = (n_batches + 1, batch.len());
    }
    Ok((n_batches, last))
}

/// `n_images` images of one black pixel, for when only their number matters.
pub fn stand_in(n_images: usize) -> InMemory {
    let pixel = ImageShape { height: 1, width: 1, channels: 1 };
    InMemory::new(pixel, vec![0; n_images], vec![0; n_images], ["black"])
}

impl Samples {
    /// The first images of each class, class after class.
    pub fn chosen(&self, images: &dyn Dataset) -> Vec<usize> {
        let of_class = |class| {
            let all = (0..images.len()).filter(move |&idx| images.label(idx) as usize == class);
            all.take(self.per_class)
        };
        (0..images.class_names().len()).flat_map(of_class).collect()
    }
}

impl Experiment for Samples {
    const TITLE: &'static str = "CIFAR-10";

    fn on(self, data: Option<&Path>, _: Option<&Path>) -> Self {
        Self { data: data.map(Path::to_owned).or(self.data), ..self }
    }

    fn run(&self, section: &mut Section) -> Result<()> {
        let images = Images::open(self.data.as_deref())?;
        section.text(&format!(
            "CIFAR-10 is a set of 50,000 training photographs and 10,000 test photographs in ten classes, 32 × 32 pixels \
             in colour. `cargo xtask fetch-cifar` downloads it; without it, this page is made from ten classes of drawn \
             shapes, which are built in and read by the same code. What you see here is {}. A byte becomes a number \
             between 0 and 1, byte / 255, with no further preprocessing.",
            images.name
        ));
        let names = images.train.class_names();
        let tile = |&idx: &usize| {
            let title = &names[images.train.label(idx) as usize];
            Tile::rgb(32, 32, &rgb(&images.train, idx)).caption(title)
        };
        let tiles: Vec<Tile> = self.chosen(&images.train).iter().map(tile).collect();
        let grid = |n_columns| {
            let title = format!("From {}", images.name);
            tiles.iter().cloned().fold(ImageGrid::new(title, n_columns), ImageGrid::tile)
        };
        section.plot(
            "images",
            &grid(2 * self.per_class.min(50)),
            &grid(self.per_class.min(3)),
            &format!("The first {} training images of each class, enlarged. Most of the time you can tell what they show.",
                self.per_class),
        )?;

        section.text("An epoch is one pass over all images, in batches; the last batch gets what is left.");
        let mut table = Table::new(["", "images", "batches", "images in the last"]);
        let cifar = [("CIFAR-10, training", 50_000), ("CIFAR-10, test", 10_000)];
        let cifar = cifar.map(|(name, n)| (name.to_owned(), n, batches(&stand_in(n), self.batch_size)));
        let here = [("training", &images.train), ("test", &images.test)].map(|(part, set)| {
            (format!("{}, {part}", images.name), set.len(), batches(set, self.batch_size))
        });
        let here = here.into_iter().filter(|(name, ..)| cifar.iter().all(|(other, ..)| name != other));
        let rows: Vec<_> = here.collect();
        for (name, n_images, batches) in cifar.into_iter().chain(rows) {
            let (n_batches, last) = batches?;
            table.push([name.into(), n_images.into(), n_batches.into(), last.into()]);
        }
        section.table(
            "batches",
            &format!(
                "Batches of {} images. For CIFAR-10, black pixels stand in for the images.",
                count(self.batch_size)
            ),
            table,
        );
        section.exercises(&[
            (
                "For which batch sizes is the last batch of CIFAR-10's training set a full one? Find three.",
                "descent lecture samples --batch-size 125",
            ),
            (
                "Look at thirty images of each class: which pairs of classes would you mix up?",
                "descent lecture samples --per-class 30",
            ),
        ]);
        section.readings(&[CIFAR]);
        Ok(())
    }
}
