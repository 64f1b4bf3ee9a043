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
        "{n_ranks} processes were started together, but this program was built without MPI: build it with \
         `--features mpi`"
    )]
    WithoutMpi {
        /// The number of processes started.
        n_ranks: usize,
    },
    /// Several processes were started, but MPI connects none of them.
    #[error(
        "{n_ranks} processes were started together, but each is alone in its MPI world: start them with the mpirun \
         of the MPI library that the program was built with or, under Slurm, with srun --mpi=pmix or --mpi=pmi2, \
         whichever that library supports"
    )]
    Alone {
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
    /// Connects the processes that were started together. A process not started by `mpirun`, `srun` or similar
    /// is on its own, and MPI is not started.
    ///
    /// From then on a separate thread of each rank sends a heartbeat to rank 0, and that of rank 0 to all
    /// others. A rank not heard from for `rank_timeout` is considered dead, and all ranks are terminated with
    /// a message that names it and its machine. A rank that merely computes slowly is not considered dead.
    /// One that for `rank_timeout` neither computes nor waits for another, although its heartbeat continues,
    /// terminates all ranks itself.
    ///
    /// # Errors
    /// When several processes were started and the crate was built without its feature `mpi`; when MPI does
    /// not start, does not connect them, or does not allow calls from several threads.
    pub fn start(rank_timeout: Duration) -> Result<Self, Error> {
        let n_ranks = Self::n_started();
        #[cfg(feature = "mpi")]
        if let Some(n_ranks) = n_ranks {
            let (guard, collective) = crate::mpi::start(rank_timeout)?;
            if collective.size() == 1 && n_ranks > 1 {
                return Err(Error::Alone { n_ranks });
            }
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

    /// The number of processes that `mpirun`, `srun` or similar started together, this one among them, as far as
    /// the launcher says; `None` for a process on its own.
    pub fn n_started() -> Option<usize> {
        launched_ranks(|name| std::env::var(name).ok()?.parse().ok())
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

/// The number of processes that were started together, if the launcher's variables say so: first those of Open
/// MPI's `mpirun`, then of MPICH's and compatible ones, then of Slurm's `srun`, whose steps of one process need no
/// MPI. Other launchers with PMIx say only which rank this is.
fn launched_ranks(number: impl Fn(&str) -> Option<usize>) -> Option<usize> {
    ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS"]
        .into_iter()
        .find_map(&number)
        .or_else(|| number("SLURM_STEP_NUM_TASKS").filter(|&n_ranks| n_ranks > 1))
        .or_else(|| number("PMIX_RANK").map(|rank| rank + 1))
}

#[cfg(test)]
mod tests {
    use super::launched_ranks;

    #[test]
    fn the_number_of_processes_is_that_of_the_launcher() {
        for (variables, expected) in [
            (&[][..], None),
            (&[("OMPI_COMM_WORLD_SIZE", 4), ("SLURM_STEP_NUM_TASKS", 2)], Some(4)),
            (&[("PMI_SIZE", 1), ("SLURM_STEP_NUM_TASKS", 3)], Some(1)),
            (&[("MPI_LOCALNRANKS", 2)], Some(2)),
            (&[("SLURM_STEP_NUM_TASKS", 3), ("PMIX_RANK", 0)], Some(3)),
            (&[("SLURM_STEP_NUM_TASKS", 1)], None),
            (&[("PMIX_RANK", 2)], Some(3)),
        ] {
            let number = |name: &str| variables.iter().find(|(of, _)| *of == name).map(|&(_, n)| n);
            assert_eq!(launched_ranks(number), expected, "{variables:?}");
        }
    }
}
