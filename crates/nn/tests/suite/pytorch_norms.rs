//! The normalisations compute what `pytorch/record_norms.py` recorded, and their files are PyTorch's.

use crate::common::uniform;
use crate::pytorch::{assert_close, numbers, path, recorded};
use autograd::{Mode, Params, Role, Tape};
use nn::weights::{self, Archive};
use nn::{BatchNorm2d, GroupNorm, InstanceNorm2d, Layer, LayerNorm, LocalResponseNorm, RMSNorm, Sequential};

/// Tokens [n, t, d] and images [n, h, w, c], which the script gives these sizes alike.
const SHAPE: [usize; 4] = [2, 2, 3, 6];

/// The layer of a case, as the script builds it.
fn layer(case: &str) -> Box<dyn Layer> {
    match case {
        "layer_norm" => Box::new(LayerNorm::new([6])),
        "layer_norm_of_two_axes" => Box::new(LayerNorm::new([3, 6]).eps(1e-2)),
        "layer_norm_without_bias" => Box::new(LayerNorm::new([6]).bias(false)),
        "layer_norm_plain" => Box::new(LayerNorm::new([2, 3, 6]).elementwise_affine(false)),
        "rms_norm" => Box::new(RMSNorm::new([6])),
        "rms_norm_plain" => Box::new(RMSNorm::new([3, 6]).eps(1e-2).elementwise_affine(false)),
        "group_norm" => Box::new(GroupNorm::new(3, 6)),
        "group_norm_plain" => Box::new(GroupNorm::new(2, 6).eps(1e-2).affine(false)),
        "instance_norm" => Box::new(InstanceNorm2d::new(6)),
        "instance_norm_tracking" => {
            Box::new(InstanceNorm2d::new(6).momentum(0.3).affine(true).track_running_stats(true))
        }
        "local_response_norm" => Box::new(LocalResponseNorm::new(3)),
        "local_response_norm_even" => Box::new(LocalResponseNorm::new(4).alpha(0.5).beta(0.6).k(2.0)),
        "local_response_norm_wider" => Box::new(LocalResponseNorm::new(31).alpha(2.0)),
        "batch_norm_cumulative" => Box::new(BatchNorm2d::new(6).momentum(None)),
        "batch_norm_without_bias" => Box::new(BatchNorm2d::new(6).bias(false)),
        "batch_norm_plain" => Box::new(BatchNorm2d::new(6).affine(false)),
        "batch_norm_without_scale" | "batch_norm_frozen_without_scale" => {
            Box::new(BatchNorm2d::new(6).scale(false))
        }
        "batch_norm_frozen" => Box::new(BatchNorm2d::new(6)),
        "batch_norm_frozen_plain" => Box::new(BatchNorm2d::new(6).affine(false)),
        "batch_norm_without_statistics" => Box::new(BatchNorm2d::new(6).track_running_stats(false)),
        _ => panic!("the script records a layer {case:?} that this test does not know"),
    }
}

/// The input of a step.
fn input(step: u32) -> Vec<f32> {
    uniform(step, SHAPE.iter().product()).iter().map(|u| u * 3.0 + 1.0).collect()
}

/// Fills the parameters as the script does.
fn fill(params: &mut Params) {
    let trainable: Vec<_> = params.ids().filter(|&id| params.entry(id).role == Role::Trainable).collect();
    for (position, id) in trainable.into_iter().enumerate() {
        let around = if params.entry(id).name.ends_with("weight") { 1.0 } else { 0.0 };
        let values = uniform(100 + position as u32, params.value(id).len());
        params.value_mut(id).iter_mut().zip(values).for_each(|(p, u)| *p = u / 2.0 + around);
    }
}

