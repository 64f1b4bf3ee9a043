//! Minima and saddles.

use anyhow::Result;
use clap::Args;
use classifier::ranges::{not_negative, within};
use optim::Sgd;
use viz::Figure;

use super::Experiment;
use crate::page::bibliography::{D2L_MINIMA, DAUPHIN};
use crate::page::{Section, Table};
use crate::subjects::curve::{Curve, WAVELET};

/// The descents that find the minima.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct Minima {
    /// Learning rate of the descents that find the minima
    #[arg(long, value_name = "X", default_value_t = 0.02, value_parser = not_negative)]
    pub lr: f64,

    /// Their steps
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = within::<1, 1_000_000>)]
    pub steps: usize,
}

/// Where the two minima of x·cos(πx) are marked, by eye.
pub const MARKS: [f64; 2] = [-0.3, 1.1];

impl Minima {
    /// The minimum that descent finds from each mark.
    ///
    /// # Errors
    /// When the learning rate is outside its range.
    pub fn found(&self) -> Result<[f64; 2]> {
        let sgd = Sgd { lr: self.lr, ..Sgd::default() };
        let end = |start: f64| -> Result<f64> {
            Ok(*WAVELET.descend(&sgd, start, self.steps)?.last().expect("it has a start"))
        };
        Ok([end(MARKS[0])?, end(MARKS[1])?])
    }
}

impl Experiment for Minima {
    const TITLE: &'static str = "Minima and saddles";

    fn run(&self, section: &mut Section) -> Result<()> {
        let Curve { f, df, label } = WAVELET;
        section.text(
            "Descent stops where the gradient is zero, but not every such point is a good place to stop. One of these \
             functions has two minima, one lower than the other. The slope of the other function is zero at 0, although \
             the function keeps rising.",
        );
        let (cube, window) = (|x: f64| x.powi(3), (-2.0, 2.0));
        section.panels(
            "curves",
            "Two minima, and a place that is none",
            2,
            vec![
                Figure::new("Two minima")
                    .x_label("x")
                    .y_range(-1.5, 2.1)
                    .function(label, -1.0, 2.0, f)
                    .mark("local minimum", MARKS[0], f(MARKS[0]))
                    .mark("lowest", MARKS[1], f(MARKS[1])),
                Figure::new("A stationary inflection").x_label("x").function("x³", window.0, window.1, cube).mark(
                    "slope 0",
                    0.0,
                    0.0,
                ),
            ],
            "$x\\cos \\pi x$ peaks between the two minima, at about 0.27. A descent by small steps that starts in the \
             window to the left of the peak ends in the shallow valley, and no small step leads out of it. $x^3$ rises \
             on both sides of 0, so a descent from above may come to rest there; one from below never does.",
        )?;
        let found = self.found()?;
        let mut table = Table::new(["", "x", "f(x)", "slope"]).decimals(6);
        for (name, x) in [
            ("marked, local", MARKS[0]),
            ("marked, lowest", MARKS[1]),
            ("found by descent, local", found[0]),
            ("found by descent, lowest", found[1]),
        ] {
            table.push([name.into(), x.into(), f(x).into(), df(x).into()]);
        }
        section.table(
            "minima",
            "The marks are placed by eye; with a small learning rate, gradient descent finds the minima themselves.",
            table,
        );
        section.text(
            "In more than one dimension a point can be a minimum in one direction and a maximum in another. Such a point \
             is a saddle, and in the many dimensions of a network, saddles far outnumber minima.",
        );
        let saddle = Figure::new("The saddle x² − y²")
            .x_label("x")
            .y_label("y")
            .contour(window, window, |x, y| x * x - y * y)
            .mark("saddle", 0.0, 0.0);
        section.figure(
            "saddle",
            saddle,
            "Along x the saddle is a valley, along y a hill. A descent that starts exactly on the x axis leads to the \
             saddle and stays there; with the slightest y, it rolls away.",
        )?;
        section.text(
            "> **Three words.** At 0, $x^3$ has a stationary *inflection*, often called a saddle for lack of a second \
             dimension; $x^2 - y^2$ has a real one. And the lower of the two minima is the lowest in this *window* only: \
             at larger $x$ the function falls as low as you like.",
        );
        section.exercises(&[
            (
                "With a large learning rate, descent no longer ends in the valley it started in. What is the smallest such rate?",
                "descent lecture minima --lr 0.4",
            ),
            (
                "Are 1,500 steps at a rate of 0.001 enough for a slope below one millionth in both valleys? Are 2,000?",
                "descent lecture minima --lr 0.001 --steps 1500",
            ),
        ]);
        section.readings(&[DAUPHIN, D2L_MINIMA]);
        Ok(())
    }
}
