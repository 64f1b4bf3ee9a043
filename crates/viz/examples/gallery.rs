//! Makes the figures of the README: `cargo run -p viz --example gallery [DIRECTORY]` writes each as SVG, and
//! as PNG too if `--png` is given.

use std::f64::consts::{PI, TAU};
use std::path::PathBuf;

use viz::{Bars, Border, ColorMap, Figure, Grid, HeatMap, ImageGrid, Plot, Tile};

fn main() -> viz::Result<()> {
    let (flags, paths): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|arg| arg.starts_with("--"));
    let default = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/gallery"));
    let directory = paths.first().map_or(default, PathBuf::from);
    for (name, plot) in plots() {
        plot.save(directory.join(format!("{name}.svg")))?;
        if flags.iter().any(|flag| flag == "--png") {
            plot.save(directory.join(format!("{name}.png")))?;
        }
    }
    Ok(())
}

/// Every figure, with its name.
pub(crate) fn plots() -> Vec<(&'static str, Box<dyn Plot>)> {
    vec![
        ("lines", Box::new(lines())),
        ("band", Box::new(band())),
        ("scatter", Box::new(scatter())),
        ("histogram", Box::new(histogram())),
        ("descent", Box::new(descent())),
        ("contour", Box::new(contour())),
        ("bars", Box::new(bars())),
        ("confusion", Box::new(confusion())),
        ("heat_map", Box::new(heat_map())),
        ("images", Box::new(images())),
        ("grid", Box::new(grid())),
    ]
}

/// Lines on a logarithmic axis.
fn lines() -> Figure {
    let epochs: Vec<f64> = (0..200).map(f64::from).collect();
    let noise = normals(7, 400);
    let train: Vec<f64> =
        epochs.iter().zip(&noise).map(|(e, n)| 0.35 * (-e / 28.0).exp() * (1.0 + 0.04 * n) + 2e-4).collect();
    let test: Vec<f64> = epochs
        .iter()
        .zip(&noise[200..])
        .map(|(e, n)| 0.26 + 0.09 * (-e / 20.0).exp() + 0.0009 * e + 0.004 * n)
        .collect();
    let decayed: Vec<f64> = epochs.iter().map(|e| 0.018 + 0.33 * (-e / 22.0).exp()).collect();
    Figure::new("A model that fits its training data and nothing else")
        .x_label("epoch")
        .y_label("mean squared error")
        .y_log()
        .line("train", &epochs, &train)
        .line("test", &epochs, &test)
        .dashed("test, weight decay", &epochs, &decayed)
        .x_rule("early stopping", 38.0)
}

/// A mean and its standard deviation.
fn band() -> Figure {
    let degrees: Vec<f64> = (0..=36).map(|i| f64::from(i) * 5.0).collect();
    let mean: Vec<f64> =
        degrees.iter().map(|d| 0.55 + 0.4 * (d * PI / 180.0 * 2.0).cos() * (-d / 150.0).exp()).collect();
    let deviation: Vec<f64> = degrees.iter().map(|d| 0.02 + 0.16 * (d * PI / 180.0).sin().powi(2)).collect();
    let lo: Vec<f64> = mean.iter().zip(&deviation).map(|(m, s)| m - s).collect();
    let hi: Vec<f64> = mean.iter().zip(&deviation).map(|(m, s)| m + s).collect();
    Figure::new("How sure the network is of a turned image")
        .x_label("rotation (degrees)")
        .y_label("probability of “ship”")
        .y_range(0.0, 1.05)
        .band("± one standard deviation of 100 passes", &degrees, &lo, &hi)
        .line("mean", &degrees, &mean)
        .y_rule("chance", 0.1)
}

/// Two clouds of points.
fn scatter() -> Figure {
    let noise = normals(3, 240);
    let cloud = |from: usize, x: f64, y: f64| -> (Vec<f64>, Vec<f64>) {
        (from..from + 60).map(|i| (x + 0.8 * noise[i], y + 0.6 * noise[i + 60])).unzip()
    };
    let (first, second) = (cloud(0, -0.8, 0.4), cloud(120, 1.1, 1.5));
    Figure::new("Two classes")
        .x_label("x₁")
        .y_label("x₂")
        .scatter("class 0", &first.0, &first.1)
        .scatter("class 1", &second.0, &second.1)
}

