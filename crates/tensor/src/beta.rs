//! `Beta`: whether a kernel overwrites its output or adds to it.

/// The β of `c = β·c + a·b`, restricted to the two values that training needs.
///
/// The first write to a gradient overwrites it, later ones accumulate, so that no pass over memory is needed
/// for zeroing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Beta {
    /// Overwrite: the previous contents of the output, NaN included, are not read.
    Zero,
    /// Add to the contents of the output.
    One,
}

impl Beta {
    /// Returns 0 or 1.
    pub fn as_f32(self) -> f32 {
        match self {
            Beta::Zero => 0.0,
            Beta::One => 1.0,
        }
    }

    /// Prepares `dst` for kernels that only add: zeroes it for `Zero`, leaves it unchanged for `One`.
    pub fn prepare(self, dst: &mut [f32]) {
        if self == Beta::Zero {
            dst.fill(0.0);
        }
    }
}
