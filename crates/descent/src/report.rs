//! Reports of a run for its users: curves, a confusion matrix, and a summary.

use std::path::Path;

use anyhow::Result;
use classifier::output::{self, cut, event, warn, width};
use classifier::{Evaluation, Images};
use foreign_text::{Foreign, shown_path};
use nn::Summary;
use serde_json::json;
use viz::{Figure, HeatMap, Plot};

use crate::history::Epoch;
use crate::shell::quoted;

/// Prints what may be read in another way than was meant: on standard error, or as objects.
///
/// # Errors
/// When standard output cannot be written.
pub fn tell_warnings(images: &Images, json: bool) -> Result<()> {
    for warning in &images.warnings {
        match json {
            true => event(&json!({ "event": "warning", "message": warning }))?,
            false => warn(format_args!("warning: {warning}")),
        }
    }
    Ok(())
}

/// Draws loss, accuracy and the confusion matrix of the set `part` into `out`, each as SVG and PNG.
///
/// # Errors
/// When a file cannot be written.
pub fn draw(
    out: &Path,
    history: &[Epoch],
    judged: &Evaluation,
    classes: &[String],
    part: &str,
) -> Result<()> {
    if history.is_empty() {
        // A resumed run may be over before its first epoch is.
        warn("warning: no epoch was completed, so no figures of loss and accuracy are drawn");
        return save(&confusion(judged, classes, part), out, "confusion");
    }
    // With --on-nan continue there may be nothing to draw.
    let test_loss = |epoch: &Epoch| epoch.test.map_or(f64::NAN, |test| test.loss);
    if history.iter().any(|epoch| epoch.train_loss_per_sample.is_finite() || test_loss(epoch).is_finite()) {
        save(&loss(history), out, "loss")?;
    } else {
        warn("warning: no loss is finite, so no figure of it is drawn");
    }
    save(&accuracy(history), out, "accuracy")?;
    save(&confusion(judged, classes, part), out, "confusion")
}

/// The confusion matrix on the set `part`.
pub fn confusion(judged: &Evaluation, classes: &[String], part: &str) -> HeatMap {
    let counts: Vec<u64> = (0..classes.len()).flat_map(|class| judged.row(class).to_vec()).collect();
    let title = match judged.n_non_finite() {
        0 => format!("Confusion on the {part} set"),
        n => format!("Confusion on the {part} set, without {n} answers that are NaN or infinite"),
    };
    HeatMap::confusion(title, classes, &counts)
}

/// Saves a figure as SVG and PNG.
///
/// # Errors
/// When a file cannot be written.
pub fn save(plot: &impl Plot, out: &Path, name: &str) -> Result<()> {
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
    let figure = Figure::new("Loss").x_label("epoch").y_label("cross-entropy").line(
        "train",
        &epochs,
        &column(history, |e| e.train_loss_per_sample),
    );
    let figure = with_scores(figure, "test", history, &epochs, |e| Some(e.test?.loss));
    with_scores(figure, "validation", history, &epochs, |e| Some(e.validation?.loss))
}

fn accuracy(history: &[Epoch]) -> Figure {
    let epochs = column(history, |e| e.epoch as f64);
    let figure = Figure::new("Accuracy").x_label("epoch").y_label("accuracy, %");
    let figure = with_scores(figure, "train", history, &epochs, |e| e.train_accuracy);
    let figure = with_scores(figure, "test", history, &epochs, |e| Some(e.test?.accuracy));
    with_scores(figure, "validation", history, &epochs, |e| Some(e.validation?.accuracy))
}

/// Adds the curve of a score that at least one epoch measured.
fn with_scores(
    figure: Figure,
    name: &str,
    history: &[Epoch],
    epochs: &[f64],
    value: impl Fn(&Epoch) -> Option<f64>,
) -> Figure {
    if history.iter().all(|e| value(e).is_none()) {
        return figure;
    }
    figure.line(name, epochs, &column(history, |e| value(e).unwrap_or(f64::NAN)))
}

