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

/// The loss of each row: −Σ target distribution · log-softmax.
pub fn cross_entropy_forward(logits: &[f64], targets: &[u32], classes: usize, smoothing: f64) -> Vec<f64> {
    let log_probs = log_softmax_forward(logits, classes);
    let expected = target_distribution(targets, classes, smoothing);
    let products: Vec<f64> = log_probs.iter().zip(expected).map(|(log_prob, e)| -e * log_prob).collect();
    products.chunks_exact(classes).map(|row| row.iter().sum()).collect()
}

/// scale · (softmax − target distribution).
pub fn cross_entropy_backward(
    scale: f64,
    logits: &[f64],
    targets: &[u32],
    classes: usize,
    smoothing: f64,
) -> Vec<f64> {
    let expected = target_distribution(targets, classes, smoothing);
    softmax_forward(logits, classes).iter().zip(expected).map(|(prob, e)| scale * (prob - e)).collect()
}

/// (1 − s) · one-hot + s / classes, one row per target.
fn target_distribution(targets: &[u32], classes: usize, smoothing: f64) -> Vec<f64> {
    let one_hot =
        |target: u32| (0..classes).map(move |class| if class == target as usize { 1.0 } else { 0.0 });
    let hot = targets.iter().flat_map(|&target| one_hot(target));
    hot.map(|hot| (1.0 - smoothing) * hot + smoothing / classes as f64).collect()
}

fn rows(a: &[f64], b: &[f64], cols: usize, f: impl Fn(&[f64], &[f64]) -> Vec<f64>) -> Vec<f64> {
    a.chunks_exact(cols.max(1)).zip(b.chunks_exact(cols.max(1))).flat_map(|(a, b)| f(a, b)).collect()
}
