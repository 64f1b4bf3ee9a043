//! Preparing batches on another thread while the step runs.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

use crate::{Batch, Error, Loader, Position};

/// Prepares the next batches of a [`Loader`] on another thread; the batches are bitwise those of the loader.
///
/// The thread stays two batches ahead, across epochs, until this is dropped. It reads the examples of a batch
/// sequentially and does not use the step's thread pool. Once all three batches have been filled once,
/// nothing is allocated.
///
/// ```
/// use data::{Augment, Batch, ImageShape, InMemory, Loader, Prefetch};
/// let set = InMemory::new(ImageShape::CIFAR, vec![0; 100 * 3072], vec![0; 100], ["black"]);
/// let loader = Loader::new(&set, 64).shuffle(7).augment(Augment::flip_and_crop(4), 7);
/// std::thread::scope(|scope| {
///     let mut batches = Prefetch::new(scope, loader);
///     let mut batch = Batch::new();
///     for epoch in 0..2 {
///         while batches.next_into(&mut batch)? {
///             assert!(batch.len() == 64 || batch.len() == 36);
///         }
///     }
///     Ok(())
/// })
/// # .map_err(|error: data::Error| error)
/// # .unwrap();
/// ```
#[derive(Debug)]
pub struct Prefetch {
    empty: SyncSender<Batch>,
    filled: Receiver<Filled>,
    position: Position,
}

/// The message from the thread.
struct Filled {
    batch: Batch,
    /// The result of [`Loader::next_into`], or its panic.
    outcome: Result<Result<bool, Error>, Box<dyn Any + Send>>,
    /// The position of the loader afterwards.
    position: Position,
}

/// The number of batches prepared ahead.
const N_AHEAD: usize = 2;

impl Prefetch {
    /// Starts the thread in `scope`, from the position of `loader`.
    pub fn new<'scope>(scope: &'scope Scope<'scope, '_>, mut loader: Loader<'scope>) -> Self {
        let position = loader.position();
        loader.read_serially();
        let (empty, to_fill) = sync_channel::<Batch>(N_AHEAD);
        let (hand_over, filled) = sync_channel(N_AHEAD);
        for _ in 0..N_AHEAD {
            empty.send(Batch::new()).expect("the channel has room for all batches");
        }
        scope.spawn(move || {
            // Each channel is closed when its other end is dropped, and neither is ever full.
            while let Ok(mut batch) = to_fill.recv() {
                let outcome = catch_unwind(AssertUnwindSafe(|| loader.next_into(&mut batch)));
                let has_panicked = outcome.is_err();
                let position = loader.position();
                if hand_over.send(Filled { batch, outcome, position }).is_err() || has_panicked {
                    return;
                }
            }
        });
        Self { empty, filled, position }
    }

    /// Fills `batch` with the next examples, or returns `false` at the end of the epoch, as
    /// [`Loader::next_into`] does.
    ///
    /// # Errors
    /// As for [`Loader::next_into`]; the next call tries the same batch again.
    ///
    /// # Panics
    /// When the thread has panicked, with the same payload.
    pub fn next_into(&mut self, batch: &mut Batch) -> Result<bool, Error> {
        let Ok(mut filled) = self.filled.recv() else {
            panic!("Prefetch::next_into: the reading thread has already panicked")
        };
        let outcome = match filled.outcome {
            Ok(outcome) => outcome,
            Err(panic) => resume_unwind(panic),
        };
        if matches!(outcome, Ok(true)) {
            mem::swap(batch, &mut filled.batch);
        }
        self.position = filled.position;
        // Fails if the thread has panicked meanwhile; the next call then reports it.
        let _ = self.empty.send(filled.batch);
        outcome
    }

    /// The position after the last batch returned, not counting those prepared; [`Loader::seek`] resumes from
    /// it.
    pub fn position(&self) -> Position {
        self.position
    }
}
