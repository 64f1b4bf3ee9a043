//! Every layer gives the same bits on any number of threads, and for a batch whole and in parts.

use std::sync::Arc;

use autograd::{Mode, Tape};
use collective::{Joined, on_threads};
use nn::config::Registry;
use nn::{Layer, Sequential};
use tensor::parallel::{Exchange, Shards};

use crate::common::uniform;
use crate::every_layer::{MOST_IMAGES, layers};

/// The bits of a value, and whether they are those of the images that are here.
type Spread = (bool, Vec<u32>);

/// Two steps on a batch of which a part may be here: outputs, their sums, the gradients of inputs and parameters, and
/// the statistics.
fn run(
    net: &Sequential,
    image: &[usize],
    n_images: usize,
    exchange: Option<Arc<dyn Exchange>>,
) -> Vec<Spread> {
    let whole = Shards::whole(n_images);
    let here = exchange.as_ref().map_or(whole.images(), |exchange| whole.exchanging(&**exchange).images());
    let (net, mut params) = nn::build(net.clone(), 3);
    let mut tape = exchange.into_iter().fold(Tape::new(), Tape::exchange);
    let len: usize = image.iter().product();
    let dims: Vec<usize> = [here.len()].iter().chain(image).copied().collect();
    let mut values = Vec::new();
    for step in 0..2 {
        let images = uniform(step, n_images * len);
        let mut g = tape.begin(&mut params, Mode::train(7, step.into()).of_images(n_images));
        let x = g.variable(&dims[..], &images[here.start * len..here.end * len]);
        let y = net.forward(&g, x);
        values.push((g.has_images(y), bits(g.value(y))));
        // The cotangent is a function of the output, so that it is the same wherever that is.
        let loss = g.sum(g.mul(y, g.add_scalar(g.scale(g.detach(y), 0.37), 1.0)));
        values.push((false, bits(g.value(loss))));
        g.backward(loss);
        values.push((true, bits(g.grad(x).unwrap_or_default())));
        drop(g);
        values.push((false, bits(params.grads())));
    }
    values.push((false, bits(params.values())));
    values
}

fn bits(values: &[f32]) -> Vec<u32> {
    assert!(values.iter().all(|value| value.is_finite()));
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn every_layer_has_a_row() {
    let printed: String = layers().iter().map(|(net, _)| format!("{net:?}\n")).collect();
    let has_row =
        |name: &&str| printed.contains(&format!(" {name}(")) || printed.contains(&format!("({name}("));
    let missing: Vec<&str> =
        Registry::new().names().filter(|name| !has_row(name) && *name != "Sequential").collect();
    assert!(missing.is_empty(), "add {missing:?} to the table of tests/common/layers.rs");
}

/// Batches large enough that their work is split.
#[test]
fn threads_give_the_bits_of_one() {
    for (net, image) in layers() {
        let on = |n_threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build();
            pool.expect("threads can be started").install(|| run(&net, image, MOST_IMAGES, None))
        };
        let one = on(1);
        for n_threads in [2, 3] {
            assert!(on(n_threads) == one, "{net:?}: 1 and {n_threads} threads");
        }
    }
}

#[test]
fn parts_of_a_batch_give_the_bits_of_the_whole() {
    for (net, image) in layers() {
        for n_images in [3, 41] {
            let whole = run(&net, image, n_images, None);
            // The gradients are exchanged during backward, or after each op.
            for (n_parts, overlap_from) in [(2, None), (4, Some(200))] {
                let parts = on_threads(n_parts, |rank| {
                    let joined = Joined::new(rank).overlap_from(overlap_from);
                    run(&net, image, n_images, Some(Arc::new(joined)))
                });
                let what = || format!("{net:?}: {n_images} images in {n_parts} parts");
                for (idx, (is_spread, whole)) in whole.iter().enumerate() {
                    if *is_spread {
                        let joined: Vec<u32> = parts.iter().flat_map(|part| part[idx].1.clone()).collect();
                        assert!(joined == *whole, "value {idx} of {}", what());
                    } else {
                        assert!(parts.iter().all(|part| part[idx].1 == *whole), "value {idx} of {}", what());
                    }
                }
            }
        }
    }
}
