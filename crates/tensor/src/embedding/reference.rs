//! Rows of a table, number by number.

/// weight\[tokens\[i\]\], in rows of `dim` numbers.
pub fn embedding_forward(weight: &[f64], tokens: &[u32], dim: usize) -> Vec<f64> {
    tokens.iter().flat_map(|&token| weight[token as usize * dim..][..dim].iter().copied()).collect()
}

/// The gradient of a table of `n_rows`; none for the token `padding`.
pub fn embedding_backward(
    dy: &[f64],
    tokens: &[u32],
    n_rows: usize,
    dim: usize,
    padding: Option<u32>,
) -> Vec<f64> {
    let mut dweight = vec![0.0; n_rows * dim];
    for (i, &token) in tokens.iter().enumerate().filter(|&(_, &token)| Some(token) != padding) {
        for d in 0..dim {
            dweight[token as usize * dim + d] += dy[i * dim + d];
        }
    }
    dweight
}
