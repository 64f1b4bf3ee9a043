//! Processes that own the parts of a batch, played by threads.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tensor::parallel::{Exchange, Overlap, Shards};

/// Runs `f` on a thread for each of `n_parts`; what they gave, in order. If sums overlap, every sum that can be is
/// exchanged as late as possible.
pub(crate) fn on_parts<T: Send>(
    n_parts: usize,
    overlap: bool,
    f: impl Fn(Arc<dyn Exchange>) -> T + Sync,
) -> Vec<T> {
    let table = Arc::new(Table::default());
    let part = |part| {
        let started = overlap.then(Mutex::default);
        Arc::new(Part { part, n_parts, table: table.clone(), started })
    };
    std::thread::scope(|scope| {
        let f = &f;
        let threads: Vec<_> = (0..n_parts)
            .map(|i| {
                let part = part(i);
                scope.spawn(move || f(part))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a part fails")).collect()
    })
}

#[derive(Debug)]
struct Part {
    part: usize,
    n_parts: usize,
    table: Arc<Table>,
    /// The sums that are still to be exchanged, if sums overlap.
    started: Option<Mutex<VecDeque<Started>>>,
}

type Started = (Shards<'static>, Vec<f32>);

/// Where the parts lay down what they have, until all have seen it.
#[derive(Debug, Default)]
struct Table {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    values: Vec<(usize, Vec<f64>)>,
    n_readers: usize,
}

impl Part {
    /// What all parts laid down, in their order.
    fn all(&self, own: Vec<f64>) -> Vec<Vec<f64>> {
        let wait = |state, until: &dyn Fn(&State) -> bool| {
            let patience = Duration::from_secs(60);
            let (state, waited) = self
                .table
                .changed
                .wait_timeout_while(state, patience, |state| !until(state))
                .expect("no poison");
            assert!(!waited.timed_out(), "another part does not come");
            state
        };
        let state = self.table.state.lock().expect("no poison");
        // Until the exchange before is over.
        let mut state = wait(state, &|state| state.n_readers == 0);
        state.values.push((self.part, own));
        if state.values.len() == self.n_parts {
            state.n_readers = self.n_parts;
            state.values.sort_by_key(|&(part, _)| part);
            self.table.changed.notify_all();
        }
        let mut state = wait(state, &|state| state.n_readers > 0);
        let all: Vec<Vec<f64>> = state.values.iter().map(|(_, values)| values.clone()).collect();
        state.n_readers -= 1;
        if state.n_readers == 0 {
            state.values.clear();
            self.table.changed.notify_all();
        }
        assert!(
            all.iter().all(|values| values.len() == all[0].len()),
            "all parts tell the same kind of thing"
        );
        all
    }
}

impl Exchange for Part {
    fn part(&self) -> usize {
        self.part
    }

    fn n_parts(&self) -> usize {
        self.n_parts
    }

    fn join(&self, shards: &Shards<'_>, sum: &mut [f32]) {
        let mut values: Vec<f64> = sum.iter().map(|&v| v.into()).collect();
        // The sum of two f32 in f64, rounded to f32, is their sum in f32.
        self.join_f64(shards, &mut values, &|into, from| {
            into.iter_mut().zip(from).for_each(|(a, b)| *a = f64::from((*a + b) as f32));
        });
        sum.iter_mut().zip(values).for_each(|(sum, v)| *sum = v as f32);
    }

    fn join_f64(&self, shards: &Shards<'_>, values: &mut [f64], combine: &dyn Fn(&mut [f64], &[f64])) {
        let mut all = self.all(values.to_vec());
        shards.for_each_join(self.n_parts, &mut |into, from| {
            let from = std::mem::take(&mut all[from]);
            combine(&mut all[into], &from);
        });
        values.copy_from_slice(&all[0]);
    }

    fn overlap(&self) -> Option<&dyn Overlap> {
        self.started.as_ref().map(|_| self as _)
    }
}

impl Overlap for Part {
    fn is_enough(&self, n_values: usize) -> bool {
        n_values > 100
    }

    fn start(&self, shards: &Shards<'_>, sum: Vec<f32>) {
        let started = self.started.as_ref().expect("sums overlap");
        started.lock().expect("no poison").push_back((shards.alone(), sum));
    }

    fn finish(&self) -> Vec<f32> {
        let started = self.started.as_ref().expect("sums overlap");
        let (shards, mut sum) = started.lock().expect("no poison").pop_front().expect("a sum was started");
        self.join(&shards, &mut sum);
        sum
    }
}
