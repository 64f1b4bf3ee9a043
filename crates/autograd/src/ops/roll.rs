//! Cyclic shifts along an axis.

use crate::{Graph, Var};

impl Graph<'_> {
    /// Shifts the elements by `shift` places along an axis; those that leave at one end re-enter at the
    /// other. `torch.roll` with one shift and one dimension. Negative shifts move towards the start.
    ///
    /// # Panics
    /// When `x` does not have the axis.
    #[track_caller]
    pub fn roll(&self, x: Var, shift: isize, axis: usize) -> Var {
        let size = self.size_of_axis("roll", x, axis);
        // The first `shift` elements of the result are the last ones of `x`.
        match shift.checked_rem_euclid(size as isize) {
            None | Some(0) => x,
            Some(shift) => {
                let start = size - shift as usize;
                let [head, tail] = [0..start, start..size].map(|range| self.slice(x, axis, range));
                self.concat(&[tail, head], axis)
            }
        }
    }
}
