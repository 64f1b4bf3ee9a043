//! Draws one image of the built-in set.
//!
//! Only +, −, ×, ÷ and √ are used, which every machine rounds the same way; directions are drawn as points of
//! the unit disk instead of angles.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use crate::random::{below, unit};

const SIDE: usize = 32;
/// Each pixel is the mean of this many points in each direction.
const N_POINTS: usize = 3;

type Colour = [f32; 3];

/// Draws an image of the class `label` into the planes of red, green and blue.
pub(super) fn image(label: usize, rng: &mut ChaCha8Rng, planes: &mut [u8]) {
    let mut canvas = [[0.0; 3]; SIDE * SIDE];
    background(&mut canvas, rng);
    for _ in 0..2 + below(rng, 3) {
        scrap(&mut canvas, rng);
    }
    let radius = 7.0 + 5.0 * unit(rng);
    let centre = [(); 2].map(|()| radius + (SIDE as f32 - 2.0 * radius) * unit(rng));
    let stamp = Stamp { centre, radius, direction: direction(rng) };
    let bright = colour(rng).map(|value| 0.5 + 0.5 * value);
    stamp.paint(&mut canvas, bright, |x, y| is_inside(label, x, y));
    add_noise(&mut canvas, rng);
    for (channel, plane) in planes.chunks_exact_mut(SIDE * SIDE).enumerate() {
        for (byte, pixel) in plane.iter_mut().zip(&canvas) {
            *byte = (pixel[channel] * 255.0 + 0.5) as u8;
        }
    }
}

/// Whether a point is inside the shape of the class, which roughly fills the unit disk.
fn is_inside(label: usize, x: f32, y: f32) -> bool {
    let square = x * x + y * y;
    match label {
        0 => square < 0.8,
        1 => (0.36..0.95).contains(&square),
        2 => y > -0.5 && 1.732_050_8 * x.abs() + y < 1.0,
        3 => x.abs().max(y.abs()) < 0.72,
        4 => is_inside_star(x, y),
        5 => x.abs().min(y.abs()) < 0.28 && x.abs().max(y.abs()) < 0.95,
        6 => square < 0.95 && (x - 0.5) * (x - 0.5) + y * y > 0.5,
        7 => is_inside_heart(1.35 * x, 1.35 * y + 0.1),
        8 => (y.abs() < 0.2 && (-0.95..0.2).contains(&x)) || (x > 0.1 && y.abs() < 0.8 * (1.0 - x)),
        9 => x.abs() < 0.97 && y.abs() < 0.28,
        _ => unreachable!("there are ten classes"),
    }
}

/// The pentagram: the points outside at most one of its five lines, seen from the centre.
fn is_inside_star(x: f32, y: f32) -> bool {
    const NORMALS: [[f32; 2]; 5] = [
        [0.0, 1.0],
        [-0.951_056_5, 0.309_017],
        [-0.587_785_25, -0.809_017],
        [0.587_785_25, -0.809_017],
        [0.951_056_5, 0.309_017],
    ];
    const DISTANCE: f32 = 0.309_017;
    NORMALS.iter().filter(|[nx, ny]| nx * x + ny * y > DISTANCE).count() <= 1
}

/// (x² + y² − 1)³ < x² y³.
fn is_inside_heart(x: f32, y: f32) -> bool {
    let a = x * x + y * y - 1.0;
    a * a * a < x * x * y * y * y
}

/// The position, size and direction of something to paint.
struct Stamp {
    centre: [f32; 2],
    radius: f32,
    /// A unit vector.
    direction: [f32; 2],
}

impl Stamp {
    /// Paints the points of the unit disk that are `inside`, with smooth edges.
    fn paint(&self, canvas: &mut [Colour], colour: Colour, inside: impl Fn(f32, f32) -> bool) {
        let [cos, sin] = self.direction;
        let [rows, columns] = self.centre.map(|at| {
            let (first, last) = ((at - self.radius).max(0.0), (at + self.radius).min(SIDE as f32 - 1.0));
            first as usize..=last as usize
        });
        for row in rows {
            for column in columns.clone() {
                let mut n_inside = 0;
                for point_idx in 0..N_POINTS * N_POINTS {
                    let offset = |idx: usize| (idx as f32 + 0.5) / N_POINTS as f32;
                    let y = (row as f32 + offset(point_idx / N_POINTS) - self.centre[0]) / self.radius;
                    let x = (column as f32 + offset(point_idx % N_POINTS) - self.centre[1]) / self.radius;
                    n_inside += usize::from(inside(cos * x + sin * y, cos * y - sin * x));
                }
                let coverage = n_inside as f32 / (N_POINTS * N_POINTS) as f32;
                for (value, new) in canvas[row * SIDE + column].iter_mut().zip(colour) {
                    *value += coverage * (new - *value);
                }
            }
        }
    }
}

/// A gradient from one dark colour to another, in a random direction.
fn background(canvas: &mut [Colour], rng: &mut ChaCha8Rng) {
    let [near, far] = [(); 2].map(|()| colour(rng).map(|value| 0.5 * value));
    let [dx, dy] = direction(rng);
    for (pixel_idx, pixel) in canvas.iter_mut().enumerate() {
        let (y, x) = ((pixel_idx / SIDE) as f32, (pixel_idx % SIDE) as f32);
        let middle = SIDE as f32 / 2.0;
        let t = (0.5 + (dx * (x - middle) + dy * (y - middle)) / SIDE as f32).clamp(0.0, 1.0);
        *pixel = std::array::from_fn(|channel| near[channel] + t * (far[channel] - near[channel]));
    }
}

/// A small dot or short stroke at a random position.
fn scrap(canvas: &mut [Colour], rng: &mut ChaCha8Rng) {
    let is_dot = below(rng, 2) == 0;
    let radius = if is_dot { 1.0 + unit(rng) } else { 3.0 + 4.0 * unit(rng) };
    let centre = [(); 2].map(|()| SIDE as f32 * unit(rng));
    let stamp = Stamp { centre, radius, direction: direction(rng) };
    let half_width = if is_dot { 1.0 } else { 0.7 / radius };
    let colour = colour(rng);
    stamp.paint(canvas, colour, |x, y| y.abs() < half_width && x * x + y * y < 1.0);
}

/// Adds the difference of two bytes to each value (a triangular distribution), with a random strength per
/// image.
fn add_noise(canvas: &mut [Colour], rng: &mut ChaCha8Rng) {
    let strength = (0.02 + 0.1 * unit(rng)) / 255.0;
    for pixel in canvas {
        for value in pixel {
            let [a, b, ..] = rng.next_u32().to_le_bytes();
            *value = (*value + strength * (f32::from(a) - f32::from(b))).clamp(0.0, 1.0);
        }
    }
}

fn colour(rng: &mut ChaCha8Rng) -> Colour {
    [(); 3].map(|()| unit(rng))
}

/// A uniformly random unit vector.
fn direction(rng: &mut ChaCha8Rng) -> [f32; 2] {
    loop {
        let [x, y] = [(); 2].map(|()| 2.0 * unit(rng) - 1.0);
        let square = x * x + y * y;
        if (0.01..1.0).contains(&square) {
            let length = square.sqrt();
            return [x / length, y / length];
        }
    }
}
