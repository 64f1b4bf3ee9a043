//! The measurements of a run, epoch by epoch, and their CSV file.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use classifier::output::loss;
use classifier::{Score, exact};
use collective::Traffic;
use foreign_text::shown_path;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The measurements of one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// The number of the epoch, from 1.
    pub epoch: u64,
    /// The mean of the batches' mean losses, as the lecture prints it: a short last batch counts in full.
    #[serde(with = "exact")]
    pub train_loss: f64,
    /// The mean loss per image.
    #[serde(with = "exact")]
    pub train_loss_per_sample: f64,
    /// Loss and accuracy (in percent) on the validation set, if there is one.
    pub validation: Option<Score>,
    /// Loss and accuracy (in percent) on the test set, if it was evaluated.
    pub test: Option<Score>,
    /// Accuracy in percent on the training images as used in training: augmented, with dropout, each with the
    /// weights of its step. `None` in a history that predates it.
    #[serde(default)]
    pub train_accuracy: Option<f64>,
    /// The learning rate of the epoch's last step.
    #[serde(with = "exact")]
    pub learning_rate: f64,
    /// Seconds of training, without evaluation.
    #[serde(with = "exact")]
    pub seconds: f64,
    /// Training images per second.
    #[serde(with = "exact")]
    pub images_per_second: f64,
}

impl Epoch {
    /// The object that `--json` prints for the epoch. Accuracies are fractions here. `traffic` is what rank 0 of
    /// several exchanged.
    pub fn event(&self, traffic: Option<Traffic>) -> Value {
        let score =
            |score: Option<Score>| score.map(|s| json!({ "loss": s.loss, "accuracy": s.accuracy / 100.0 }));
        json!({
            "event": "epoch", "epoch": self.epoch, "train_loss": self.train_loss,
            "train_loss_per_sample": self.train_loss_per_sample,
            "train_accuracy": self.train_accuracy.map(|accuracy| accuracy / 100.0),
            "validation": score(self.validation), "test": score(self.test), "learning_rate": self.learning_rate,
            "seconds": self.seconds, "images_per_second": self.images_per_second,
            "communication": traffic.map(|traffic| json!({
                "bytes": traffic.bytes, "sums": traffic.n_sums, "seconds": traffic.time.as_secs_f64(),
                "seconds_beside": traffic.time_beside.as_secs_f64(),
            })),
        })
    }

    /// The line that a run prints for the epoch, shortened to this many columns. `left` is the remaining
    /// time, and `unit` what an example is called.
    pub fn line(&self, epochs: u64, unit: &str, left: &str, columns: usize) -> String {
        let (full, short, shortest) = (self.full(epochs, unit), self.short(epochs), self.shortest(epochs));
        let lines = [full.clone() + left, short.clone() + left, full, short];
        let fits = |line: &String| line.chars().count() <= columns;
        lines.into_iter().find(fits).unwrap_or(shortest)
    }

    fn short(&self, epochs: u64) -> String {
        let score = |name, score: Option<Score>| {
            score.map_or(String::new(), |score| {
                format!("  {name} {} {:.2} %", loss(score.loss), score.accuracy)
            })
        };
        let (validation, test) = (score("val", self.validation), score("test", self.test));
        format!(
            "{}/{epochs}  train {}{validation}{test}  {:.1} s",
            self.epoch,
            loss(self.train_loss),
            self.seconds
        )
    }

    fn shortest(&self, epochs: u64) -> String {
        let score = |name, score: Option<Score>| {
            score.map_or(String::new(), |score| format!(" {name} {:.1} %", score.accuracy))
        };
        let (validation, test) = (score("val", self.validation), score("test", self.test));
        format!("{}/{epochs} {}{validation}{test}", self.epoch, loss(self.train_loss))
    }

