//! The network's training: the fifty epochs on record, and a few on the spot.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use foreign_text::{Foreign, shown_path};
use viz::Figure;

use super::Experiment;
use crate::page::bibliography::{CIFAR, KINGMA_BA, LECTURE as THE_LECTURE, LOSHCHILOV_HUTTER};
use crate::page::{Cell, Section, Table};
use crate::subjects::network::{NetworkFlags, Trained};

/// Which training runs are shown.
#[derive(Clone, Debug, PartialEq, Args)]
#[command(mut_arg("seed", |seed| seed.conflicts_with("model")))]
pub struct CnnTraining {
    /// What is trained on the spot.
    #[command(flatten)]
    pub network: NetworkFlags,

    /// Folder of a finished run, to show its history.csv instead of the run on record
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
}

/// The columns of a run's history that are drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// The epochs, from 1.
    pub epoch: Vec<f64>,
    /// The mean of the batch means.
    pub train_loss: Vec<f64>,
    /// The mean over all images.
    pub train_loss_per_sample: Vec<f64>,
    /// Loss on the test set, in evaluation mode.
    pub test_loss: Vec<f64>,
    /// Accuracy on the test set in percent.
    pub test_accuracy: Vec<f64>,
}

/// The losses that the lecture prints: (epoch, loss).
pub const LECTURE: [(f64, f64); 15] = [
    (1.0, 1.6063),
    (2.0, 1.3142),
    (3.0, 1.2205),
    (4.0, 1.1668),
    (5.0, 1.1335),
    (6.0, 1.0996),
    (7.0, 1.0810),
    (8.0, 1.0594),
    (9.0, 1.0465),
    (10.0, 1.0295),
    (46.0, 0.8931),
    (47.0, 0.8802),
    (48.0, 0.8820),
    (49.0, 0.8748),
    (50.0, 0.8847),
];

/// The accuracy that the lecture ends with, in percent.
pub const LECTURE_ACCURACY: f64 = 68.98;

impl Course {
    /// The project's run of the lecture's fifty epochs on CIFAR-10.
    ///
    /// # Errors
    /// When the file in the source tree is not a history.
    pub fn on_record() -> Result<Self> {
        Self::parse(include_str!("../../../../docs/results/lecture-cnn/history.csv"))
    }

    /// The history of the run in `dir`.
    ///
    /// # Errors
    /// When the file cannot be read, is not a history, or an epoch has no test loss; the error names it.
    pub fn of_run(dir: &Path) -> Result<Self> {
        let file = dir.join("history.csv");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", shown_path(&file)))?;
        Self::parse(&text).with_context(|| format!("cannot draw {}", shown_path(&file)))
    }

    /// The largest difference in test accuracy between neighbours among the last ten epochs.
    fn largest_late_jump(&self) -> f64 {
        let late = &self.test_accuracy[self.test_accuracy.len().saturating_sub(10)..];
        late.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f64::max)
    }

    /// Adds its losses and its accuracy as figures.
    fn draw(&self, name: &str, section: &mut Section) -> Result<()> {
        let (epochs, losses): (Vec<f64>, Vec<f64>) = LECTURE.iter().copied().unzip();
        section.figure(
            "loss",
            Figure::new(format!("Loss of {name}"))
                .x_label("epoch")
                .y_label("cross-entropy")
                .line("training, dropout on", &self.epoch, &self.train_loss)
                .line("test", &self.epoch, &self.test_loss)
                .scatter("training, as the lecture prints it", &epochs, &losses),
            &section.told(
                "The triangles are what the lecture prints, from another program and with other random numbers. The test \
                 loss is measured without dropout, so it can be below the training loss.",
                "The curve of our run follows the triangles, slightly above them.",
            ),
        )?;
        section.figure(
            "accuracy",
            Figure::new(format!("Accuracy of {name}"))
                .x_label("epoch")
                .y_label("test accuracy, %")
                .line("test", &self.epoch, &self.test_accuracy)
                .y_rule("the lecture’s last", LECTURE_ACCURACY),
            &section.told(
                &format!(
                    "After each epoch, on the whole test set, with the lecture's final accuracy. In the last ten epochs \
                     it changes by up to {:.1} points from one epoch to the next.",
                    self.largest_late_jump()
                ),
                "A constant learning rate of 0.005 keeps it jumping.",
            ),
        )
    }

    /// The losses that the lecture prints, beside its own.
    fn beside_the_lecture(&self) -> Table {
        let mut table = Table::new(["epoch", "the lecture prints", "here", "difference"]);
        for (epoch, lecture) in LECTURE {
            let Some(at) = self.epoch.iter().position(|found| *found == epoch) else { continue };
            let ours = self.train_loss[at];
            table.push([(epoch as usize).into(), lecture.into(), ours.into(), (ours - lecture).into()]);
        }
        table
    }

    fn parse(csv: &str) -> Result<Self> {
        let mut lines = csv.lines();
        let header: Vec<&str> = lines.next().context("it is empty")?.split(',').collect();
        let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
        ensure!(!rows.is_empty(), "it has no epoch");
        let column = |name: &str| {
            let at = header.iter().position(|column| *column == name);
            let at = at.with_context(|| format!("it has no column {name}"))?;
            let number = |row: &Vec<&str>| {
                let text = *row.get(at).with_context(|| format!("a line has no {name}"))?;
                ensure!(
                    !text.is_empty(),
                    "{name} is empty for some epoch, expected a number for each; descent train --watch-test \
                     evaluates the test set after every epoch"
                );
                text.parse()
                    .with_context(|| format!("{name}: expected a number, found \"{}\"", Foreign::new(text)))
            };
            rows.iter().map(number).collect::<Result<Vec<f64>>>()
        };
        Ok(Self {
            epoch: column("epoch")?,
            train_loss: column("train_loss")?,
            train_loss_per_sample: column("train_loss_per_sample")?,
            test_loss: column("test_loss")?,
            test_accuracy: column("test_accuracy")?,
        })
    }
}

