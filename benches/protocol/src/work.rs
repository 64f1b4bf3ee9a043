//! The names of the work a driver can be asked for.

use std::fmt::{self, Display};
use std::str::FromStr;

use crate::Model;

/// A piece of work; its `size` is given beside it when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Work {
    /// A training step of the lecture's CNN: forward, backward, Adam. Size: images a batch.
    CnnTrain,
    /// The same without dropout and with a small learning rate, so that the losses of all drivers must agree.
    CnnCheck,
    /// Forward of the CNN in evaluation mode, without a graph. Size: images a batch.
    CnnInfer,
    /// An epoch as a user writes it, from the files to the weights. Size: images a batch.
    CnnEpoch,
    /// A training step of a 784-512-512-10 multilayer perceptron (MLP). Size: images a batch.
    MlpTrain,
    /// A training step of an MLP with 1,001 parameters: what the framework itself costs. Size: samples.
    TinyTrain,
    /// A larger network, trained or evaluated. Size: images (or windows of text) a batch.
    Model(Model, Pass),
    /// One pass of one 3×3 convolution with padding 1. Size: images a batch.
    Conv(ConvPass, ConvSize),
    /// One update of an optimizer. Size: parameters.
    Optimizer(Rule),
    /// One tensor operation. Size: elements (the side of the matrices for `matmul`).
    Tensor(TensorOp),
    /// What the machine can do at most.
    Probe(Probe),
}

/// What is done with a [`Model`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pass {
    /// A whole training step: forward, backward and update.
    Train,
    /// Forward in evaluation mode, without a graph.
    Infer,
}

/// The ceilings of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Probe {
    /// Fused multiply-adds on registers. Size: millions of floating-point operations, over all threads.
    Fma,
    /// Products of bf16 tiles, where the processor has AMX. Size: as of `Fma`.
    Amx,
    /// Copies between arrays that fit no cache. Size: bytes copied, over all threads.
    Copy,
}

/// The three passes of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum ConvPass {
    Forward,
    InputGradient,
    WeightGradient,
}

/// A square image of `side` × `side` pixels, and the channels before and after the convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub struct ConvSize {
    pub side: usize,
    pub in_channels: usize,
    pub out_channels: usize,
}

/// Update rules, with PyTorch's defaults; SGD with momentum 0.9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Rule {
    Sgd,
    Adam,
    AdamW,
}

/// Operations that any tensor library has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TensorOp {
    /// `a + b` of two vectors.
    Add,
    /// `exp(a)` of a vector.
    Exp,
    /// The sum of a vector.
    Sum,
    /// The product of two square matrices.
    Matmul,
    /// A contiguous copy of the transpose of a square matrix; the size is the number of elements.
    Transpose,
}

/// A name that is no work.
#[derive(Debug, PartialEq, Eq)]
pub struct UnknownWork(String);

const NAMED: [(&str, Work); 25] = [
    ("cnn-train", Work::CnnTrain),
    ("cnn-check", Work::CnnCheck),
    ("cnn-infer", Work::CnnInfer),
    ("cnn-epoch", Work::CnnEpoch),
    ("mlp-train", Work::MlpTrain),
    ("tiny-train", Work::TinyTrain),
    ("airbench94-train", Work::Model(Model::Airbench94, Pass::Train)),
    ("airbench94-infer", Work::Model(Model::Airbench94, Pass::Infer)),
    ("resnet18-train", Work::Model(Model::ResNet18, Pass::Train)),
    ("resnet18-infer", Work::Model(Model::ResNet18, Pass::Infer)),
    ("depthwise-train", Work::Model(Model::Depthwise, Pass::Train)),
    ("depthwise-infer", Work::Model(Model::Depthwise, Pass::Infer)),
    ("transformer-train", Work::Model(Model::Transformer, Pass::Train)),
    ("transformer-infer", Work::Model(Model::Transformer, Pass::Infer)),
    ("optimizer:sgd", Work::Optimizer(Rule::Sgd)),
    ("optimizer:adam", Work::Optimizer(Rule::Adam)),
    ("optimizer:adamw", Work::Optimizer(Rule::AdamW)),
    ("tensor:add", Work::Tensor(TensorOp::Add)),
    ("tensor:exp", Work::Tensor(TensorOp::Exp)),
    ("tensor:sum", Work::Tensor(TensorOp::Sum)),
    ("tensor:matmul", Work::Tensor(TensorOp::Matmul)),
    ("tensor:transpose", Work::Tensor(TensorOp::Transpose)),
    ("probe:fma", Work::Probe(Probe::Fma)),
    ("probe:amx", Work::Probe(Probe::Amx)),
    ("probe:copy", Work::Probe(Probe::Copy)),
];

