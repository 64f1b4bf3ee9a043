//! The networks that `--net` can name.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, ensure};
use data::ImageShape;
use nn::{Dropout, Flatten, GELU, Init, Linear, ReLU, Sequential, SiLU, models};
use serde::{Deserialize, Serialize};

use crate::tip;

/// A network by name, for images of any shape that fits; a file of weights stores the name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Net {
    /// `lecture`: the lecture's convolutional network; for rows of numbers its last two layers.
    #[default]
    Lecture,
    /// `lenet5`.
    LeNet5,
    /// `mlp:512,256`: a perceptron with hidden layers of these sizes; `mlp` alone has none.
    Mlp(Vec<usize>),
    /// `resnet20`.
    ResNet20,
    /// `resnet18`, in the variant for small images.
    ResNet18,
    /// `resnet18-imagenet`, as in torchvision.
    ResNet18ImageNet,
    /// `airbench94`, or `airbench:128,384,384` with blocks of other widths, or `airbench-silu:…` with SiLU.
    Airbench {
        /// The channels of the three blocks.
        widths: [usize; 3],
        /// Whether the activation is SiLU instead of GELU.
        silu: bool,
    },
    /// `depthwise`: a small network of depthwise-separable convolutions.
    Depthwise,
    /// `vit`: a small vision transformer.
    Vit,
}

/// The names, as text.
pub const NETS: &str = "lecture, lenet5, mlp:SIZES, resnet20, resnet18, resnet18-imagenet, airbench94, airbench:WIDTHS, \
                        airbench-silu:WIDTHS, depthwise and vit";

/// The names without sizes.
const NAMES: [&str; 11] = [
    "lecture",
    "lenet5",
    "mlp",
    "resnet20",
    "resnet18",
    "resnet18-imagenet",
    "airbench94",
    "airbench",
    "airbench-silu",
    "depthwise",
    "vit",
];

/// The widths of airbench94.
const AIRBENCH94: [usize; 3] = [64, 256, 256];

/// The most units of a layer that a name may request, and the most hidden layers.
const MAX_SIZE: usize = 65_536;
const MAX_HIDDEN: usize = 16;

/// The hidden layer of the lecture's network.
const LECTURE_HIDDEN: usize = 256;

impl Net {
    /// The network, not yet built, for images of this shape (1 × 1 × n for rows of n numbers) and this many
    /// classes; `dropout` applies to the lecture's.
    ///
    /// # Errors
    /// When the images do not fit it.
    pub fn network(&self, shape: ImageShape, n_classes: usize, dropout: f32) -> Result<Sequential> {
        let ImageShape { height, width, channels } = shape;
        let is_row = [height, width] == [1, 1];
        let image = [height, width, channels];
        if let (Self::Lecture, true) = (self, is_row) {
            return Ok(for_rows(channels, n_classes, dropout));
        }
        let smallest = self.smallest_side();
        ensure!(
            !is_row || smallest == 1,
            "--net {self} needs images, but the examples are rows of numbers; use --net mlp:256"
        );
        ensure!(
            height.min(width) >= smallest,
            "images of {height} × {width} are too small for the network {self}, expected {smallest} × {smallest} or more \
             (--image-size)"
        );
        ensure!(
            *self != Self::Vit || (height.is_multiple_of(4) && width.is_multiple_of(4)),
            "images of {height} × {width} do not fit the network {self}, expected multiples of 4 (--image-size)"
        );
        Ok(match self {
            Self::Lecture => models::lecture_cnn_for(image, n_classes, dropout),
            Self::LeNet5 => models::lenet5(image, n_classes),
            Self::Mlp(hidden) => models::mlp(image, hidden, n_classes),
            Self::ResNet20 => models::resnet20(image, n_classes),
            Self::ResNet18 => models::resnet18(image, n_classes),
            Self::ResNet18ImageNet => models::resnet18_imagenet(image, n_classes),
            Self::Airbench { widths, silu: false } => {
                models::airbench(image, n_classes, *widths, GELU::default())
            }
            Self::Airbench { widths, silu: true } => models::airbench(image, n_classes, *widths, SiLU),
            Self::Depthwise => models::depthwise(image, n_classes),
            Self::Vit => models::vit(image, n_classes),
        })
    }

