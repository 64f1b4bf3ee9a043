//! Any number of ranks, played by threads, ends with the bits of one.

#[path = "../examples/two_moons.rs"]
#[expect(dead_code, reason = "the example's own main")]
mod two_moons;

use std::sync::Arc;

use collective::{Joined, Single, on_threads};
use proptest::prelude::*;
use tensor::parallel::{Exchange, Overlap, Shards};

#[test]
fn any_number_of_ranks_trains_to_the_same_bits() {
    let whole = bits(two_moons::train(Arc::new(Joined::new(Arc::new(Single))), 10));
    for (size, overlap_from) in [1, 2, 3, 4, 8, 16].into_iter().flat_map(|n| [(n, None), (n, Some(200))]) {
        let ranks = on_threads(size, |rank| {
            let joined = Arc::new(Joined::new(rank).overlap_from(overlap_from));
            let found = bits(two_moons::train(joined.clone(), 10));
            (found, joined.traffic().time_beside.is_zero())
        });
        for (rank, found) in ranks.into_iter().enumerate() {
            let expected = (whole.clone(), size == 1 || overlap_from.is_none());
            assert!(found == expected, "rank {rank} of {size}, overlap from {overlap_from:?}");
        }
    }
}

fn bits((loss, weights): (f32, Vec<f32>)) -> Vec<u32> {
    [loss].iter().chain(&weights).map(|value| value.to_bits()).collect()
}

proptest! {
    /// Each rank adds up its shards; together they get the sum of the tree, whatever the numbers.
    #[test]
    fn sums_are_those_of_the_tree(values in prop::collection::vec(any::<f32>(), 1..40), size in 1..20usize) {
        let tree = |exchange: &dyn Exchange| sum(exchange, values.len(), 1, |shard, _| values[shard])[0];
        let expected = tree(&Joined::new(Arc::new(Single)));
        for sum in on_threads(size, |rank| tree(&Joined::new(rank))) {
            prop_assert!(sum.to_bits() == expected.to_bits() || sum.is_nan() && expected.is_nan());
        }
    }
}

/// The sum over shards of `len` numbers each: `value(shard, idx)`.
fn sum(
    exchange: &dyn Exchange,
    n_shards: usize,
    len: usize,
    value: impl Fn(usize, usize) -> f32 + Sync,
) -> Vec<f32> {
    let mut sum = vec![0.0; len];
    let shards = Shards::with_count(n_shards, n_shards).exchanging(exchange);
    let first = shards.images().start;
    tensor::parallel::sum_over_shards(&mut sum, &shards, 0, (), |images, sum, ()| {
        sum.iter_mut().enumerate().for_each(|(idx, sum)| *sum = value(first + images.start, idx));
    });
    sum
}

/// From 16,384 numbers, 64 KiB, sums are added up in halves, where each of a power of two of ranks has a shard.
#[test]
fn large_sums_are_those_of_the_tree() {
    // Of different signs and sizes, so that the order of additions affects the result.
    let value = |shard: usize, idx: usize| {
        let hash = (shard * 65_537 + idx + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
        hash as i32 as f32 * f32::exp2((hash >> 44) as f32)
    };
    for (n_ranks, n_shards) in
        [(2, 2), (2, 5), (4, 4), (4, 7), (8, 8), (16, 16), (16, 61), (4, 5), (8, 1), (6, 16)]
    {
        for len in [16_383, 16_384, 16_385, 20_011] {
            let expected = sum(&Joined::new(Arc::new(Single)), n_shards, len, value);
            let is_expected =
                |sum: Vec<f32>| sum.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits());
            let found = on_threads(n_ranks, |rank| {
                let joined = Joined::new(rank);
                // The memory for other ranks' numbers is larger than the second sum.
                [len, len / 2].map(|len| is_expected(sum(&joined, n_shards, len, value)))
            });
            assert_eq!(found, vec![[true; 2]; n_ranks], "{len} numbers, {n_shards} shards, {n_ranks} ranks");
        }
    }
}

