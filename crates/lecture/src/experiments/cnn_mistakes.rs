//! The network's confusion matrix and its most confident mistakes.

use std::path::Path;

use anyhow::Result;
use autograd::{Mode, Tape};
use clap::Args;
use classifier::ranges::within;
use classifier::softmax;
use data::{Batch, Loader};
use nn::Layer;
use viz::{Border, HeatMap, ImageGrid, Tile};

use super::Experiment;
use crate::page::bibliography::GUO;
use crate::page::{Cell, Section, Table, count};
use crate::subjects::network::{NetworkFlags, Trained, rgb};
use crate::subjects::statistics::standard_error;

/// The network, and how many of its mistakes are shown.
#[derive(Clone, Debug, PartialEq, Args)]
#[command(mut_arg("seed", |seed| seed.conflicts_with("model")))]
pub struct CnnMistakes {
    /// The network.
    #[command(flatten)]
    pub network: NetworkFlags,

    /// Mistakes to show
    #[arg(long, value_name = "N", default_value_t = 18, value_parser = within::<1, 1000>)]
    pub mistakes: usize,
}

/// A misclassified test image.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistake {
    /// Its index in the test set.
    pub image: usize,
    /// Its class.
    pub is: usize,
    /// The class that the network predicted.
    pub said: usize,
    /// The probability that the network gave that class.
    pub confidence: f64,
}

/// All mistakes on the test set, the most confident first.
///
/// # Errors
/// When the images can no longer be read.
pub fn mistakes(trained: &Trained) -> Result<Vec<Mistake>> {
    let (net, mut params) = trained.build();
    let (mut tape, mut batch, mut mistakes) = (Tape::new(), Batch::new(), Vec::new());
    let mut loader = Loader::new(&trained.images.test, 64).normalize(&trained.normalize);
    while loader.next_into(&mut batch)? {
        let g = tape.begin(&mut params, Mode::eval());
        let logits = net.forward(&g, g.images(&batch));
        let rows = g.value(logits).chunks_exact(trained.classes().len());
        for ((logits, &is), &image) in rows.zip(batch.labels()).zip(batch.indices()) {
            let p = softmax(logits);
            let said = (1..p.len()).fold(0, |best, i| if p[i] > p[best] { i } else { best });
            if said != is as usize {
                mistakes.push(Mistake { image, is: is as usize, said, confidence: p[said] });
            }
        }
    }
    mistakes.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    Ok(mistakes)
}

impl Experiment for CnnMistakes {
    const TITLE: &'static str = "Its mistakes";

    fn on(self, data: Option<&Path>, model: Option<&Path>) -> Self {
        Self { network: self.network.on(data, model), ..self }
    }

    fn run(&self, section: &mut Section) -> Result<()> {
        let trained = self.network.network()?;
        let (evaluation, classes) = (trained.evaluate()?, trained.classes());
        section.text(&format!(
            "The test set is passed once through {}. In evaluation mode dropout does nothing, and the class with the \
             largest output is the prediction.",
            self.network.describe(&trained)
        ));
        let counts: Vec<u64> = (0..classes.len()).flat_map(|class| evaluation.row(class).to_vec()).collect();
        section.plot(
            "confusion",
            &HeatMap::confusion("Confusion on the test set", classes, &counts),
            &HeatMap::confusion("Confusion on the test set", classes, &counts).size(328, 370),
            "Rows are the true classes, columns the predicted ones; mistakes are off the diagonal.",
        )?;
        let header = std::iter::once("is").chain(classes.iter().map(String::as_str));
        let mut table = Table::new(header);
        for (class, name) in classes.iter().enumerate() {
            let counts = evaluation.row(class).iter().map(|&count| Cell::Count(count));
            table.push(std::iter::once(name.as_str().into()).chain(counts));
        }
        section.data("confusion", &table);
        let mut table = Table::new(["class", "accuracy, %"]).decimals(1);
        for (class, name) in classes.iter().enumerate() {
            table.push([name.as_str().into(), evaluation.class_accuracy(class).into()]);
        }
        table.push(["all".into(), evaluation.score().accuracy.into()]);
        let n_images: u64 = counts.iter().sum();
        section.table(
            "accuracy",
            &format!(
                "Accuracy by class on {} test images. On so many images, the last number has a standard error of ±{:.1}.",
                count(n_images as usize),
                standard_error(evaluation.score().accuracy, n_images as usize)
            ),
            table,
        );

        let mistakes = mistakes(&trained)?;
        if mistakes.is_empty() {
            section.text("It made no mistakes.");
            return Ok(());
        }
        let mut table = Table::new(["test image", "is", "taken for", "probability"]);
        for m in &mistakes {
            let [is, said] = [m.is, m.said].map(|class| classes[class].as_str().into());
            table.push([m.image.into(), is, said, m.confidence.into()]);
        }
        section.data("mistakes", &table);
        let tile = |Mistake { image, is, said, confidence }: &Mistake| {
            let caption = format!("{} {:.0} %\nis: {}", classes[*said], 100.0 * confidence, classes[*is]);
            Tile::rgb(32, 32, &rgb(&trained.images.test, *image)).caption(caption).border(Border::Bad)
        };
        let tiles: Vec<Tile> = mistakes.iter().take(self.mistakes).map(tile).collect();
        let grid = |n_columns| {
            let grid = ImageGrid::new("The most confident mistakes", n_columns);
            tiles.iter().cloned().fold(grid, ImageGrid::tile)
        };
        section.plot(
            "mistakes",
            &grid(6),
            &grid(3),
            "The mistakes that the network was most confident of, each with the predicted and the true class. Some are \
             hard for us too, and some are not. A high probability is no proof of being right.",
        )?;
        section.exercises(&[
            (
                "Train longer. Do the most confident mistakes become less confident?",
                "descent lecture cnn-mistakes --epochs 6",
            ),
            (
                "Look at a hundred of them. Is there a pattern in which classes are confused?",
                "descent lecture cnn-mistakes --mistakes 100",
            ),
        ]);
        section.readings(&[GUO]);
        Ok(())
    }
}
