//! How the convolutions print: as PyTorch writes them.

use std::fmt;

/// The line of a convolution, piece by piece.
pub(crate) struct ConvText<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl<'a, 'f> ConvText<'a, 'f> {
    /// What is always there.
    pub(crate) fn new(
        f: &'a mut fmt::Formatter<'f>,
        name: &str,
        [in_channels, out_channels]: [usize; 2],
        kernel_size: &[usize],
        stride: &[usize],
    ) -> Result<Self, fmt::Error> {
        let (kernel_size, stride) = (tuple(kernel_size), tuple(stride));
        write!(f, "{name}({in_channels}, {out_channels}, kernel_size={kernel_size}, stride={stride}")?;
        Ok(Self(f))
    }

    /// An option, unless it has its default throughout.
    pub(crate) fn sizes(self, name: &str, sizes: &[usize], default: usize) -> Result<Self, fmt::Error> {
        if sizes.iter().any(|&size| size != default) {
            write!(self.0, ", {name}={}", tuple(sizes))?;
        }
        Ok(self)
    }

    /// An option that is a word.
    pub(crate) fn word(self, name: &str, word: &str) -> Result<Self, fmt::Error> {
        write!(self.0, ", {name}={word}")?;
        Ok(self)
    }

    /// The options that come last, and the bracket; `more` begins with a comma.
    pub(crate) fn finish(self, groups: usize, has_bias: bool, more: &str) -> fmt::Result {
        if groups != 1 {
            write!(self.0, ", groups={groups}")?;
        }
        if !has_bias {
            self.0.write_str(", bias=False")?;
        }
        write!(self.0, "{more})")
    }
}

/// Numbers as Python writes a tuple of them.
pub(crate) fn tuple(sizes: &[usize]) -> String {
    match sizes {
        [size] => format!("({size},)"),
        sizes => format!("({})", sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    }
}
