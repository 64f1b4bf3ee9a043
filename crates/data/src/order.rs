//! The order of examples in an epoch: original, shuffled, or drawn by weight.

use rand_chacha::rand_core::Rng;

use crate::random;

/// The order of the examples.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    kind: OrderKind,
    n_examples: usize,
    indices: Vec<usize>,
    epoch: Option<usize>,
}

#[derive(Clone, Debug)]
enum OrderKind {
    InTurn,
    Shuffled {
        seed: u64,
    },
    /// By the cumulative sums of the weights.
    Weighted {
        sums: Vec<f64>,
        n_draws: usize,
        seed: u64,
    },
}

impl Order {
    pub(crate) fn in_turn(n_examples: usize) -> Self {
        Self { kind: OrderKind::InTurn, n_examples, indices: Vec::new(), epoch: None }
    }

    pub(crate) fn shuffled(n_examples: usize, seed: u64) -> Self {
        Self { kind: OrderKind::Shuffled { seed }, ..Self::in_turn(n_examples) }
    }

    #[track_caller]
    pub(crate) fn weighted(n_examples: usize, weights: &[f64], n_draws: usize, seed: u64) -> Self {
        assert!(
            weights.len() == n_examples,
            "Loader::weighted: {} weights for {n_examples} examples",
            weights.len()
        );
        if let Some(idx) = weights.iter().position(|weight| !(weight.is_finite() && *weight >= 0.0)) {
            panic!("Loader::weighted: example {idx} has the weight {}, expected 0 or more", weights[idx]);
        }
        let add = |sum: &mut f64, weight: &f64| {
            *sum += weight;
            Some(*sum)
        };
        let sums: Vec<f64> = weights.iter().scan(0.0, add).collect();
        let total = sums.last().copied().unwrap_or(0.0);
        assert!(
            total > 0.0 && total.is_finite(),
            "Loader::weighted: the weights sum to {total}, expected a positive, finite sum"
        );
        Self { kind: OrderKind::Weighted { sums, n_draws, seed }, ..Self::in_turn(n_examples) }
    }

    /// The number of examples in an epoch.
    pub(crate) fn len(&self) -> usize {
        match self.kind {
            OrderKind::Weighted { n_draws, .. } => n_draws,
            _ => self.n_examples,
        }
    }

    /// The examples of `epoch`, in order.
    pub(crate) fn of_epoch(&mut self, epoch: usize) -> &[usize] {
        if self.epoch != Some(epoch) {
            self.indices.clear();
            match &self.kind {
                OrderKind::InTurn => self.indices.extend(0..self.n_examples),
                OrderKind::Shuffled { seed } => {
                    self.indices.extend(0..self.n_examples);
                    let mut rng = random::stream(*seed, "shuffle", epoch as u64);
                    random::shuffle(&mut self.indices, &mut rng);
                }
                OrderKind::Weighted { sums, n_draws, seed } => {
                    let mut rng = random::stream(*seed, "weighted", epoch as u64);
                    self.indices.extend((0..*n_draws).map(|_| drawn(sums, rng.next_u64())));
                }
            }
            self.epoch = Some(epoch);
        }
        &self.indices
    }
}

/// The first example whose cumulative sum is above a uniform number in [0, total), so never one of weight 0.
fn drawn(sums: &[f64], bits: u64) -> usize {
    let total = sums[sums.len() - 1];
    let place = (bits >> 11) as f64 / (1_u64 << 53) as f64 * total;
    sums.partition_point(|&sum| sum <= place.min(total.next_down()))
}
