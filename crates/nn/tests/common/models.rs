//! Networks filled as `pytorch/record_models.py` does; the tests of `descent` fine-tune from such a file.

use autograd::Params;

use super::common::uniform;

/// Every entry filled as the script fills it.
pub(crate) fn fill(params: &mut Params) {
    for (position, id) in params.ids().enumerate() {
        let entry = params.entry(id).clone();
        let values = params.value_mut(id);
        let numbers = uniform(position as u32, values.len());
        let is_factor = entry.name.ends_with("running_var") || entry.name.ends_with("weight");
        let (start, spread) = match entry.shape.rank() {
            2.. => (0.0, (6.0 / entry.shape[1..].iter().product::<usize>() as f64).sqrt() as f32),
            _ if is_factor => (1.0, 0.25),
            _ => (0.0, 0.1),
        };
        values.iter_mut().zip(numbers).for_each(|(w, u)| *w = start + spread * u);
    }
}
