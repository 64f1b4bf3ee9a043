//! Padding against its f64 reference.

use crate::common::{check_betas, check_thread_independence, random};
use proptest::collection::vec;
use proptest::prelude::*;
use tensor::pad::{PadMode, pad_backward, pad_forward, padded_shape};
use tensor::reference::{self, magnitudes, to_f64};
use tensor::{Beta, Shape};

fn modes() -> impl Strategy<Value = PadMode> {
    prop_oneof![
        Just(PadMode::Constant(-1.5)),
        Just(PadMode::Reflect),
        Just(PadMode::Replicate),
        Just(PadMode::Circular)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn padding_and_its_gradient(
        dims in vec(0..5usize, 0..=5),
        borders in vec((0..6usize, 0..6usize, any::<bool>()), 5),
        mode in modes(),
        seed: u64,
    ) {
        let shape = Shape::from(&dims[..]);
        // Some axes are not padded at all.
        let border = |(&(before, after, is_padded), &size): (&(usize, usize, bool), &usize)| {
            [before, after].map(|n| if is_padded { n.min(mode.max_border(size)) } else { 0 })
        };
        let padding: Vec<[usize; 2]> = borders.iter().zip(&dims).map(border).collect();
        let (x, y_shape) = (random(shape.numel(), seed), padded_shape(&shape, &padding));
        let mut y = vec![f32::NAN; y_shape.numel()];
        pad_forward(&mut y, &x, &shape, &padding, mode);
        prop_assert_eq!(to_f64(&y), reference::pad_forward(&to_f64(&x), &shape, &padding, mode));

        let dy = random(y.len(), seed + 1);
        check_betas(
            &reference::pad_backward(&to_f64(&dy), &shape, &padding, mode),
            &reference::pad_backward(&magnitudes(&dy), &shape, &padding, mode),
            y.len() as f64,
            |dx, beta| pad_backward(dx, &dy, &shape, &padding, mode, beta),
        );
    }
}

#[test]
fn the_borders_of_a_row() {
    let pad = |mode| {
        let mut y = [f32::NAN; 7];
        pad_forward(&mut y, &[1.0, 2.0, 3.0], &Shape::new(&[3]), &[[2, 2]], mode);
        y
    };
    assert_eq!(pad(PadMode::Constant(0.5)), [0.5, 0.5, 1.0, 2.0, 3.0, 0.5, 0.5]);
    assert_eq!(pad(PadMode::Reflect), [3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0]);
    assert_eq!(pad(PadMode::Replicate), [1.0, 1.0, 1.0, 2.0, 3.0, 3.0, 3.0]);
    assert_eq!(pad(PadMode::Circular), [2.0, 3.0, 1.0, 2.0, 3.0, 1.0, 2.0]);
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let (shape, padding) = (Shape::new(&[40, 30, 20, 16]), [[0, 0], [2, 3], [1, 4], [0, 0]]);
    let (x, y_len) = (random(shape.numel(), 1), padded_shape(&shape, &padding).numel());
    check_thread_independence(|| {
        let (mut y, mut dx) = (vec![0.0; y_len], vec![0.0; x.len()]);
        pad_forward(&mut y, &x, &shape, &padding, PadMode::Reflect);
        pad_backward(&mut dx, &y, &shape, &padding, PadMode::Reflect, Beta::Zero);
        [y, dx].concat()
    });
}

#[test]
#[should_panic(expected = "a border of [0, 3] is too long for axis 0 of [3] in the mode Reflect")]
fn a_border_that_the_axis_cannot_give_panics() {
    pad_forward(&mut [0.0; 6], &[0.0; 3], &Shape::new(&[3]), &[[0, 3]], PadMode::Reflect);
}