/// A histogram and the density it should have.
fn histogram() -> Figure {
    Figure::new("10,000 draws from the standard normal distribution")
        .x_label("x")
        .y_label("density")
        .x_range(-4.0, 4.0)
        .histogram("draws", &normals(1, 10_000), 50)
        .function("N(0, 1)", -4.0, 4.0, |x| (-x * x / 2.0).exp() / TAU.sqrt())
}

/// A function, its extrema, and gradient descent on it.
fn descent() -> Figure {
    let f = |x: f64| x * (0.15 * PI * x).cos();
    let slope = |x: f64| (0.15 * PI * x).cos() - 0.15 * PI * x * (0.15 * PI * x).sin();
    let path = |start: f64, lr: f64, n_steps: usize| -> (Vec<f64>, Vec<f64>) {
        let steps = std::iter::successors(Some(start), |&x| Some(x - lr * slope(x)));
        steps.take(n_steps + 1).map(|x| (x, f(x))).unzip()
    };
    let (small, large) = (path(10.0, 0.3, 10), path(-7.0, 2.7, 5));
    Figure::new("Gradient descent on f(x) = x·cos(0.15πx)")
        .x_label("x")
        .y_label("f(x)")
        .function("f", -10.0, 14.0, f)
        .path("from 10, lr 0.3", &small.0, &small.1)
        .path("from −7, lr 2.7", &large.0, &large.1)
        .mark("minimum", 7.269388, f(7.269388))
        .mark("maximum", -7.269388, f(-7.269388))
}

/// Three optimizers on Rosenbrock's function.
fn contour() -> Figure {
    let f = |x: f64, y: f64| (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2);
    let gradient = |[x, y]: [f64; 2]| [2.0 * (x - 1.0) - 400.0 * x * (y - x * x), 200.0 * (y - x * x)];
    // Takes the step that `rule` makes of the gradient, 200 times.
    let path = |rule: &mut dyn FnMut([f64; 2], i32) -> [f64; 2]| -> (Vec<f64>, Vec<f64>) {
        let mut at = [-1.2, 1.3];
        let mut path = (vec![at[0]], vec![at[1]]);
        for t in 1..=200 {
            let step = rule(gradient(at), t);
            at = [at[0] - step[0], at[1] - step[1]];
            path.0.push(at[0]);
            path.1.push(at[1]);
        }
        path
    };
    let sgd = path(&mut |g, _| g.map(|g| 0.0015 * g));
    let mut velocity = [0.0; 2];
    let momentum = path(&mut |g, _| {
        velocity = [0.9 * velocity[0] + g[0], 0.9 * velocity[1] + g[1]];
        velocity.map(|v| 0.0006 * v)
    });
    let (mut m, mut v) = ([0.0f64; 2], [0.0f64; 2]);
    let adam = path(&mut |g, t| {
        [0, 1].map(|i| {
            m[i] = 0.9 * m[i] + 0.1 * g[i];
            v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
            0.12 * (m[i] / (1.0 - 0.9f64.powi(t))) / ((v[i] / (1.0 - 0.999f64.powi(t))).sqrt() + 1e-8)
        })
    });
    Figure::new("200 steps down Rosenbrock’s valley")
        .size(640, 480)
        .x_label("x")
        .y_label("y")
        .contour((-1.7, 1.7), (-0.7, 1.8), f)
        .path("SGD", &sgd.0, &sgd.1)
        .path("momentum", &momentum.0, &momentum.1)
        .path("Adam", &adam.0, &adam.1)
        .mark("minimum", 1.0, 1.0)
}

