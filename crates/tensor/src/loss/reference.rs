//! Softmax and cross-entropy, row by row.

/// exp(x) / Σ exp(x).
pub fn softmax_forward(x: &[f64], cols: usize) -> Vec<f64> {
    log_softmax_forward(x, cols).iter().map(|y| y.exp()).collect()
}

/// y · (dy − Σ dy·y).
pub fn softmax_backward(dy: &[f64], y: &[f64], cols: usize) -> Vec<f64> {
    rows(dy, y, cols, |dy, y| {
        let dot: f64 = dy.iter().zip(y).map(|(dy, y)| dy * y).sum();
        dy.iter().zip(y).map(|(dy, y)| y * (dy - dot)).collect()
    })
}

/// x − ln Σ exp(x).
pub fn log_softmax_forward(x: &[f64], cols: usize) -> Vec<f64> {
    rows(x, x, cols, |x, _| {
        let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log_sum = x.iter().map(|x| (x - max).exp()).sum::<f64>().ln();
        x.iter().map(|x| x - max - log_sum).collect()
    })
}

/// dy − exp(y) · Σ dy.
pub fn log_softmax_backward(dy: &[f64], y: &[f64], cols: usize) -> Vec<f64> {
    rows(dy, y, cols, |dy, y| {
        let sum: f64 = dy.iter().sum();
        dy.iter().zip(y).map(|(dy, y)| dy - y.exp() * sum).collect()
    })
}

/// The loss of each row: −Σ mass · log-softmax.
pub fn cross_entropy_forward(logits: &[f64], masses: &[f64], classes: usize) -> Vec<f64> {
    nll_forward(&log_softmax_forward(logits, classes), masses, classes)
}

/// scale · (softmax · Σ masses − masses).
pub fn cross_entropy_backward(scale: f64, logits: &[f64], masses: &[f64], classes: usize) -> Vec<f64> {
    rows(&softmax_forward(logits, classes), masses, classes, |probs, masses| {
        let total: f64 = masses.iter().sum();
        probs.iter().zip(masses).map(|(prob, mass)| scale * (prob * total - mass)).collect()
    })
}

/// The loss of each row: −Σ mass · log-probability.
pub fn nll_forward(log_probs: &[f64], masses: &[f64], classes: usize) -> Vec<f64> {
    rows(log_probs, masses, classes, |log_probs, masses| {
        // Classes with no expected mass contribute 0, not 0 · ∞.
        let shares = log_probs.iter().zip(masses).filter(|(_, mass)| **mass != 0.0);
        vec![shares.map(|(log_prob, mass)| -mass * log_prob).sum()]
    })
}

/// The expected mass of each class: weight · ((1 − s) · target + s / classes), row by row.
pub fn class_masses(targets: &[f64], weight: &[f64], smoothing: f64) -> Vec<f64> {
    let classes = weight.len() as f64;
    let mass = |(target, weight): (&f64, &f64)| weight * ((1.0 - smoothing) * target + smoothing / classes);
    targets.iter().zip(weight.iter().cycle()).map(mass).collect()
}

/// [`class_masses`] of labels; all 0 for ignored labels.
pub fn label_masses(labels: &[u32], ignore_index: Option<u32>, weight: &[f64], smoothing: f64) -> Vec<f64> {
    let row = |&label: &u32| {
        let one_hot: Vec<f64> =
            (0..weight.len()).map(|class| if class == label as usize { 1.0 } else { 0.0 }).collect();
        let masses = class_masses(&one_hot, weight, smoothing);
        if Some(label) == ignore_index { vec![0.0; weight.len()] } else { masses }
    };
    labels.iter().flat_map(row).collect()
}

fn rows(a: &[f64], b: &[f64], cols: usize, f: impl Fn(&[f64], &[f64]) -> Vec<f64>) -> Vec<f64> {
    a.chunks_exact(cols.max(1)).zip(b.chunks_exact(cols.max(1))).flat_map(|(a, b)| f(a, b)).collect()
}
