//! `Tensor` as its user sees it.

use proptest::prelude::*;
use tensor::{Shape, Tensor};

fn matrix() -> Tensor {
    Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
}

#[test]
fn construction() {
    assert_eq!(Tensor::zeros([2, 2]).as_slice(), [0.0; 4]);
    assert_eq!(Tensor::scalar(3.0).item(), 3.0);
    assert_eq!(Tensor::scalar(3.0).shape(), &Shape::scalar());
    assert_eq!(Tensor::from_fn([2, 3], |i| (i[0] * 3 + i[1] + 1) as f32), matrix());
    assert_eq!(Tensor::arange(-8.0, 8.0, 0.1).shape()[0], 160);
    for n in 1..=100 {
        let n = n as f32;
        for (end, step) in [(n / 10.0, 0.1), (n / 100.0, 0.01), (-n / 10.0, -0.1), (n, 1.0), (n / 8.0, 0.125)]
        {
            let range = Tensor::arange(0.0, end, step);
            assert_eq!(range.shape()[0], n as usize, "to {end} by {step}");
            assert!(range.as_slice().iter().all(|x| x.abs() < end.abs()), "to {end} by {step}");
        }
    }
    assert_eq!(Tensor::arange(1.0, 1.0f32.next_up(), 1.0), Tensor::from([1.0]));
    assert_eq!(Tensor::arange(1e8, 1e8 + 8.0, 1.0).shape(), &Shape::new(&[5]));
    assert_eq!(Tensor::arange(3.0, 0.0, -1.0), Tensor::from([3.0, 2.0, 1.0]));
    assert_eq!(Tensor::arange(1.0, 0.0, 1.0).shape(), &Shape::new(&[0]));
    assert_eq!(matrix().at(&[1, 2]), 6.0);
    assert_eq!(matrix().reshape([3, 2]), Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]));
}

#[test]
fn arithmetic_broadcasts() {
    let row = Tensor::from([10.0, 20.0, 30.0]);
    let column = Tensor::from([[1.0], [2.0]]);
    assert_eq!(matrix() + &row, Tensor::from([[11.0, 22.0, 33.0], [14.0, 25.0, 36.0]]));
    assert_eq!(&matrix() * column, Tensor::from([[1.0, 2.0, 3.0], [8.0, 10.0, 12.0]]));
    assert_eq!(1.0 - matrix() / 2.0, Tensor::from([[0.5, 0.0, -0.5], [-1.0, -1.5, -2.0]]));
    assert_eq!(-(6.0 / &matrix()), Tensor::from([[-6.0, -3.0, -2.0], [-1.5, -1.2, -1.0]]));
    assert_eq!(matrix().zip(&row, f32::max), Tensor::from([[10.0, 20.0, 30.0], [10.0, 20.0, 30.0]]));
}

#[test]
fn products_and_rearrangements() {
    let square = matrix().matmul(&matrix().transpose(0, 1));
    assert_eq!(square, Tensor::from([[14.0, 32.0], [32.0, 77.0]]));
    assert_eq!(matrix().slice(1, 1..3), Tensor::from([[2.0, 3.0], [5.0, 6.0]]));
    let both = Tensor::concat(&[&matrix(), &matrix().slice(0, 0..1)], 0);
    assert_eq!(both, Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [1.0, 2.0, 3.0]]));
    assert_eq!(matrix().gather(1, &[2, 0]), Tensor::from([[3.0], [4.0]]));
    assert_eq!(Tensor::zeros([2, 3, 4]).permute(&[2, 0, 1]).shape(), &Shape::new(&[4, 2, 3]));
}

#[test]
fn reductions() {
    assert_eq!(matrix().sum(.., false).item(), 21.0);
    assert_eq!(matrix().sum(0, true), Tensor::from([[5.0, 7.0, 9.0]]));
    assert_eq!(matrix().mean(1, false), Tensor::from([2.0, 5.0]));
    assert_eq!(matrix().max([0, 1], false).item(), 6.0);
    assert_eq!(matrix().min(1, true), Tensor::from([[1.0], [4.0]]));
    assert_eq!(matrix().argmax(1), [2, 2]);
    assert!(Tensor::zeros([0, 2]).mean(0, false).as_slice().iter().all(|v| v.is_nan()));
    assert!(Tensor::from([1.0, f32::NAN, 2.0]).max(.., false).item().is_nan());
    assert_eq!(Tensor::from([1.0, f32::NAN, 2.0]).argmax(0), [1]);
}

