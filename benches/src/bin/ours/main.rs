//! Our driver: runs the work that all frameworks are asked to do (see `bench-protocol`) with this project.

mod networks;
mod operations;

use std::path::PathBuf;

use anyhow::Result;
use bench_protocol::{Driver, Hello, Network, Work, Worker, cifar_folder, serve};

struct Ours {
    cifar: PathBuf,
}

impl Driver for Ours {
    fn hello(&self) -> Hello {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Hello { peer: "descent".to_owned(), version, threads: rayon::current_num_threads() }
    }

    fn open(&mut self, work: Work, size: usize) -> Result<Option<Box<dyn Worker>>> {
        match (work, Network::of(work)) {
            (Work::Model(model, pass), _) => networks::of_model(&self.cifar, model, pass, size).map(Some),
            (_, Some(spec)) => networks::of_network(&self.cifar, work, &spec, size).map(Some),
            (_, None) => operations::open(work, size),
        }
    }
}

fn main() -> Result<()> {
    let mut driver = Ours { cifar: cifar_folder()? };
    // Inside the pool, so that no step has to enter it.
    let pool = rayon::ThreadPoolBuilder::new().build()?;
    pool.install(|| serve(&mut driver, std::io::stdin().lock(), std::io::stdout().lock()))
}
