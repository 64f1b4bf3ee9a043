//! A step allocates nothing: counted by an allocator of the test's own, so this file has one test.
//!
//! One thing is not counted: `matrixmultiply` packs Muon's operands into a buffer that it takes and gives back within a
//! product.

mod common;

use common::{noise, optimizer, variants};
use counting::Allocator;
use optim::schedule::OneCycleLr;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator::below_alignment(16);

#[test]
fn a_step_allocates_nothing() {
    let n = 80_000;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let schedule = OneCycleLr { momentum: None, ..OneCycleLr::new(0.01, 100) };
    let (mut values, grads) = (noise::<f32>(1, n), noise::<f32>(2, n));
    for (name, rule) in variants() {
        let mut optimizer = optimizer(rule, n);
        let n_allocations = pool.install(|| {
            let mut step = |t| {
                optimizer.follow(&schedule, t);
                optimizer.step_slices(&mut values, &grads);
            };
            // The pool's queues grow in the first steps.
            (0..20).for_each(&mut step);
            ALLOCATOR.usual_allocations(|| (20..40).for_each(&mut step))
        });
        assert_eq!(n_allocations, 0, "{name}");
    }
}
