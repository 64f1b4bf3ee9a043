//! Batches of 64 from memory-mapped files in CIFAR-10's format, images a second.

use bench_protocol::write_synthetic;
use benches::criterion;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use data::{Augment, Batch, Cifar, CifarKind, Loader, Normalize, Part};

fn loaders(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("the system has a temporary folder");
    let folder = folder.path();
    write_synthetic(folder).expect("the temporary folder can be written");
    // SAFETY: the files are the benchmark's own, and nobody changes them.
    let cifar = unsafe { Cifar::open_mapped(folder, CifarKind::Cifar10, Part::Train) };
    let cifar = cifar.expect("the files were just written");
    let cases = [
        ("in order", Loader::new(&cifar, 64)),
        ("shuffled", Loader::new(&cifar, 64).shuffle(0)),
        ("shuffled, normalised", Loader::new(&cifar, 64).shuffle(0).normalize(&Normalize::cifar10())),
        (
            "shuffled, flipped and cropped",
            Loader::new(&cifar, 64).shuffle(0).augment(Augment::flip_and_crop(4), 0),
        ),
    ];
    let mut group = c.benchmark_group("loading");
    group.throughput(Throughput::Elements(64));
    let mut batch = Batch::new();
    for (name, mut loader) in cases {
        group.bench_function(name, |b| {
            b.iter(|| {
                // The end of an epoch is one call in 783 that gives nothing.
                loader.next_into(&mut batch).expect("the files are still there")
            });
        });
    }
}

criterion_group! { name = benches; config = criterion(); targets = loaders }
criterion_main!(benches);
