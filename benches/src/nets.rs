//! The benchmark networks in this project's layers, with the initial weights that all drivers share.

#[path = "../../crates/nn/examples/transformer.rs"]
#[allow(dead_code, unreachable_pub, reason = "a whole program, of which the model is wanted")]
mod transformer;

use autograd::{Graph, ParamId, Params, Var};
use bench_protocol::{IMAGE_BYTES, Layer as Weighted, Model, Network, initial_entry};
use nn::{Dropout, Layer, Linear, ReLU, Sequential, models};
use transformer::{CONTEXT, CharacterModel};

/// The input of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Images, `[n, 32, 32, 3]`.
    Images,
    /// This many features, `[n, features]`.
    Features(usize),
    /// Windows of text.
    Text,
}

/// A batch.
#[derive(Debug, Clone, Copy)]
pub enum Inputs<'a> {
    /// Images or features, row by row.
    Values(&'a [f32]),
    /// Tokens, window by window; each has a label.
    Tokens(&'a [u32]),
}

impl<'a> From<&'a [f32]> for Inputs<'a> {
    fn from(values: &'a [f32]) -> Self {
        Self::Values(values)
    }
}

impl Kind {
    /// How many bytes of an image it uses.
    pub fn n_bytes(self) -> usize {
        match self {
            Self::Images => IMAGE_BYTES,
            Self::Features(n) => n,
            Self::Text => Model::WINDOW,
        }
    }
}

impl From<&Network> for Kind {
    fn from(spec: &Network) -> Self {
        match spec.layers[0] {
            Weighted::Conv { .. } => Self::Images,
            Weighted::Linear { in_features, .. } => Self::Features(in_features),
        }
    }
}

impl From<Model> for Kind {
    fn from(model: Model) -> Self {
        match model {
            Model::Airbench94 | Model::ResNet18 | Model::Depthwise => Self::Images,
            Model::Transformer => Self::Text,
        }
    }
}

/// A network of any kind.
pub(crate) enum Net {
    Values(Sequential, Kind),
    Text(Box<CharacterModel>),
}

impl Net {
    /// One of the first networks.
    pub(crate) fn of_network(spec: &Network) -> (Self, Params) {
        let kind = Kind::from(spec);
        let net = if kind == Kind::Images { models::lecture_cnn(spec.dropout as f32) } else { mlp(spec) };
        let (net, mut params) = nn::build(net, 0);
        // Weights and biases alternate, as in PyTorch's state_dict.
        let ids: Vec<_> = params.ids().collect();
        for (layer_idx, pair) in ids.chunks_exact(2).enumerate() {
            params.value_mut(pair[0]).copy_from_slice(&spec.initial_weight(layer_idx));
            params.value_mut(pair[1]).fill(0.0);
        }
        (Self::Values(net, kind), params)
    }

    /// One of the larger networks.
    pub(crate) fn of_model(model: Model) -> (Self, Params) {
        let image = [32, 32, 3];
        let of_images = |net: Sequential| {
            let (net, params) = nn::build(net, 0);
            (Self::Values(net, Kind::Images), params)
        };
        let (net, mut params) = match model {
            Model::Airbench94 => of_images(models::airbench94(image, 10)),
            Model::ResNet18 => of_images(models::resnet18(image, 10)),
            Model::Depthwise => of_images(models::depthwise(image, 10)),
            Model::Transformer => {
                let (net, params) = nn::build(CharacterModel::new(Model::N_TOKENS, 128, 4), 0);
                (Self::Text(Box::new(net)), params)
            }
        };
        for (idx, id) in params.ids().collect::<Vec<ParamId>>().into_iter().enumerate() {
            let entry = params.entry(id);
            let values = initial_entry(idx, &entry.name, entry.shape.dims());
            params.value_mut(id).copy_from_slice(&values);
        }
        (net, params)
    }

    /// The number of images or windows in a batch with this many labels.
    pub(crate) fn n_items(&self, n_labels: usize) -> usize {
        match self {
            Self::Values(..) => n_labels,
            Self::Text(_) => n_labels / CONTEXT,
        }
    }

    /// The logits, `[n_labels, classes]`.
    pub(crate) fn forward(&self, g: &Graph<'_>, inputs: Inputs<'_>, n_labels: usize) -> Var {
        match (self, inputs) {
            (Self::Values(net, Kind::Images), Inputs::Values(images)) => {
                net.forward(g, g.input([n_labels, 32, 32, 3], images))
            }
            (Self::Values(net, _), Inputs::Values(values)) => {
                net.forward(g, g.input([n_labels, values.len() / n_labels], values))
            }
            (Self::Text(net), Inputs::Tokens(tokens)) => {
                let logits = net.forward(g, g.tokens([n_labels / CONTEXT, CONTEXT], tokens));
                g.reshape(logits, [n_labels, Model::N_TOKENS])
            }
            _ => panic!("images for a network over text, or text for one over images"),
        }
    }
}

fn mlp(spec: &Network) -> Sequential {
    let mut net = Sequential::new();
    for (layer_idx, layer) in spec.layers.iter().enumerate() {
        let is_last = layer_idx + 1 == spec.layers.len();
        if is_last && spec.dropout > 0.0 {
            net = net.add(Dropout::new(spec.dropout as f32));
        }
        net = net.add(Linear::new(layer.fan_in(), layer.n_outputs()));
        if !is_last {
            net = net.add(ReLU);
        }
    }
    net
}
