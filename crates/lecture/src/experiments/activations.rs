//! Activation functions and their gradients.

use anyhow::{Result, ensure};
use autograd::{Graph, Mode, Params, Tape, Var};
use clap::Args;
use classifier::ranges::{positive, within};
use viz::Figure;

use super::Experiment;
use crate::page::bibliography::{ALEXNET, D2L_STABILITY, MAAS};
use crate::page::{Cell, Section, Table};
use crate::subjects::statistics;

/// Where the functions are drawn.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct Activations {
    /// Drawn from −X to X
    #[arg(long, value_name = "X", default_value_t = 8.0, value_parser = positive)]
    pub range: f64,

    /// Points on each side of 0
    #[arg(long, value_name = "N", default_value_t = 80, value_parser = within::<1, 10_000>)]
    pub points: usize,

    /// Slope of the leaky ReLU on the left
    #[arg(long, value_name = "X", default_value_t = 0.2, value_parser = positive)]
    pub slope: f64,
}

/// A function at some points, and its gradient there.
#[derive(Clone, Debug, PartialEq)]
pub struct Activation {
    /// Its name.
    pub name: &'static str,
    /// The points.
    pub x: Vec<f64>,
    /// The values.
    pub y: Vec<f64>,
    /// The gradients.
    pub dy: Vec<f64>,
}

impl Activation {
    /// Value and gradient at the point nearest to `x`.
    pub fn at(&self, x: f64) -> (f64, f64) {
        let distance = |i: &usize| (self.x[*i] - x).abs();
        let nearest =
            (0..self.x.len()).min_by(|a, b| distance(a).total_cmp(&distance(b))).expect("some points");
        (self.y[nearest], self.dy[nearest])
    }
}

impl Activations {
    /// The four functions, differentiated by the library's backward pass.
    ///
    /// # Errors
    /// When a gradient is missing.
    pub fn functions(&self) -> Result<Vec<Activation>> {
        let n = self.points as i64;
        let x: Vec<f32> = (-n..=n).map(|i| (self.range * i as f64 / n as f64) as f32).collect();
        let slope = self.slope as f32;
        Ok(vec![
            differentiate("sigmoid", &x, |g, x| g.sigmoid(x))?,
            differentiate("tanh", &x, |g, x| g.tanh(x))?,
            differentiate("ReLU", &x, |g, x| g.relu(x))?,
            differentiate("leaky ReLU", &x, |g, x| g.leaky_relu(x, slope))?,
        ])
    }
}

impl Activations {
    /// The gradients of the four functions at `x`, by their formulas and in f64.
    pub fn exact_gradients(&self, x: f64) -> [f64; 4] {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let step = |left: f64| if x > 0.0 { 1.0 } else { left };
        [sigmoid(x) * sigmoid(-x), x.cosh().powi(-2), step(0.0), step(self.slope)]
    }
}

fn differentiate(name: &'static str, x: &[f32], f: impl Fn(&Graph<'_>, Var) -> Var) -> Result<Activation> {
    let (mut params, mut tape) = (Params::new(), Tape::new());
    let mut g = tape.begin(&mut params, Mode::train(0, 0));
    let input = g.variable([x.len()], x);
    let output = f(&g, input);
    // The gradient of the sum is the gradient at each point.
    let sum = g.sum(output);
    g.backward(sum);
    let gradient = g.grad(input);
    ensure!(gradient.is_some(), "{name} has no gradient");
    let dy = statistics::wide(gradient.unwrap_or_default());
    Ok(Activation { name, x: statistics::wide(x), y: statistics::wide(g.value(output)), dy })
}

impl Experiment for Activations {
    const TITLE: &'static str = "Activations and their gradients";

    fn run(&self, section: &mut Section) -> Result<()> {
        let functions = self.functions()?;
        section.text(
            "The effect of an activation on the forward pass is half the story. The other half is the factor by which it \
             multiplies every gradient that passes through:\n\n\
             $$\\sigma'(x) = \\sigma(x)\\,(1 - \\sigma(x)) \\le \\tfrac14$$\n\n$$\\tanh'(x) = 1 - \\tanh^2(x) \\le 1,$$\n\n\
             and for the ReLU 1 where $x > 0$, 0 elsewhere. A sigmoid removes at least three quarters of the gradient, \
             and nearly all of it when it is saturated. A ReLU passes it on unchanged or not at all; a unit that is \
             negative for every sample no longer learns. The leaky ReLU gives such a unit a small slope, by which it can \
             recover.",
        );
        let panels = functions.iter().map(|f| {
            Figure::new(f.name).x_label("x").line("value", &f.x, &f.y).line("gradient", &f.x, &f.dy)
        });
        section.panels(
            "functions",
            "Activations and their gradients",
            2,
            panels.collect(),
            &section.told(
                "At 0, where the ReLU has a corner, the gradient is that of the left side.",
                "Beyond ±5 the sigmoid's gradient is hard to tell from zero; that of the ReLU is a step.",
            ),
        )?;
        let far = format!("at −{}", self.range);
        let mut table = Table::new([
            "",
            "value at 0",
            "gradient at 0",
            &format!("gradient {far}"),
            &format!("{far} by the formula"),
        ]);
        for (f, exact) in functions.iter().zip(self.exact_gradients(-self.range)) {
            let ((value, at_zero), (_, at_left)) = (f.at(0.0), f.at(-self.range));
            let numbers = [value, at_zero, at_left, exact].map(Cell::Digits);
            table.push([Cell::from(f.name)].into_iter().chain(numbers));
        }
        section.table(
            "points",
            "The gradients of the backward pass, in single precision, and at the left end those of the formulas in double \
             precision.",
            table,
        );
        section.text(
            "> **Why do the two differ for tanh?** The backward pass computes $1 - y^2$ from the output $y$, as \
             PyTorch's does. Where $y$ is close to ±1, single precision has rounded most of the difference away: at −8 \
             it gives 4.77·10⁻⁷ instead of 4.50·10⁻⁷. The formula here is $1/\\cosh^2 x$, which has no subtraction.",
        );
        section.exercises(&[
            (
                "At best, how many sigmoids does a gradient pass before it is below one hundredth?",
                "descent lecture activations --range 1",
            ),
            (
                "What slope must a leaky ReLU have to let a tenth of the gradient through ten layers on its left side?",
                "descent lecture activations --slope 0.8",
            ),
        ]);
        section.readings(&[ALEXNET, MAAS, D2L_STABILITY]);
        let x = [("x".to_owned(), functions[0].x.as_slice())].into_iter();
        let columns = functions.iter().flat_map(|f| {
            [(f.name.to_owned(), f.y.as_slice()), (format!("{} gradient", f.name), f.dy.as_slice())]
        });
        section.data("functions", &Table::of_columns(x.chain(columns)));
        for (path, source) in [
            (
                "crates/autograd/src/ops/activation.rs",
                include_str!("../../../autograd/src/ops/activation.rs"),
            ),
            ("crates/tensor/src/activation/mod.rs", include_str!("../../../tensor/src/activation/mod.rs")),
        ] {
            section.source(path, source);
        }
        Ok(())
    }
}
