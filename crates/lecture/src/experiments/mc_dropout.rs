//! Monte Carlo dropout: how uncertain the network is about an image that is rotated step by step.

use std::path::Path;

use anyhow::{Result, ensure};
use autograd::{Mode, Tape};
use clap::Args;
use classifier::ranges::within;
use classifier::softmax;
use foreign_text::Foreign;
use nn::Layer;
use viz::{Figure, ImageGrid, Tile};

use super::Experiment;
use crate::page::bibliography::GAL_GHAHRAMANI;
use crate::page::{Section, Table, count};
use crate::subjects::network::{NetworkFlags, Trained, first_of_class, rgb};
use crate::subjects::statistics;

/// The network, the image, and the number of stochastic passes.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct McDropout {
    /// The network.
    #[command(flatten)]
    pub network: NetworkFlags,

    /// The class whose first test image is rotated, counted from 0
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = within::<0, 9>)]
    pub class: usize,

    /// Stochastic passes at each angle
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = within::<1, 1000>)]
    pub passes: usize,

    /// Steps in half a turn
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = within::<1, 360>)]
    pub steps: usize,
}

/// What many stochastic passes predict for one image.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// For each class, the mean of its probabilities.
    pub mean: Vec<f64>,
    /// For each class, their standard deviation.
    pub std: Vec<f64>,
}

/// Rotates an image of 32 × 32 pixels anticlockwise about its centre; the edge fills what is outside.
pub fn turned(rgb: &[u8], degrees: f64) -> Vec<u8> {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let pixel = |row: i32, column: i32, channel: usize| {
        f64::from(rgb[(row.clamp(0, 31) * 32 + column.clamp(0, 31)) as usize * 3 + channel])
    };
    let mut out = Vec::with_capacity(rgb.len());
    for i in 0..32 * 32 {
        let (y, x) = (f64::from(i / 32) - 15.5, f64::from(i % 32) - 15.5);
        let (row, column) = (cos * y + sin * x + 15.5, cos * x - sin * y + 15.5);
        let (top, left) = (row.floor(), column.floor());
        let (down, right) = (row - top, column - left);
        for channel in 0..3 {
            let at = |dy, dx| pixel(top as i32 + dy, left as i32 + dx, channel);
            let upper = (1.0 - right) * at(0, 0) + right * at(0, 1);
            let lower = (1.0 - right) * at(1, 0) + right * at(1, 1);
            out.push(((1.0 - down) * upper + down * lower).round() as u8);
        }
    }
    out
}

/// Runs the network `n_passes` times with dropout on: as many copies of the image in one batch, each with its own
/// mask.
pub fn predict(trained: &Trained, image: &[u8], n_passes: usize, seed: u64) -> Prediction {
    let (net, mut params) = trained.build();
    let mut tape = Tape::new();
    let g = tape.begin(&mut params, Mode::train(seed, 0).with_grad(false));
    let x = g.input([n_passes, 32, 32, 3], &trained.normalized(image).repeat(n_passes));
    let logits = net.forward(&g, x);
    let n_classes = trained.classes().len();
    let passes: Vec<Vec<f64>> = g.value(logits).chunks_exact(n_classes).map(softmax).collect();
    let of_class = |class: usize| passes.iter().map(|p| p[class]).collect::<Vec<f64>>();
    let mean = (0..n_classes).map(|class| statistics::mean(&of_class(class))).collect();
    let std = (0..n_classes).map(|class| statistics::variance(&of_class(class)).max(0.0).sqrt()).collect();
    Prediction { mean, std }
}

/// An image in all its turns, and what is said of each.
struct Turn {
    angles: Vec<f64>,
    images: Vec<Vec<u8>>,
    opinions: Vec<Prediction>,
}

impl Turn {
    /// The mean or the deviation of a class, angle by angle.
    fn column(&self, values: fn(&Prediction) -> &Vec<f64>, class: usize) -> Vec<f64> {
        self.opinions.iter().map(|prediction| values(prediction)[class]).collect()
    }

