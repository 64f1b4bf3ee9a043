//! Arguments as text.

use tensor::Shape;
use tensor::conv::Algorithm;

use crate::init::Init;

/// The value of an argument: a number, a name or sizes, written in Python's syntax.
pub trait Value: Sized {
    /// What is expected, for messages: `a whole number`.
    const EXPECTED: &str;

    /// Returns the text that [`read`](Self::read) parses.
    fn write(&self) -> String;

    /// Parses a text; `None` if it is not such a value.
    fn read(text: &str) -> Option<Self>;
}

impl Value for usize {
    const EXPECTED: &str = "a whole number";

    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Value for f32 {
    const EXPECTED: &str = "a number";

    fn write(&self) -> String {
        format!("{self:?}")
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Value for f64 {
    const EXPECTED: &str = f32::EXPECTED;

    fn write(&self) -> String {
        format!("{self:?}")
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Value for bool {
    const EXPECTED: &str = "True or False";

    fn write(&self) -> String {
        if *self { "True" } else { "False" }.to_owned()
    }

    fn read(text: &str) -> Option<Self> {
        match text {
            "True" | "true" => Some(true),
            "False" | "false" => Some(false),
            _ => None,
        }
    }
}

impl Value for String {
    const EXPECTED: &str = "a name";

    fn write(&self) -> String {
        format!("'{self}'")
    }

    fn read(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

/// Written as `(3, 3)`; a single number stands for all axes.
impl<T: Value + Copy, const N: usize> Value for [T; N] {
    const EXPECTED: &str = "a number, or one for each axis";

    fn write(&self) -> String {
        tuple(self)
    }

    fn read(text: &str) -> Option<Self> {
        match list(text) {
            Some(values) => values?.try_into().ok(),
            None => T::read(text).map(|value| [value; N]),
        }
    }
}

/// Written as `(8, 8, 16)` or `(8,)`.
impl<T: Value> Value for Vec<T> {
    const EXPECTED: &str = "numbers in brackets";

    fn write(&self) -> String {
        tuple(self)
    }

    fn read(text: &str) -> Option<Self> {
        list(text).unwrap_or_else(|| T::read(text).map(|value| vec![value]))
    }
}

/// Values as Python writes a tuple of them.
fn tuple<T: Value>(values: &[T]) -> String {
    let texts: Vec<String> = values.iter().map(T::write).collect();
    format!("({}{})", texts.join(", "), if texts.len() == 1 { "," } else { "" })
}

/// The values of a tuple, `None` if the text is not a tuple.
fn list<T: Value>(text: &str) -> Option<Option<Vec<T>>> {
    let list = text.strip_prefix('(')?.strip_suffix(')')?;
    Some(list.split(", ").filter(|text| !text.is_empty()).map(T::read).collect())
}

impl Value for Shape {
    const EXPECTED: &str = "sizes in brackets, at most six, of no more elements than memory can address";

    fn write(&self) -> String {
        tuple(self.dims())
    }

    fn read(text: &str) -> Option<Self> {
        let sizes: Vec<usize> = Value::read(text)?;
        Self::fits(&sizes).then(|| Self::new(&sizes))
    }
}

/// Sizes that are written as one number if all are equal: `3` for `(3, 3)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes<const N: usize>(pub [usize; N]);

impl<const N: usize> From<[usize; N]> for Sizes<N> {
    fn from(sizes: [usize; N]) -> Self {
        Self(sizes)
    }
}

impl<const N: usize> From<Sizes<N>> for [usize; N] {
    fn from(sizes: Sizes<N>) -> Self {
        sizes.0
    }
}

impl<const N: usize> Value for Sizes<N> {
    const EXPECTED: &str = <[usize; N]>::EXPECTED;

    fn write(&self) -> String {
        match self.0[..] {
            [first, ref rest @ ..] if rest.iter().all(|size| *size == first) => first.write(),
            _ => self.0.write(),
        }
    }

    fn read(text: &str) -> Option<Self> {
        Value::read(text).map(Self)
    }
}

/// One size written as a tuple, `(3,)`, as PyTorch prints sizes of one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct One(pub usize);

impl From<usize> for One {
    fn from(size: usize) -> Self {
        Self(size)
    }
}

impl From<One> for usize {
    fn from(size: One) -> Self {
        size.0
    }
}

impl Value for One {
    const EXPECTED: &str = usize::EXPECTED;

    fn write(&self) -> String {
        [self.0].write()
    }

    fn read(text: &str) -> Option<Self> {
        <[usize; 1]>::read(text).map(|[size]| Self(size))
    }
}

/// Written as `None` if there is no value.
impl<T: Value> Value for Option<T> {
    const EXPECTED: &str = T::EXPECTED;

    fn write(&self) -> String {
        self.as_ref().map_or("None".to_owned(), T::write)
    }

    fn read(text: &str) -> Option<Self> {
        if text == "None" { Some(None) } else { T::read(text).map(Some) }
    }
}

/// Values given by name: `names!(Type, "what is expected", { "name" => Type::Variant, … })`.
macro_rules! names {
    ($type:ty, $expected:literal, { $($name:literal => $value:path),+ $(,)? }) => {
        impl $crate::config::Value for $type {
            const EXPECTED: &str = $expected;

            fn write(&self) -> String {
                match self {
                    $($value => $name,)+
                }
                .to_owned()
            }

            fn read(text: &str) -> Option<Self> {
                match text {
                    $($name => Some($value),)+
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use names;

names!(Algorithm, "Auto, Im2col, Direct, Winograd or Depthwise", {
    "Auto" => Self::Auto,
    "Im2col" => Self::Im2col,
    "Direct" => Self::Direct,
    "Winograd" => Self::Winograd,
    "Depthwise" => Self::Depthwise,
});

impl Value for Init {
    const EXPECTED: &str = "a number, Default, HeUniform, HeNormal, HeNormalFanOut, Dirac, UnitVariance, XavierUniform or XavierNormal";

    fn write(&self) -> String {
        match self {
            Self::Constant(value) => value.write(),
            named => format!("{named:?}"),
        }
    }

    fn read(text: &str) -> Option<Self> {
        Some(match text {
            "Default" => Self::Default,
            "HeUniform" => Self::HeUniform,
            "HeNormal" => Self::HeNormal,
            "HeNormalFanOut" => Self::HeNormalFanOut,
            "Dirac" => Self::Dirac,
            "UnitVariance" => Self::UnitVariance,
            "XavierUniform" => Self::XavierUniform,
            "XavierNormal" => Self::XavierNormal,
            number => Self::Constant(number.parse().ok()?),
        })
    }
}