impl CnnTraining {
    /// The last losses and accuracies: of a course, of what was trained here, and of the lecture.
    fn ends(&self, name: &str, course: &Course, trained: &Trained) -> Result<Table> {
        let last = course.epoch.len() - 1;
        let mut table = Table::new(["", "epochs", "mean of batches", "mean of images", "test accuracy, %"]);
        let numbers = [
            course.train_loss[last].into(),
            course.train_loss_per_sample[last].into(),
            Cell::Percent(course.test_accuracy[last]),
        ];
        let row =
            |name: &str, n: usize, numbers: [Cell; 3]| [name.into(), n.into()].into_iter().chain(numbers);
        let name = if self.run.is_some() { name.to_owned() } else { format!("{name}, on CIFAR-10") };
        table.push(row(&name, course.epoch.len(), numbers));
        let score = trained.score()?;
        let [of_batches, of_images]: [Cell; 2] = match trained.lessons.last() {
            Some(lesson) => [lesson.mean_of_batches.into(), lesson.mean_of_images.into()],
            None => ["–".into(), "–".into()],
        };
        let here = if self.network.model.is_some() { "the network from the file" } else { "on the spot" };
        let n_epochs = if self.network.model.is_some() { "–".into() } else { trained.lessons.len().into() };
        let here = format!("{here}, on {}", trained.images.name);
        table.push([here.into(), n_epochs, of_batches, of_images, Cell::Percent(score.accuracy)]);
        let printed = LECTURE[LECTURE.len() - 1];
        let nothing = || Cell::from("–");
        table.push([
            "as the lecture prints it, on CIFAR-10".into(),
            (printed.0 as usize).into(),
            printed.1.into(),
            nothing(),
            Cell::Percent(LECTURE_ACCURACY),
        ]);
        Ok(table)
    }
}

impl Experiment for CnnTraining {
    const TITLE: &'static str = "Training it";

    fn on(self, data: Option<&Path>, model: Option<&Path>) -> Self {
        Self { network: self.network.on(data, model), ..self }
    }

    fn run(&self, section: &mut Section) -> Result<()> {
        let (name, course) = match &self.run {
            Some(dir) => {
                (format!("the run in {}", Foreign::new(&dir.to_string_lossy())), Course::of_run(dir)?)
            }
            None => ("the run on record".to_owned(), Course::on_record()?),
        };
        section.text(INTRODUCTION);
        course.draw(&name, section)?;
        section.table(
            "as-printed",
            &format!("The loss, epoch by epoch, as the lecture prints it and in {name}: the mean of the batches' means."),
            course.beside_the_lecture(),
        );
        let columns = [
            ("epoch", &course.epoch),
            ("train_loss", &course.train_loss),
            ("train_loss_per_sample", &course.train_loss_per_sample),
            ("test_loss", &course.test_loss),
            ("test_accuracy", &course.test_accuracy),
        ];
        section.data("history", &Table::of_columns(columns.map(|(name, c)| (name.to_owned(), c.as_slice()))));
        section.text(
            "> **Two means.** The loss that the lecture prints is the mean of the batches' means, in which each of the \
             16 images of the last batch counts four times as much as any other. The program prints this one for \
             comparison, and also writes the mean over images.",
        );
        let trained = self.network.network()?;
        section.table("ends", "How it ends.", self.ends(&name, &course, &trained)?);
        section.exercises(&[
            (
                "Train the fifty epochs yourself (`descent train --watch-test`) and draw them here. How far apart are two seeds at the end?",
                "descent lecture cnn-training --run runs/NAME",
            ),
            (
                "A lower rate with a schedule: how much of the jumping goes away?",
                "descent train --lr 0.002 --schedule cosine --watch-test",
            ),
        ]);
        section.readings(&[THE_LECTURE, KINGMA_BA, LOSHCHILOV_HUTTER, CIFAR]);
        if !trained.lessons.is_empty() {
            section.text(&format!("The losses below are those of {}.", self.network.describe(&trained)));
            let mut lessons = Table::new(["epoch", "mean of batches", "mean of images"]);
            for (i, lesson) in trained.lessons.iter().enumerate() {
                lessons.push([(i + 1).into(), lesson.mean_of_batches.into(), lesson.mean_of_images.into()]);
            }
            section.table("lessons", "Training on the spot.", lessons);
        }
        section.source("crates/lecture/src/subjects/network.rs", include_str!("../subjects/network.rs"));
        section.source("crates/optim/src/rules/adam.rs", include_str!("../../../optim/src/rules/adam.rs"));
        Ok(())
    }
}

const INTRODUCTION: &str = "\
The training uses Adam with a learning rate of 0.005 and weight decay 0.0001, a batch size of 64 and 50 epochs; `descent \
train` does it in minutes. It was not repeated for this page: without `--run`, the curves here are those of a run on \
record, whose log and history are in the source tree under `docs/results`. Only what is labelled “on the spot” was \
trained for this page.

> **Which weight decay?** Adam has two. Here, as in the lecture, $\\lambda w$ is added to the gradient (L2), and Adam \
then divides it by the gradient's size like everything else. AdamW subtracts $\\eta\\lambda w$ from the weight itself. \
For plain SGD the two are the same; for Adam they are not.";
