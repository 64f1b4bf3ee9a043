//! The state a rule keeps between steps: a step count and named slots.

use std::ops::Range;

use crate::{Error, Real};

/// One named buffer of a [`State`].
#[derive(Clone, Debug, PartialEq)]
pub struct Slot<F> {
    pub(crate) name: &'static str,
    pub(crate) values: Vec<F>,
    pub(crate) kind: Kind,
}

/// How a slot maps to the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One number for each coordinate.
    Each,
    /// Numbers for the whole slice or tensor.
    Shared,
    /// Working memory, written before it is read in every step, so it is not saved.
    Scratch,
}

impl<F: Real> Slot<F> {
    /// One number for each of `n` coordinates, initially `start`.
    pub fn each(name: &'static str, n: usize, start: f64) -> Self {
        Self { name, values: filled(n, F::of(start)), kind: Kind::Each }
    }

    /// `n` numbers for the whole slice or tensor, initially `start`.
    pub fn shared(name: &'static str, n: usize, start: f64) -> Self {
        Self { name, values: filled(n, F::of(start)), kind: Kind::Shared }
    }

    /// Working memory of `n` numbers that is not saved.
    pub fn scratch(name: &'static str, n: usize) -> Self {
        Self { name, values: filled(n, F::ZERO), kind: Kind::Scratch }
    }

    /// The numbers of the slot.
    pub fn values_mut(&mut self) -> &mut [F] {
        &mut self.values
    }

    /// The range of one of `n` equal parts.
    pub(crate) fn part(&self, idx: usize, n: usize) -> Range<usize> {
        let len = self.values.len() / n;
        idx * len..(idx + 1) * len
    }
}

fn filled<F: Real>(n: usize, value: F) -> Vec<F> {
    let mut values = Vec::new();
    huge_pages::resize(&mut values, n, value);
    values
}

/// The state a rule keeps for one slice of parameters.
///
/// Made by [`Elementwise::state`](crate::Elementwise::state),
/// [`WholeTensor::state`](crate::WholeTensor::state) or [`Minimizer::state`](crate::Minimizer::state).
/// To resume with the same bits, save [`n_steps`](Self::n_steps) and all [`slots`](Self::slots) and pass them
/// to [`restore`](Self::restore).
#[derive(Clone, Debug, PartialEq)]
pub struct State<F> {
    pub(crate) n_values: usize,
    pub(crate) n_steps: u64,
    pub(crate) slots: Vec<Slot<F>>,
}

impl<F: Real> State<F> {
    pub(crate) fn new(n_values: usize, slots: Vec<Slot<F>>) -> Self {
        Self { n_values, n_steps: 0, slots }
    }

    /// The number of steps taken.
    pub fn n_steps(&self) -> u64 {
        self.n_steps
    }

    /// The number of parameters the state was made for.
    pub fn n_values(&self) -> usize {
        self.n_values
    }

    /// The slots that make up the state, with their names.
    pub fn slots(&self) -> impl Iterator<Item = (&'static str, &[F])> {
        self.saved().map(|slot| (slot.name, slot.values.as_slice()))
    }

    /// Restores saved slots and the step count.
    ///
    /// # Errors
    /// When a slot is missing, unknown, given twice or of a different length; the state is then unchanged.
    pub fn restore<'a>(
        &mut self,
        n_steps: u64,
        slots: impl IntoIterator<Item = (&'a str, &'a [F])>,
    ) -> Result<(), Error> {
        let saved: Vec<_> = slots.into_iter().collect();
        let wanted: Vec<_> = self.slots().map(|(name, values)| (name.to_string(), values.len())).collect();
        check_slots(&wanted, &saved)?;
        self.n_steps = n_steps;
        for slot in self.slots.iter_mut().filter(|slot| slot.kind != Kind::Scratch) {
            let (_, values) = saved.iter().find(|(name, _)| *name == slot.name).expect("checked above");
            slot.values.copy_from_slice(values);
        }
        Ok(())
    }

    pub(crate) fn saved(&self) -> impl Iterator<Item = &Slot<F>> {
        self.slots.iter().filter(|slot| slot.kind != Kind::Scratch)
    }
}