#[test]
fn what_is_sent_is_counted() {
    let traffic = |n_shards, len| {
        on_threads(4, |rank| {
            let joined = Joined::new(rank);
            joined.join(&Shards::with_count(n_shards, n_shards).exchanging(&joined), &mut vec![1.0; len]);
            assert_eq!(joined.traffic().n_sums, 1);
            joined.traffic().bytes / (4 * len as u64)
        })
    };
    // Rank 0 receives from 1 and 2, rank 2 from 3; everyone is told the result.
    assert_eq!(traffic(4, 16_383), [3, 2, 3, 2]);
    // All send and receive a half and a quarter, and again when they gather the parts.
    assert_eq!(traffic(4, 16_384), [3; 4]);
    // Nobody receives from rank 3, which has no shard.
    assert_eq!(traffic(3, 16_384), [3, 2, 2, 1]);
}

/// Also while other sums are exchanged.
#[test]
fn sums_beside_other_work_come_back_in_order() {
    let found = on_threads(4, |rank| {
        let joined = Joined::new(rank).overlap_from(Some(0));
        let shards = Shards::whole(64).exchanging(&joined);
        let overlap = shards.overlap().expect("there are other ranks");
        for round in 0..3 {
            (1..6).for_each(|len| overlap.start(&shards, vec![(round + len) as f32; len]));
            let mut own = [1.0];
            joined.join(&shards, &mut own);
            assert_eq!(own, [4.0]);
            (1..6).for_each(|len| assert_eq!(overlap.finish(), vec![(4 * (round + len)) as f32; len]));
        }
        joined.traffic().n_sums
    });
    assert_eq!(found, [18; 4]);
}

#[test]
#[should_panic(expected = "rank 1 of 3 panicked")]
fn a_rank_that_panics_ends_those_that_wait_for_sums_beside_other_work() {
    on_threads(3, |rank| {
        let (joined, is_unlucky) = (Joined::new(rank.clone()).overlap_from(Some(0)), rank.rank() == 1);
        let shards = Shards::whole(64).exchanging(&joined);
        (0..2).for_each(|_| {
            joined.start(&shards, vec![1.0]);
            assert_eq!(joined.finish(), [3.0]);
            assert!(!is_unlucky, "out of luck");
        });
    });
}

#[test]
fn nobody_passes_a_barrier_alone() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let n_came = AtomicUsize::new(0);
    let seen = on_threads(5, |rank| {
        n_came.fetch_add(1, Ordering::SeqCst);
        rank.barrier();
        n_came.load(Ordering::SeqCst)
    });
    assert_eq!(seen, [5; 5]);
}

#[test]
#[should_panic(expected = "rank 1 of 3 panicked")]
fn a_rank_that_panics_ends_the_others() {
    on_threads(3, |rank| {
        if rank.rank() == 1 {
            panic!("out of luck");
        }
        // Rank 0 would wait for ever for rank 1, and rank 2 for rank 0.
        if rank.rank() == 0 { rank.receive(1, &mut [0]) } else { rank.receive(0, &mut [0]) }
    });
}

#[test]
fn ranks_agree_on_the_largest_number_on_who_differs_and_on_the_first_text() {
    for size in [1, 2, 5, 16] {
        for who in 0..size {
            let number = |rank: usize| if rank == who { 7 } else { -(rank as i64) - 1 };
            let found = on_threads(size, |rank| rank.largest(number(rank.rank())));
            assert_eq!(found, vec![7; size]);
            let found = on_threads(size, |rank| rank.first_to_differ(&[u8::from(rank.rank() >= who); 40]));
            let expected = (who > 0).then_some(who);
            assert_eq!(found, vec![expected; size], "{who} of {size}");
            let text = |rank: usize| (rank >= who).then(|| format!("rank {rank} says ∞").repeat(rank + 1));
            let found = on_threads(size, |rank| rank.first_text(text(rank.rank()).as_deref()));
            assert_eq!(found, vec![text(who); size], "{who} of {size}");
            assert_eq!(on_threads(size, |rank| rank.first_text(None)), vec![None; size]);
        }
    }
}