const PASSES: [(&str, ConvPass); 3] = [
    ("conv-forward", ConvPass::Forward),
    ("conv-input-gradient", ConvPass::InputGradient),
    ("conv-weight-gradient", ConvPass::WeightGradient),
];

impl ConvSize {
    /// The 3×3 convolutions of the airbench94 network, in order; the fourth and the fifth have the same shape.
    pub const AIRBENCH: [Self; 6] = [
        Self::new(31, 24, 64),
        Self::new(15, 64, 64),
        Self::new(15, 64, 256),
        Self::new(7, 256, 256),
        Self::new(7, 256, 256),
        Self::new(3, 256, 256),
    ];

    /// `side` × `side` pixels, `in_channels` to `out_channels`.
    pub const fn new(side: usize, in_channels: usize, out_channels: usize) -> Self {
        Self { side, in_channels, out_channels }
    }

    /// Floating-point operations of one pass on one image, taps on the padding counted: 2·9·side²·in·out.
    pub const fn flops(&self) -> usize {
        2 * 9 * self.side * self.side * self.in_channels * self.out_channels
    }
}

impl Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Conv(pass, ConvSize { side, in_channels, out_channels }) = self {
            let name = PASSES.iter().find(|(_, p)| p == pass).map_or("", |(name, _)| name);
            return write!(f, "{name}:{side}x{in_channels}x{out_channels}");
        }
        f.write_str(NAMED.iter().find(|(_, work)| work == self).map_or("", |(name, _)| name))
    }
}

impl FromStr for Work {
    type Err = UnknownWork;

    fn from_str(name: &str) -> Result<Self, UnknownWork> {
        let conv = || {
            let (pass, size) = name.split_once(':')?;
            let (_, pass) = PASSES.iter().find(|(name, _)| *name == pass)?;
            let numbers: Option<Vec<usize>> = size.split('x').map(|n| n.parse().ok()).collect();
            let [side, in_channels, out_channels] = numbers?.try_into().ok()?;
            Some(Self::Conv(*pass, ConvSize { side, in_channels, out_channels }))
        };
        let named = NAMED.iter().find(|(n, _)| *n == name).map(|(_, work)| *work);
        named.or_else(conv).ok_or_else(|| UnknownWork(name.to_owned()))
    }
}

impl Display for UnknownWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = NAMED.iter().map(|(n, _)| *n).chain(PASSES.iter().map(|(n, _)| *n)).collect();
        write!(f, "no such work: `{}`; there are {}", self.0, names.join(", "))
    }
}

impl std::error::Error for UnknownWork {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_convolution_reads_back_as_written(pass in 0..3_usize, size in [0..99_usize, 0..999, 0..999]) {
            let work = Work::Conv(PASSES[pass].1, ConvSize::new(size[0], size[1], size[2]));
            prop_assert_eq!(work.to_string().parse(), Ok(work));
        }

        #[test]
        fn other_text_is_no_work(text in "[a-z:x0-9-]{0,20}") {
            if let Ok(work) = text.parse::<Work>() {
                prop_assert_eq!(work.to_string(), text);
            }
        }
    }

    #[test]
    fn names_read_back_as_written_and_differ() {
        for (name, work) in NAMED {
            assert_eq!(name.parse(), Ok(work));
            assert_eq!(work.to_string(), name);
        }
    }
}
