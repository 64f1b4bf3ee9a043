//! Compares output and gradients with the reference and its finite differences.

use tensor::reference::to_f64;

use super::GradCheck;
use super::run::{Alias, Run};

/// The step size of the reference's differences.
const H: f64 = 1e-6;

/// The larger step size of the f32 forward's differences; a power of two, so that most steps are exact.
const H_F32: f64 = 1.0 / 128.0;

impl GradCheck<'_> {
    /// The values of all inputs and then of all parameters.
    pub(super) fn points(&self) -> Vec<Vec<f64>> {
        let inputs = self.inputs.iter().map(|input| to_f64(&input.values));
        inputs.chain(self.params.ids().map(|id| to_f64(self.params.value(id)))).collect()
    }

    /// The name of `point`, for messages.
    pub(super) fn name(&self, point: usize) -> String {
        match point.checked_sub(self.inputs.len()) {
            None => format!("input {point} of shape {}", self.inputs[point].shape),
            Some(param) => {
                let entry = &self.params.entries()[param];
                format!("parameter {:?} of shape {}", entry.name, entry.shape)
            }
        }
    }

    /// Compares outputs and gradients with their expected values.
    pub(super) fn compare(
        &self,
        run: &Run,
        cotangents: &[Vec<f32>],
        alias: Alias,
        label: &str,
    ) -> Result<(), String> {
        let mut points = self.points();
        if let Some((i, j)) = alias {
            points[j] = points[i].clone();
        }
        if let Some(reference) = &self.reference {
            for output in &run.outputs {
                self.close(output, &reference(&points, output), "the reference's", || {
                    format!("the output{label}")
                })?;
            }
        }
        for i in self.trainable() {
            if alias.is_some_and(|(_, j)| i == j) {
                continue;
            }
            let Some(actual) = self.gradient(run, i) else {
                return Err(format!("{} gets no gradient{label}", self.name(i)));
            };
            let expected = self.numeric_gradient(&points, i, alias, run, cotangents);
            self.close(actual, &expected, "by differences", || {
                format!("the gradient of {}{label}", self.name(i))
            })?;
        }
        Ok(())
    }

    /// The derivative of Σ cotangent · output at every element of `points[i]`.
    fn numeric_gradient(
        &self,
        points: &[Vec<f64>],
        i: usize,
        alias: Alias,
        run: &Run,
        cotangents: &[Vec<f32>],
    ) -> Vec<f64> {
        let loss = |points: &[Vec<f64>]| -> f64 {
            let outputs: Vec<Vec<f64>> = match &self.reference {
                Some(reference) => run.outputs.iter().map(|output| reference(points, output)).collect(),
                None => self.forward(points, cotangents.len()).iter().map(|output| to_f64(output)).collect(),
            };
            let uses = outputs.iter().zip(cotangents);
            uses.map(|(y, c)| y.iter().zip(c).map(|(y, &c)| y * f64::from(c)).sum::<f64>()).sum()
        };
        let at = |idx: usize, step: f64| {
            let mut moved = points.to_vec();
            moved[i][idx] += step;
            if self.reference.is_none() {
                moved[i][idx] = f64::from(moved[i][idx] as f32);
            }
            let place = moved[i][idx];
            if let Some((i, j)) = alias {
                moved[j] = moved[i].clone();
            }
            (place, loss(&moved))
        };
        let slope = |idx: usize, h: f64| {
            let ((right, above), (left, below)) = (at(idx, h), at(idx, -h));
            (above - below) / if self.reference.is_some() { 2.0 * h } else { right - left }
        };
        let derivative = |idx: usize| match self.reference {
            Some(_) => slope(idx, H),
            // The error of a central difference is h² times a constant, so combining two of them cancels it.
            None => (4.0 * slope(idx, H_F32 / 2.0) - slope(idx, H_F32)) / 3.0,
        };
        (0..points[i].len()).map(derivative).collect()
    }

    fn close(
        &self,
        actual: &[f32],
        expected: &[f64],
        source: &str,
        what: impl Fn() -> String,
    ) -> Result<(), String> {
        if actual.len() != expected.len() {
            let (n_actual, n_expected) = (actual.len(), expected.len());
            return Err(format!("{} has {n_actual} elements, expected {n_expected} ({source})", what()));
        }
        let tolerance = self.tolerance.unwrap_or(if self.reference.is_some() { 1e-5 } else { 1e-3 });
        let allowed = tolerance * expected.iter().fold(1.0, |largest, v| v.abs().max(largest));
        let error = |idx: usize| (f64::from(actual[idx]) - expected[idx]).abs();
        // NaN is not close.
        let is_close = |idx: usize| error(idx) <= allowed;
        let wrong: Vec<usize> = (0..actual.len()).filter(|&idx| !is_close(idx)).collect();
        let Some(&worst) = wrong.iter().max_by(|&&a, &&b| error(a).total_cmp(&error(b))) else {
            return Ok(());
        };
        Err(format!(
            "{} is wrong at {} of {} elements; at element {worst} it is {}, {source} {} (an error of {allowed:.1e} is \
             allowed)",
            what(),
            wrong.len(),
            actual.len(),
            actual[worst],
            expected[worst]
        ))
    }
}
