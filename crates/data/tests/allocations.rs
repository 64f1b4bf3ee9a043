//! After the first epoch no batch allocates.

mod common;

use common::write_cifar;
use counting::Allocator;
use data::{
    Augment, Batch, Border, Cifar, CifarKind, Loader, Normalize, Part, Prefetch, Records, Subset, Transform,
    View,
};

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
    transforms_and_fields();
}

/// One function, because the counter counts for all threads.
fn transforms_and_fields() {
    let set = Records::new()
        .with_u8("x", &[3, 6, 5], (0..70 * 90).map(|i| i as u8).collect())
        .with_images_of("x")
        .with_f32("y", &[2], vec![0.5; 140])
        .with_i64("tokens", &[], vec![3; 70]);
    let transforms = [
        Transform::Jitter { brightness: 0.2, contrast: 0.2, saturation: 0.2 },
        Transform::Rotate { degrees: 20.0 },
        Transform::View(View { top: 1, border: Border::Reflect, ..View::PLAIN }),
        Transform::Erase { probability: 0.5, area: [0.1, 0.3], ratio: [0.5, 2.0] },
    ];
    let loader = || {
        let normalize = Normalize { mean: vec![0.5; 2], std: vec![0.2; 2] };
        let loader = Loader::new(&set, 16).weighted(&[1.0; 70], 100, 4);
        loader.transform(transforms.clone(), 5).normalize_field("y", &normalize)
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let mut batch = Batch::new();
    let mut plain = loader();
    let n_allocations = pool.install(|| {
        let mut run_epoch = || while plain.next_into(&mut batch).unwrap() {};
        run_epoch();
        ALLOCATOR.usual_allocations(&mut run_epoch)
    });
    assert_eq!(n_allocations, 0);
    std::thread::scope(|scope| {
        let mut batches = Prefetch::new(scope, loader());
        let mut run_epoch = || while batches.next_into(&mut batch).unwrap() {};
        (0..2).for_each(|_| run_epoch());
        assert_eq!(ALLOCATOR.usual_allocations(&mut run_epoch), 0);
    });
}
