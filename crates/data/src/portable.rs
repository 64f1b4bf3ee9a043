//! Functions with the same bits on every machine, which the standard library does not guarantee.

/// Sine and cosine of an angle from −π to π, within 10⁻¹⁵, by their Taylor series.
pub(crate) fn sin_cos(angle: f64) -> (f64, f64) {
    let (mut sin, mut cos) = (0.0, 0.0);
    let mut term = 1.0;
    for n in 0..30 {
        let sign = if n % 4 < 2 { 1.0 } else { -1.0 };
        if n % 2 == 0 {
            cos += sign * term;
        } else {
            sin += sign * term;
        }
        term *= angle / f64::from(n + 1);
    }
    (sin, cos)
}

/// eˣ, with a relative error of 10⁻¹⁴ for |x| up to 100: the series at x / 256, squared eight times.
pub(crate) fn exp(x: f64) -> f64 {
    let x = x / 256.0;
    let power = (1..=16).rev().fold(1.0, |sum, n| 1.0 + sum * x / f64::from(n));
    (0..8).fold(power, |power, _| power * power)
}

/// The logarithm of a positive f32, within 10⁻¹³: Halley's method on eʸ = x.
pub(crate) fn ln(x: f64) -> f64 {
    (0..80).fold(0.0, |y: f64, _| {
        let power = exp(y.clamp(-100.0, 100.0));
        y + 2.0 * (x - power) / (x + power)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_those_of_the_standard_library() {
        for at in -1_000..=1_000 {
            let x = f64::from(at) * std::f64::consts::PI / 1_000.0;
            let (sin, cos) = sin_cos(x);
            assert!((sin - x.sin()).abs() < 2e-15 && (cos - x.cos()).abs() < 2e-15, "{x}");
            let y = x * 25.0;
            assert!((exp(y) / y.exp() - 1.0).abs() < 1e-13, "{y}");
            assert!((ln(y.exp()) - y).abs() < 1e-12, "{y}");
        }
    }
}
