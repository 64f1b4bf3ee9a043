//! The ceilings of the machine on 1, 2, … threads.

use std::hint::black_box;

use benches::probe::{self, Copying};
use benches::{AgainstPeak, Peak, criterion_against};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Floating-point operations a thread, about a millisecond.
const N_FLOPS: usize = 100_000_000;

/// Bytes of an array that no cache holds.
const N_BYTES: usize = 64 << 20;

fn pools() -> impl Iterator<Item = ThreadPool> {
    let pool = |n| ThreadPoolBuilder::new().num_threads(n).build().expect("threads can be started");
    (1..=rayon::current_num_threads()).map(pool)
}

fn multiply_add(c: &mut Criterion<AgainstPeak>) {
    let mut group = c.benchmark_group("machine/fma");
    for pool in pools() {
        let n = pool.current_num_threads();
        group.throughput(Throughput::Elements((N_FLOPS * n) as u64));
        group.bench_function(BenchmarkId::new("threads", n), |b| {
            b.iter(|| pool.install(|| black_box(probe::multiply_add(N_FLOPS))));
        });
    }
}

fn copy(c: &mut Criterion<AgainstPeak>) {
    let mut group = c.benchmark_group("machine/copy");
    let mut copying = Copying::new(N_BYTES);
    for pool in pools() {
        group.throughput(Throughput::Bytes(N_BYTES as u64));
        group.bench_function(BenchmarkId::new("threads", pool.current_num_threads()), |b| {
            b.iter(|| pool.install(|| copying.copy()));
        });
    }
}

criterion_group! { name = compute; config = criterion_against(Peak::flops()); targets = multiply_add }
criterion_group! { name = memory; config = criterion_against(Peak::copy()); targets = copy }
criterion_main!(compute, memory);
