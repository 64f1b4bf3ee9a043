//! The check of an input against the size that a layer was created for.

use autograd::{Graph, Var};

/// What the last axis of an input must be.
pub(super) struct LastAxis {
    /// The layer, as errors say it.
    pub(super) layer: &'static str,
    /// What the elements of the axis are, in the singular.
    pub(super) thing: &'static str,
    /// The layer's option that says how many there are, and its value.
    pub(super) option: (&'static str, usize),
    /// Another option that has to divide it, and its value.
    pub(super) divisor: Option<(&'static str, usize)>,
}

impl LastAxis {
    /// Checks an input, which errors call `what`. A scalar is left to the op that follows.
    #[track_caller]
    pub(super) fn check(&self, g: &Graph<'_>, what: &str, x: Var) {
        let (&Self { layer, thing, option: (option, expected), divisor }, shape) = (self, g.shape(x));
        let Some(&found) = shape.last() else { return };
        if found == expected {
            return;
        }
        let plural = if found == 1 { "" } else { "s" };
        let remedy = match (g.channels_last_hint(x, expected), divisor) {
            ("", Some((divisor, n))) if !found.is_multiple_of(n) => format!(
                "; set {option} to {found} and {divisor} to a divisor of it, or change the preceding layer"
            ),
            ("", _) => format!("; set {option} to {found}, or change the preceding layer"),
            (hint, _) => hint.to_owned(),
        };
        panic!(
            "{layer}{}: the {what} {shape} has {found} {thing}{plural}, the layer expects {expected}{remedy}",
            g.at()
        );
    }

    /// The same of sequences, `[n, t, …]`.
    #[track_caller]
    pub(super) fn check_sequences(&self, g: &Graph<'_>, what: &str, x: Var) {
        let (&Self { layer, option: (_, expected), .. }, shape) = (self, g.shape(x));
        assert!(
            shape.rank() == 3,
            "{layer}{}: the {what} is {shape}, expected sequences [n, t, {expected}]; reshape it, or add the missing axes",
            g.at()
        );
        self.check(g, what, x);
    }
}