    /// Adds the images with the leading class of each.
    fn show_images(&self, section: &mut Section, classes: &[String]) -> Result<()> {
        let tile = |((image, angle), Prediction { mean, std }): ((&Vec<u8>, &f64), &Prediction)| {
            let best = (1..mean.len()).fold(0, |best, i| if mean[i] > mean[best] { i } else { best });
            let share = 100.0 * mean[best];
            let caption =
                format!("{angle:.0}°\n{} {share:.0} %\n± {:.0} %", classes[best], 100.0 * std[best]);
            Tile::rgb(32, 32, image).caption(caption)
        };
        let tiles: Vec<Tile> = self.images.iter().zip(&self.angles).zip(&self.opinions).map(tile).collect();
        let grid = |n_columns| {
            let grid = ImageGrid::new("Turned step by step", n_columns);
            tiles.iter().cloned().fold(grid, ImageGrid::tile)
        };
        section.plot(
            "images",
            &grid(7),
            &grid(3),
            "Under each image: the angle, the leading class, and the mean ± deviation of its probability.",
        )
    }

    /// Adds the curves of the true class and of those that come closest.
    fn show_opinions(&self, section: &mut Section, classes: &[String], true_class: usize) -> Result<()> {
        let peak = |class: &usize| self.column(|o| &o.mean, *class).into_iter().fold(0.0, f64::max);
        let mut order: Vec<usize> = (0..classes.len()).filter(|class| *class != true_class).collect();
        order.sort_by(|a, b| peak(b).total_cmp(&peak(a)));
        let mut figure = Figure::new("What the passes say, angle by angle")
            .x_label("angle, degrees")
            .y_label("mean probability");
        let (mean, std) = (self.column(|o| &o.mean, true_class), self.column(|o| &o.std, true_class));
        let side = |sign: f64| {
            let sides = mean.iter().zip(&std).map(|(m, s)| (m + sign * 2.0 * s).clamp(0.0, 1.0));
            sides.collect::<Vec<f64>>()
        };
        figure = figure.band("", &self.angles, &side(-1.0), &side(1.0)).line(
            format!("{} ± two deviations", classes[true_class]),
            &self.angles,
            &mean,
        );
        for &class in order.iter().take(3) {
            figure = figure.line(classes[class].as_str(), &self.angles, &self.column(|o| &o.mean, class));
        }
        section.figure(
            "opinions",
            figure,
            "The true class with its band of uncertainty, and the three others that come closest at any angle. Where \
             the line of another class runs through the band, the passes do not decide between the two.",
        )
    }
}

impl Experiment for McDropout {
    const TITLE: &'static str = "Its uncertainty";

    fn on(self, data: Option<&Path>, model: Option<&Path>) -> Self {
        Self { network: self.network.on(data, model), ..self }
    }

    fn run(&self, section: &mut Section) -> Result<()> {
        let trained = self.network.network()?;
        let (classes, test) = (trained.classes(), &trained.images.test);
        let image = rgb(test, first_of_class(test, self.class)?);
        let angles: Vec<f64> = (0..=self.steps).map(|i| 180.0 * i as f64 / self.steps as f64).collect();
        let images: Vec<Vec<u8>> = angles.iter().map(|&angle| turned(&image, angle)).collect();
        let asked = images.iter().map(|image| predict(&trained, image, self.passes, self.network.seed));
        let turn = Turn { opinions: asked.collect(), angles, images };
        ensure!(
            turn.opinions.iter().all(|opinion| opinion.mean.iter().all(|p| p.is_finite())),
            "the network's answer to the image is NaN or infinite"
        );

        section.text(&format!(
            "An image of the class *{}* is rotated step by step, and at each step it is passed {} times, with dropout \
             left on, through {}. The mean of the probabilities is the prediction; their standard deviation is its \
             uncertainty.",
            Foreign::new(&classes[self.class]).markdown(),
            count(self.passes),
            self.network.describe(&trained)
        ));
        turn.show_images(section, classes)?;
        turn.show_opinions(section, classes, self.class)?;
        section.exercises(&[
            (
                "At which angles is the network confident but wrong? Is there a class for which it never is?",
                "descent lecture mc-dropout --class 8",
            ),
            (
                "How many passes does it take to tell a deviation of 0.1 from one of 0.12?",
                "descent lecture mc-dropout --passes 400",
            ),
        ]);
        section.readings(&[GAL_GHAHRAMANI]);
        let columns: Vec<(String, Vec<f64>)> = (0..classes.len())
            .flat_map(|class| {
                let name = &classes[class];
                [
                    (format!("{name} mean"), turn.column(|o| &o.mean, class)),
                    (format!("{name} std"), turn.column(|o| &o.std, class)),
                ]
            })
            .collect();
        let columns = columns.iter().map(|(name, values)| (name.clone(), values.as_slice()));
        let angle = std::iter::once(("angle".to_owned(), turn.angles.as_slice()));
        section.data("opinions", &Table::of_columns(angle.chain(columns)));
        Ok(())
    }
}
