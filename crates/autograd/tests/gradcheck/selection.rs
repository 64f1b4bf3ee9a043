//! Rows of the ops that choose among elements, and of those that arrange them anew.

use autograd::PadMode;
use tensor::broadcast::broadcast_shapes;
use tensor::reference;

use super::case::{Case, Rng, Row};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::new("where", 1e-6, where_cond),
        Row::new("pad", 1e-5, pad),
        Row::new("stack", 1e-6, |rng| {
            let (shape, first) = (rng.batch_shape(0..=4), usize::from(rng.is_batch()));
            let axis = rng.size(first..=shape.rank());
            let n = rng.size(1..=3);
            let inner: usize = shape[axis..].iter().product();
            Case::new(
                (0..n).map(|_| rng.images(shape)).collect(),
                move |g, v| g.stack(v, axis),
                move |x| {
                    let part = |outer: usize, x: &Vec<f64>| x[outer * inner..(outer + 1) * inner].to_vec();
                    let n_outer = x[0].len() / inner;
                    (0..n_outer)
                        .flat_map(|o| x.iter().flat_map(move |x| part(o, x)).collect::<Vec<_>>())
                        .collect()
                },
            )
        }),
    ]
}

/// At least one of the three operands is as large as the result, and of a batch that one has the images.
fn where_cond(rng: &mut Rng) -> Case {
    let shape = rng.batch_shape(0..=4);
    let whole = rng.size(0..=2);
    let is_whole = [0, 1, 2].map(|i| i == whole || rng.bool());
    let shapes = is_whole.map(|is_whole| if is_whole { shape } else { rng.broadcasting_to(shape) });
    let mut operand = |i: usize| match (i, is_whole[i]) {
        (0, has_images) => rng.mask(shapes[0], has_images),
        (_, true) => rng.images(shapes[i]),
        (_, false) => rng.variable(shapes[i]),
    };
    let inputs = vec![operand(0), operand(1), operand(2)];
    let y_shape = shapes.iter().fold(shape, |y, x| broadcast_shapes(&y, x).expect("they broadcast"));
    Case::new(
        inputs,
        |g, v| g.where_cond(v[0], v[1], v[2]),
        move |x| {
            let [mask, a, b] = [0, 1, 2].map(|i| reference::broadcast_forward(&x[i], &shapes[i], &y_shape));
            (0..mask.len()).map(|i| if mask[i] != 0.0 { a[i] } else { b[i] }).collect()
        },
    )
}

fn pad(rng: &mut Rng) -> Case {
    let (shape, first) = (rng.batch_shape(0..=4), usize::from(rng.is_batch()));
    let modes = [PadMode::Constant(0.75), PadMode::Reflect, PadMode::Replicate, PadMode::Circular];
    let mode = modes[rng.size(0..=3)];
    let border = |(axis, &size): (usize, &usize)| match axis < first || rng.bool() {
        true => [0, 0],
        false => rng.pair(0..=mode.max_border(size).min(4)),
    };
    let padding: Vec<[usize; 2]> = shape.iter().enumerate().map(border).collect();
    let expected = padding.clone();
    Case::new(
        vec![rng.images(shape)],
        move |g, v| g.pad(v[0], &padding, mode),
        move |x| reference::pad_forward(&x[0], &shape, &expected, mode),
    )
}
