//! L-BFGS.

use super::hyperparameters::hyperparameters;
use super::strong_wolfe::{Point, Search};
use crate::elementwise::Lanes;
use crate::reduce::{dot, largest, square, sums};
use crate::{Error, Interval, Minimizer, Outcome, Real, Slot, State, Stop};

/// L-BFGS: a quasi-Newton method that estimates the curvature from recent steps. For noise-free functions.
///
/// ```text
/// y = g − g_prev,  s = step before,  kept if y·s > 1e-10;  H₀ = (y·s)/(y·y)
/// d = −H·g by the two-loop recursion over the kept (s, y)
/// w ← w + t·d,   t = lr (at the very first iteration min(1, 1/‖g‖₁)·lr), or found by the line search
/// ```
/// Each call of [`minimize`](Minimizer::minimize) does up to `max_iter` iterations, continuing from the state
/// of the previous call. The state holds 2·`history_size` vectors.
///
/// Nocedal and Wright, "Numerical Optimization", algorithm 7.5. `torch.optim.LBFGS`.
///
/// ```
/// use optim::{Lbfgs, LineSearch, Minimizer};
///
/// let lbfgs = Lbfgs { line_search: Some(LineSearch::StrongWolfe), max_iter: 100, ..Lbfgs::default() };
/// let mut values = [-1.2f64, 1.0];
/// let mut state = lbfgs.state(2)?;
/// lbfgs.minimize(&mut values, &mut state, |w, g| {
///     let (a, b) = (1.0 - w[0], w[1] - w[0] * w[0]); // Rosenbrock
///     g.copy_from_slice(&[-2.0 * a - 400.0 * b * w[0], 200.0 * b]);
///     a * a + 100.0 * b * b
/// });
/// assert!((values[0] - 1.0).abs() < 1e-4 && (values[1] - 1.0).abs() < 1e-4);
/// # Ok::<(), optim::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lbfgs {
    /// Learning rate, the first step to try (default: 1).
    pub lr: f64,
    /// Iterations per call (default: 20).
    pub max_iter: usize,
    /// Evaluations per call, at least 1; a call may make one more. `None` means 5/4 of `max_iter`, or 25 for
    /// a line search with a single iteration, which would otherwise have no evaluations.
    pub max_eval: Option<usize>,
    /// Stops when no component of the gradient exceeds this (default: 1e-7).
    pub tolerance_grad: f64,
    /// Stops when no coordinate moves by more than this, or the loss changes by less (default: 1e-9).
    pub tolerance_change: f64,
    /// The number of steps to keep, at least 1 (default: 100).
    pub history_size: usize,
    /// The line search; `None` takes steps of `lr`.
    pub line_search: Option<LineSearch>,
    /// Maximise instead of minimise (default: false).
    pub maximize: bool,
}

/// How [`Lbfgs`] chooses the length of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineSearch {
    /// Searches for a step that meets the strong Wolfe conditions with c₁ = 1e-4 and c₂ = 0.9.
    StrongWolfe,
}

impl Default for Lbfgs {
    fn default() -> Self {
        Self {
            lr: 1.0,
            max_iter: 20,
            max_eval: None,
            tolerance_grad: 1e-7,
            tolerance_change: 1e-9,
            history_size: 100,
            line_search: None,
            maximize: false,
        }
    }
}

hyperparameters! { Lbfgs "lbfgs" {
    "lr" in NON_NEGATIVE: lr;
    "tolerance_grad" in NON_NEGATIVE: tolerance_grad;
    "tolerance_change" in NON_NEGATIVE: tolerance_change;
} also Lbfgs::check_counts; }

impl Lbfgs {
    fn check_counts(&self) -> Result<(), Error> {
        Interval::AT_LEAST_ONE.check("lbfgs", "history_size", self.history_size as f64)?;
        Interval::AT_LEAST_ONE.check("lbfgs", "max_eval", self.max_eval.unwrap_or(1) as f64)
    }
}

impl<F: Real> Minimizer<F> for Lbfgs {
    fn state(&self, n: usize) -> Result<State<F>, Error> {
        use crate::Rule;
        self.check()?;
        let m = self.history_size;
        let slots = vec![
            Slot::each("direction", n, 0.0),
            Slot::each("prev_grad", n, 0.0),
            Slot::shared("steps", m * n, 0.0),
            Slot::shared("grad_changes", m * n, 0.0),
            Slot::shared("rho", m, 0.0),
            // The last t, H₀, the number of steps kept, and the position of the next.
            Slot::shared("scalars", 4, 0.0),
            Slot::scratch("grad", n),
            Slot::scratch("start", n),
            Slot::scratch("trial_grad", n),
            Slot::scratch("spare_grad", n),
            Slot::scratch("alpha", m),
        ];
        Ok(State::new(n, slots))
    }

