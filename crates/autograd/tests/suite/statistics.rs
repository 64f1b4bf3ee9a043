//! Variances, broadcasting and similarities by example: what PyTorch 2.15 gives for the same numbers.

use autograd::{Graph, Mode, Params, Tape, Var};

/// The value of an op on vectors, and the gradient of each of them for a gradient of 1 at each output.
fn run(inputs: &[&[f32]], record: impl Fn(&Graph<'_>, &[Var]) -> Var) -> (Vec<f32>, Vec<Vec<f32>>) {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let mut g = tape.begin(&mut params, Mode::train(0, 0));
    let inputs: Vec<Var> = inputs.iter().map(|x| g.variable([x.len()], x)).collect();
    let y = record(&g, &inputs);
    let loss = g.sum(y);
    g.backward(loss);
    let grads = inputs.iter().map(|&x| g.grad(x).unwrap_or_default().to_vec()).collect();
    (g.value(y).to_vec(), grads)
}

#[track_caller]
fn assert_close(found: &[f32], expected: &[f32]) {
    let is_close = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-6 * b.abs().max(1.0);
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(is_close),
        "{found:?}, expected {expected:?}"
    );
}

#[test]
fn variances() {
    let x: &[f32] = &[1.0, 2.0, 3.0, 6.0];
    let (var, dx) = run(&[x], |g, v| g.var(v[0], .., 1, false));
    assert_close(&var, &[14.0 / 3.0]);
    assert_close(&dx[0], &[-4.0 / 3.0, -2.0 / 3.0, 0.0, 2.0]);
    assert_close(&run(&[x], |g, v| g.var(v[0], 0, 0, true)).0, &[3.5]);
    let (std, dx) = run(&[x], |g, v| g.std(v[0], .., 0, false));
    assert_close(&std, &[3.5f32.sqrt()]);
    assert_close(&dx[0], &[-2.0, -1.0, 0.0, 3.0].map(|d: f32| d / 4.0 / 3.5f32.sqrt()));
}

#[test]
fn a_variance_far_from_0_loses_nothing_to_the_mean() {
    // The mean, 1e7 + 1/3, is no f32.
    let x: &[f32] = &[1e7 - 1.0, 1e7, 1e7 + 2.0];
    let (var, dx) = run(&[x], |g, v| g.var(v[0], .., 0, false));
    assert_close(&var, &[14.0 / 9.0]);
    assert_close(&dx[0], &[-8.0 / 9.0, -2.0 / 9.0, 10.0 / 9.0]);
}

#[test]
fn variances_of_too_few_elements_and_of_nan() {
    for (x, correction, is_expected) in [
        (&[3.0][..], 1, f32::is_nan as fn(f32) -> bool),
        (&[3.0], 0, |y| y == 0.0),
        (&[], 0, f32::is_nan),
        (&[1.0, 2.0], 3, |y| y == f32::INFINITY),
        (&[1.0, f32::NAN], 1, f32::is_nan),
        (&[1.0, f32::INFINITY], 1, f32::is_nan),
    ] {
        for (name, y) in [
            ("var", run(&[x], |g, v| g.var(v[0], .., correction, false)).0[0]),
            ("std", run(&[x], |g, v| g.std(v[0], .., correction, false)).0[0]),
        ] {
            assert!(is_expected(y), "{name} of {x:?} with a correction of {correction}: {y}");
        }
    }
    // Of one element the slope is 0 / 0; with no correction 0.
    assert!(run(&[&[3.0]], |g, v| g.std(v[0], .., 1, false)).1[0][0].is_nan());
    assert_eq!(run(&[&[3.0]], |g, v| g.std(v[0], .., 0, false)).1[0], [0.0]);
    assert_eq!(run(&[&[3.0]], |g, v| g.var(v[0], .., 0, false)).1[0], [0.0]);
}

#[test]
fn broadcasting_repeats_and_its_gradient_sums() {
    let (y, dx) = run(&[&[1.0, 2.0]], |g, v| g.broadcast_to(v[0], [2, 3, 2]));
    assert_eq!((y, dx), ([1.0, 2.0].repeat(6), vec![vec![6.0, 6.0]]));
    let like = |g: &Graph<'_>| g.input([3, 1, 2], &[f32::NAN; 6]);
    let (y, dx) = run(&[&[1.0, 2.0]], |g, v| g.expand_as(v[0], like(g)));
    assert_eq!((y, dx), ([1.0, 2.0].repeat(3), vec![vec![3.0, 3.0]]));
}

#[test]
#[should_panic(
    expected = "broadcast_to: [2] does not broadcast to [2, 3]; aligned at the last axis, each of its"
)]
fn what_does_not_broadcast_panics() {
    run(&[&[1.0, 2.0]], |g, v| g.broadcast_to(v[0], [2, 3]));
}

#[test]
fn cosines() {
    let of = |a: &[f32], b: &[f32]| run(&[a, b], |g, v| g.cosine_similarity(v[0], v[1], 0, 1e-8));
    let (cosine, grads) = of(&[3.0, 4.0], &[1.0, 0.0]);
    assert_close(&cosine, &[0.6]);
    // (b/‖b‖ − cos · a/‖a‖) / ‖a‖, and the same for b.
    assert_close(&grads[0], &[0.128, -0.096]);
    assert_close(&grads[1], &[0.0, 0.8]);
    // Neither overflows nor divides by 0.
    assert_close(&of(&[3e30, 4e30], &[1e-5, 0.0]).0, &[0.6]);
    assert_eq!(of(&[0.0, 0.0], &[1.0, 2.0]).0, [0.0]);
    let (cosines, _) = run(&[&[1.0, 0.0, 1.0, 1.0], &[2.0, 0.0]], |g, v| {
        g.cosine_similarity(g.reshape(v[0], [2, 2]), g.reshape(v[1], [1, 2]), 1, 1e-8)
    });
    assert_close(&cosines, &[1.0, 0.5f32.sqrt()]);
}

#[test]
#[should_panic(expected = "cosine_similarity: [3] and [2] do not have vectors of one length along axis 0")]
fn cosines_are_of_vectors_of_one_length() {
    run(&[&[1.0; 3], &[1.0; 2]], |g, v| g.cosine_similarity(v[0], v[1], 0, 1e-8));
}

#[test]
fn distances() {
    let of = |p, eps| run(&[&[1.0, 5.0], &[4.0, 1.0]], |g, v| g.pairwise_distance(v[0], v[1], p, eps, true));
    let (distance, grads) = of(2.0, 0.0);
    assert_close(&distance, &[5.0]);
    assert_close(&grads.concat(), &[-0.6, 0.8, 0.6, -0.8]);
    assert_close(&of(1.0, 0.0).0, &[7.0]);
    assert_close(&of(f32::INFINITY, 0.5).0, &[4.5]);
}