    /// The smallest side of an image in pixels.
    fn smallest_side(&self) -> usize {
        match self {
            Self::Mlp(_) => 1,
            Self::Lecture | Self::ResNet18ImageNet => 8,
            Self::LeNet5 => 12,
            Self::Airbench { .. } => 9,
            Self::ResNet20 | Self::ResNet18 | Self::Depthwise | Self::Vit => 4,
        }
    }
}

/// The lecture's network without its convolutions.
fn for_rows(n_numbers: usize, n_classes: usize, dropout: f32) -> Sequential {
    let linear = |i, o| Linear::new(i, o).weight_init(Init::HeUniform).bias_value(0.0);
    Sequential::new()
        .add(Flatten)
        .add(linear(n_numbers, LECTURE_HIDDEN))
        .add(ReLU)
        .add(Dropout::new(dropout))
        .add(linear(LECTURE_HIDDEN, n_classes))
}

impl FromStr for Net {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = |name: &str| {
            // A known name is wrong with sizes, or without.
            let tip =
                if text.contains(':') && NAMES.contains(&name) { String::new() } else { tip(name, NAMES) };
            format!("expected one of the networks {NETS}, as in mlp:512,256{tip}")
        };
        let (name, sizes) = match text.split_once(':') {
            Some((name, sizes)) => (name, sizes.split(',').map(size).collect::<Result<Vec<_>, _>>()?),
            None => (text, vec![]),
        };
        let widths = |silu| match sizes[..] {
            [a, b, c] => Ok(Self::Airbench { widths: [a, b, c], silu }),
            _ => Err(format!("expected three widths, as in {name}:64,256,256")),
        };
        match (name, text.contains(':')) {
            ("mlp", _) if sizes.len() > MAX_HIDDEN => Err(format!("expected at most {MAX_HIDDEN} sizes")),
            ("mlp", _) => Ok(Self::Mlp(sizes)),
            ("airbench", true) => widths(false),
            ("airbench-silu", true) => widths(true),
            ("lecture", false) => Ok(Self::Lecture),
            ("lenet5", false) => Ok(Self::LeNet5),
            ("resnet20", false) => Ok(Self::ResNet20),
            ("resnet18", false) => Ok(Self::ResNet18),
            ("resnet18-imagenet", false) => Ok(Self::ResNet18ImageNet),
            ("airbench94", false) => Ok(Self::Airbench { widths: AIRBENCH94, silu: false }),
            ("depthwise", false) => Ok(Self::Depthwise),
            ("vit", false) => Ok(Self::Vit),
            _ => Err(unknown(name)),
        }
    }
}

fn size(text: &str) -> Result<usize, String> {
    let size = text.parse().ok().filter(|size| (1..=MAX_SIZE).contains(size));
    size.ok_or_else(|| format!("expected sizes from 1 to {MAX_SIZE} separated by commas, as in mlp:512,256"))
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |sizes: &[usize]| sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        match self {
            Self::Lecture => f.write_str("lecture"),
            Self::LeNet5 => f.write_str("lenet5"),
            Self::Mlp(hidden) if hidden.is_empty() => f.write_str("mlp"),
            Self::Mlp(hidden) => write!(f, "mlp:{}", list(hidden)),
            Self::ResNet20 => f.write_str("resnet20"),
            Self::ResNet18 => f.write_str("resnet18"),
            Self::ResNet18ImageNet => f.write_str("resnet18-imagenet"),
            Self::Airbench { widths: AIRBENCH94, silu: false } => f.write_str("airbench94"),
            Self::Airbench { widths, silu: false } => write!(f, "airbench:{}", list(widths)),
            Self::Airbench { widths, silu: true } => write!(f, "airbench-silu:{}", list(widths)),
            Self::Depthwise => f.write_str("depthwise"),
            Self::Vit => f.write_str("vit"),
        }
    }
}

