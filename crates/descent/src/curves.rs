//! The figures of loss and accuracy: drawn during a run, when it is stopped, and at its end.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use classifier::output::warn;
use viz::Figure;

use crate::history::Epoch;
use crate::report::save;

/// Draws the curves from time to time.
#[derive(Debug)]
pub struct Curves {
    /// The end of the last drawing, at first the start of the run.
    last: Instant,
    /// The time that the last drawing took.
    cost: Duration,
}

impl Curves {
    /// The least time between two drawings, and the part of a run's time that they may take at most.
    const INTERVAL: Duration = Duration::from_secs(5);
    const SHARE: f64 = 0.01;

    /// For a run that starts now.
    pub fn new() -> Self {
        Self { last: Instant::now(), cost: Duration::ZERO }
    }

    /// Draws the epochs so far, if the last drawing was long enough ago. A figure that cannot be written is no
    /// reason to end a run: there is a warning.
    pub fn follow(&mut self, out: &Path, history: &[Epoch]) {
        let began = Instant::now();
        if !self.is_due(began - self.last) {
            return;
        }
        if let Err(error) = draw(out, history) {
            warn(format_args!("warning: the figures are not up to date: {error:#}"));
        }
        self.last = Instant::now();
        self.cost = self.last - began;
    }

    fn is_due(&self, since: Duration) -> bool {
        since >= Self::INTERVAL.max(self.cost.div_f64(Self::SHARE))
    }
}

impl Default for Curves {
    fn default() -> Self {
        Self::new()
    }
}

/// Draws the loss, if any is finite, and the accuracy of the epochs into `out`, each as SVG and PNG. Returns
/// whether a loss is finite.
///
/// # Errors
/// When a file cannot be written.
pub fn draw(out: &Path, history: &[Epoch]) -> Result<bool> {
    let test_loss = |epoch: &Epoch| epoch.test.map_or(f64::NAN, |test| test.loss);
    // With --on-nan continue there may be nothing to draw.
    let has_loss =
        history.iter().any(|epoch| epoch.train_loss_per_sample.is_finite() || test_loss(epoch).is_finite());
    if has_loss {
        save(&loss(history), out, "loss")?;
    }
    save(&accuracy(history), out, "accuracy")?;
    Ok(has_loss)
}

fn loss(history: &[Epoch]) -> Figure {
    let figure = over_epochs("Loss", "cross-entropy");
    let figure = with_curve(figure, "train", history, |e| Some(e.train_loss_per_sample));
    let figure = with_curve(figure, "test", history, |e| Some(e.test?.loss));
    with_curve(figure, "validation", history, |e| Some(e.validation?.loss))
}

fn accuracy(history: &[Epoch]) -> Figure {
    let figure = over_epochs("Accuracy", "accuracy, %");
    let figure = with_curve(figure, "train", history, |e| e.train_accuracy);
    let figure = with_curve(figure, "test", history, |e| Some(e.test?.accuracy));
    with_curve(figure, "validation", history, |e| Some(e.validation?.accuracy))
}

/// An empty figure with the epochs as its x axis.
fn over_epochs(title: &str, y_label: &str) -> Figure {
    Figure::new(title).x_label("epoch").x_whole().y_label(y_label)
}

/// Adds the curve of what at least one epoch measured.
fn with_curve(
    figure: Figure,
    name: &str,
    history: &[Epoch],
    value: impl Fn(&Epoch) -> Option<f64>,
) -> Figure {
    if history.iter().all(|epoch| value(epoch).is_none()) {
        return figure;
    }
    let epochs: Vec<f64> = history.iter().map(|epoch| epoch.epoch as f64).collect();
    let values: Vec<f64> = history.iter().map(|epoch| value(epoch).unwrap_or(f64::NAN)).collect();
    figure.dotted(name, &epochs, &values)
}

#[cfg(test)]
mod tests {
    use classifier::Score;
    use viz::{Plot, Theme};

    use super::*;

    fn epochs(n: u64) -> Vec<Epoch> {
        let epoch = |epoch| Epoch {
            epoch,
            train_loss: 2.0,
            train_loss_per_sample: 1.0 / epoch as f64,
            validation: None,
            test: Some(Score { loss: 1.5, accuracy: 20.0 + epoch as f64 }),
            train_accuracy: None,
            learning_rate: 0.1,
            seconds: 1.0,
            images_per_second: 100.0,
        };
        (1..=n).map(epoch).collect()
    }

    /// The labels of the x axis: those from the last 1, 10 or 20 before the axis' name on.
    fn ticks(figure: &Figure) -> Vec<String> {
        let svg = figure.svg(Theme::Light).unwrap();
        let texts = svg.split("</text>").filter_map(|text| Some(text.rsplit_once('>')?.1.to_owned()));
        let all: Vec<String> = texts.take_while(|text| text != "epoch").collect();
        // Those of the y axis come first.
        let at = all.iter().rposition(|text| text == "1" || text == "10" || text == "20").unwrap();
        all[at..].to_vec()
    }

    #[test]
    fn epochs_are_counted_in_whole_numbers() {
        for (n, expected) in [(1, &["1"][..]), (2, &["1", "2"]), (3, &["1", "2", "3"])] {
            for figure in [loss(&epochs(n)), accuracy(&epochs(n))] {
                assert_eq!(ticks(&figure), expected, "{n} epochs");
            }
        }
        assert_eq!(ticks(&loss(&epochs(100)))[0], "20");
    }

    /// A line has no length if there is one epoch, and shows none of its points if there are two.
    #[test]
    fn each_of_a_few_epochs_is_a_dot() {
        let n_dots = |n| loss(&epochs(n)).svg(Theme::Light).unwrap().matches("<circle").count();
        assert_eq!([1, 2, 9].map(n_dots), [2, 4, 18]);
        assert_eq!(n_dots(100), 0);
    }

    #[test]
    fn drawing_takes_a_hundredth_of_the_time_at_most() {
        let after = |seconds: u64| Duration::from_secs(seconds);
        let mut curves = Curves::new();
        assert!(!curves.is_due(after(4)) && curves.is_due(after(5)));
        curves.cost = Duration::from_millis(300);
        assert!(!curves.is_due(after(29)) && curves.is_due(after(30)));

        let dir = tempfile::tempdir().unwrap();
        let drawn = || std::fs::read_dir(dir.path()).unwrap().count();
        let mut curves = Curves::new();
        curves.follow(dir.path(), &epochs(2));
        assert_eq!(drawn(), 0);
        curves.last -= after(5);
        curves.follow(dir.path(), &epochs(2));
        assert_eq!(drawn(), 4);
    }
}
