//! What a run reports to people: curves, a confusion matrix, and a summary.

use std::path::Path;

use anyhow::Result;
use classifier::Evaluation;
use classifier::output::warn;
use foreign_text::{Foreign, shown_path};
use viz::{Figure, HeatMap, Plot};

use crate::history::Epoch;

/// Draws loss, accuracy and the confusion matrix into `out`, each as SVG and PNG.
///
/// # Errors
/// When a file cannot be written.
pub fn draw(out: &Path, history: &[Epoch], test: &Evaluation, classes: &[String]) -> Result<()> {
    // With --on-nan continue there may be nothing to draw.
    if history.iter().any(|epoch| epoch.train_loss_per_sample.is_finite() || epoch.test.loss.is_finite()) {
        save(&loss(history), out, "loss")?;
    } else {
        warn("warning: no loss is finite, so no figure of it is drawn");
    }
    save(&accuracy(history), out, "accuracy")?;
    let counts: Vec<u64> = (0..classes.len()).flat_map(|class| test.row(class).to_vec()).collect();
    let title = match test.n_non_finite() {
        0 => "Confusion on the test set".to_owned(),
        n => format!("Confusion on the test set, without {n} answers that are NaN or infinite"),
    };
    save(&HeatMap::confusion(title, classes, &counts), out, "confusion")
}

fn save(plot: &impl Plot, out: &Path, name: &str) -> Result<()> {
    for extension in ["svg", "png"] {
        plot.save(out.join(name).with_extension(extension))?;
    }
    Ok(())
}

/// One number per epoch.
fn column(history: &[Epoch], value: impl Fn(&Epoch) -> f64) -> Vec<f64> {
    history.iter().map(value).collect()
}

fn loss(history: &[Epoch]) -> Figure {
    let epochs = column(history, |e| e.epoch as f64);
    let figure = Figure::new("Loss")
        .x_label("epoch")
        .y_label("cross-entropy")
        .line("train", &epochs, &column(history, |e| e.train_loss_per_sample))
        .line("test", &epochs, &column(history, |e| e.test.loss));
    with_validation(figure, history, &epochs, |score| score.loss)
}

fn accuracy(history: &[Epoch]) -> Figure {
    let epochs = column(history, |e| e.epoch as f64);
    let figure = Figure::new("Accuracy").x_label("epoch").y_label("accuracy, %").line(
        "test",
        &epochs,
        &column(history, |e| e.test.accuracy),
    );
    with_validation(figure, history, &epochs, |score| score.accuracy)
}

/// Adds the curve of the validation split, where there is one.
fn with_validation(
    figure: Figure,
    history: &[Epoch],
    epochs: &[f64],
    value: impl Fn(classifier::Score) -> f64,
) -> Figure {
    if history.iter().all(|e| e.validation.is_none()) {
        return figure;
    }
    figure.line("validation", epochs, &column(history, |e| e.validation.map_or(f64::NAN, &value)))
}

/// The summary of a run: how good it became, class by class, and where its files are, among them a model that can be
/// used if it `has_model`.
pub fn summary(
    out: &Path,
    test: &Evaluation,
    classes: &[String],
    history: &[Epoch],
    has_model: bool,
) -> String {
    let score = test.score();
    let names: Vec<String> = classes.iter().map(|name| Foreign::new(name).to_string()).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let mut text = format!(
        "\nTest accuracy {:.2} %, loss {:.4}, after {} of training\n\n",
        score.accuracy,
        score.loss,
        duration(history.iter().map(|e| e.seconds).sum())
    );
    for (class, name) in names.iter().enumerate() {
        let accuracy = test.class_accuracy(class);
        let bar = "█".repeat((accuracy * 0.4).round() as usize);
        text += &format!("  {name:>width$} {accuracy:5.1} % {bar}\n");
    }
    if test.n_non_finite() > 0 {
        text += &format!("\n{} answers are NaN or infinite and count as wrong.\n", test.n_non_finite());
    }
    let out = shown_path(out);
    if has_model {
        text += &format!("\n  model     {out}/model.safetensors");
    }
    text += &format!(
        "\n  history   {out}/history.csv\n  settings  {out}/config.json\n  \
         figures   {out}/loss.svg, accuracy.svg, confusion.svg (and .png)\n"
    );
    if has_model {
        text += &format!(
            "\nTry it on an image of your own:\n  \
             cargo run --release -- predict IMAGE --model {out}/model.safetensors\n"
        );
    }
    text
}

fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, _) => format!("{seconds:.1} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!([0.04, 59.4, 61.0, 7261.0].map(duration), ["0.0 s", "59.4 s", "1 min 1 s", "2 h 1 min"]);
    }
}