    fn minimize(
        &self,
        values: &mut [F],
        state: &mut State<F>,
        mut objective: impl FnMut(&[F], &mut [F]) -> F,
    ) -> Outcome {
        let (n, n_state) = (values.len(), state.n_values());
        assert!(n == n_state, "lbfgs: values has {n} elements, state {n_state}");
        let max_evals = self.max_eval.unwrap_or(self.default_max_eval()).max(1);
        let mut evaluate = |values: &[F], grad: &mut [F]| {
            let loss = objective(values, grad).to_f64();
            if !self.maximize {
                return loss;
            }
            grad.iter_mut().for_each(|g| *g = -*g);
            -loss
        };
        let mut memory = Memory::of(&mut state.slots);
        let mut loss = evaluate(values, memory.grad);
        let (initial_loss, mut n_evals, mut n_iters) = (loss, 1, 0);
        let mut stop = if largest(memory.grad) <= self.tolerance_grad { Some(Stop::Optimal) } else { None };
        while stop.is_none() {
            if n_iters == self.max_iter {
                stop = Some(Stop::MaxIter);
                break;
            }
            n_iters += 1;
            state.n_steps += 1;
            let t = memory.turn(state.n_steps == 1, self.lr);
            memory.scalars[0] = F::of(t);
            let slope = dot(memory.grad, memory.direction);
            if slope > -self.tolerance_change {
                stop = Some(Stop::NoProgress);
                break;
            }
            let loss_before = loss;
            let t = match self.line_search {
                Some(LineSearch::StrongWolfe) => {
                    let reach = largest(memory.direction);
                    let tolerance_change = self.tolerance_change;
                    let max_evals = max_evals - n_evals;
                    let search = Search { loss, slope, reach, tolerance_change, max_evals };
                    let found = memory.search(&search, t, values, &mut evaluate);
                    (loss, n_evals) = (found.1, n_evals + found.2);
                    found.0
                }
                None => {
                    step(values, F::of(t), memory.direction);
                    // The last point of a call is not evaluated; the next call does that.
                    if n_iters != self.max_iter {
                        loss = evaluate(values, memory.grad);
                        n_evals += 1;
                    }
                    t
                }
            };
            memory.scalars[0] = F::of(t);
            stop = self.verdict(n_iters, n_evals, max_evals, &memory, t, loss - loss_before);
        }
        let sign = if self.maximize { -1.0 } else { 1.0 };
        let stop = stop.expect("the loop ends with a reason");
        Outcome { initial_loss: sign * initial_loss, loss: sign * loss, n_iters, n_evals, stop }
    }
}

impl Lbfgs {
    /// PyTorch's default, except that PyTorch leaves the line search of a single iteration no evaluation:
    /// such a call may not move, and the next starts at the same point. 25 is the most evaluations PyTorch's
    /// search makes.
    fn default_max_eval(&self) -> usize {
        match (self.max_iter, self.line_search) {
            (1, Some(LineSearch::StrongWolfe)) => 25,
            (max_iter, _) => max_iter.saturating_mul(5) / 4,
        }
    }

    fn verdict<F: Real>(
        &self,
        n_iters: usize,
        n_evals: usize,
        max_evals: usize,
        memory: &Memory<'_, F>,
        t: f64,
        loss_change: f64,
    ) -> Option<Stop> {
        if t == 0.0 && n_evals >= max_evals {
            Some(Stop::MaxEval)
        } else if n_iters == self.max_iter {
            Some(Stop::MaxIter)
        } else if n_evals >= max_evals {
            Some(Stop::MaxEval)
        } else if largest(memory.grad) <= self.tolerance_grad {
            Some(Stop::Optimal)
        } else if largest(memory.direction) * t.abs() <= self.tolerance_change
            || loss_change.abs() < self.tolerance_change
        {
            Some(Stop::NoProgress)
        } else {
            None
        }
    }
}

/// The slots, by name.
struct Memory<'a, F> {
    direction: &'a mut [F],
    prev_grad: &'a mut [F],
    steps: &'a mut [F],
    grad_changes: &'a mut [F],
    rho: &'a mut [F],
    scalars: &'a mut [F],
    grad: &'a mut [F],
    start: &'a mut [F],
    trial_grad: &'a mut [F],
    spare_grad: &'a mut [F],
    alpha: &'a mut [F],
}

