//! Activation functions, from their definitions.

/// max(x, 0).
pub fn relu_forward(x: &[f64]) -> Vec<f64> {
    x.iter().map(|&x| if x > 0.0 { x } else { 0.0 }).collect()
}

/// dy where x > 0.
pub fn relu_backward(dy: &[f64], x: &[f64]) -> Vec<f64> {
    leaky_relu_backward(dy, x, 0.0)
}

/// x where x > 0, slope · x elsewhere.
pub fn leaky_relu_forward(x: &[f64], slope: f64) -> Vec<f64> {
    x.iter().map(|&x| if x > 0.0 { x } else { slope * x }).collect()
}

/// dy where x > 0, slope · dy elsewhere.
pub fn leaky_relu_backward(dy: &[f64], x: &[f64], slope: f64) -> Vec<f64> {
    dy.iter().zip(x).map(|(dy, &x)| if x > 0.0 { *dy } else { slope * dy }).collect()
}

/// 1 / (1 + exp(−x)).
pub fn sigmoid_forward(x: &[f64]) -> Vec<f64> {
    x.iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect()
}

/// dy · σ(x) · σ(−x).
pub fn sigmoid_backward(dy: &[f64], x: &[f64]) -> Vec<f64> {
    dy.iter().zip(x).map(|(dy, x)| dy / ((1.0 + (-x).exp()) * (1.0 + x.exp()))).collect()
}

/// tanh(x).
pub fn tanh_forward(x: &[f64]) -> Vec<f64> {
    x.iter().map(|x| x.tanh()).collect()
}

/// dy / cosh²(x).
pub fn tanh_backward(dy: &[f64], x: &[f64]) -> Vec<f64> {
    dy.iter().zip(x).map(|(dy, x)| dy / x.cosh().powi(2)).collect()
}

/// x · Φ(x).
pub fn gelu_forward(x: &[f64]) -> Vec<f64> {
    x.iter().map(|&x| x * normal_cdf(x)).collect()
}

/// dy · (Φ(x) + x · φ(x)).
pub fn gelu_backward(dy: &[f64], x: &[f64]) -> Vec<f64> {
    dy.iter().zip(x).map(|(dy, &x)| dy * (normal_cdf(x) + x * normal_density(x))).collect()
}

fn normal_density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt()
}

/// Φ(x): Marsaglia's series ½ + φ(x) · (x + x³/3 + x⁵/(3·5) + …) near 0, and Laplace's continued fraction
/// φ(x) / (x + 1/(x + 2/(x + …))) for the tails, where the series would cancel.
fn normal_cdf(x: f64) -> f64 {
    if x.abs() < 3.0 {
        let (mut term, mut sum, mut odd) = (x, x, 1.0);
        while term.abs() > sum.abs() * 1e-17 {
            odd += 2.0;
            term *= x * x / odd;
            sum += term;
        }
        return 0.5 + normal_density(x) * sum;
    }
    let z = x.abs();
    let fraction = (1..200).rev().fold(z, |below, n| z + f64::from(n) / below);
    let tail = normal_density(z) / fraction;
    if x < 0.0 { tail } else { 1.0 - tail }
}
