//! Four optimizers on three surfaces.

use anyhow::Result;
use clap::Args;
use classifier::ranges::{not_negative, within};
use optim::{Adam, Elementwise, RmsProp, Sgd};
use viz::Figure;

use super::Experiment;
use crate::page::bibliography::{DAUPHIN, KINGMA_BA, MORE, ROSENBROCK};
use crate::page::{Frame, Knob, Section, Table};

/// How long the optimizers run, and how fast.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct Surfaces {
    /// Steps of each optimizer [default: 60 on the saddle, 400 in Rosenbrock's valley, 300 on Beale's function]
    #[arg(long, value_name = "N", value_parser = within::<1, 100_000>)]
    pub steps: Option<usize>,

    /// Factor for all learning rates
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = not_negative)]
    pub speed: f64,
}

/// A function of two variables, and how it is shown.
pub struct Surface {
    /// Its name, for files.
    pub name: &'static str,
    /// The figure's title.
    pub title: &'static str,
    /// Its value.
    pub f: fn([f64; 2]) -> f64,
    /// Its gradient.
    pub gradient: fn([f64; 2]) -> [f64; 2],
    window: [(f64, f64); 2],
    start: [f64; 2],
    minimum: Option<[f64; 2]>,
    n_steps: usize,
    /// Learning rates of SGD, momentum, RMSProp and Adam.
    rates: [f64; 4],
    caption: &'static str,
}

/// x² − y²; Rosenbrock's and Beale's functions.
pub const SURFACES: [Surface; 3] = [
    Surface {
        name: "saddle",
        title: "Off the saddle x² − y²",
        f: |[x, y]| x * x - y * y,
        gradient: |[x, y]| [2.0 * x, -2.0 * y],
        window: [(-1.6, 1.6), (-1.0, 1.6)],
        start: [-1.3, 0.01],
        minimum: None,
        n_steps: 60,
        rates: [0.05, 0.02, 0.04, 0.06],
        caption: "All start at x = −1.3, a hundredth off the axis. SGD slides down to the saddle and waits there until \
                  the tiny slope in y has grown; momentum overshoots, but leaves sooner. RMSProp and Adam divide by the \
                  size of the gradient: for them the tiny slope counts like any other, and they turn off at once.",
    },
    Surface {
        name: "rosenbrock",
        title: "Down Rosenbrock’s valley",
        f: |[x, y]| (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2),
        gradient: |[x, y]| [2.0 * (x - 1.0) - 400.0 * x * (y - x * x), 200.0 * (y - x * x)],
        window: [(-1.7, 1.7), (-0.7, 1.8)],
        start: [-1.2, 1.3],
        minimum: Some([1.0, 1.0]),
        n_steps: 400,
        rates: [0.0015, 0.0006, 0.01, 0.1],
        caption: "The valley is easy to find and hard to follow: its walls are steep, its floor nearly flat. SGD must \
                  take steps small enough for the walls, so it is slow along the floor.",
    },
    Surface {
        name: "beale",
        title: "Across Beale’s plain",
        f: |[x, y]| BEALE.iter().zip(1..).map(|(c, k)| (c - x + x * y.powi(k)).powi(2)).sum(),
        gradient: |[x, y]| {
            BEALE.iter().zip(1..).fold([0.0; 2], |[dx, dy], (c, k)| {
                let term = 2.0 * (c - x + x * y.powi(k));
                [dx + term * (y.powi(k) - 1.0), dy + term * x * f64::from(k) * y.powi(k - 1)]
            })
        },
        window: [(-0.5, 4.2), (-1.2, 1.9)],
        start: [0.8, 1.5],
        minimum: Some([3.0, 0.5]),
        n_steps: 300,
        rates: [0.005, 0.002, 0.02, 0.1],
        caption: "A cliff at the start, a plain behind it. Where the surface is flat, SGD's steps are as small as its \
                  gradients.",
    },
];

/// The constants of Beale's function, Σ (cₖ − x + x·yᵏ)².
const BEALE: [f64; 3] = [1.5, 2.25, 2.625];

/// The names of the optimizers, in the order of their paths.
pub const OPTIMIZERS: [&str; 4] = ["SGD", "momentum", "RMSProp", "Adam"];

/// The order in legends and tables: those that get farthest come first.
const FARTHEST_FIRST: [usize; 4] = [3, 1, 2, 0];

impl Surfaces {
    /// The path of each optimizer, the start included.
    ///
    /// # Errors
    /// When a learning rate is outside its range.
    pub fn paths(&self, surface: &Surface) -> Result<Vec<Vec<[f64; 2]>>> {
        let [sgd, momentum, rmsprop, adam] = surface.rates.map(|lr| lr * self.speed);
        let rules: [Box<dyn Elementwise<f64>>; 4] = [
            Box::new(Sgd { lr: sgd, ..Sgd::default() }),
            Box::new(Sgd { lr: momentum, momentum: 0.9, ..Sgd::default() }),
            Box::new(RmsProp { lr: rmsprop, alpha: 0.9, ..RmsProp::default() }),
            Box::new(Adam { lr: adam, ..Adam::default() }),
        ];
        let n_steps = self.steps.unwrap_or(surface.n_steps);
        rules.iter().map(|rule| descend(rule.as_ref(), surface, n_steps)).collect()
    }
}

fn descend(rule: &dyn Elementwise<f64>, surface: &Surface, n_steps: usize) -> Result<Vec<[f64; 2]>> {
    let mut state = rule.state(2)?;
    let mut at = surface.start;
    let mut path = vec![at];
    for _ in 0..n_steps {
        let gradient = (surface.gradient)(at);
        rule.update(&mut at, &gradient, &mut state);
        path.push(at);
    }
    Ok(path)
}