#[test]
fn outputs_gradients_and_statistics_are_those_of_pytorch() {
    let recorded = recorded("norms.json");
    let cases: Vec<_> =
        recorded.as_object().unwrap().iter().filter(|(_, case)| case["layer"].is_string()).collect();
    assert_eq!(cases.len(), 21);
    for (name, expected) in cases {
        let (net, mut params) = nn::build(layer(name), 0);
        fill(&mut params);
        let mut tape = Tape::new();
        for step in 0..2 {
            if step == 1 && name.contains("frozen") {
                params.freeze("running_mean").unwrap();
                params.freeze("running_var").unwrap();
            }
            let mut g = tape.begin(&mut params, Mode::train(0, step.into()));
            let x = g.variable(SHAPE, &input(step));
            let y = net.forward(&g, x);
            let weights = g.input(SHAPE, &uniform(50, SHAPE.iter().product()));
            let loss = g.sum(g.mul(y, weights));
            g.backward(loss);
            if step == 1 {
                assert_close(name, g.value(y), &numbers(&expected["y"]), 1e-5, 1e-6);
                assert_close(name, g.grad(x).unwrap(), &numbers(&expected["dx"]), 1e-5, 2e-6);
            }
        }
        for entry in params.entries() {
            let (what, values) = match entry.role {
                Role::Trainable => (format!("grad of {}", entry.name), params.grads()),
                _ => (format!("statistic {}", entry.name), params.values()),
            };
            let found = &values[entry.range.clone()];
            assert_close(&format!("{name}, {what}"), found, &numbers(&expected[&what]), 1e-5, 5e-6);
        }
        let g = tape.begin(&mut params, Mode::eval());
        let y = net.forward(&g, g.input(SHAPE, &input(2)));
        assert_close(
            &format!("{name} in evaluation"),
            g.value(y),
            &numbers(&expected["evaluation"]),
            1e-5,
            1e-6,
        );
    }
}

fn network() -> Sequential {
    Sequential::new()
        .add(BatchNorm2d::new(6).momentum(None))
        .add(GroupNorm::new(3, 6))
        .add(BatchNorm2d::new(6).affine(false))
        .add(LayerNorm::new([5]))
        .add(RMSNorm::new([5]))
        .add(InstanceNorm2d::new(6).affine(true).track_running_stats(true))
}

#[test]
fn a_count_of_batches_is_read_and_written_where_it_is_needed() {
    let (_net, mut params) = nn::build(network(), 0);
    weights::load(path("norms.safetensors"), &mut params).unwrap();
    let count = params.find("0.num_batches_tracked").unwrap();
    assert_eq!(params.value(count), [3.0]);
    assert_eq!(params.find("2.num_batches_tracked"), None);

    let dir = tempfile::tempdir().unwrap();
    let ours = dir.path().join("ours.safetensors");
    weights::save(&ours, &params, &[]).unwrap();
    let (found, theirs) = (Archive::open(&ours).unwrap(), Archive::open(path("norms.safetensors")).unwrap());
    // PyTorch takes the counts that are missing, of layers that do not need them, for 0.
    let unneeded = ["2.num_batches_tracked", "5.num_batches_tracked"];
    let theirs = theirs.tensors().filter(|tensor| !unneeded.contains(&tensor.name()));
    assert!(found.tensors().map(|tensor| tensor.to_string()).eq(theirs.map(|tensor| tensor.to_string())));
    let (_net, mut again) = nn::build(network(), 1);
    weights::load(&ours, &mut again).unwrap();
    assert_eq!(params.values(), again.values());

    // A file of before, and one of a layer that does not count: the count begins at 0.
    let (_net, without) = nn::build(Sequential::new().add(BatchNorm2d::new(6)), 0);
    weights::save(&ours, &without, &[]).unwrap();
    let (_net, mut params) = nn::build(Sequential::new().add(BatchNorm2d::new(6).momentum(None)), 0);
    let count = params.find("0.num_batches_tracked").unwrap();
    params.value_mut(count)[0] = 9.0;
    weights::load(&ours, &mut params).unwrap();
    assert_eq!(params.value(count), [0.0]);
}
