//! Branches beside each other.

use autograd::{Graph, Var};

use crate::config::{Args, Describe, described};
use crate::layer::{Child, Layer, Scope};

/// The most branches: what they make stands in an array, not in a vector made anew each step.
const MAX_BRANCHES: usize = 32;

/// Layers that all get the same input, and whose outputs are added up or put one after the other; the branch at
/// position `i` is called `i`. Szegedy et al., "Going Deeper with Convolutions", 2015, has blocks of this kind; of two
/// branches, of which one may be nothing, [`Residual`](crate::Residual) makes a sum with names of its own.
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
    /// Where the outputs are put one after the other, instead of being added up.
    concat_axis: Option<usize>,
}

impl Parallel {
    /// The sum of the branches, of which there are none yet.
    pub fn sum() -> Self {
        Self { branches: Vec::new(), concat_axis: None }
    }

    /// The branches one after the other along `axis`: 3 for the channels of images.
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

    /// Adds a branch under a name of its own instead of its position.
    ///
    /// # Panics
    /// When there are 32 already.
    #[track_caller]
    pub fn add_named(mut self, name: impl Into<String>, branch: impl Layer) -> Self {
        let name = name.into();
        let n = self.branches.len();
        assert!(n < MAX_BRANCHES, "Parallel: branch {name:?} is one too many, there can be {MAX_BRANCHES}");
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
                        "parallel{}: branch {:?} makes {first}, branch {:?} makes {shape}; a sum needs equal shapes, so \
                         change one, or concatenate",
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
        args.option("concat_axis", &mut self.concat_axis, None);
        args.children(&mut self.branches);
    }

    fn check(&self) -> Result<(), String> {
        match self.branches.len() {
            0..=MAX_BRANCHES => Ok(()),
            n => Err(format!("there are {n} branches, there can be {MAX_BRANCHES}")),
        }
    }
}

described!(Parallel);