    fn full(&self, epochs: u64, unit: &str) -> String {
        let width = epochs.to_string().len();
        let validation = self
            .validation
            .map_or(String::new(), |v| format!("  validation {} {:5.2} %", loss(v.loss), v.accuracy));
        let test = self.test.map_or(String::new(), |test| format!("  test accuracy {:5.2} %", test.accuracy));
        format!(
            "epoch {:>width$}/{epochs}  train loss {}{validation}{test}  {:6.1} s  {:6.0} {unit}/s",
            self.epoch,
            loss(self.train_loss),
            self.seconds,
            self.images_per_second
        )
    }
}

/// The columns of `history.csv`: scripts read them by name, so they must not change. A field is empty if
/// nothing was measured.
const HEADER: &str = "epoch,train_loss,train_loss_per_sample,test_loss,test_accuracy,learning_rate,seconds,\
                      images_per_second,validation_loss,validation_accuracy,train_accuracy";

/// Writes the history as CSV, completely or not at all.
///
/// # Errors
/// When the file cannot be written; the old one is then kept.
pub fn write_csv(path: &Path, history: &[Epoch]) -> Result<()> {
    let mut csv = format!("{HEADER}\n");
    let pair = |score: Option<Score>| match score {
        Some(Score { loss, accuracy }) => format!("{loss:.6},{accuracy:.4}"),
        None => ",".to_owned(),
    };
    for e in history {
        let train_accuracy = e.train_accuracy.map_or(String::new(), |accuracy| format!("{accuracy:.4}"));
        writeln!(
            csv,
            "{},{:.6},{:.6},{},{},{:.3},{:.1},{},{train_accuracy}",
            e.epoch,
            e.train_loss,
            e.train_loss_per_sample,
            pair(e.test),
            e.learning_rate,
            e.seconds,
            e.images_per_second,
            pair(e.validation),
        )
        .expect("writing to a string cannot fail");
    }
    atomic_file::write(path, csv.as_bytes()).with_context(|| format!("cannot write {}", shown_path(path)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_line_of_an_epoch_fits() {
        let score = Some(Score { loss: 12.3456, accuracy: 100.0 });
        let epoch = Epoch {
            epoch: 123,
            train_loss: 12.3456,
            train_loss_per_sample: 12.0,
            validation: score,
            test: score,
            train_accuracy: Some(99.0),
            learning_rate: 0.1,
            seconds: 1234.5,
            images_per_second: 123_456.0,
        };
        for columns in [40, 60, 80, 100, 120, usize::MAX] {
            let line = epoch.line(500, "images", "  12 h 34 min left", columns);
            assert!(line.chars().count() <= columns && line.contains("123/500"), "{columns}: {line}");
        }
        let line = epoch.line(500, "images", "  12 h 34 min left", usize::MAX);
        assert!(line.starts_with("epoch 123/500  train loss 12.3456  validation 12.3456 100.00 %"), "{line}");
        assert!(line.ends_with("12 h 34 min left"), "{line}");
    }

    #[test]
    fn the_csv_has_a_field_for_every_column() {
        let score = Score { loss: 1.5, accuracy: 42.25 };
        let epoch = Epoch {
            epoch: 1,
            train_loss: 2.0,
            train_loss_per_sample: 2.25,
            validation: None,
            test: Some(score),
            train_accuracy: Some(12.5),
            learning_rate: 0.005,
            seconds: 1.5,
            images_per_second: 33333.3,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.csv");
        let lines = |epoch: Epoch| -> Vec<String> {
            write_csv(&path, &[epoch]).unwrap();
            fs::read_to_string(&path).unwrap().lines().map(String::from).collect()
        };
        assert_eq!(
            lines(epoch),
            [HEADER, "1,2.000000,2.250000,1.500000,42.2500,0.005,1.500,33333.3,,,12.5000"]
        );
        let other = Epoch { validation: Some(score), test: None, train_accuracy: None, ..epoch };
        let line = "1,2.000000,2.250000,,,0.005,1.500,33333.3,1.500000,42.2500,";
        assert_eq!(lines(other), [HEADER, line]);
        assert_eq!([HEADER, line].map(|line| line.split(',').count()), [11, 11]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }
}
