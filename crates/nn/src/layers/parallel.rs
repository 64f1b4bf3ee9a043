//! Parallel branches.

use autograd::{Graph, Var};

use crate::config::{Args, Describe, described};
use crate::layer::{Child, Layer, Scope};

/// The maximum number of branches: their outputs are kept in an array, so no vector is allocated at each
/// step.
const MAX_BRANCHES: usize = 32;

/// Layers that all receive the same input and whose outputs are summed or concatenated; the branch at
/// position `i` is named `i`. Szegedy et al., "Going Deeper with Convolutions", 2015, use such blocks. For
/// the sum of two branches, one of which may be the identity, see [`Residual`](crate::Residual), which has
/// its own names.
///
/// ```
/// use nn::{Conv2d, MaxPool2d, Parallel, Sequential};
/// // Channels of three kinds, 16 + 32 + 8.
/// let block = Parallel::concat(3)
///     .add(Conv2d::new(24, 16, 1))
///     .add(Conv2d::new(24, 32, 3).padding(1))
///     .add(Sequential::new().add(MaxPool2d::new(3).stride(1).padding(1)).add(Conv2d::new(24, 8, 1)));
/// # let (_block, params) = nn::build(block, 0);
/// # assert_eq!(params.entries()[4].name, "2.1.weight");
/// ```
#[derive(Clone)]
#[must_use]
pub struct Parallel {
    branches: Vec<Child>,
    /// The axis along which the outputs are concatenated instead of summed.
    concat_axis: Option<usize>,
}

impl Parallel {
    /// Creates a sum of branches, without branches so far.
    pub fn sum() -> Self {
        Self { branches: Vec::new(), concat_axis: None }
    }

    /// Creates a concatenation of branches along `axis`: 3 for the channels of images.
    pub fn concat(axis: usize) -> Self {
        Self { branches: Vec::new(), concat_axis: Some(axis) }
    }

    /// Adds a branch.
    ///
    /// # Panics
    /// When there are 32 already.
    #[expect(clippy::should_implement_trait, reason = "`add` appends, as in `Sequential`")]
    #[track_caller]
    pub fn add(self, branch: impl Layer) -> Self {
        let name = self.branches.len().to_string();
        self.add_named(name, branch)
    }

    /// Adds a branch with a custom name instead of its position.
    ///
    /// # Panics
    /// When there are 32 already.
    #[track_caller]
    pub fn add_named(mut self, name: impl Into<String>, branch: impl Layer) -> Self {
        let name = name.into();
        let n = self.branches.len();
        assert!(
            n < MAX_BRANCHES,
            "Parallel: branch {name:?} exceeds the limit of {MAX_BRANCHES} branches; put some into a Parallel of \
             their own"
        );
        self.branches.push(Child::new(name, Box::new(branch)));
        self
    }
}

impl Layer for Parallel {
    fn register(&mut self, scope: &mut Scope<'_>) {
        self.branches.iter_mut().for_each(|branch| scope.layer(branch));
    }

    fn child(&self, name: &str) -> Option<&dyn Layer> {
        let branch = self.branches.iter().find(|branch| branch.name == name)?;
        Some(&*branch.layer)
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        assert!(!self.branches.is_empty(), "parallel{}: there are no branches; add at least one", g.at());
        let mut outputs = [x; MAX_BRANCHES];
        for (output, branch) in outputs.iter_mut().zip(&self.branches) {
            *output = branch.forward(g, x);
        }
        let outputs = &outputs[..self.branches.len()];
        match self.concat_axis {
            Some(axis) => g.concat(outputs, axis),
            None => {
                let first = g.shape(outputs[0]);
                for (&output, branch) in outputs.iter().zip(&self.branches) {
                    let shape = g.shape(output);
                    assert!(
                        shape == first,
                        "parallel{}: branch {:?} returns {first}, branch {:?} returns {shape}; a sum needs \
                         equal shapes, so change one branch, or concatenate",
                        g.at(),
                        self.branches[0].name,
                        branch.name
                    );
                }
                outputs[1..].iter().fold(outputs[0], |sum, &output| g.add(sum, output))
            }
        }
    }
}

impl Describe for Parallel {
    const NAME: &str = "Parallel";

    fn blank() -> Self {
        Self::sum()
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        // By name only: a branch may be a word, `ReLU`.
        args.keyword("concat_axis", &mut self.concat_axis, None);
        args.children(&mut self.branches);
    }

    fn check(&self) -> Result<(), String> {
        match self.branches.len() {
            0..=MAX_BRANCHES => Ok(()),
            n => Err(format!(
                "there are {n} branches, expected at most {MAX_BRANCHES}; put some into a Parallel of their own"
            )),
        }
    }
}

described!(Parallel);
