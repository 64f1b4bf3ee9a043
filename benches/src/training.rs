//! Training steps and predictions through the framework's public interface, as a user would write them.

use anyhow::Result;
use autograd::{CrossEntropyOptions, Mode, Params, Reduction, Tape};
use bench_protocol::{Model, Network};
use optim::{Adam, AdamW, Groups, Muon, Norm, Optimizer, Param, Sgd, clip_norm};

use crate::nets::{Inputs, Net};

/// A network in training.
pub struct Training {
    net: Net,
    params: Params,
    tape: Tape,
    optimizer: Optimizer<f32>,
    recipe: Recipe,
    step: u64,
}

/// What a step does besides forward, backward and update.
#[derive(Debug, Clone, Copy, Default)]
struct Recipe {
    loss: CrossEntropyOptions,
    /// The norm to which the gradient is clipped.
    max_norm: Option<f64>,
}

/// A network for prediction.
pub struct Inference {
    net: Net,
    params: Params,
    tape: Tape,
}

impl Training {
    /// Creates the network with the initial weights that all drivers share.
    ///
    /// # Errors
    /// If the optimizer refuses a hyperparameter.
    pub fn new(spec: &Network) -> Result<Self> {
        let (net, params) = Net::of_network(spec);
        let adam = Adam { lr: spec.lr, weight_decay: spec.weight_decay, ..Adam::default() };
        let optimizer = Optimizer::new(adam, &params)?;
        Ok(Self { net, params, tape: Tape::new(), optimizer, recipe: Recipe::default(), step: 0 })
    }

    /// The same for a larger network, trained by the rules given in [`Model`].
    ///
    /// # Errors
    /// If the optimizer refuses a hyperparameter.
    pub fn of_model(model: Model) -> Result<Self> {
        let (net, mut params) = Net::of_model(model);
        let mut recipe = Recipe::default();
        let optimizer = match model {
            Model::Airbench94 => {
                recipe.loss.label_smoothing = 0.2;
                recipe.loss.reduction = Reduction::Sum;
                params.freeze("whiten.weight")?;
                let sgd =
                    Sgd { lr: 1e-4, momentum: 0.85, weight_decay: 0.004, nesterov: true, ..Sgd::default() };
                let muon = Muon {
                    lr: 0.01,
                    momentum: 0.6,
                    weight_decay: 0.0,
                    ns_steps: 3,
                    rescale_every: 1,
                    ..Muon::default()
                };
                let is_filter = |param: &Param| param.shape.len() == 4;
                Optimizer::with_groups(Groups::new(sgd, &params).rule(is_filter, muon))?
            }
            Model::ResNet18 | Model::Depthwise => {
                let sgd =
                    Sgd { lr: 1e-3, momentum: 0.9, weight_decay: 5e-4, nesterov: true, ..Sgd::default() };
                Optimizer::new(sgd, &params)?
            }
            Model::Transformer => {
                recipe.max_norm = Some(1.0);
                Optimizer::new(AdamW { lr: 1e-4, weight_decay: 0.01, ..AdamW::default() }, &params)?
            }
        };
        Ok(Self { net, params, tape: Tape::new(), optimizer, recipe, step: 0 })
    }

    /// Returns the weights and the gradients of the last step.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Runs forward, backward and update on a batch: `[n, 32, 32, 3]` for images, `[n, features]` for an MLP,
    /// tokens for text. Returns the mean loss per label.
    pub fn step<'a>(&mut self, inputs: impl Into<Inputs<'a>>, labels: &[u32]) -> f32 {
        let (inputs, Recipe { loss: options, max_norm }) = (inputs.into(), self.recipe);
        let mode = Mode::train(0, self.step).of_images(self.net.n_items(labels.len()));
        let loss = self.tape.step(&mut self.params, mode, |g| {
            let logits = self.net.forward(g, inputs, labels.len());
            g.cross_entropy_with(logits, g.indices(labels), options)
        });
        if let Some(max_norm) = max_norm {
            clip_norm(&mut self.params, max_norm, Norm::L2);
        }
        self.optimizer.step(&mut self.params);
        self.step += 1;
        if options.reduction == Reduction::Sum { loss / labels.len() as f32 } else { loss }
    }
}

impl Inference {
    /// Creates the network with the initial weights that all drivers share.
    pub fn new(spec: &Network) -> Self {
        let (net, params) = Net::of_network(spec);
        Self { net, params, tape: Tape::new() }
    }

    /// The same for a larger network.
    pub fn of_model(model: Model) -> Self {
        let (net, params) = Net::of_model(model);
        Self { net, params, tape: Tape::new() }
    }

    /// Computes the logits of a batch with `n_labels` in evaluation mode and passes them to `read`.
    pub fn predict<'a, R>(
        &mut self,
        inputs: impl Into<Inputs<'a>>,
        n_labels: usize,
        read: impl FnOnce(&[f32]) -> R,
    ) -> R {
        let g = self.tape.evaluate(&self.params);
        let logits = self.net.forward(&g, inputs.into(), n_labels);
        read(g.value(logits))
    }
}

