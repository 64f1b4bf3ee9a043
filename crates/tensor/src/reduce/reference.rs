//! Sums, one addition after another.

// ANCHOR: sum_rows
/// The sum of the rows of `dy`.
pub fn sum_rows(dy: &[f64], cols: usize) -> Vec<f64> {
    let mut db = vec![0.0; cols];
    dy.iter().enumerate().for_each(|(idx, dy)| db[idx % cols] += dy);
    db
}
// ANCHOR_END: sum_rows