impl TryFrom<String> for Net {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Net> for String {
    fn from(net: Net) -> Self {
        net.to_string()
    }
}

#[cfg(test)]
mod tests {
    use autograd::{Mode, Tape};
    use nn::Layer;

    use super::*;

    const SPELLED: [&str; 12] = [
        "lecture",
        "lenet5",
        "mlp",
        "mlp:5,3",
        "resnet20",
        "resnet18",
        "resnet18-imagenet",
        "airbench94",
        "airbench:8,16,12",
        "airbench-silu:64,256,256",
        "depthwise",
        "vit",
    ];

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in SPELLED {
            let net: Net = name.parse().unwrap();
            assert_eq!(net.to_string(), name);
            let json = serde_json::to_string(&net).unwrap();
            assert_eq!((json.clone(), serde_json::from_str(&json).unwrap()), (format!("{name:?}"), net));
        }
        for (name, expected) in [
            ("resnet50", "expected one of the networks lecture, lenet5, "),
            ("resnet18:64", "expected one of the networks lecture, "),
            ("", "expected one of the networks lecture, "),
            ("mlp:", "expected sizes from 1 to 65536"),
            ("mlp:0", "expected sizes from 1 to 65536"),
            ("mlp:5,99999", "expected sizes from 1 to 65536"),
            ("mlp:1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", "expected at most 16 sizes"),
            ("airbench:64,256", "expected three widths, as in airbench:64,256,256"),
            ("airbench", "expected one of the networks lecture, "),
        ] {
            let error = name.parse::<Net>().unwrap_err();
            assert!(error.starts_with(expected), "{name}: {error}");
        }
        for (name, meant) in
            [("restnet18", "resnet18"), ("ViT", "vit"), ("airbench", "airbench94"), ("mpl:5", "mlp")]
        {
            let error = name.parse::<Net>().unwrap_err();
            assert!(error.ends_with(&format!("; did you mean {meant}?")), "{name}: {error}");
        }
        assert!(!"resnet18:64".parse::<Net>().unwrap_err().contains("did you mean"));
    }

    /// Every network runs at its smallest side, and one pixel less is rejected.
    #[test]
    fn every_network_takes_the_sizes_that_it_says_and_no_smaller_ones() {
        for name in SPELLED {
            let net: Net = name.parse().unwrap();
            let side = net.smallest_side();
            let shape = ImageShape { height: side, width: side + 4, channels: 1 };
            let (network, mut params) = nn::build(net.network(shape, 3, 0.5).unwrap(), 0);
            let mut tape = Tape::new();
            let g = tape.begin(&mut params, Mode::eval());
            let y = network.forward(&g, g.input([2, side, side + 4, 1], &vec![0.5; 2 * side * (side + 4)]));
            assert_eq!(g.shape(y).dims(), [2, 3], "{name}");
            if side > 1 {
                let too_small = ImageShape { height: side - 1, ..shape };
                let error = net.network(too_small, 3, 0.5).unwrap_err().to_string();
                assert!(error.contains("too small for the network") && error.contains(name), "{error}");
            }
        }
        let odd = ImageShape { height: 30, width: 32, channels: 3 };
        let error = Net::Vit.network(odd, 3, 0.5).unwrap_err().to_string();
        assert!(error.contains("expected multiples of 4"), "{error}");
    }

    #[test]
    fn rows_of_numbers_are_for_perceptrons() {
        let row = ImageShape { height: 1, width: 1, channels: 7 };
        for name in SPELLED {
            let net: Net = name.parse().unwrap();
            let takes_rows = matches!(net, Net::Lecture | Net::Mlp(_));
            assert_eq!(net.network(row, 3, 0.5).is_ok(), takes_rows, "{name}");
        }
        let (_, params) = nn::build(Net::Lecture.network(row, 3, 0.5).unwrap(), 0);
        assert_eq!(params.values().len(), 8 * 256 + 257 * 3);
    }
}
