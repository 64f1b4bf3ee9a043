//! Mistakes in the program panic with the function's name and what it was given.

use init::*;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

macro_rules! panics {
    ($($test:ident: |$w:ident, $rng:ident| $call:expr => $message:literal;)+) => {$(
        #[test]
        #[should_panic(expected = $message)]
        fn $test() {
            let ($w, $rng) = (&mut [0.0f32; 6][..], &mut ChaCha8Rng::seed_from_u64(0));
            let _ = (&$w, &$rng);
            $call;
        }
    )+};
}

panics! {
    xavier_shape: |w, rng| xavier_uniform(w, &[2, 2], 1.0, rng)
        => "xavier_uniform: shape [2, 2] has 4 elements, the slice 6";
    xavier_normal_shape: |w, rng| xavier_normal(w, &[2, 2], 1.0, rng)
        => "xavier_normal: shape [2, 2] has 4 elements, the slice 6";
    xavier_gain: |w, rng| xavier_uniform(w, &[2, 3], -1.0, rng) => "xavier_uniform: gain = -1 must be finite and not negative";
    xavier_nan: |w, rng| xavier_normal(w, &[2, 3], f64::NAN, rng) => "xavier_normal: gain = NaN must be finite and not negative";
    kaiming_shape: |w, rng| kaiming_uniform(w, &[6, 2], FanMode::FanIn, Nonlinearity::Relu, rng)
        => "kaiming_uniform: shape [6, 2] has 12 elements, the slice 6";
    kaiming_normal_shape: |w, rng| kaiming_normal(w, &[6, 2], FanMode::FanIn, Nonlinearity::Relu, rng)
        => "kaiming_normal: shape [6, 2] has 12 elements, the slice 6";
    a_shape_beyond_counting: |w, rng| orthogonal(w, &[usize::MAX, 2], 1.0, rng) => "elements, the slice 6";
    a_vector_has_no_fans: |w, rng| default_weight(w, &[6], rng) => "fans: a weight has two dimensions or more, this shape is [6]";
    uniform_order: |w, rng| uniform(w, 2.0, 1.0, rng) => "uniform: the bounds 2 and 1 must be finite and in order";
    uniform_infinite: |w, rng| uniform(w, 0.0, f64::INFINITY, rng) => "uniform: the bounds 0 and inf must be finite and in order";
    normal_std: |w, rng| normal(w, 0.0, -1.0, rng) => "normal: std = -1 must be finite and not negative";
    normal_mean: |w, rng| normal(w, f64::NAN, 1.0, rng) => "normal: mean = NaN must be finite";
    truncated_order: |w, rng| truncated_normal(w, 0.0, 1.0, 1.0, 1.0, rng)
        => "truncated_normal: the bounds 1 and 1 must be in order";
    truncated_nan: |w, rng| truncated_normal(w, 0.0, 1.0, f64::NAN, 1.0, rng)
        => "truncated_normal: the bounds NaN and 1 must be in order";
    truncated_between_two_f32: |w, rng| truncated_normal(w, 1.0, 1.0, 1.0 + 1e-8, 1.0 + 1e-7, rng)
        => "truncated_normal: no f32 lies between the bounds 1.00000001 and 1.0000001";
    truncated_beyond_f32: |w, rng| truncated_normal(w, 0.0, 1.0, 1e39, f64::INFINITY, rng)
        => "truncated_normal: no f32 lies between the bounds 1";
    truncated_std: |w, rng| truncated_normal(w, 0.0, 0.0, -1.0, 1.0, rng) => "truncated_normal: std = 0 must be positive";
    orthogonal_shape: |w, rng| orthogonal(w, &[6], 1.0, rng) => "orthogonal: takes two dimensions or more, this shape is [6]";
    orthogonal_gain: |w, rng| orthogonal(w, &[2, 3], f64::NAN, rng) => "orthogonal: gain = NaN must be finite";
    sparse_shape: |w, rng| sparse(w, &[1, 2, 3], 0.5, 1.0, rng) => "sparse: takes a matrix, this shape is [1, 2, 3]";
    sparse_part: |w, rng| sparse(w, &[2, 3], 1.5, 1.0, rng) => "sparse: sparsity = 1.5 is outside [0, 1]";
    eye_shape: |w, rng| eye(w, &[6]) => "eye: takes a matrix, this shape is [6]";
    dirac_shape: |w, rng| dirac(w, &[2, 3], 1) => "dirac: takes 3, 4 or 5 dimensions, this shape is [2, 3]";
    dirac_groups: |w, rng| dirac(w, &[2, 3, 1], 3)
        => "dirac: the 2 output channels of shape [2, 3, 1] do not divide into 3 groups";
    dirac_no_groups: |w, rng| dirac(w, &[2, 3, 1], 0) => "do not divide into 0 groups";
    lsuv_constant: |w, rng| lsuv(w, &[2, 3], Lsuv::default(), rng, |_| vec![1.0; 3]) => "lsuv: the outputs have variance 0";
    lsuv_empty: |w, rng| lsuv(w, &[2, 3], Lsuv::default(), rng, |_| vec![]) => "lsuv: the outputs have variance NaN";
}
