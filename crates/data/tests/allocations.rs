//! After the first epoch no batch allocates.

mod common;

use common::write_cifar;
use counting::Allocator;
use data::{Augment, Batch, Cifar, CifarKind, Loader, Normalize, Part, Subset};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator::new();

#[test]
fn a_steady_epoch_allocates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    write_cifar(dir.path(), CifarKind::Cifar10, 70);
    let set = Cifar::open(&dir, CifarKind::Cifar10, Part::Train).unwrap();
    let (train, _) = Subset::split(&set, 50, 0);
    let mut loader = Loader::new(&train, 64)
        .shuffle(1)
        .augment(Augment::flip_and_crop(4), 2)
        .normalize(&Normalize::cifar10());
    let mut batch = Batch::new();
    let mut run_epoch = || while loader.next_into(&mut batch).unwrap() {};
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let n_allocations = pool.install(|| {
        run_epoch();
        ALLOCATOR.usual_allocations(|| (0..2).for_each(|_| run_epoch()))
    });
    assert_eq!(n_allocations, 0);
}
