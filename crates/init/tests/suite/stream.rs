//! The same seed gives the same numbers, whatever the crate is built with.
//!
//! Another crate in a workspace can switch features of `rand_distr` and `num-traits` on; the recorded bits
//! hold whether this test is run alone (`cargo test -p init`) or with everything (`cargo test --workspace`).

use init::*;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// FNV-1a over the bits of many draws.
fn fingerprint(fill: impl FnOnce(&mut [f32], &mut ChaCha8Rng)) -> u64 {
    let mut weights = vec![0.0; 100_000];
    fill(&mut weights, &mut ChaCha8Rng::seed_from_u64(2024));
    let bytes = weights.iter().flat_map(|w| w.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn the_first_draws_are_these() {
    let mut weights = [0.0f32; 4];
    uniform(&mut weights, -1.0, 1.0, &mut ChaCha8Rng::seed_from_u64(7));
    assert_eq!(weights, [-0.68440783, -0.66402125, 0.40855226, 0.4534826]);
    normal(&mut weights, 0.0, 1.0, &mut ChaCha8Rng::seed_from_u64(7));
    assert_eq!(weights, [-0.7753719, -1.3834218, 0.889713, 0.35977906]);
}

#[test]
fn every_draw_has_these_bits() {
    let matrix = [400, 250];
    // Where the draw changes from one way to the other.
    let edges = [(0.5, 2.0), (-2.0, -0.5), (-1.0, 0.0), (-2.0, 0.0)];
    let fingerprints = [
        ("uniform", fingerprint(|w, rng| uniform(w, -1.0, 1.0, rng))),
        ("normal", fingerprint(|w, rng| normal(w, 0.0, 1.0, rng))),
        ("truncated normal", fingerprint(|w, rng| truncated_normal(w, 0.0, 1.0, -2.0, 2.0, rng))),
        ("a tail", fingerprint(|w, rng| truncated_normal(w, 0.0, 1.0, 3.0, 4.0, rng))),
        (
            "truncated normals at the edges",
            fingerprint(|w, rng| {
                for (w, (low, high)) in w.chunks_exact_mut(25_000).zip(edges) {
                    truncated_normal(w, 0.0, 1.0, low, high, rng);
                }
            }),
        ),
        ("xavier uniform", fingerprint(|w, rng| xavier_uniform(w, &matrix, 1.0, rng))),
        (
            "kaiming normal",
            fingerprint(|w, rng| kaiming_normal(w, &matrix, FanMode::FanOut, Nonlinearity::Relu, rng)),
        ),
        ("sparse", fingerprint(|w, rng| sparse(w, &matrix, 0.3, 0.01, rng))),
        ("orthogonal", fingerprint(|w, rng| orthogonal(w, &matrix, 1.0, rng))),
    ];
    let recorded = [
        ("uniform", 10019989308889992974),
        ("normal", 13947296845615470393),
        ("truncated normal", 8789368130266451456),
        ("a tail", 6816656478287817127),
        ("truncated normals at the edges", 8909687119169947567),
        ("xavier uniform", 8495206796961694742),
        ("kaiming normal", 370640568483976655),
        ("sparse", 5696090143334225640),
        ("orthogonal", 9691118417395260970),
    ];
    assert_eq!(fingerprints, recorded);
}