/// A count of steps as numbers that are saved like those of a slot: low + 2²⁴·high, exact in f32 too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Count<F>([F; 2]);

impl<F: Real> Count<F> {
    const BITS: u32 = 24;

    pub(crate) fn of(n_steps: u64) -> Self {
        let (high, low) = (n_steps >> Self::BITS, n_steps & ((1 << Self::BITS) - 1));
        Self([low, high].map(|part| F::of(part as f64)))
    }

    pub(crate) fn get(self) -> u64 {
        let [low, high] = self.0.map(|part| part.to_f64() as u64);
        (high << Self::BITS) + low
    }

    pub(crate) fn as_slice(&self) -> &[F] {
        &self.0
    }

    /// The count that these numbers are; `None` if they are none.
    pub(crate) fn read(saved: &[F]) -> Option<Self> {
        let parts: [F; 2] = saved.try_into().ok()?;
        let is_part = |part: &F| (0.0..(1u64 << Self::BITS) as f64).contains(&part.to_f64());
        parts.iter().all(is_part).then_some(Self(parts)).filter(|count| Self::of(count.get()) == *count)
    }
}

/// Compares the slots a state expects, as (name, length), with those given.
pub(crate) fn check_slots<F>(wanted: &[(String, usize)], offered: &[(&str, &[F])]) -> Result<(), Error> {
    let fail = |slot: &str, problem: String| Err(Error::State { slot: slot.into(), problem });
    for (name, len) in wanted {
        match offered.iter().find(|(offered, _)| offered == name) {
            None => return fail(name, "is missing".into()),
            Some((_, values)) if values.len() != *len => {
                return fail(name, format!("has {} elements, expected {len}", values.len()));
            }
            Some(_) => {}
        }
    }
    for (idx, (name, _)) in offered.iter().enumerate() {
        if !wanted.iter().any(|(wanted, _)| wanted == name) {
            return fail(name, "belongs to no slot of this rule".into());
        }
        if offered[..idx].iter().any(|(earlier, _)| earlier == name) {
            return fail(name, "is given twice".into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State<f64> {
        let slots = vec![
            Slot::each("exp_avg", 3, 0.0),
            Slot::shared("mu_product", 1, 1.0),
            Slot::scratch("update", 7),
        ];
        State::new(3, slots)
    }

    #[test]
    fn scratch_is_not_part_of_what_is_saved() {
        let names: Vec<_> = state().slots().map(|(name, values)| (name, values.len())).collect();
        assert_eq!(names, [("exp_avg", 3), ("mu_product", 1)]);
    }

    #[test]
    fn restore_takes_values_in_any_order() {
        let mut state = state();
        state.restore(4, [("mu_product", &[0.5][..]), ("exp_avg", &[1.0, 2.0, 3.0][..])]).unwrap();
        assert_eq!(state.n_steps(), 4);
        assert_eq!(state.slots[0].values, [1.0, 2.0, 3.0]);
        assert_eq!(state.slots[1].values, [0.5]);
    }

    #[test]
    fn restore_refuses_what_does_not_fit_and_leaves_the_state_alone() {
        let (avg, mu) = (&[1.0, 2.0, 3.0][..], &[0.5][..]);
        for (slots, message) in [
            (vec![("exp_avg", avg)], "state `mu_product`: is missing"),
            (vec![("exp_avg", mu), ("mu_product", mu)], "state `exp_avg`: has 1 elements, expected 3"),
            (
                vec![("exp_avg", avg), ("mu_product", mu), ("x", mu)],
                "state `x`: belongs to no slot of this rule",
            ),
            (vec![("exp_avg", avg), ("mu_product", mu), ("exp_avg", avg)], "state `exp_avg`: is given twice"),
        ] {
            let mut target = state();
            assert_eq!(target.restore(1, slots).unwrap_err().to_string(), message);
            assert_eq!(target, state());
        }
    }
}
