//! What a run measured, epoch by epoch, and its CSV file.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use classifier::{Score, exact};
use foreign_text::shown_path;
use serde::{Deserialize, Serialize};

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
    /// Loss and accuracy (in percent) on the held-out images, where there are any.
    pub validation: Option<Score>,
    /// Loss and accuracy on the test set.
    pub test: Score,
    /// The learning rate of the epoch's last step.
    #[serde(with = "exact")]
    pub learning_rate: f64,
    /// Seconds spent training, evaluation not counted.
    #[serde(with = "exact")]
    pub seconds: f64,
    /// Training images per second.
    #[serde(with = "exact")]
    pub images_per_second: f64,
}

impl Epoch {
    /// The line that a run prints for the epoch.
    pub fn line(&self, epochs: u64) -> String {
        let width = epochs.to_string().len();
        let validation = self
            .validation
            .map_or(String::new(), |v| format!("  validation {:.4} {:5.2} %", v.loss, v.accuracy));
        format!(
            "epoch {:>width$}/{epochs}  train loss {:.4}{validation}  test accuracy {:5.2} %  {:6.1} s  {:6.0} images/s",
            self.epoch, self.train_loss, self.test.accuracy, self.seconds, self.images_per_second
        )
    }
}

/// The columns of `history.csv`: scripts read them by name, so they stay.
const HEADER: &str = "epoch,train_loss,train_loss_per_sample,test_loss,test_accuracy,learning_rate,seconds,\
                      images_per_second";

/// The further columns of a run with a validation split.
const VALIDATION_HEADER: &str = ",validation_loss,validation_accuracy";

/// Writes the history as CSV, completely or not at all.
///
/// # Errors
/// When the file cannot be written; the old one is kept then.
pub fn write_csv(path: &Path, history: &[Epoch]) -> Result<()> {
    let has_validation = history.iter().any(|e| e.validation.is_some());
    let mut csv = format!("{HEADER}{}\n", if has_validation { VALIDATION_HEADER } else { "" });
    for e in history {
        let validation = e.validation.map_or(String::new(), |v| format!(",{:.6},{:.4}", v.loss, v.accuracy));
        writeln!(
            csv,
            "{},{:.6},{:.6},{:.6},{:.4},{},{:.3},{:.1}{validation}",
            e.epoch,
            e.train_loss,
            e.train_loss_per_sample,
            e.test.loss,
            e.test.accuracy,
            e.learning_rate,
            e.seconds,
            e.images_per_second,
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
    fn the_csv_has_a_field_for_every_column() {
        let score = Score { loss: 1.5, accuracy: 42.25 };
        let epoch = Epoch {
            epoch: 1,
            train_loss: 2.0,
            train_loss_per_sample: 2.25,
            validation: None,
            test: score,
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
        assert_eq!(lines(epoch), [HEADER, "1,2.000000,2.250000,1.500000,42.2500,0.005,1.500,33333.3"]);
        let with_validation = lines(Epoch { validation: Some(score), ..epoch });
        assert!(with_validation[0].starts_with(HEADER) && with_validation[1].ends_with(",1.500000,42.2500"));
        assert!(with_validation.iter().all(|line| line.split(',').count() == 10));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }
}
