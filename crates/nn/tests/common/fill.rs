//! Parameters filled as `pytorch/record.py` does.

use autograd::{Params, Role};

use crate::common::uniform;

/// Weights in He's uniform bounds, biases within 0.05; the stream is the position.
pub(crate) fn fill(params: &mut Params) {
    let trainable: Vec<_> = params.ids().filter(|&id| params.entry(id).role == Role::Trainable).collect();
    for (position, id) in trainable.into_iter().enumerate() {
        let shape = params.entry(id).shape;
        let fan_in: usize = shape[1..].iter().product();
        let bound = if shape.rank() > 1 { (6.0 / fan_in as f64).sqrt() as f32 } else { 0.05 };
        let values = uniform(position as u32, shape.numel());
        params.value_mut(id).iter_mut().zip(values).for_each(|(w, u)| *w = u * bound);
    }
}