impl Experiment for Surfaces {
    const TITLE: &'static str = "Four optimizers on one map";

    fn run(&self, section: &mut Section) -> Result<()> {
        section.text(
            "With two parameters, the loss is a map: lines of equal loss, and on them the paths of the optimizers. All \
             four are the library's own rules, each with a learning rate that suits it; no single rate suits all.",
        );
        for surface in &SURFACES {
            let paths = self.paths(surface)?;
            let mut table = Table::new(["", "learning rate", "steps", "x", "y", "f(x, y)"]);
            let mut columns: Vec<(String, Vec<f64>)> = Vec::new();
            for i in FARTHEST_FIRST {
                let (name, path, rate) = (OPTIMIZERS[i], &paths[i], surface.rates[i]);
                let [px, py] = path[path.len() - 1];
                let value = (surface.f)([px, py]);
                let (rate, n_steps) = (format!("{}", rate * self.speed), path.len() - 1);
                table.push([name.into(), rate.into(), n_steps.into(), px.into(), py.into(), value.into()]);
                for (axis, axis_name) in ["x", "y"].into_iter().enumerate() {
                    columns.push((
                        format!("{name} {axis_name}"),
                        path.iter().map(|point| point[axis]).collect(),
                    ));
                }
            }
            if surface.name == "rosenbrock" {
                section.hero(surface.figure(&paths, surface.title.to_owned()))?;
            }
            let figure = surface.figure(&paths, surface.title.to_owned());
            section.figure(surface.name, figure, &section.told(MAP, surface.caption))?;
            let has_left = |i: &usize| paths[*i].last().is_some_and(|end| !surface.is_inside(*end));
            let gone: Vec<&str> =
                FARTHEST_FIRST.into_iter().filter(has_left).map(|i| OPTIMIZERS[i]).collect();
            let caption = match gone.as_slice() {
                [] => "Where they are after the last step.".to_owned(),
                gone => format!(
                    "Where they are after the last step. These left the map and are drawn up to its edge: {}.",
                    gone.join(", ")
                ),
            };
            section.table(&format!("{}-ends", surface.name), &caption, table);
            let columns = columns.iter().map(|(name, values)| (name.clone(), values.as_slice()));
            section.data(&format!("{}-paths", surface.name), &Table::of_columns(columns));
        }
        self.knob(section)?;
        section.exercises(&[
            (
                "Which optimizer suffers most when all rates are doubled, and which hardly notices?",
                "descent lecture surfaces --speed 2",
            ),
            (
                "By trying numbers of steps: how many does SGD need on Rosenbrock's function to get as far as Adam in 400 \
                 (f = 0.0034)?",
                "descent lecture surfaces --steps 3000",
            ),
        ]);
        section.readings(&[ROSENBROCK, MORE, DAUPHIN, KINGMA_BA]);
        Ok(())
    }
}

/// The caption that all maps share.
const MAP: &str = "A ring marks the start, a large dot the end or where a path leaves the map.";

/// The slider's speeds.
const SPEEDS: [f64; 9] = [0.1, 0.2, 0.5, 0.8, 1.0, 1.2, 1.5, 2.0, 3.0];

impl Surfaces {
    /// Adds the paths on Rosenbrock's function with a slider for all four learning rates.
    fn knob(&self, section: &mut Section) -> Result<()> {
        let surface = &SURFACES[1];
        section.knobs(
            "turn-speed",
            &[Knob::new("all rates ×", &SPEEDS, 1.0)],
            4,
            |at| {
                let speedy = Self { speed: self.speed * SPEEDS[at[0]], ..self.clone() };
                let paths = speedy.paths(surface)?;
                let loss = |i: usize| {
                    let end = paths[i].last().map_or(f64::INFINITY, |end| (surface.f)(*end));
                    if end.is_nan() { f64::INFINITY } else { end }
                };
                let reading = vec![
                    ("f after SGD", loss(0)),
                    ("f after momentum", loss(1)),
                    ("f after RMSProp", loss(2)),
                    ("f after Adam", loss(3)),
                ];
                // A dot for every fifth step is enough.
                let thin = |path: &Vec<[f64; 2]>| path.iter().copied().step_by(5).collect::<Vec<_>>();
                let thin: Vec<Vec<[f64; 2]>> = paths.iter().map(thin).collect();
                Ok(Frame { figure: surface.figure(&thin, surface.title.to_owned()), reading })
            },
            "Each optimizer's rate is multiplied by the same factor; every fifth step is drawn. A path whose loss is infinite or huge has diverged.",
        )
    }
}

impl Surface {
    fn is_inside(&self, point: [f64; 2]) -> bool {
        self.window.iter().zip(point).all(|(&(lo, hi), x)| (lo..=hi).contains(&x))
    }

    /// The map, with each path up to where it leaves the map. In the narrow valley one path covers another,
    /// so those that get farthest are drawn first.
    fn figure(&self, paths: &[Vec<[f64; 2]>], title: String) -> Figure {
        let [x, y] = self.window;
        let map = Figure::new(title).x_label("x").y_label("y").x_range(x.0, x.1).y_range(y.0, y.1).contour(
            x,
            y,
            |x, y| (self.f)([x, y]),
        );
        let map = FARTHEST_FIRST.into_iter().fold(map, |map, i| {
            let shown = paths[i].iter().take_while(|point| self.is_inside(**point));
            let (xs, ys): (Vec<f64>, Vec<f64>) = shown.map(|point| (point[0], point[1])).unzip();
            map.path(OPTIMIZERS[i], &xs, &ys)
        });
        match self.minimum {
            Some([x, y]) => map.mark("minimum", x, y),
            None => map,
        }
    }
}
