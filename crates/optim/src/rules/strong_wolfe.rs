//! A line search for a step that meets the strong Wolfe conditions.
//!
//! f(t) is the function along a direction of descent, f′(t) its slope. A step is good enough when
//! f(t) ≤ f(0) + c₁·t·f′(0) and |f′(t)| ≤ c₂·|f′(0)|. Nocedal and Wright, "Numerical Optimization",
//! algorithms 3.5 and 3.6, with the safeguards of PyTorch's L-BFGS, whose steps this repeats.

use crate::Real;

const C1: f64 = 1e-4;
const C2: f64 = 0.9;

/// A point on the line.
pub(super) struct Point<'a, F> {
    pub(super) t: f64,
    pub(super) loss: f64,
    pub(super) slope: f64,
    pub(super) grad: &'a mut [F],
}

/// Where a search starts and when it ends.
pub(super) struct Search {
    /// Loss and slope at t = 0.
    pub(super) loss: f64,
    pub(super) slope: f64,
    /// The largest component of the direction.
    pub(super) reach: f64,
    pub(super) tolerance_change: f64,
    pub(super) max_evals: usize,
}

impl Search {
    /// Searches from the step `trial.t`. `start` is the point at t = 0, `spare` and `trial` lend their
    /// buffers; `evaluate` fills in loss, slope and gradient of the point at its `t`.
    ///
    /// Returns the point found and the number of evaluations.
    pub(super) fn run<'a, F: Real>(
        &self,
        start: &[F],
        spare: &'a mut [F],
        mut trial: Point<'a, F>,
        mut evaluate: impl FnMut(&mut Point<'a, F>),
    ) -> (Point<'a, F>, usize) {
        spare.copy_from_slice(start);
        let mut previous = Point { t: 0.0, loss: self.loss, slope: self.slope, grad: spare };
        evaluate(&mut trial);
        let mut n_iters = 0;
        while n_iters < self.max_evals {
            if self.is_too_high(&trial) || (n_iters > 1 && trial.loss >= previous.loss) {
                return self.zoom([previous, trial], n_iters, evaluate);
            }
            if self.is_flat_enough(&trial) {
                return (trial, n_iters + 1);
            }
            if trial.slope >= 0.0 {
                return self.zoom([previous, trial], n_iters, evaluate);
            }
            let bounds = (trial.t + 0.01 * (trial.t - previous.t), 10.0 * trial.t);
            let t = cubic_minimum(&previous, &trial, bounds);
            std::mem::swap(&mut previous, &mut trial);
            trial.t = t;
            evaluate(&mut trial);
            n_iters += 1;
        }
        // Out of evaluations: the better of the start and the last point.
        let n_evals = n_iters + 1;
        if self.loss <= trial.loss {
            previous.grad.copy_from_slice(start);
            return (Point { t: 0.0, loss: self.loss, slope: self.slope, ..previous }, n_evals);
        }
        (trial, n_evals)
    }

    /// Shrinks a bracket around a good step. Only the lower end's gradient can still be the result, so the
    /// higher end lends its buffer to each trial.
    fn zoom<'a, F: Real>(
        &self,
        mut ends: [Point<'a, F>; 2],
        mut n_iters: usize,
        mut evaluate: impl FnMut(&mut Point<'a, F>),
    ) -> (Point<'a, F>, usize) {
        let lower = |ends: &[Point<'a, F>; 2]| if ends[0].loss <= ends[1].loss { 0 } else { 1 };
        let mut low = lower(&ends);
        let mut made_little_progress = false;
        while n_iters < self.max_evals && (ends[1].t - ends[0].t).abs() * self.reach >= self.tolerance_change
        {
            let high = 1 - low;
            let t = next_trial(&ends, &mut made_little_progress);
            let mut trial = Point { t, loss: 0.0, slope: 0.0, grad: std::mem::take(&mut ends[high].grad) };
            evaluate(&mut trial);
            n_iters += 1;
            if self.is_too_high(&trial) || trial.loss >= ends[low].loss {
                ends[high] = trial;
                low = lower(&ends);
                continue;
            }
            let is_done = self.is_flat_enough(&trial);
            let turns = trial.slope * (ends[high].t - ends[low].t) >= 0.0;
            let old_low = std::mem::replace(&mut ends[low], trial);
            if is_done {
                break;
            }
            if turns {
                ends[high] = old_low;
            } else {
                ends[high].grad = old_low.grad;
            }
        }
        let [first, second] = ends;
        (if low == 0 { first } else { second }, n_iters + 1)
    }

    fn is_too_high<F>(&self, point: &Point<'_, F>) -> bool {
        point.loss > self.loss + C1 * point.t * self.slope
    }

    fn is_flat_enough<F>(&self, point: &Point<'_, F>) -> bool {
        point.slope.abs() <= -C2 * self.slope
    }
}

/// The minimum of the cubic through both ends; moved inside when it comes close to an end twice in a row,
/// or lies on one.
fn next_trial<F>(ends: &[Point<'_, F>; 2], made_little_progress: &mut bool) -> f64 {
    let (left, right) = (ends[0].t.min(ends[1].t), ends[0].t.max(ends[1].t));
    let margin = 0.1 * (right - left);
    let t = cubic_minimum(&ends[0], &ends[1], (left, right));
    if (right - t).min(t - left) >= margin {
        *made_little_progress = false;
        return t;
    }
    if !*made_little_progress && t < right && t > left {
        *made_little_progress = true;
        return t;
    }
    *made_little_progress = false;
    if (t - right).abs() < (t - left).abs() { right - margin } else { left + margin }
}

/// The minimum, within bounds, of the cubic that has the losses and slopes of two points; the middle of the
/// bounds where it has none.
fn cubic_minimum<F>(a: &Point<'_, F>, b: &Point<'_, F>, (low, high): (f64, f64)) -> f64 {
    let d1 = a.slope + b.slope - 3.0 * (a.loss - b.loss) / (a.t - b.t);
    let square = d1 * d1 - a.slope * b.slope;
    if square.is_nan() || square < 0.0 {
        return (low + high) / 2.0;
    }
    let d2 = square.sqrt();
    let (left, right) = if a.t <= b.t { (a, b) } else { (b, a) };
    let t = right.t - (right.t - left.t) * ((right.slope + d2 - d1) / (right.slope - left.slope + 2.0 * d2));
    t.max(low).min(high)
}
