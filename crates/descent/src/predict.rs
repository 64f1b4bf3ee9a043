//! `descent predict`: which class does this image show?

use anyhow::{Result, ensure};
use autograd::{Mode, Tape};
use classifier::output::say;
use classifier::{are_finite, model, softmax};
use data::{Batch, ImageShape, InMemory, Loader};
use foreign_text::{Foreign, shown_path};
use nn::Layer;

use crate::cli::PredictArgs;

/// Prints the most probable classes of an image, with bars.
///
/// # Errors
/// When the image or the weights cannot be read, or the network's answer is NaN or infinite.
pub fn predict(args: &PredictArgs) -> Result<()> {
    let (net, mut params, about) = model::load(&args.model)?;
    let planes = data::read_image(&args.image, ImageShape::CIFAR)?;
    let images = InMemory::new(ImageShape::CIFAR, planes, vec![0], about.classes.clone());
    let mut batch = Batch::new();
    Loader::new(&images, 1).normalize(&about.normalize()).next_into(&mut batch)?;

    let mut tape = Tape::new();
    let g = tape.begin(&mut params, Mode::eval());
    let logits = net.forward(&g, g.images(&batch));
    let logits = g.value(logits);
    ensure!(
        are_finite(logits),
        "the network's answer is NaN or infinite: the weights in {} are of no use",
        shown_path(&args.model)
    );
    say(bars(&about.classes, &softmax(logits), args.top).trim_end())
}

/// The most probable classes first, a line each.
fn bars(classes: &[String], probabilities: &[f64], top: usize) -> String {
    const WIDTH: f64 = 40.0;
    let names: Vec<String> = classes.iter().map(|name| Foreign::new(name).to_string()).collect();
    let mut ranked: Vec<_> = names.iter().zip(probabilities).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(a.1));
    let name_width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let line = |(name, p): (&String, &f64)| {
        format!("{name:>name_width$} {:5.1} % {}\n", 100.0 * p, "█".repeat((WIDTH * p).round() as usize))
    };
    ranked.into_iter().take(top).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_rank_the_classes() {
        let classes = ["cat", "dog", "frog"].map(String::from);
        let text = bars(&classes, &[0.25, 0.7, 0.05], 2);
        assert_eq!(text.lines().count(), 2);
        assert!(text.starts_with(" dog  70.0 % ████████"), "{text}");
    }

    #[test]
    fn a_strangers_names_of_classes_are_shown_as_text_and_shortened() {
        let classes = ["\u{1b}[2J".to_owned(), "x".repeat(70_000)];
        let text = bars(&classes, &[0.5, 0.5], 2);
        assert!(text.contains(r" \u{1b}[2J  50.0 %") && text.len() < 500, "{text}");
    }
}
