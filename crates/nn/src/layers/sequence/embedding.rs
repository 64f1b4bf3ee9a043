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
///
/// [`weight`](Self::weight) ties the output layer of a language model to its embedding.
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

    /// The table on the graph, to use it elsewhere too: as the weight of the output layer, for example, which
    /// then maps a vector to its product with that of each token. Press and Wolf, "Using the Output Embedding
    /// to Improve Language Models", 2017. It stays one parameter with the embedding's path: its gradient is the
    /// sum over all uses, and freezing it freezes all.
    ///
    /// ```
    /// use autograd::{Graph, Indices, Mode, Tape, Var};
    /// use nn::{Embedding, Layer, Linear};
    /// use optim::{Adam, Optimizer};
    ///
    /// nn::layer! {
    ///     /// Maps each token to the logits of its successor.
    ///     struct Successor(n_tokens: usize, width: usize) {
    ///         embedding: Embedding = Embedding::new(n_tokens, width),
    ///         hidden: Linear = Linear::new(width, width),
    ///     }
    ///
    ///     fn forward(&self, g: &Graph<'_>, tokens: Indices) -> Var {
    ///         let x = self.hidden.forward(g, self.embedding.forward(g, tokens));
    ///         g.linear(x, self.embedding.run(g, |embedding, g| embedding.weight(g)), None)
    ///     }
    /// }
    ///
    /// let (net, mut params) = nn::build(Successor::new(8, 16), 0);
    /// let names: Vec<_> = params.entries().iter().map(|entry| entry.name.as_str()).collect();
    /// assert_eq!(names, ["embedding.weight", "hidden.weight", "hidden.bias"]);
    ///
    /// let (tokens, successors) = ([0, 1, 2, 3, 4, 5, 6, 7], [3, 5, 0, 6, 1, 7, 2, 4]);
    /// let mut optimizer = Optimizer::new(Adam { lr: 0.02, ..Adam::default() }, &params)?;
    /// let (mut tape, mut losses) = (Tape::new(), Vec::new());
    /// for step in 0..100 {
    ///     losses.push(tape.step(&mut params, Mode::train(0, step), |g| {
    ///         g.cross_entropy(net.forward(g, g.tokens([8], &tokens)), g.indices(&successors))
    ///     }));
    ///     optimizer.step(&mut params);
    /// }
    /// assert!(losses[99] < 0.1 * losses[0], "{losses:?}");
    /// # Ok::<(), optim::Error>(())
    /// ```
    ///
    /// # Panics
    /// When the layer was never registered.
    #[track_caller]
    pub fn weight(&self, g: &Graph<'_>) -> Var {
        g.param(self.weight.id(self))
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
        g.embedding(tokens, self.weight(g), self.padding_idx)
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
