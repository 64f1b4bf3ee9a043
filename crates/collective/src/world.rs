//! All processes that were started together.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tensor::parallel::Shards;

use crate::{Collective, Joined, Single};

/// The processes that `mpirun` has started, or the only one. They part when this is dropped.
#[derive(Debug)]
pub struct World {
    collective: Arc<dyn Collective>,
    joined: Arc<Joined>,
    #[cfg(feature = "mpi")]
    _mpi: Option<crate::mpi::Guard>,
}

/// Why the processes do not find each other.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Several processes were started, and the program cannot talk to any of them.
    #[error(
        "{n_ranks} processes were started by MPI, but this program was built without it: build it with `--features mpi`"
    )]
    WithoutMpi {
        /// How many processes were started.
        n_ranks: usize,
    },
    /// MPI does not start.
    #[error("MPI: {0}")]
    Mpi(String),
    /// MPI is too old or was built too small.
    #[error(
        "MPI allows one thread at a time ({0}), but a heartbeat needs a thread of its own: use a build with MPI_THREAD_MULTIPLE"
    )]
    Threads(String),
}

impl World {
    /// Joins the processes that were started together; a process that was not started by `mpirun` or the like is alone,
    /// and MPI is not even started.
    ///
    /// From then on each rank tells the others that it lives, on a thread of its own. Who has not been heard of for
    /// `rank_timeout` is taken for dead, and all ranks are ended with one message that names it and its machine. A rank
    /// that is merely slow is not dead.
    ///
    /// # Errors
    /// When several processes were started and the crate was built without its feature `mpi`, or MPI does not start.
    pub fn start(rank_timeout: Duration) -> Result<Self, Error> {
        let n_ranks = launched_ranks();
        #[cfg(feature = "mpi")]
        if n_ranks.is_some() {
            let (guard, collective) = crate::mpi::start(rank_timeout)?;
            return Ok(Self {
                joined: Arc::new(Joined::new(collective.clone())),
                collective,
                _mpi: Some(guard),
            });
        }
        let _ = rank_timeout;
        match n_ranks {
            Some(n_ranks) if n_ranks > 1 => Err(Error::WithoutMpi { n_ranks }),
            _ => Ok(Self::single()),
        }
    }

    /// One process, whoever started it.
    pub fn single() -> Self {
        let collective = Arc::new(Single);
        Self {
            joined: Arc::new(Joined::new(collective.clone())),
            collective,
            #[cfg(feature = "mpi")]
            _mpi: None,
        }
    }

    /// This process among the others.
    pub fn collective(&self) -> &Arc<dyn Collective> {
        &self.collective
    }

    /// The exchange of sums, for `Tape::exchange`.
    pub fn exchange(&self) -> Arc<Joined> {
        self.joined.clone()
    }

    /// Which images of a batch of `n_images` this process computes, by their numbers in the batch: the shards of
    /// [`Shards::whole`] that it owns. Beyond as many processes as shards, none.
    ///
    /// ```
    /// assert_eq!(collective::World::single().images(64), 0..64);
    /// ```
    pub fn images(&self, n_images: usize) -> Range<usize> {
        Shards::whole(n_images).exchanging(&*self.joined).images()
    }

    /// The number of this process, counted from 0.
    pub fn rank(&self) -> usize {
        self.collective.rank()
    }

    /// How many processes there are.
    pub fn size(&self) -> usize {
        self.collective.size()
    }
}

/// How many processes `mpirun` says that it has started: Open MPI, then MPICH and those that start as it does.
fn launched_ranks() -> Option<usize> {
    ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS"]
        .iter()
        .find_map(|name| std::env::var(name).ok()?.parse().ok())
}