/// The network as a table; on a narrow terminal, as many of the layers' names, shapes and parameters as fit.
pub fn fitted(summary: &Summary, width: usize) -> String {
    let full = summary.to_string();
    if full.lines().all(|line| line.chars().count() <= width) {
        return full;
    }
    let name = |layer: &str| layer.split('(').next().unwrap_or_default().to_owned();
    let head = ["", "layer", "output", "parameters"].map(str::to_owned);
    let cells = summary.rows.iter().map(|row| {
        let [path, layer, output, n_params] = row.cells();
        [path, name(&layer), output, n_params]
    });
    let rows: Vec<[String; 4]> = std::iter::once(head).chain(cells).collect();
    let widest = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let [w0, w1, w2, w3] = [0, 1, 2, 3].map(widest);
    let has_shapes = w0 + w1 + w2 + w3 + 6 <= width;
    let mut text = String::new();
    for [path, layer, output, n_params] in &rows {
        let shape = if has_shapes { format!("  {output:w2$}") } else { String::new() };
        text += &cut(&format!("{path:w0$}  {layer:w1$}{shape}  {n_params:>w3$}"), width);
        text.push('\n');
    }
    text + full.lines().last().unwrap_or_default()
}

/// The summary of a run: its scores, by class too, and the paths of its files, among them a usable model if
/// it `has_model`, which `takes_images` or rows of numbers.
pub fn summary(
    out: &Path,
    judged: &Evaluation,
    classes: &[String],
    [training_seconds, total_seconds]: [f64; 2],
    part: &str,
    has_model: bool,
    takes_images: bool,
) -> String {
    let score = judged.score();
    let mut text = format!(
        "\n{} accuracy {:.2} %, loss {}, after {} of training, {} in all\n\n",
        capitalized(part),
        score.accuracy,
        output::loss(score.loss),
        duration(training_seconds),
        duration(total_seconds)
    );
    text += &class_bars(judged, classes);
    if judged.n_non_finite() > 0 {
        text += &format!("\n{} answers are NaN or infinite and count as wrong.\n", judged.n_non_finite());
    }
    let (out, word) = (shown_path(out), quoted(out));
    if has_model {
        text += &format!("\n  model     {out}/model.safetensors");
    }
    text += &format!(
        "\n  history   {out}/history.csv\n  settings  {out}/config.json\n  result    {out}/result.json\n  \
         figures   {out}/loss.svg, accuracy.svg, confusion.svg (and .png)\n"
    );
    if has_model {
        text += &match takes_images {
            true => format!("\nTry it on an image of your own:\n  descent predict IMAGE --model {word}\n"),
            false => format!("\nTry it on other rows:\n  descent predict TABLE --model {word}\n"),
        };
    }
    text
}

/// The accuracy on each class as a bar; if there are many classes, the lowest.
fn class_bars(judged: &Evaluation, classes: &[String]) -> String {
    const MOST: usize = 20;
    let has_images = |&class: &usize| judged.class_scores(class).support > 0;
    let mut chosen: Vec<usize> = (0..classes.len()).filter(has_images).collect();
    let (mut text, n_without) = (String::new(), classes.len() - chosen.len());
    if chosen.len() > MOST {
        chosen.sort_by(|&a, &b| judged.class_accuracy(a).total_cmp(&judged.class_accuracy(b)));
        chosen.truncate(MOST);
        text += &format!("  the {MOST} classes of {} with the lowest accuracy:\n", classes.len());
    }
    let room = width().saturating_sub(20).max(8);
    let names = chosen.iter().map(|&class| cut(&Foreign::new(&classes[class]).to_string(), room));
    let names: Vec<String> = names.collect();
    let name_width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let bar_width = width().saturating_sub(name_width + 12).min(40) as f64;
    for (&class, name) in chosen.iter().zip(&names) {
        let accuracy = judged.class_accuracy(class);
        let bar = "█".repeat((accuracy / 100.0 * bar_width).round() as usize);
        text += &format!("  {name:>name_width$} {accuracy:5.1} % {bar}\n");
    }
    match n_without {
        0 => text,
        1 => text + "  1 class has no images here\n",
        n => text + &format!("  {n} classes have no images here\n"),
    }
}

/// The same with a capital letter at the start.
pub fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// A human-readable duration.
pub fn duration(seconds: f64) -> String {
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
