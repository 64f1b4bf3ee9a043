//! Activation functions, from their definitions.

/// max(x, 0).
pub fn relu_forward(x: &[f64]) -> Vec<f64> {
    x.iter().map(|&x| if x > 0.0 { x } else { 0.0 }).collect()
}

/// dy where x > 0.
pub fn relu_backward(dy: &[f64], x: &[f64]) -> Vec<f64> {
    leaky_relu_backward(dy, x, 0.0)
}

// ANCHOR: leaky_relu
/// x where x > 0, slope · x elsewhere.
pub fn leaky_relu_forward(x: &[f64], slope: f64) -> Vec<f64> {
    x.iter().map(|&x| if x > 0.0 { x } else { slope * x }).collect()
}

/// dy where x > 0, slope · dy elsewhere.
pub fn leaky_relu_backward(dy: &[f64], x: &[f64], slope: f64) -> Vec<f64> {
    dy.iter().zip(x).map(|(dy, &x)| if x > 0.0 { *dy } else { slope * dy }).collect()
}
// ANCHOR_END: leaky_relu

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

/// σ(x).
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// x · σ(x).
pub fn silu(x: f64) -> f64 {
    x * sigmoid(x)
}

/// ln(1 + exp(β·x)) / β where β·x is at most the threshold, x above.
pub fn softplus(x: f64, beta: f64, threshold: f64) -> f64 {
    if beta * x > threshold { x } else { (beta * x).exp().ln_1p() / beta }
}

/// ln σ(x).
pub fn log_sigmoid(x: f64) -> f64 {
    if x < 0.0 { x - x.exp().ln_1p() } else { -(-x).exp().ln_1p() }
}

/// x · tanh(ln(1 + eˣ)).
pub fn mish(x: f64) -> f64 {
    // Beyond 30 the tangent is 1.
    if x > 30.0 { x } else { x * x.exp().ln_1p().tanh() }
}

/// ½ · x · (1 + tanh(u)) = x · σ(2u), with u = √(2/π) · (x + 0.044715 · x³).
pub fn gelu_tanh(x: f64) -> f64 {
    x * sigmoid((8.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3)))
}

/// scale · x where x is positive, scale · α · (exp(input_scale · x) − 1) elsewhere.
pub fn elu(x: f64, alpha: f64, scale: f64, input_scale: f64) -> f64 {
    if x > 0.0 { scale * x } else { scale * alpha * (input_scale * x).exp_m1() }
}

/// x clamped to two bounds.
pub fn hard_tanh(x: f64, min: f64, max: f64) -> f64 {
    x.max(min).min(max)
}

/// x / 6 + ½ clamped to 0 and 1.
pub fn hard_sigmoid(x: f64) -> f64 {
    hard_tanh(x + 3.0, 0.0, 6.0) / 6.0
}

/// x · hardsigmoid(x).
pub fn hard_swish(x: f64) -> f64 {
    x * hard_sigmoid(x)
}

/// a · σ(b), where a and b are the halves of a row.
pub fn glu(x: &[f64], half: usize) -> Vec<f64> {
    let rows = x.chunks_exact((2 * half).max(1)).map(|row| row.split_at(half));
    rows.flat_map(|(a, b)| a.iter().zip(b).map(|(a, &b)| a * sigmoid(b))).collect()
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
