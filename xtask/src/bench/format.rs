//! Rates, ratios and numbers as text.

use bench_protocol::{Model, Probe, TensorOp, Work};

use super::stats::Spread;

/// The factor for an item, and the unit.
pub(super) fn unit(work: &str, size: usize) -> (f64, &'static str) {
    match work.parse() {
        Ok(Work::Conv(_, shape)) => (shape.flops() as f64 / 1e9, "GFLOP/s"),
        Ok(Work::Tensor(TensorOp::Matmul)) => (2.0 * (size as f64).powi(2) / 1e9, "GFLOP/s"),
        Ok(Work::Optimizer(_)) => (1e-6, "M parameters/s"),
        Ok(Work::Tensor(_)) => (1e-6, "M elements/s"),
        Ok(Work::Probe(Probe::Fma | Probe::Amx)) => (1e-3, "GFLOP/s"),
        Ok(Work::Model(Model::Transformer, _)) => (1.0, "sequences/s"),
        Ok(Work::Probe(Probe::Copy)) => (1e-9, "GB/s"),
        _ => (1.0, "images/s"),
    }
}

pub(super) fn ratio_text(Spread { median, min, max }: Spread) -> String {
    format!("{median:.2} × ({min:.2}–{max:.2})")
}

/// At least three digits, in groups of three.
pub(super) fn number(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (idx, digit) in digits.chars().enumerate() {
        if idx > 0 && (digits.len() - idx).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

pub(super) fn plural(threads: usize) -> &'static str {
    if threads == 1 { "thread" } else { "threads" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(
            [1.25, 99.94, 123.4, 1234.5, 1_234_567.0].map(number),
            ["1.2", "99.9", "123", "1,234", "1,234,567"]
        );
    }
}
