//! Reports of a run for its users: curves, a confusion matrix, and a summary.

use std::path::Path;

use anyhow::Result;
use classifier::output::{self, cut, event, warn, width};
use classifier::{Evaluation, Images};
use foreign_text::{Foreign, shown_path};
use nn::Summary;
use serde_json::json;
use viz::{HeatMap, Plot};

use crate::curves;
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
    if !curves::draw(out, history)? {
        warn("warning: no loss is finite, so no figure of it is drawn");
    }
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

/// The network as a table. On a narrow terminal it has the layers' names without their settings, then no shapes,
/// and then only the ends of the paths, or none: the numbers stay.
pub fn fitted(summary: &Summary, width: usize) -> String {
    /// Less of a path says nothing.
    const SHORTEST_PATH: usize = 6;
    let full = summary.to_string();
    // The last line is text, and breaks into lines where it is printed.
    let (table, totals) = full.rsplit_once('\n').unwrap_or(("", &full));
    if table.lines().all(|line| line.chars().count() <= width) {
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
    let room = width.saturating_sub(w1 + w3 + 4);
    let has_paths = w0 <= room || room >= SHORTEST_PATH;
    let w0 = w0.min(room);
    let w1 = w1.min(width.saturating_sub(w3 + 2));
    let mut text = String::new();
    for [path, layer, output, n_params] in &rows {
        let path = if has_paths { format!("{:w0$}  ", end_of(path, w0)) } else { String::new() };
        let shape = if has_shapes { format!("  {output:w2$}") } else { String::new() };
        text += &cut(&format!("{path}{:w1$}{shape}  {n_params:>w3$}", cut(layer, w1)), width);
        text.push('\n');
    }
    text + totals
}

/// The end of a path, after … if it is longer than this many characters.
fn end_of(path: &str, n_chars: usize) -> String {
    let n_left_out = path.chars().count().saturating_sub(n_chars);
    if n_left_out == 0 {
        return path.to_owned();
    }
    std::iter::once('…').chain(path.chars().skip(n_left_out + 1)).collect()
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
    use classifier::Net;
    use data::ImageShape;
    use nn::Layer;

    use super::*;

    #[test]
    fn the_table_of_every_network_fits_with_all_its_numbers_and_names() {
        let shape = ImageShape::CIFAR;
        for net in [
            "lecture",
            "lenet5",
            "mlp:512,256",
            "resnet20",
            "resnet18",
            "resnet18-imagenet",
            "airbench94",
            "airbench:128,384,384",
            "airbench-silu:64,256,256",
            "depthwise",
            "vit",
        ] {
            let built: Net = net.parse().unwrap();
            let (built, params) = nn::build(built.network(shape, 10, 0.5).unwrap(), 0);
            let summary = built.summary(&params, [1, shape.height, shape.width, shape.channels]);
            for width in [40, 80] {
                let text = fitted(&summary, width);
                let (table, totals) = text.rsplit_once('\n').unwrap();
                let lines: Vec<&str> = table.lines().collect();
                assert!(lines.iter().all(|line| line.chars().count() <= width), "{net}, {width}:\n{text}");
                assert!(totals.contains(" parameters"), "{net}, {width}: {totals}");
                assert!(lines[0].ends_with("  parameters"), "{net}, {width}: {}", lines[0]);
                let rows: Vec<&&str> = lines.iter().filter(|line| !line.contains('─')).collect();
                for (line, row) in rows[rows.len() - summary.rows.len()..].iter().zip(&summary.rows) {
                    let [path, layer, _, n_params] = row.cells();
                    let words: Vec<&str> = line.split_whitespace().collect();
                    let name = layer.split('(').next().unwrap();
                    assert!(words.last() == Some(&&*n_params), "{net}, {width}: {line}");
                    assert!(words.iter().any(|word| word.starts_with(name)), "{net}, {width}: {line}");
                    let end = words[0].strip_prefix('…').unwrap_or(words[0]);
                    assert!(path.is_empty() || path.ends_with(end), "{net}, {width}: {line}");
                }
            }
        }
    }

    #[test]
    fn durations_read_well() {
        assert_eq!([0.04, 59.4, 61.0, 7261.0].map(duration), ["0.0 s", "59.4 s", "1 min 1 s", "2 h 1 min"]);
    }
}
