//! Values of the ops by example: what PyTorch's functions of the same names give.

use autograd::{Graph, Mode, Params, Tape, Var};

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
