//! Statistics of a set of values.

/// f32 as f64, for figures and tables.
pub(crate) fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| x.into()).collect()
}

/// The mean.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The standard error of an accuracy in percent, measured on `n` images.
pub(crate) fn standard_error(accuracy: f64, n: usize) -> f64 {
    let p = accuracy / 100.0;
    100.0 * (p * (1.0 - p) / n as f64).sqrt()
}

/// The sample variance, with denominator n − 1; NaN for fewer than two values.
pub(crate) fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0)
}

/// The value below which the fraction `q` of the values lies.
pub(crate) fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(q * (sorted.len() - 1) as f64).round() as usize]
}
