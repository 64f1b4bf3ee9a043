//! Where a parameter's gradient may differ from 0, so that zeroing it costs no more than writing it did.

/// Some rows of a gradient, or all of it. By default nothing, as in a new gradient.
#[derive(Clone, Debug, Default)]
pub(crate) struct Touched {
    /// May contain a row several times.
    rows: Vec<u32>,
    row_len: usize,
    is_whole: bool,
}

impl Touched {
    /// From now on any element may differ from 0.
    pub(crate) fn set_whole(&mut self) {
        self.is_whole = true;
    }

    /// From now on these rows of a gradient may differ from 0, too.
    pub(crate) fn add_rows(&mut self, rows: &[u32], row_len: usize, grad: &[f32]) {
        // From here on zeroing all of it is as fast. This also limits the memory.
        let most = grad.len().checked_div(row_len).unwrap_or(0) / 2;
        let fits = self.rows.is_empty() || self.row_len == row_len;
        if self.is_whole || !fits || self.rows.len() + rows.len() > most {
            return self.set_whole();
        }
        self.rows.reserve_exact(most - self.rows.len());
        self.rows.extend_from_slice(rows);
        self.row_len = row_len;
    }

    /// Zeroes the gradient.
    pub(crate) fn zero(&mut self, grad: &mut [f32]) {
        if self.is_whole {
            grad.fill(0.0);
        } else {
            self.rows.iter().for_each(|&row| grad[row as usize * self.row_len..][..self.row_len].fill(0.0));
        }
        self.rows.clear();
        self.is_whole = false;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::{Mode, ParamId, Params, Role, Tape};

    const N_ROWS: usize = 40;

    fn table() -> (Params, ParamId) {
        let mut params = Params::new();
        let table = params.add("table", [N_ROWS, 3], Role::Trainable);
        params.value_mut(table).iter_mut().zip(1..).for_each(|(w, i)| *w = i as f32);
        (params, table)
    }

    fn step(tape: &mut Tape, params: &mut Params, table: ParamId, tokens: &[u32], mode: Mode) {
        tape.step(params, mode, |g| {
            let y = g.embedding(g.tokens([tokens.len()], tokens), g.param(table), None);
            g.sum(g.mul(y, y))
        });
    }

    #[test]
    fn an_embedding_costs_only_its_rows() {
        let (mut params, table) = table();
        let mut tape = Tape::new();
        step(&mut tape, &mut params, table, &[4, 7, 4], Mode::train(0, 0));
        // Written behind the back of the parameters.
        params.parts_mut().grads[3 * 9] = f32::NAN;
        step(&mut tape, &mut params, table, &[20], Mode::train(0, 1));
        assert_eq!(params.grad(table)[3 * 4..3 * 5], [0.0; 3]);
        assert_eq!(params.grad(table)[3 * 20..3 * 21], [122.0, 124.0, 126.0]);
        assert!(params.grad(table)[3 * 9].is_nan());
        // Mutable access may have written anything.
        params.grads_mut();
        step(&mut tape, &mut params, table, &[1], Mode::train(0, 2));
        assert_eq!(params.grad(table)[3 * 9], 0.0);
    }

    #[derive(Clone, Debug)]
    enum Event {
        /// The rows of an embedding, and whether its gradient is added to the previous one.
        Rows(Vec<u32>, bool),
        /// A step that uses the whole table.
        Whole,
        /// A step without the table.
        Without,
        Clip,
        Freeze,
    }

    fn event() -> impl Strategy<Value = Event> {
        let rows = prop::collection::vec(0..N_ROWS as u32, 1..12);
        prop_oneof![
            4 => (rows, any::<bool>()).prop_map(|(rows, accumulate)| Event::Rows(rows, accumulate)),
            1 => Just(Event::Whole),
            1 => Just(Event::Without),
            1 => Just(Event::Clip),
            1 => Just(Event::Freeze),
        ]
    }

    proptest! {
        #[test]
        fn gradients_are_as_when_all_is_zeroed(events in prop::collection::vec(event(), 1..20)) {
            let run = |zeroes_all: bool| {
                let (mut params, table) = table();
                let other = params.add("other", [1], Role::Trainable);
                let mut tape = Tape::new();
                let mut grads = Vec::new();
                for event in &events {
                    if zeroes_all {
                        params.grads_mut();
                    }
                    match event {
                        Event::Rows(rows, accumulate) => {
                            let mode = Mode { accumulate: *accumulate, ..Mode::train(0, 0) };
                            step(&mut tape, &mut params, table, rows, mode);
                        }
                        Event::Whole => {
                            tape.step(&mut params, Mode::train(0, 0), |g| g.sum(g.param(table)));
                        }
                        Event::Without => {
                            tape.step(&mut params, Mode::train(0, 0), |g| g.sum(g.param(other)));
                        }
                        Event::Clip => params.grads_mut().iter_mut().for_each(|grad| *grad *= 0.5),
                        Event::Freeze => {
                            params.freeze("table").unwrap();
                            params.thaw("table").unwrap();
                        }
                    }
                    grads.extend(params.grads().iter().map(|grad| grad.to_bits()));
                }
                grads
            };
            prop_assert_eq!(run(false), run(true));
        }
    }
}