const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Groups of bars with error bars.
fn bars() -> Bars {
    Bars::new("Accuracy by class", &CLASSES)
        .y_label("correct (%)")
        .group("CNN", &[74.1, 82.3, 56.2, 49.8, 63.9, 58.0, 77.7, 72.4, 81.0, 76.5])
        .group_with_errors(
            "MLP",
            &[58.3, 61.0, 38.9, 33.2, 44.7, 41.5, 59.8, 57.1, 66.2, 58.9],
            &[2.1, 1.8, 2.6, 3.0, 2.2, 2.4, 1.9, 1.7, 1.5, 2.0],
        )
}

/// A confusion matrix.
fn confusion() -> HeatMap {
    let noise = normals(11, 100);
    let alike =
        |i: usize, j: usize| matches!((i.min(j), i.max(j)), (3, 5) | (1, 9) | (0, 8) | (4, 7) | (2, 4));
    let counts: Vec<u64> = (0..100)
        .map(|k| match (k / 10, k % 10) {
            (i, j) if i == j => 650.0 + 80.0 * noise[k],
            (i, j) if alike(i, j) => 110.0 + 40.0 * noise[k],
            _ => 22.0 + 14.0 * noise[k],
        })
        .map(|count| count.max(0.0) as u64)
        .collect();
    HeatMap::confusion("Confusion matrix", &CLASSES, &counts)
}

/// A matrix of both signs.
fn heat_map() -> HeatMap {
    let values: Vec<f64> = (0..24 * 48)
        .map(|k| ((k / 48) as f64 * 0.5 + 0.6).sin() * ((k % 48) as f64 * 0.23).cos() * 0.13)
        .collect();
    HeatMap::new("Weights of a layer", 24, 48, &values)
        .x_label("input")
        .y_label("output")
        .color_map(ColorMap::Diverging)
}

/// Images with captions and borders.
fn images() -> ImageGrid {
    let colors = [[214, 69, 65], [244, 179, 80], [245, 238, 220], [38, 67, 72], [146, 84, 62]];
    let pixel = |seed: usize, y: usize, x: usize| -> [u8; 3] {
        let (dx, dy) = (x as f64 - 15.5, y as f64 - 15.5);
        let radius = dx.hypot(dy) + 3.0 * (dy.atan2(dx) * (3 + seed % 4) as f64 + seed as f64).cos();
        let ground = [120.0 + 3.0 * y as f64, 160.0 + 2.0 * y as f64, 215.0 - 2.5 * y as f64];
        let cover = (11.0 - radius).clamp(0.0, 1.0);
        [0, 1, 2].map(|c| (ground[c] * (1.0 - cover) + f64::from(colors[seed % 5][c]) * cover) as u8)
    };
    (0..10).fold(ImageGrid::new("Predictions", 5), |grid, seed| {
        let pixels: Vec<u8> = (0..32 * 32).flat_map(|i| pixel(seed, i / 32, i % 32)).collect();
        let guess = if seed % 4 == 2 { (seed + 3) % 10 } else { seed };
        let tile = Tile::rgb(32, 32, &pixels);
        grid.tile(if guess == seed {
            tile.caption(CLASSES[seed]).border(Border::Good)
        } else {
            tile.caption(format!("{}\nis: {}", CLASSES[guess], CLASSES[seed])).border(Border::Bad)
        })
    })
}

/// Small multiples.
fn grid() -> Grid {
    [0.1, 0.3, 0.9, 1.0].into_iter().fold(Grid::new("The learning rate decides", 2), |grid, lr: f64| {
        let xs: Vec<f64> = (0..=10).map(|t| 1.5 * (1.0 - 2.0 * lr).powi(t)).collect();
        let ys: Vec<f64> = xs.iter().map(|x| x * x).collect();
        grid.panel(
            Figure::new(format!("lr {lr}")).x_label("x").function("f(x) = x²", -1.7, 1.7, |x| x * x).path(
                "10 steps of gradient descent",
                &xs,
                &ys,
            ),
        )
    })
}

/// Draws from the standard normal distribution: Box and Muller's method on a linear congruential generator.
fn normals(seed: u64, n: usize) -> Vec<f64> {
    let mut state = seed;
    let mut uniform = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    };
    (0..n).map(|_| (-2.0 * uniform().ln()).sqrt() * (TAU * uniform()).cos()).collect()
}
