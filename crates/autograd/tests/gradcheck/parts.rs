//! The same batch whole and in parts, and on one thread and on several.

#[path = "../common/threads.rs"]
mod threads;

use std::sync::Arc;

use autograd::{Mode, ParamId, Params, Role, Tape, Var};
use tensor::parallel::{Exchange, Shards};
use threads::on_parts;

use crate::case::{Kind, Rng};
use crate::rows;

/// Something that a step computes: spread over the parts, or the same in all of them.
type Spread = (bool, Vec<u32>);

pub(crate) fn check_parts(row: usize, seed: u64, n_images: usize) {
    let whole = run(row, seed, n_images, None);
    for (n_parts, overlap) in [(2, true), (4, false), (8, true), (16, false)] {
        let parts = on_parts(n_parts, overlap, |exchange| run(row, seed, n_images, Some(exchange)));
        let label = || format!("{} (seed {seed}), {n_images} images in {n_parts} parts", rows()[row].op);
        for (idx, (is_spread, whole)) in whole.iter().enumerate() {
            if *is_spread {
                let joined: Vec<u32> = parts.iter().flat_map(|part| part[idx].1.clone()).collect();
                assert!(joined == *whole, "value {idx} of {}", label());
            } else {
                assert!(parts.iter().all(|part| part[idx].1 == *whole), "value {idx} of {}", label());
            }
        }
    }
}

/// Checks that a batch large enough to be split has the same bits on any number of threads.
pub(crate) fn check_threads(row: usize, seed: u64) {
    const N_ELEMENTS: usize = 2 * tensor::parallel::MIN_PARALLEL_WORK;
    let one_image = (rows()[row].sample)(&mut Rng::part(seed, 1, 0..1));
    let sizes = one_image.inputs.iter().filter(|input| input.has_images).map(|input| input.values.len());
    let n_images = N_ELEMENTS / sizes.max().unwrap_or(1);
    let on = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build();
        pool.expect("threads can be started").install(|| run(row, seed, n_images, None))
    };
    let one = on(1);
    for n_threads in [2, 3, 16] {
        let label =
            || format!("{} (seed {seed}), {n_images} images, 1 and {n_threads} threads", rows()[row].op);
        assert!(on(n_threads) == one, "{}", label());
    }
}

/// Records the row's case twice on the same inputs, with cotangents, and runs backward: outputs, gradients and
/// parameters.
fn run(row: usize, seed: u64, n_images: usize, exchange: Option<Arc<dyn Exchange>>) -> Vec<Spread> {
    let shards = Shards::whole(n_images);
    let images = match &exchange {
        Some(exchange) => shards.exchanging(&**exchange).images(),
        None => shards.images(),
    };
    let case = (rows()[row].sample)(&mut Rng::part(seed, n_images, images.clone()));
    let mut params = Params::new();
    let ids: Vec<ParamId> = case
        .inputs
        .iter()
        .enumerate()
        .map(|(i, input)| {
            let role = if input.kind == Kind::Variable { Role::Trainable } else { Role::Statistic };
            // Inputs with images are no parameters, but have one each, so that names agree.
            let shape = if input.has_images { [0].into() } else { input.shape };
            let id = params.add(i.to_string(), shape, role);
            params.value_mut(id).copy_from_slice(if input.has_images { &[] } else { &input.values });
            id
        })
        .collect();
    let mut tape = match exchange {
        Some(exchange) => Tape::new().exchange(exchange),
        None => Tape::new(),
    };
    let mode = if case.training { Mode::train(1, 2) } else { Mode::eval().with_grad(true) };
    let mut g = tape.begin(&mut params, mode.of_images(n_images));
    let leaf = |(input, &id): (&crate::case::Input, &ParamId)| match input.has_images {
        true => g.variable(input.shape, &input.values),
        false => g.param(id),
    };
    let vars: Vec<Var> = case.inputs.iter().zip(&ids).map(leaf).collect();
    let (mut values, mut loss) = (Vec::new(), None);
    for n_use in 0..2 {
        let y = (case.record)(&g, &vars);
        let is_spread = g.has_images(y);
        values.push((is_spread, bits(g.value(y))));
        // A different cotangent for each use: a function of the value, with the same bits wherever it is.
        let factor = g.scale(g.detach(y), 0.37 + n_use as f32);
        let share = g.sum(g.mul(y, g.add_scalar(factor, 1.0)));
        values.push((false, bits(g.value(share))));
        loss = Some(loss.map_or(share, |loss| g.add(loss, share)));
    }
    g.backward(loss.expect("two uses"));
    for (input, &var) in case.inputs.iter().zip(&vars) {
        values.push((input.has_images, bits(g.grad(var).unwrap_or_default())));
    }
    drop(g);
    values.push((false, bits(params.values())));
    values.push((false, bits(params.grads())));
    values
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}
