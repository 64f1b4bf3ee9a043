//! Random numbers and constants as values of a step.

use tensor::Shape;
use tensor::random::{normal, uniform};

use crate::{Graph, Indices, Var};

impl Graph<'_> {
    /// Standard normal random numbers, a leaf without gradient; `torch.randn`.
    ///
    /// An element is a function of the run's seed, the layer's path, the step and its place in the whole
    /// batch; a second call draws other numbers. As with [`input`](Self::input), the first axis runs over the
    /// images of the batch that are in this process. For noise that all processes share, see
    /// [`randn_like`](Self::randn_like).
    ///
    /// # Panics
    /// When this process has only a part of the batch and the first axis does not have rows for each of its
    /// images.
    #[track_caller]
    pub fn randn(&self, shape: impl Into<Shape>) -> Var {
        let shape = shape.into();
        self.random("randn", (shape, self.n_images_of_leaf("randn", shape)), normal)
    }

    /// Uniform random numbers in [0, 1), a leaf without gradient; `torch.rand`. Drawn like those of
    /// [`randn`](Self::randn).
    ///
    /// # Panics
    /// As [`randn`](Self::randn).
    #[track_caller]
    pub fn rand(&self, shape: impl Into<Shape>) -> Var {
        let shape = shape.into();
        self.random("rand", (shape, self.n_images_of_leaf("rand", shape)), uniform)
    }

    /// Standard normal random numbers with the shape of `x`, a leaf without gradient; `torch.randn_like`.
    /// Drawn like those of [`randn`](Self::randn). If `x` is the same in all processes, as a parameter is, so
    /// are they.
    #[track_caller]
    pub fn randn_like(&self, x: Var) -> Var {
        let slot = self.slot("randn_like", x);
        self.random("randn_like", (slot.shape, slot.n_images), normal)
    }

    /// Uniform random numbers in [0, 1) with the shape of `x`, a leaf without gradient; `torch.rand_like`.
    /// Drawn like those of [`randn_like`](Self::randn_like).
    #[track_caller]
    pub fn rand_like(&self, x: Var) -> Var {
        let slot = self.slot("rand_like", x);
        self.random("rand_like", (slot.shape, slot.n_images), uniform)
    }

    /// A constant, a leaf without gradient; `torch.full`.
    ///
    /// # Panics
    /// As [`randn`](Self::randn).
    #[track_caller]
    pub fn full(&self, shape: impl Into<Shape>, value: f32) -> Var {
        let shape = shape.into();
        let leaf = (shape, self.n_images_of_leaf("full", shape));
        self.leaf_of("full", leaf, false, |values, _| values.fill(value))
    }

    /// Draws one index from each row of the last axis, with probability proportional to the element there, in
    /// row-major order: `[…, k]` to `[…]`; `torch.multinomial` with one sample. Drawn like the numbers of
    /// [`randn_like`](Self::randn_like).
    ///
    /// ```
    /// use autograd::{Mode, Params, Tape};
    /// let (mut tape, mut params) = (Tape::new(), Params::new());
    /// let g = tape.begin(&mut params, Mode { step: 7, ..Mode::eval() }); // another step draws other places
    /// let logits = g.input([2, 3], &[0.0, -9.0, 40.0, 0.0, 40.0, -9.0]);
    /// assert_eq!(g.integers(g.multinomial(g.softmax(logits))), [2, 1]);
    /// ```
    ///
    /// # Panics
    /// When `probs` is a scalar, an element is negative, or the sum of a row is not positive and finite.
    #[track_caller]
    pub fn multinomial(&self, probs: Var) -> Indices {
        let slot = self.slot("multinomial", probs);
        let Some((&k, rows)) = slot.shape.split_last() else {
            panic!("multinomial{}: a scalar has no rows; give the probabilities as [n, k]", self.at());
        };
        let (shape, n_images) = (Shape::from(rows), slot.n_images.filter(|_| !rows.is_empty()));
        let draws = self.random("multinomial", (shape, n_images), uniform);
        let (draws, probs, at) = (self.value(draws), self.value(probs), self.at());
        let places = draws.iter().enumerate().map(|(row, &draw)| {
            let row_probs = &probs[row * k..][..k];
            place(row_probs, f64::from(draw)).unwrap_or_else(|| {
                panic!(
                    "multinomial{at}: row {row} is {row_probs:?}, expected probabilities with a positive sum"
                )
            })
        });
        let places: Vec<u32> = places.collect();
        self.tokens(shape, &places)
    }

    #[track_caller]
    fn random(&self, name: &'static str, leaf: (Shape, Option<usize>), fill: fn(&mut [f32], u64)) -> Var {
        let key = self.draw();
        self.leaf_of(name, leaf, false, |values, shards| {
            fill(values, keyed_random::skip(key, shards.first_row(values.len()) as u64));
        })
    }
}

/// The first index at which the cumulative sum of the probabilities exceeds the fraction `draw`, in [0, 1),
/// of the whole sum.
fn place(probs: &[f32], draw: f64) -> Option<u32> {
    let sum: f64 = probs.iter().map(|&p| f64::from(p)).sum();
    if !(sum > 0.0 && sum.is_finite()) || probs.iter().any(|&p| p < 0.0) {
        return None;
    }
    let mut left = draw * sum;
    let mut last = 0;
    for (at, &p) in (0..).zip(probs).filter(|&(_, &p)| p > 0.0) {
        last = at;
        left -= f64::from(p);
        if left < 0.0 {
            break;
        }
    }
    Some(last)
}