proptest! {
    #[test]
    fn softmax_along_any_axis_sums_to_one(a in 1..5usize, b in 1..5usize, c in 1..5usize, axis in 0..3usize) {
        let x = Tensor::from_fn([a, b, c], |i| (i[0] * 7 + i[1] * 5 + i[2] * 3) as f32 % 4.0);
        let y = x.softmax(axis);
        let sums = y.sum(axis, false);
        prop_assert!(sums.allclose(&Tensor::ones(*sums.shape()), 1e-6, 0.0));
        prop_assert!(x.log_softmax(axis).allclose(&y.map(f32::ln), 1e-5, 1e-6));
    }

    #[test]
    fn softmax_along_an_axis_is_that_of_each_line(a in 1..4usize, b in 1..4usize, c in 1..4usize) {
        let x = Tensor::from_fn([a, b, c], |i| (i[0] * 7 + i[1] * 5 + i[2] * 3) as f32 % 4.0);
        for i in 0..a {
            for k in 0..c {
                let line = |t: &Tensor| t.slice(0, i..i + 1).slice(2, k..k + 1).reshape([b]);
                prop_assert_eq!(line(&x).softmax(0), line(&x.softmax(1)));
            }
        }
    }
}

#[test]
fn closeness() {
    let (a, b) = (Tensor::from([1.0, f32::INFINITY]), Tensor::from([1.001, f32::INFINITY]));
    assert!(a.allclose(&b, 1e-2, 0.0) && a.allclose(&b, 0.0, 1e-2) && !a.allclose(&b, 1e-4, 0.0));
    let nan = Tensor::from([f32::NAN]);
    assert!(!nan.allclose(&nan, 1.0, 1.0));
}

#[test]
fn printing() {
    assert_eq!(matrix().to_string(), "[[1., 2., 3.],\n [4., 5., 6.]]");
    assert_eq!(format!("{:.1}", matrix() / 4.0), "[[0.2, 0.5, 0.8],\n [1.0, 1.2, 1.5]]");
    assert_eq!(format!("{:?}", Tensor::from([0.5, -1.0])), "Tensor [2]\n[ 0.5000, -1.0000]");
    assert_eq!(Tensor::from([1e-6, 0.5]).to_string(), "[1.0000e-6, 5.0000e-1]");
    assert_eq!(Tensor::from([1.0, f32::NAN]).to_string(), "[ 1., NaN]");
    assert_eq!(Tensor::zeros([2, 1, 2]).to_string(), "[[[0., 0.]],\n\n [[0., 0.]]]");
    assert_eq!(Tensor::scalar(2.5).to_string(), "2.5000");
    assert_eq!(Tensor::zeros([0]).to_string(), "[]");
    assert_eq!(
        Tensor::arange(0.0, 2000.0, 1.0).to_string(),
        "[   0.,    1.,    2., ..., 1997., 1998., 1999.]"
    );
    let summary = Tensor::zeros([100, 100]).to_string();
    assert_eq!(summary.lines().nth(3), Some(" ...,"));
    assert_eq!(summary.lines().count(), 7);
}

/// The message with which `f` panics.
fn panic_message(f: impl FnOnce() + std::panic::UnwindSafe) -> String {
    *std::panic::catch_unwind(f).unwrap_err().downcast::<String>().unwrap()
}

#[test]
fn misuse_panics_with_both_shapes() {
    let cases: [(fn(), &str); 8] = [
        (|| drop(Tensor::new([2, 3], vec![0.0; 5])), "shape [2, 3] needs 6 elements, data has 5"),
        (|| drop(matrix() + Tensor::zeros([2])), "Tensor::add: shapes [2, 3] and [2] do not broadcast"),
        (|| drop(matrix().matmul(&matrix())), "columns of shape [2, 3] and rows of shape [2, 3] differ"),
        (|| drop(matrix().reshape([4])), "shape [2, 3] cannot become [4]"),
        (|| drop(matrix().sum(2, false)), "shape [2, 3] has no axis 2"),
        (|| drop(matrix().slice(1, 2..4)), "2..4 is out of bounds for axis 1 of shape [2, 3]"),
        (|| drop(Tensor::concat(&[&matrix(), &Tensor::zeros([2])], 0)), "shapes [2, 3] and [2] do not fit"),
        (|| _ = matrix().item(), "shape [2, 3] does not have exactly one element"),
    ];
    for (misuse, expected) in cases {
        let message = panic_message(misuse);
        assert!(message.contains(expected), "{message:?} does not say {expected:?}");
    }
}

/// The sum does not fit into f32, the mean does.
#[test]
fn a_mean_of_large_numbers_is_finite() {
    assert_eq!(Tensor::from([3e38, 3e38]).mean(0, false), Tensor::scalar(3e38));
    let rows = Tensor::full([300, 2, 3], -3e38);
    assert_eq!(rows.mean([0, 2], false), Tensor::full([2], -3e38));
}
