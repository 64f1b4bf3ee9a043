//! A line search for a step that meets the strong Wolfe conditions.
//!
//! f(t) is the function along a descent direction, f′(t) its slope. A step is accepted when f(t) ≤ f(0) +
//! c₁·t·f′(0) and |f′(t)| ≤ c₂·|f′(0)|. Nocedal and Wright, "Numerical Optimization", algorithms 3.5 and 3.6,
//! with the safeguards of PyTorch's L-BFGS, whose steps this reproduces. A loss of NaN counts as too high;
//! PyTorch may return such a point.

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
    /// Searches from the step `trial.t`. `start` is the point at t = 0, and `spare` and `trial` provide
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
        // Out of evaluations: return the better of the start and the last point.
        let n_evals = n_iters + 1;
        if trial.loss.is_nan() || self.loss <= trial.loss {
            previous.grad.copy_from_slice(start);
            return (Point { t: 0.0, loss: self.loss, slope: self.slope, ..previous }, n_evals);
        }
        (trial, n_evals)
    }

    /// Shrinks a bracket around a good step. Only the lower end's gradient can still be the result, so the
    /// higher end's buffer is used for each trial.
    fn zoom<'a, F: Real>(
        &self,
        mut ends: [Point<'a, F>; 2],
        mut n_iters: usize,
        mut evaluate: impl FnMut(&mut Point<'a, F>),
    ) -> (Point<'a, F>, usize) {
        let lower = |ends: &[Point<'a, F>; 2]| {
            if ends[1].loss.is_nan() || ends[0].loss <= ends[1].loss { 0 } else { 1 }
        };
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
        point.loss.is_nan() || point.loss > self.loss + C1 * point.t * self.slope
    }

    fn is_flat_enough<F>(&self, point: &Point<'_, F>) -> bool {
        point.slope.abs() <= -C2 * self.slope
    }
}

/// The minimum of the cubic through both ends, moved inside if it is on an end or close to one twice in a
/// row.
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

/// The minimum, within bounds, of the cubic given by the losses and slopes of two points; the middle of the
/// bounds if it has none.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEARCH: Search =
        Search { loss: 1.0, slope: -1.0, reach: 1.0, tolerance_change: 1e-9, max_evals: 1000 };

    fn point(t: f64, loss: f64, slope: f64) -> Point<'static, f64> {
        Point { t, loss, slope, grad: &mut [] }
    }

    /// The ends of a bracket, on a parabola with this minimum.
    fn around(minimum: f64, left: f64, right: f64) -> [Point<'static, f64>; 2] {
        [left, right].map(|t| point(t, (t - minimum).powi(2), 2.0 * (t - minimum)))
    }

    proptest! {
        #[test]
        fn the_cubics_minimum_is_found(
            minimum in -3.0..3.0f64, cubic in -1.0..1.0f64, curvature in 0.1..2.0f64, a in -1.0..1.0f64, gap in 0.1..1.0f64,
        ) {
            let at = |t: f64| {
                let x = t - minimum;
                point(t, cubic * x.powi(3) + curvature * x * x, 3.0 * cubic * x * x + 2.0 * curvature * x)
            };
            for (a, b) in [(a, a + gap), (a + gap, a)] {
                let t = cubic_minimum(&at(a), &at(b), (-10.0, 10.0));
                prop_assert!((t - minimum).abs() < 1e-6, "{} instead of {}", t, minimum);
            }
        }
    }

    #[test]
    fn without_a_minimum_the_middle_is_taken() {
        // Always downhill.
        assert_eq!(cubic_minimum(&point(0.0, 0.0, -1.0), &point(1.0, -1.0, -2.0), (0.0, 4.0)), 2.0);
        assert_eq!(cubic_minimum(&point(0.0, 0.0, -1.0), &point(1.0, f64::NAN, 1.0), (0.0, 1.0)), 0.5);
    }

    /// Close to an end is accepted once but not twice; on an end is not accepted.
    #[test]
    fn a_trial_keeps_away_from_the_ends() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} should be {b}");
        for (minimum, first, second) in [
            (1.2, 1.2, 1.2),
            (1.8, 1.8, 1.8),
            (1.03, 1.03, 1.1),
            (1.97, 1.97, 1.9),
            (0.5, 1.1, 1.1),
            (2.5, 1.9, 1.9),
        ] {
            for ends in [around(minimum, 1.0, 2.0), around(minimum, 2.0, 1.0)] {
                let mut made_little_progress = false;
                close(next_trial(&ends, &mut made_little_progress), first);
                assert_eq!(made_little_progress, first != second);
                close(next_trial(&ends, &mut made_little_progress), second);
                assert!(!made_little_progress);
            }
        }
    }

    #[test]
    fn the_conditions_are_those_of_wolfe() {
        assert!(!SEARCH.is_too_high(&point(2.0, 1.0 - 2.0 * C1, 0.0)));
        assert!(SEARCH.is_too_high(&point(2.0, 1.0 - 1.9 * C1, 0.0)));
        assert!([-0.9, 0.0, 0.9].iter().all(|&slope| SEARCH.is_flat_enough(&point(1.0, 0.0, slope))));
        assert!([-0.91, 0.91].iter().all(|&slope| !SEARCH.is_flat_enough(&point(1.0, 0.0, slope))));
    }

    /// The point found and the number of evaluations, for a function that returns loss and slope.
    fn search(search: &Search, t: f64, line: impl Fn(f64) -> (f64, f64)) -> (f64, f64, usize) {
        let (mut spare, mut grad) = ([0.0; 1], [0.0; 1]);
        let trial = Point { t, loss: 0.0, slope: 0.0, grad: &mut grad };
        let (found, n_evals) = search.run(&[search.slope], &mut spare, trial, |point| {
            (point.loss, point.slope) = line(point.t);
            point.grad[0] = point.slope;
        });
        assert_eq!(found.grad[0], if found.t == 0.0 { search.slope } else { line(found.t).1 });
        (found.t, found.loss, n_evals)
    }

    #[test]
    fn a_kink_is_closed_in_on_until_the_bracket_is_short() {
        let kink = |t: f64| ((t - 0.3f64).abs() + 0.7, if t < 0.3 { -1.0 } else { 1.0 });
        for t in [0.01, 1.0] {
            let (t, loss, n_evals) = search(&SEARCH, t, kink);
            assert!((t - 0.3).abs() < 1e-8 && loss < 0.7 + 1e-8 && n_evals < 200, "{t} {loss} {n_evals}");
        }
        // The largest component of the direction determines how short.
        let [rough, fine] = [1e-6, 1e3].map(|reach| search(&Search { reach, ..SEARCH }, 1.0, kink).2);
        assert!(rough < fine, "{rough} {fine}");
    }

    #[test]
    fn out_of_evaluations_the_start_stands_unless_something_was_better() {
        // Downhill up to t = 1, followed by a step up.
        let cliff = |t: f64| (if t > 1.0 { 9.0 } else { 1.0 - t }, -1.0);
        assert_eq!(search(&Search { max_evals: 1, ..SEARCH }, 0.5, cliff), (0.0, 1.0, 2));
        let undefined = |_: f64| (f64::NAN, f64::NAN);
        assert_eq!(search(&Search { max_evals: 0, ..SEARCH }, 0.5, undefined), (0.0, 1.0, 1));
        let slide = |t: f64| (1.0 - t, -1.0);
        let (t, loss, n_evals) = search(&Search { max_evals: 2, ..SEARCH }, 0.5, slide);
        assert!(t > 0.5 && loss < 0.5 && n_evals == 3, "{t} {loss} {n_evals}");
    }
}
