//! The block of the small residual networks.

use autograd::{Graph, Var};

use crate::config::{Args, Describe, described};
use crate::init::Init;
use crate::layer::{Child, Layer, Scope};
use crate::layers::{BatchNorm2d, Conv2d, ReLU};
use crate::sequential::Sequential;

/// Two 3 × 3 convolutions with batch norm and a shortcut: `y = relu(bn2(conv2(relu(bn1(conv1(x))))) + x)`;
/// torchvision's `BasicBlock`, with its names `conv1`, `bn1`, `conv2`, `bn2` and `downsample`. He et al.,
/// "Deep Residual Learning for Image Recognition", 2015.
///
/// `[n, h, w, in_channels]` to `[n, h / stride, w / stride, out_channels]`, sizes rounded up. If the shape
/// changes, the shortcut is `downsample`, a 1 × 1 convolution with the stride and a batch norm. Convolution
/// weights are normal with variance 2 / fan_out.
///
/// ```
/// use nn::{BasicBlock, Layer, Sequential};
/// let stage = Sequential::new().add(BasicBlock::new(16, 32, 2)).add(BasicBlock::new(32, 32, 1));
/// let (stage, params) = nn::build(stage, 0);
/// assert!(params.find("0.downsample.0.weight").is_some());
/// assert_eq!(stage.summary(&params, [2, 8, 8, 16]).rows.last().unwrap().output.dims(), [2, 4, 4, 32]);
/// ```
#[derive(Clone)]
#[must_use]
pub struct BasicBlock {
    /// Its layers keep their own names, as if they were direct children of the block.
    body: Sequential,
    downsample: Option<Child>,
}

impl BasicBlock {
    /// Creates a block whose first convolution has this stride.
    pub fn new(in_channels: usize, out_channels: usize, stride: usize) -> Self {
        let conv = |i, o, size| Conv2d::new(i, o, size).bias(false).weight_init(Init::HeNormalFanOut);
        let body = Sequential::new()
            .add_named("conv1", conv(in_channels, out_channels, 3).stride(stride).padding(1))
            .add_named("bn1", BatchNorm2d::new(out_channels))
            .add_named("relu", ReLU)
            .add_named("conv2", conv(out_channels, out_channels, 3).padding(1))
            .add_named("bn2", BatchNorm2d::new(out_channels));
        let downsample = (stride != 1 || in_channels != out_channels).then(|| {
            let conv = conv(in_channels, out_channels, 1).stride(stride);
            let around = Sequential::new().add(conv).add(BatchNorm2d::new(out_channels));
            Child::new("downsample", Box::new(around) as Box<dyn Layer>)
        });
        Self { body, downsample }
    }
}

impl Layer for BasicBlock {
    fn register(&mut self, scope: &mut Scope<'_>) {
        self.body.register(scope);
        self.downsample.iter_mut().for_each(|downsample| scope.layer(downsample));
    }

    fn child(&self, name: &str) -> Option<&dyn Layer> {
        match &self.downsample {
            Some(downsample) if name == downsample.name => Some(&*downsample.layer),
            _ => self.body.child(name),
        }
    }

    fn forward(&self, g: &Graph<'_>, x: Var) -> Var {
        let y = self.body.forward(g, x);
        let x = self.downsample.as_ref().map_or(x, |downsample| downsample.forward(g, x));
        if self.body.may_fuse(g) { g.add_relu(y, x) } else { g.relu(g.add(y, x)) }
    }
}

impl Describe for BasicBlock {
    const NAME: &str = "BasicBlock";

    fn blank() -> Self {
        Self { body: Sequential::new(), downsample: None }
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.optional_child("downsample", &mut self.downsample);
        args.children(&mut self.body.children);
    }
}

described!(BasicBlock);