impl<'a, F: Real> Memory<'a, F> {
    fn of(slots: &'a mut [Slot<F>]) -> Self {
        let mut slots = slots.iter_mut().map(|slot| slot.values.as_mut_slice());
        let mut next = || slots.next().expect("L-BFGS has eleven slots");
        Self {
            direction: next(),
            prev_grad: next(),
            steps: next(),
            grad_changes: next(),
            rho: next(),
            scalars: next(),
            grad: next(),
            start: next(),
            trial_grad: next(),
            spare_grad: next(),
            alpha: next(),
        }
    }

    /// Sets the direction and returns the step to try.
    fn turn(&mut self, is_first: bool, lr: f64) -> f64 {
        let n = self.grad.len();
        if is_first {
            self.scalars.copy_from_slice(&[F::ZERO, F::ONE, F::ZERO, F::ZERO]);
            assign(self.direction, self.grad, move |g| -g);
        } else {
            self.remember();
            let (n_kept, next) = (self.scalars[2].to_f64() as usize, self.scalars[3].to_f64() as usize);
            let m = self.rho.len();
            // Positions from the newest step to the oldest.
            let newest_first = (1..=n_kept).map(|age| (next + m - age) % m);
            let d = &mut *self.direction;
            assign(d, self.grad, move |g| -g);
            for place in newest_first.clone() {
                let (s, y) = (&self.steps[place * n..][..n], &self.grad_changes[place * n..][..n]);
                self.alpha[place] = F::of(dot(s, d) * self.rho[place].to_f64());
                step(d, -self.alpha[place], y);
            }
            let h = self.scalars[1];
            Lanes { values: d, grads: self.grad, slots: [] }.each(move |d, _, []| *d *= h);
            for place in newest_first.rev() {
                let (s, y) = (&self.steps[place * n..][..n], &self.grad_changes[place * n..][..n]);
                let beta = F::of(dot(y, d) * self.rho[place].to_f64());
                step(d, self.alpha[place] - beta, s);
            }
        }
        self.prev_grad.copy_from_slice(self.grad);
        if !is_first {
            return lr;
        }
        let [norm] = sums([&*self.grad], move |[g]| [g.abs().to_f64()]);
        (1.0 / norm).min(1.0) * lr
    }

    /// Keeps the last step if the function curves upward along it.
    fn remember(&mut self) {
        let (n, m) = (self.grad.len(), self.rho.len());
        let t = self.scalars[0];
        let place = self.scalars[3].to_f64() as usize;
        // `trial_grad` holds the change of the gradient until it is known whether to keep it.
        let y = &mut *self.trial_grad;
        y.copy_from_slice(self.grad);
        step(y, -F::ONE, self.prev_grad);
        let [ys, yy] =
            sums([&*y, &*self.direction], move |[y, d]| [y.to_f64() * (d * t).to_f64(), square(y)]);
        // An f64 too large to be squared says nothing about the curvature.
        if ys <= 1e-10 || (ys / yy).is_nan() {
            return;
        }
        self.grad_changes[place * n..][..n].copy_from_slice(y);
        assign(&mut self.steps[place * n..][..n], self.direction, move |d| d * t);
        self.rho[place] = F::of(1.0 / ys);
        self.scalars[1] = F::of(ys / yy);
        self.scalars[2] = F::of((self.scalars[2].to_f64() + 1.0).min(m as f64));
        self.scalars[3] = F::of(((place + 1) % m) as f64);
    }

    /// Moves `values` along the direction by the step that the search finds; returns the step, the new loss
    /// and the number of evaluations. `grad` is then the gradient at the new point.
    fn search(
        &mut self,
        search: &Search,
        t: f64,
        values: &mut [F],
        evaluate: &mut impl FnMut(&[F], &mut [F]) -> f64,
    ) -> (f64, f64, usize) {
        self.start.copy_from_slice(values);
        let (start, direction) = (&*self.start, &*self.direction);
        let trial = Point { t, loss: 0.0, slope: 0.0, grad: &mut *self.trial_grad };
        let (found, n_evals) = search.run(self.grad, self.spare_grad, trial, |point| {
            values.copy_from_slice(start);
            step(values, F::of(point.t), direction);
            point.loss = evaluate(values, point.grad);
            point.slope = dot(point.grad, direction);
        });
        let (t, loss) = (found.t, found.loss);
        self.grad.copy_from_slice(found.grad);
        values.copy_from_slice(start);
        step(values, F::of(t), direction);
        (t, loss, n_evals)
    }
}

/// x ← x + t·d.
fn step<F: Real>(x: &mut [F], t: F, d: &[F]) {
    Lanes { values: x, grads: d, slots: [] }.each(move |x, d, []| *x += t * d);
}

/// to ← f(from).
fn assign<F: Real>(to: &mut [F], from: &[F], f: impl Fn(F) -> F + Copy + Send + Sync) {
    Lanes { values: to, grads: from, slots: [] }.each(move |to, from, []| *to = f(from));
}
