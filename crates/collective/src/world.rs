//! All processes that were started together.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tensor::parallel::Shards;

use crate::{Collective, Joined, Single};

/// The processes started by `mpirun`, or the only one. They disconnect when this is dropped.
#[derive(Debug)]
pub struct World {
    collective: Arc<dyn Collective>,
    joined: Arc<Joined>,
    #[cfg(feature = "mpi")]
    _mpi: Option<crate::mpi::Guard>,
}

/// Why the processes cannot connect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Several processes were started, but the program cannot communicate with the others.
    #[error(
        "{n_ranks} processes were started by MPI, but this program was built without it: build it with `--features mpi`"
    )]
    WithoutMpi {
        /// The number of processes started.
        n_ranks: usize,
    },
    /// MPI failed to start.
    #[error("MPI: {0}")]
    Mpi(String),
    /// MPI is too old or lacks a required feature.
    #[error(
        "MPI allows one thread at a time ({0}), but a heartbeat needs a thread of its own: use a build with MPI_THREAD_MULTIPLE"
    )]
    Threads(String),
}

impl World {
    /// Connects the processes that were started together. A process not started by `mpirun` or similar is on
    /// its own, and MPI is not started.
    ///
    /// From then on a separate thread of each rank sends a heartbeat to rank 0, and that of rank 0 to all
    /// others. A rank not heard from for `rank_timeout` is considered dead, and all ranks are terminated with
    /// a message that names it and its machine. A rank that is merely slow is not considered dead.
    ///
    /// # Errors
    /// When several processes were started and the crate was built without its feature `mpi`; when MPI does
    /// not start, or does not allow calls from several threads.
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

    /// A single process, however it was started.
    pub fn single() -> Self {
        let collective = Arc::new(Single);
        Self {
            joined: Arc::new(Joined::new(collective.clone())),
            collective,
            #[cfg(feature = "mpi")]
            _mpi: None,
        }
    }

    /// This process as a member of the world.
    pub fn collective(&self) -> &Arc<dyn Collective> {
        &self.collective
    }

    /// The exchange of sums, for `Tape::exchange`.
    pub fn exchange(&self) -> Arc<Joined> {
        self.joined.clone()
    }

    /// The indices of the images in a batch of `n_images` that this process computes: the shards of
    /// [`Shards::whole`] it owns. If there are more processes than shards, some compute none.
    ///
    /// ```
    /// assert_eq!(collective::World::single().images(64), 0..64);
    /// ```
    pub fn images(&self, n_images: usize) -> Range<usize> {
        Shards::whole(n_images).exchanging(&*self.joined).images()
    }

    /// The index of this process, from 0.
    pub fn rank(&self) -> usize {
        self.collective.rank()
    }

    /// The number of processes.
    pub fn size(&self) -> usize {
        self.collective.size()
    }
}

/// The number of processes `mpirun` reports: first as Open MPI does, then as MPICH and compatible launchers
/// do.
fn launched_ranks() -> Option<usize> {
    ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS"]
        .iter()
        .find_map(|name| std::env::var(name).ok()?.parse().ok())
}
