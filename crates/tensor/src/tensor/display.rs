//! Printing tensors as PyTorch does: nested brackets, aligned numbers, the middle of long axes omitted.

use std::fmt;

use super::Tensor;

/// For tensors with more elements, only the ends of the axes are shown.
const SUMMARY_THRESHOLD: usize = 1000;

/// Entries shown at each end of an axis in a summary.
const EDGE_ITEMS: usize = 3;

impl fmt::Display for Tensor {
    /// Writes four decimals, or the number given by the format's precision (`{:.2}`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let style = Style::new(self, f.precision().unwrap_or(4));
        write_axes(f, self, &style, 0, 0, 0)
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor {}\n{self}", self.shape)
    }
}

/// How the numbers of one tensor are written: all in the same notation, padded to the width of the widest.
struct Style {
    notation: Notation,
    width: usize,
}

#[derive(Clone, Copy)]
enum Notation {
    /// Whole numbers with a trailing point.
    Integer,
    Decimal(usize),
    Scientific(usize),
}

impl Style {
    fn new(tensor: &Tensor, precision: usize) -> Self {
        let finite = || tensor.data.iter().copied().filter(|v| v.is_finite());
        let nonzero = || finite().map(f32::abs).filter(|&v| v > 0.0);
        let (min, max) = (nonzero().fold(f32::INFINITY, f32::min), nonzero().fold(0.0, f32::max));
        // PyTorch's rules.
        let notation = match finite().all(|v| v.fract() == 0.0) {
            true if max < 1e8 => Notation::Integer,
            false if max < 1e8 && min >= 1e-4 && max / min <= 1e3 => Notation::Decimal(precision),
            _ => Notation::Scientific(precision),
        };
        let mut style = Self { notation, width: 0 };
        style.width = tensor.data.iter().map(|&v| style.text(v).len()).max().unwrap_or(0);
        style
    }

    fn text(&self, v: f32) -> String {
        match self.notation {
            _ if !v.is_finite() => v.to_string(),
            Notation::Integer => format!("{v}."),
            Notation::Decimal(precision) => format!("{v:.precision$}"),
            Notation::Scientific(precision) => format!("{v:.precision$e}"),
        }
    }
}

/// Writes the elements from `start` on that belong to `axis` and the axes after it.
fn write_axes(
    f: &mut fmt::Formatter<'_>,
    tensor: &Tensor,
    style: &Style,
    axis: usize,
    start: usize,
    indent: usize,
) -> fmt::Result {
    let (shape, width) = (tensor.shape, style.width);
    let Some(&n) = shape.get(axis) else {
        return write!(f, "{:>width$}", style.text(tensor.data[start]));
    };
    let summarised = shape.numel() > SUMMARY_THRESHOLD && n > 2 * EDGE_ITEMS;
    let innermost = axis + 1 == shape.rank();
    write!(f, "[")?;
    let mut idx = 0;
    while idx < n {
        if idx > 0 && innermost {
            write!(f, ", ")?;
        } else if idx > 0 {
            // A blank line between blocks of more than one axis.
            write!(f, ",{:\n<1$}{2:3$}", "", shape.rank() - axis - 1, "", indent + 1)?;
        }
        if summarised && idx == EDGE_ITEMS {
            write!(f, "...")?;
            idx = n - EDGE_ITEMS;
            continue;
        }
        write_axes(f, tensor, style, axis + 1, start + idx * shape.strides()[axis], indent + 1)?;
        idx += 1;
    }
    write!(f, "]")
}
