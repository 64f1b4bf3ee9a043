//! Embeddings.

use autograd::{Graph, Indices, Role, Var};

use crate::config::{Args, Describe, described};
use crate::layer::{Handle, Layer, Scope};

/// Maps each token to a vector: tokens of any shape, for example `[n, t]`, to `[n, t, embedding_dim]`.
///
/// The parameter as in PyTorch's `nn.Embedding`: `weight`, `[num_embeddings, embedding_dim]`, initially N(0,
/// 1).
///
/// ```
/// use autograd::{Mode, Tape};
/// use nn::{Embedding, Layer};
/// let (embedding, mut params) = nn::build(Embedding::new(10, 3).padding_idx(0), 0);
/// let mut tape = Tape::new();
/// let g = tape.begin(&mut params, Mode::eval());
/// let y = embedding.forward(&g, g.tokens([1, 4], &[7, 2, 0, 0]));
/// assert_eq!(g.shape(y).dims(), [1, 4, 3]);
/// assert_eq!(g.value(y)[6..], [0.0; 6]);
/// ```
#[derive(Clone)]
#[must_use]
pub struct Embedding {
    num_embeddings: usize,
    embedding_dim: usize,
    padding_idx: Option<usize>,
    weight: Handle,
}

impl Embedding {
    /// Creates a table of `num_embeddings` vectors.
    pub fn new(num_embeddings: usize, embedding_dim: usize) -> Self {
        Self { num_embeddings, embedding_dim, padding_idx: None, weight: Handle::default() }
    }

    /// Sets the padding token: its vector is initially zeros and gets no gradient.
    ///
    /// # Panics
    /// When there is no such token.
    #[track_caller]
    pub fn padding_idx(mut self, padding_idx: usize) -> Self {
        assert!(
            padding_idx < self.num_embeddings,
            "Embedding: padding_idx is {padding_idx}, it must be below num_embeddings = {}",
            self.num_embeddings
        );
        self.padding_idx = Some(padding_idx);
        self
    }
}

impl Layer<Indices> for Embedding {
    fn register(&mut self, scope: &mut Scope<'_>) {
        let Self { num_embeddings, embedding_dim, padding_idx, .. } = *self;
        self.weight =
            scope.param("weight", [num_embeddings, embedding_dim], Role::Trainable, |values, rng| {
                init::normal(values, 0.0, 1.0, rng);
                if let Some(row) = padding_idx {
                    values[row * embedding_dim..][..embedding_dim].fill(0.0);
                }
            });
    }

    /// # Panics
    /// When a token is not below `num_embeddings`.
    fn forward(&self, g: &Graph<'_>, tokens: Indices) -> Var {
        g.embedding(tokens, g.param(self.weight.id(self)), self.padding_idx)
    }
}

impl Describe for Embedding {
    const NAME: &str = "Embedding";

    fn blank() -> Self {
        Self::new(0, 0)
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.positional("num_embeddings", &mut self.num_embeddings);
        args.positional("embedding_dim", &mut self.embedding_dim);
        args.option("padding_idx", &mut self.padding_idx, None);
    }

    fn check(&self) -> Result<(), String> {
        match self.padding_idx.filter(|&idx| idx >= self.num_embeddings) {
            Some(idx) => Err(format!(
                "padding_idx is {idx}, it must be below num_embeddings = {}",
                self.num_embeddings
            )),
            None => Ok(()),
        }
    }
}

described!(Embedding);
