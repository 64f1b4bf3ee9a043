//! Values of the ops by example: what PyTorch's functions of the same names give.

use autograd::{
    CrossEntropyOptions, GaussianNllOptions, Graph, Mode, NllOptions, Params, SmoothL1Options, Tape,
    TripletMarginOptions, Var,
};

/// The shape, the values and the gradient of x (for a gradient of 1, 2, 3, … of the result) of an op on 0, 1, 2, ….
fn run(shape: &[usize], record: impl Fn(&Graph<'_>, Var) -> Var) -> (Vec<usize>, Vec<f32>, Vec<f32>) {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let mut g = tape.begin(&mut params, Mode::train(0, 0));
    let n: usize = shape.iter().product();
    let x = g.variable(shape, &(0..n).map(|v| v as f32).collect::<Vec<_>>());
    let y = record(&g, x);
    let factors: Vec<f32> = (1..=g.value(y).len()).map(|v| v as f32).collect();
    let loss = g.sum(g.mul(y, g.input(g.shape(y), &factors)));
    g.backward(loss);
    (g.shape(y).to_vec(), g.value(y).to_vec(), g.grad(x).map(<[f32]>::to_vec).unwrap_or_default())
}

#[test]
fn roll_moves_round() {
    let (_, y, dx) = run(&[2, 3], |g, x| g.roll(x, 1, 1));
    assert_eq!((y, dx), (vec![2.0, 0.0, 1.0, 5.0, 3.0, 4.0], vec![2.0, 3.0, 1.0, 5.0, 6.0, 4.0]));
    for (shift, same) in [(-1, 2), (4, 1), (-5, 1), (i32::MAX as isize, 1)] {
        assert_eq!(
            run(&[2, 3], |g, x| g.roll(x, shift, 1)),
            run(&[2, 3], |g, x| g.roll(x, same, 1)),
            "{shift}"
        );
    }
    assert_eq!(run(&[3], |g, x| g.roll(x, -3, 0)).1, [0.0, 1.0, 2.0]);
    assert_eq!(run(&[2, 0], |g, x| g.sum(g.roll(x, 1, 1))).1, [0.0]);
}

#[test]
fn parts_of_an_axis() {
    let (shape, y, dx) = run(&[2, 3], |g, x| {
        let [_, tail] = g.split(x, [1, 2], 1);
        tail
    });
    assert_eq!((shape, y), (vec![2, 2], vec![1.0, 2.0, 4.0, 5.0]));
    assert_eq!(dx, [0.0, 1.0, 2.0, 0.0, 3.0, 4.0]);
    let (shape, y, dx) = run(&[7], |g, x| g.stack(&g.chunk::<3>(x, 0).map(|part| g.sum(part)), 0));
    assert_eq!((shape, y), (vec![3], vec![0.0 + 1.0 + 2.0, 3.0 + 4.0 + 5.0, 6.0]));
    assert_eq!(dx, [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0]);
    assert_eq!(run(&[4, 2], |g, x| g.chunk::<2>(x, 0)[1]).1, [4.0, 5.0, 6.0, 7.0]);
    assert_eq!(run(&[0], |g, x| g.sum(g.chunk::<2>(x, 0)[1])).1, [0.0]);
}

#[test]
fn outer_products() {
    let (shape, y, dx) = run(&[3], |g, x| g.outer(x, g.input([2], &[1.0, 10.0])));
    assert_eq!((shape, y), (vec![3, 2], vec![0.0, 0.0, 1.0, 10.0, 2.0, 20.0]));
    assert_eq!(dx, [21.0, 43.0, 65.0]);
}

#[test]
fn masked_fill_and_where_hide_what_is_not_chosen() {
    let (_, y, dx) = run(&[2, 2], |g, x| g.masked_fill(x, g.input([2], &[0.0, 1.0]), f32::NEG_INFINITY));
    assert_eq!((y, dx), (vec![0.0, f32::NEG_INFINITY, 2.0, f32::NEG_INFINITY], vec![1.0, 0.0, 3.0, 0.0]));
    // 1 / 0 is not chosen; a gradient of 0 times its slope of −∞ is NaN, as in PyTorch.
    let (_, y, dx) = run(&[2], |g, x| {
        let number = g.input([], &[1.0]);
        g.where_cond(x, g.div(number, x), number)
    });
    assert_eq!((y, dx[1]), (vec![1.0, 1.0], -2.0));
    assert!(dx[0].is_nan());
}

/// Neither minimum nor maximum, sign nor bound hides a NaN.
#[test]
fn nan_passes_through() {
    let nan = |g: &Graph<'_>| g.input([2], &[f32::NAN, f32::NAN]);
    let ops: [fn(&Graph<'_>, Var, Var) -> Var; 7] = [
        |g, x, nan| g.maximum(x, nan),
        |g, x, nan| g.maximum(nan, x),
        |g, x, nan| g.minimum(x, nan),
        |g, x, nan| g.minimum(nan, x),
        |g, _, nan| g.clamp(nan, 0.0, 1.0),
        |g, _, nan| g.sign(nan),
        |g, _, nan| g.abs(nan),
    ];
    for (i, op) in ops.into_iter().enumerate() {
        let (mut tape, mut params) = (Tape::new(), Params::new());
        let g = tape.begin(&mut params, Mode::eval());
        let y = op(&g, g.input([2], &[1.0, 2.0]), nan(&g));
        assert!(g.value(y).iter().all(|v| v.is_nan()), "op {i}");
    }
}

#[test]
fn products_of_vectors_lose_their_axis() {
    let (shape, y, dx) = run(&[3], |g, x| g.matmul(x, g.input([3], &[1.0, 10.0, 100.0])));
    assert_eq!((shape, y, dx), (vec![], vec![210.0], vec![1.0, 10.0, 100.0]));
    let (shape, y, dx) = run(&[2, 1, 2], |g, x| g.matmul(x, g.input([2], &[1.0, 10.0])));
    assert_eq!((shape, y, dx), (vec![2, 1], vec![10.0, 32.0], vec![1.0, 10.0, 2.0, 20.0]));
    let (shape, y, dx) = run(&[2, 2, 1], |g, x| g.matmul(g.input([2], &[1.0, 10.0]), x));
    assert_eq!((shape, y, dx), (vec![2, 1], vec![10.0, 32.0], vec![1.0, 10.0, 2.0, 20.0]));
}

/// Indices of the largest and smallest, and of all in their order.
#[test]
fn indices_can_be_read() {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let g = tape.begin(&mut params, Mode::eval());
    let x = g.input([2, 3], &[3.0, 1.0, 3.0, 0.0, f32::NAN, 5.0]);
    let read = |indices| g.integers(indices);
    assert_eq!([g.argmax(x, 1), g.argmin(x, 1)].map(read), [vec![0, 1], vec![1, 1]]);
    assert_eq!(read(g.argmax(x, 0)), [0, 1, 1]);
    assert_eq!(read(g.argsort(x, 1, true)), [0, 2, 1, 1, 2, 0]);
    let ((y, largest), (z, smallest)) = (g.topk(x, 2, 1, true), g.topk(x, 1, 1, false));
    assert_eq!((g.value(y)[..2].to_vec(), read(largest)), (vec![3.0, 3.0], vec![0, 2, 1, 2]));
    assert_eq!((g.value(z), read(smallest)), (&[1.0, 0.0][..], vec![1, 0]));
    let (y, _) = g.max(x, 1, false);
    assert_eq!((g.shape(y).dims(), g.value(y)[0], g.value(y)[1].is_nan()), (&[2][..], 3.0, true));
}

#[test]
fn norms_and_sums_of_exponentials_do_not_overflow() {
    for scale in [1e-30, 1.0, 1e30] {
        let of = |p| run(&[2], move |g, x| g.norm(g.scale(g.add_scalar(x, 3.0), scale), p, 0, false));
        for p in [0.5, 2.0, 3.0, f32::INFINITY] {
            let (_, y, dx) = of(p);
            let expected = if p.is_infinite() { 4.0 } else { (3f32.powf(p) + 4f32.powf(p)).powf(1.0 / p) };
            assert!((y[0] / scale - expected).abs() < 1e-4 * expected, "{p}: {y:?}");
            assert!(dx.iter().all(|dx| dx.is_finite() && *dx <= 4.0 * scale), "{p}: {dx:?}");
        }
    }
    for (p, difference) in [(100.0, 2000.0), (100.0, 5e-4), (0.5, 1e30), (3.0, 1e-30)] {
        let loss = |g: &Graph<'_>, x| {
            let (zero, eps) = (g.scale(x, 0.0), 0.0);
            let options = TripletMarginOptions { p, eps, margin: 0.0, ..Default::default() };
            let far = g.add_scalar(zero, difference);
            g.triplet_margin_loss([far, zero, far], options)
        };
        let expected = difference * 2_f32.powf(1.0 / p);
        let (_, y, _) = run(&[1, 2], loss);
        assert!((y[0] / expected - 1.0).abs() < 1e-5, "{p}, {difference}: {y:?}");
    }
    assert_eq!(run(&[3], |g, x| g.norm(g.scale(x, 0.0), 2.0, 0, false)), (vec![], vec![0.0], vec![0.0; 3]));
    let (_, y, dx) = run(&[2], |g, x| g.logsumexp(g.scale(x, 1000.0), 0, false));
    assert_eq!((y, dx), (vec![1000.0], vec![0.0, 1000.0]));
    let infinite = |value: f32| run(&[2], move |g, x| g.logsumexp(g.add_scalar(x, value), .., false)).1[0];
    assert_eq!([f32::INFINITY, f32::NEG_INFINITY].map(infinite), [f32::INFINITY, f32::NEG_INFINITY]);
    assert_eq!(run(&[2, 0], |g, x| g.logsumexp(x, 1, false)).1, [f32::NEG_INFINITY; 2]);
    // As in PyTorch, an infinity has no slope.
    for value in [f32::INFINITY, f32::NEG_INFINITY] {
        let (_, _, dx) = run(&[2], |g, x| g.logsumexp(g.add_scalar(x, value), 0, false));
        assert!(dx.iter().all(|dx| dx.is_nan()), "{value}: {dx:?}");
    }
}

#[test]
fn squares_that_are_divided_do_not_overflow() {
    let smooth = SmoothL1Options { beta: 1e30, ..SmoothL1Options::default() };
    let close = |(_, y, dx): (Vec<usize>, Vec<f32>, Vec<f32>)| {
        assert!((y[0] / 5e9 - 1.0).abs() < 1e-5 && (dx[0] / 1e-10 - 1.0).abs() < 1e-5, "{y:?}, {dx:?}");
    };
    close(run(&[1], |g, x| g.smooth_l1_loss(g.add_scalar(x, 1e20), g.input([1], &[0.0]), smooth)));
    close(run(&[1], |g, x| {
        let [target, variance] = [0.0, 1e30].map(|value| g.input([1], &[value]));
        g.gaussian_nll_loss(g.add_scalar(x, 1e20), target, variance, GaussianNllOptions::default())
    }));
}

/// The mean is divided by the sum of the weights, which need not be an f32, nor need its inverse.
#[test]
fn a_factor_of_all_class_weights_has_no_effect() {
    let at = |scale: f32, is_nll: bool| {
        let weights = [0.5, 1.0, 0.25].map(|weight| weight * scale);
        run(&[2, 3], move |g, x| {
            let (labels, weight) = (g.labels(&[0, 2][..]), Some(g.input([3], &weights)));
            match is_nll {
                true => g.nll_loss(x, labels, NllOptions { weight, ..NllOptions::default() }),
                false => {
                    g.cross_entropy_with(x, labels, CrossEntropyOptions { weight, ..Default::default() })
                }
            }
        })
    };
    for is_nll in [false, true] {
        let (_, y, dx) = at(1.0, is_nll);
        for scale in [1e-40, 1e-35, 1e35, 3e38] {
            let (_, found, slopes) = at(scale, is_nll);
            let pairs = found.iter().chain(&slopes).zip(y.iter().chain(&dx));
            let is_close =
                |(found, expected): (&f32, &f32)| (found - expected).abs() <= 1e-4 * expected.abs();
            assert!(pairs.into_iter().all(is_close), "{scale:e}: {found:?} {slopes:?}, not {y:?} {dx:?}");
        }
    }
}

/// A function of seed, path, step and element: drawing more, or elsewhere, moves nothing.
#[test]
fn random_values_have_keys() {
    let draw = |seed, step, path: &str, n| {
        let (mut tape, mut params) = (Tape::new(), Params::new());
        let g = tape.begin(&mut params, Mode::train(seed, step));
        g.scope(path, |g| {
            [g.value(g.randn([n])).to_vec(), g.value(g.randn([n])).to_vec(), g.value(g.rand([n])).to_vec()]
        })
    };
    let [first, second, uniform] = draw(1, 2, "noise", 8);
    assert_eq!(draw(1, 2, "noise", 3)[0], first[..3]);
    assert!(uniform.iter().all(|v| (0.0..1.0).contains(v)) && first.iter().any(|v| *v < 0.0));
    let others =
        [&second, &draw(2, 2, "noise", 8)[0], &draw(1, 3, "noise", 8)[0], &draw(1, 2, "other", 8)[0]];
    assert!(others.iter().all(|other| **other != first));
}

#[test]
fn random_values_like_another_have_its_shape() {
    let draw = |like: bool| {
        let (mut tape, mut params) = (Tape::new(), Params::new());
        let g = tape.begin(&mut params, Mode::train(1, 2));
        let x = g.input([2, 3], &[0.0; 6]);
        let drawn = match like {
            true => [g.randn_like(x), g.rand_like(x)],
            false => [g.randn([2, 3]), g.rand([2, 3])],
        };
        drawn.map(|y| (g.shape(y), g.value(y).to_vec()))
    };
    assert_eq!(draw(true), draw(false));
}
