//! Parameter groups by name, for no weight decay, another learning rate or another rule.

use parameters::{Parameters, is_under};

use crate::{AnyRule, Error, Group, Param, Real};

/// The trainable parameters of a network, each with its rule, for
/// [`Optimizer::with_groups`](crate::Optimizer::with_groups).
///
/// ```
/// # use optim::{Adam, AdamW, Error, Groups, Muon, Optimizer, Param, Parameters};
/// # fn f(params: &impl Parameters<Value = f32>) -> Result<(), Error> {
/// let groups = Groups::new(AdamW { lr: 1e-3, weight_decay: 0.05, ..AdamW::default() }, params)
///     .no_decay(|p: &Param| p.shape.len() < 2) // biases and the scales of normalisation
///     .lr_scale("features", 0.1)
///     .rule("features.3.weight", Muon::default());
/// let optimizer = Optimizer::with_groups(groups)?;
/// # Ok(()) }
/// ```
///
/// Each call takes a [`Pattern`], which is a path or a condition; one that matches nothing is an error. If
/// several calls set the same thing for a parameter, the last one counts; parameters matched by no call stay
/// as in [`new`](Self::new).
#[must_use]
pub struct Groups<F: Real> {
    rules: Vec<Box<dyn Fn() -> AnyRule<F>>>,
    params: Vec<(Param, usize, Choice)>,
    untrained: Vec<usize>,
    error: Option<Error>,
}

/// The choices for a parameter.
#[derive(Clone, Copy, PartialEq)]
struct Choice {
    rule_idx: usize,
    decays: bool,
    lr_scale: f64,
}

impl<F: Real> Groups<F> {
    /// Updates all trainable parameters by one rule.
    pub fn new<R, P>(rule: R, params: &P) -> Self
    where
        R: Into<AnyRule<F>> + Clone + 'static,
        P: Parameters<Value = F> + ?Sized,
    {
        let choice = Choice { rule_idx: 0, decays: true, lr_scale: 1.0 };
        let (params, untrained) = split(params);
        let params = params.into_iter().map(|(param, entry)| (param, entry, choice)).collect();
        Self { rules: vec![maker(rule)], params, untrained, error: None }
    }

    /// Keeps only matching parameters and leaves the rest to other optimizers, as for a generator and a
    /// discriminator.
    pub fn only(mut self, pattern: impl Pattern) -> Self {
        self = self.choose("only", &pattern, |_| {});
        self.params.retain(|(param, ..)| pattern.matches(param));
        self
    }

    /// Sets `weight_decay` to 0.
    pub fn no_decay(self, pattern: impl Pattern) -> Self {
        self.choose("no_decay", &pattern, |choice| choice.decays = false)
    }

    /// Multiplies the optimizer's learning rate by `lr_scale`, also when it is set or follows a schedule.
    pub fn lr_scale(self, pattern: impl Pattern, lr_scale: f64) -> Self {
        self.choose("lr_scale", &pattern, |choice| choice.lr_scale = lr_scale)
    }

    /// Updates the matching parameters by another rule.
    ///
    /// Its `lr` holds until the optimizer is given a rate: [`set_lr`](crate::Optimizer::set_lr) and
    /// [`follow`](crate::Optimizer::follow) set that of all groups. For a schedule that multiplies each group's
    /// own `lr`, as in PyTorch, use [`follow_scaled`](crate::Optimizer::follow_scaled).
    pub fn rule(mut self, pattern: impl Pattern, rule: impl Into<AnyRule<F>> + Clone + 'static) -> Self {
        let rule_idx = self.rules.len();
        self.rules.push(maker(rule));
        self.choose("rule", &pattern, |choice| choice.rule_idx = rule_idx)
    }

    fn choose(
        mut self,
        call: &'static str,
        pattern: &impl Pattern,
        mut change: impl FnMut(&mut Choice),
    ) -> Self {
        let matching = self.params.iter_mut().filter(|(param, ..)| pattern.matches(param));
        if matching.map(|(.., choice)| change(choice)).count() == 0 {
            let known: Vec<_> = self.params.iter().map(|(param, ..)| param.name.as_str()).collect();
            let (pattern, known) = (pattern.describe(), known.join(", "));
            self.error.get_or_insert(Error::NoMatch { call, pattern, known });
        }
        self
    }

    /// The groups in the order of their first parameters, and the entries that are in no group.
    pub(crate) fn finish(self) -> Result<(Vec<Group<F>>, Vec<usize>), Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let mut groups: Vec<(Choice, Group<F>)> = Vec::new();
        for (param, entry, choice) in self.params {
            let known = groups.iter().position(|(known, _)| *known == choice);
            let group_idx = match known {
                Some(group_idx) => group_idx,
                None => {
                    let mut rule = self.rules[choice.rule_idx]();
                    if !choice.decays {
                        rule.set("weight_decay", 0.0)?;
                    }
                    groups.push((choice, Group::new(rule, []).with_lr_scale(choice.lr_scale)));
                    groups.len() - 1
                }
            };
            let (_, group) = &mut groups[group_idx];
            group.params.push(param);
            group.entries.push(entry);
        }
        Ok((groups.into_iter().map(|(_, group)| group).collect(), self.untrained))
    }
}

/// Makes a copy of a rule for each of its groups.
fn maker<F: Real>(rule: impl Into<AnyRule<F>> + Clone + 'static) -> Box<dyn Fn() -> AnyRule<F>> {
    Box::new(move || rule.clone().into())
}

/// The trainable entries, each with its index, and the indices of the others.
pub(crate) fn split<P: Parameters + ?Sized>(params: &P) -> (Vec<(Param, usize)>, Vec<usize>) {
    let (trained, untrained): (Vec<_>, Vec<_>) =
        params.all_entries().enumerate().partition(|(_, entry)| entry.is_trainable);
    let param = |(idx, entry)| (Param::from(entry), idx);
    (trained.into_iter().map(param).collect(), untrained.into_iter().map(|(idx, _)| idx).collect())
}

/// A selection of parameters: a path such as `"features.0"`, which includes everything below it, or a
/// condition such as `|p: &Param| p.name.ends_with("bias")`.
pub trait Pattern {
    /// Whether `param` is selected.
    fn matches(&self, param: &Param) -> bool;

    /// Describes the pattern, for the error that it matches nothing.
    fn describe(&self) -> String;
}

impl Pattern for &str {
    fn matches(&self, param: &Param) -> bool {
        is_under(&param.name, self)
    }

    fn describe(&self) -> String {
        format!("the path `{self}`")
    }
}

impl<T: Fn(&Param) -> bool> Pattern for T {
    fn matches(&self, param: &Param) -> bool {
        self(param)
    }

    fn describe(&self) -> String {
        "the condition".into()
    }
}
