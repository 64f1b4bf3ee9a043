//! `cargo xtask minutes`: the figure of accuracy over minutes of training.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use viz::{Figure, Plot, Theme};

use crate::program::root;

/// Draw docs/results/minutes.svg: test accuracy over minutes of training, of runs on one machine
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Folder of the results, and of the figure [default: docs/results]
    #[arg(long, value_name = "DIR")]
    pub results: Option<PathBuf>,
}

/// A curve of the figure.
struct Curve {
    name: &'static str,
    /// Its file in the folder of the results: one row per epoch.
    file: &'static str,
    /// How the file is made.
    made_by: &'static str,
}

const CURVES: [Curve; 3] = [
    Curve {
        name: "the lecture's CNN",
        file: "minutes/lecture-cnn.csv",
        made_by: "`descent train --out runs/lecture-cnn` writes runs/lecture-cnn/history.csv: copy it",
    },
    Curve {
        name: "airbench94",
        file: "minutes/airbench94.csv",
        made_by: "`descent train --recipe airbench94 --watch-test --out runs/airbench94` writes \
                  runs/airbench94/history.csv: copy it",
    },
    Curve {
        name: "airbench94 in PyTorch",
        file: "minutes/airbench94-pytorch.csv",
        made_by: "`python benches/peers/airbench94.py datasets/cifar-10-batches-bin --out FILE` writes it",
    },
];

/// The accuracy that the recipe is named after, in percent.
const GOAL: f64 = 94.0;

/// Runs the task.
///
/// # Errors
/// If a file is missing or wrong, or the figure cannot be written.
pub fn run(args: &Args) -> Result<()> {
    let folder = match &args.results {
        Some(folder) => folder.clone(),
        None => root()?.join("docs/results"),
    };
    let file = folder.join("minutes.svg");
    let svg = svg(&folder)?;
    atomic_file::write(&file, svg.as_bytes()).with_context(|| format!("cannot write {}", file.display()))?;
    println!("written: {}", file.display());
    Ok(())
}

/// The figure from the files in this folder.
///
/// # Errors
/// If a file is missing or wrong.
pub fn svg(folder: &Path) -> Result<String> {
    let mut figure = Figure::new("Accuracy over minutes of training")
        .x_label("minutes of training")
        .y_label("test accuracy, %")
        .y_rule("94 %", GOAL);
    let mut longest: f64 = 0.0;
    for Curve { name, file, made_by } in CURVES {
        let path = folder.join(file);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("cannot read {} ({made_by})", path.display()))?;
        let (minutes, accuracies) = curve(&text).with_context(|| format!("{}", path.display()))?;
        ensure!(!minutes.is_empty(), "{}: no epoch has a test accuracy ({made_by})", path.display());
        longest = minutes.iter().copied().fold(longest, f64::max);
        figure = figure.line(name, &minutes, &accuracies);
    }
    Ok(figure.x_range(0.0, longest).svg(Theme::Auto)?)
}

/// Minutes of training up to the end of each epoch, and the accuracies there in percent. An epoch without one
/// only takes its time.
fn curve(csv: &str) -> Result<(Vec<f64>, Vec<f64>)> {
    let mut lines = csv.lines();
    let columns: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let column = |name| {
        let found = columns.iter().position(|column| *column == name);
        found.with_context(|| format!("expected a column {name}, found {}", columns.join(", ")))
    };
    let (accuracy, seconds) = (column("test_accuracy")?, column("seconds")?);
    let (mut minutes, mut accuracies, mut elapsed) = (Vec::new(), Vec::new(), 0.0);
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |column: usize, expected: &str| {
            let number = fields.get(column).and_then(|field| field.parse::<f64>().ok());
            let number = number.filter(|number| number.is_finite() && *number >= 0.0);
            number.with_context(|| format!("{line:?}: expected {expected} in column {}", columns[column]))
        };
        elapsed += number(seconds, "the seconds of an epoch")?;
        if fields.get(accuracy).is_some_and(|field| !field.is_empty()) {
            minutes.push(elapsed / 60.0);
            accuracies.push(number(accuracy, "percent")?);
        }
    }
    Ok((minutes, accuracies))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HISTORY: &str =
        "epoch,test_accuracy,learning_rate,seconds\n1,50,0.1,30\n2,,0.1,60\n3,94.5,0.1,30\n";

    #[test]
    fn minutes_add_up_over_epochs_that_were_not_judged() {
        assert_eq!(curve(HISTORY).unwrap(), (vec![0.5, 2.0], vec![50.0, 94.5]));
        for (csv, expected) in [
            ("", "expected a column test_accuracy"),
            ("epoch,test_accuracy\n", "expected a column seconds, found epoch, test_accuracy"),
            ("seconds,test_accuracy\nx,1\n", "\"x,1\": expected the seconds of an epoch in column seconds"),
            ("seconds,test_accuracy\n-1,1\n", "expected the seconds"),
            ("seconds,test_accuracy\n1,most\n", "expected percent in column test_accuracy"),
        ] {
            let message = curve(csv).err().map(|error| format!("{error:#}")).unwrap_or_default();
            assert!(message.contains(expected), "{csv:?}: {message}");
        }
    }

    #[test]
    fn each_file_is_a_curve_and_a_missing_one_names_its_command() {
        let folder = tempfile::tempdir().unwrap();
        for Curve { file, made_by, .. } in CURVES {
            let message = svg(folder.path()).unwrap_err().to_string();
            assert!(message.contains(file) && message.contains(made_by), "{message}");
            fs::create_dir_all(folder.path().join(file).parent().unwrap()).unwrap();
            fs::write(folder.path().join(file), "test_accuracy,seconds\n,1\n").unwrap();
            let message = svg(folder.path()).unwrap_err().to_string();
            assert!(message.contains(file) && message.contains("no epoch has a test accuracy"), "{message}");
            fs::write(folder.path().join(file), HISTORY).unwrap();
        }
        run(&Args { results: Some(folder.path().to_owned()) }).unwrap();
        let svg = fs::read_to_string(folder.path().join("minutes.svg")).unwrap();
        for text in ["94 %", "minutes of training", "the lecture's CNN", "airbench94 in PyTorch"] {
            assert!(svg.contains(text), "{text} is not in {svg}");
        }
    }
}