/// Reorders planes `[n, 3, 1024]`, the layout of CIFAR's files, to `[n, 1024, 3]`, that of this project's
/// images.
pub fn nhwc(planes: &[f32]) -> Vec<f32> {
    let image = |planes: &[f32]| -> Vec<f32> {
        (0..1024).flat_map(|pixel| [planes[pixel], planes[1024 + pixel], planes[2048 + pixel]]).collect()
    };
    planes.chunks_exact(3072).flat_map(image).collect()
}
/// The mean of −ln softmax(logits)[label] over the rows of `logits`, one per label.
pub fn mean_cross_entropy(logits: &[f32], labels: &[u32]) -> f32 {
    let row_loss = |(row, &label): (&[f32], &u32)| {
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = row.iter().map(|logit| f64::from(logit - max).exp()).sum();
        sum.ln() + f64::from(max - row[label as usize])
    };
    let rows = logits.chunks_exact(logits.len() / labels.len());
    (rows.zip(labels).map(row_loss).sum::<f64>() / labels.len() as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_protocol::{Work, uniform};

    use crate::Kind;

    #[test]
    fn the_networks_have_the_sizes_of_their_plan_and_learn() -> Result<()> {
        for work in [Work::CnnCheck, Work::MlpTrain, Work::TinyTrain] {
            let spec = Network { lr: 1e-3, ..Network::of(work).expect("a network") };
            let mut training = Training::new(&spec)?;
            assert_eq!(training.params.values().len(), spec.n_parameters());
            let inputs = uniform(1, 16 * spec.n_inputs(), 1.0);
            let labels: Vec<u32> = (0..16).map(|i| i % 10).collect();
            let first = training.step(&inputs[..], &labels);
            let last = (0..30).map(|_| training.step(&inputs[..], &labels)).last().expect("steps");
            assert!(last < 0.8 * first, "{work}: {first} and then {last}");
        }
        Ok(())
    }

    /// The first loss of `cnn-check` in PyTorch 2.15 on these inputs: `pytorch.py`'s network, cross-entropy of
    /// `uniform(1, (16, 3, 32, 32), 1)` with the labels 0, 1, … 9, 0, ….
    #[test]
    fn the_weights_lie_where_pytorch_has_them() -> Result<()> {
        let spec = Network::of(Work::CnnCheck).expect("a network");
        let inputs = nhwc(&uniform(1, 16 * 3072, 1.0));
        let labels: Vec<u32> = (0..16).map(|i| i % 10).collect();
        let loss = Training::new(&spec)?.step(&inputs[..], &labels);
        assert!((loss - PYTORCH_LOSS).abs() < 1e-4, "{loss}");
        Ok(())
    }

    const PYTORCH_LOSSES: [(Model, [f32; 3]); 4] = [
        (Model::Airbench94, [2.300_296, 2.268_951, 2.299_89]),
        (Model::ResNet18, [3.192_342, 1.891_811, 24.190_14]),
        (Model::Depthwise, [2.479_821, 2.467_318, 2.432_022]),
        (Model::Transformer, [6.564_754, 6.267_386, 6.564_754]),
    ];

    /// Some tokens.
    fn tokens(n: usize) -> Vec<u32> {
        uniform(2, n, 1.0).iter().map(|u| ((u + 1.0) * 128.0) as u32).collect()
    }

    const PYTORCH_LOSS: f32 = 5.111_858;

    #[test]
    fn prediction_does_not_drop() {
        let spec = Network::cnn();
        let inputs = uniform(1, 3 * 3072, 1.0);
        let mut net = Inference::new(&spec);
        let first = net.predict(&inputs[..], 3, <[f32]>::to_vec);
        assert_eq!(first.len(), 30);
        assert_eq!(net.predict(&inputs[..], 3, <[f32]>::to_vec), first);
    }

    /// A model's loss on 8 images, or 2 windows, before and after a step and in evaluation mode before it, as
    /// computed by `benches/peers/pytorch.py` in PyTorch 2.15 (`eager`, with the same inputs and labels).
    #[test]
    fn the_larger_networks_are_those_of_pytorch() -> Result<()> {
        for (model, losses) in PYTORCH_LOSSES {
            let (values, tokens) = (nhwc(&uniform(1, 8 * 3072, 1.0)), tokens(2 * 64));
            let (inputs, labels) = match Kind::from(model) {
                Kind::Text => (Inputs::Tokens(&tokens), tokens.iter().map(|token| token / 2).collect()),
                _ => (Inputs::Values(&values), (0..8).collect::<Vec<u32>>()),
            };
            let mut training = Training::of_model(model)?;
            let evaluated = Inference::of_model(model)
                .predict(inputs, labels.len(), |logits| mean_cross_entropy(logits, &labels));
            let found = [training.step(inputs, &labels), training.step(inputs, &labels), evaluated];
            for (found, expected) in found.into_iter().zip(losses) {
                assert!((found - expected).abs() < 1e-4 * expected, "{model:?}: {found}, not {expected}");
            }
        }
        Ok(())
    }
}
