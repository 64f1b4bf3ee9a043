//! Losses: the formula and slopes of each for an element or a row, and how the losses of a batch are reduced.

mod cross_entropy;
mod elements;
mod embedding;
mod margin;
mod probability;
mod reduction;
mod regression;
mod rows;

pub use cross_entropy::{CrossEntropyOptions, NllOptions, Target};
pub use embedding::{CosineEmbeddingOptions, TripletMarginOptions};
pub use margin::{HingeEmbeddingOptions, MarginRankingOptions, MultiMarginOptions};
pub use probability::{BceOptions, BceWithLogitsOptions, KlDivOptions};
pub use reduction::Reduction;
pub use regression::{GaussianNllOptions, PoissonNllOptions, SmoothL1Options};

/// Lets a loss that takes options also take just a reduction, with defaults for the other options.
macro_rules! options_of_a_reduction {
    ($($Options:ident),+ $(,)?) => {$(
        impl From<Reduction> for $Options {
            fn from(reduction: Reduction) -> Self {
                Self { reduction, ..Self::default() }
            }
        }
    )+};
}

options_of_a_reduction! {
    BceOptions, BceWithLogitsOptions, CosineEmbeddingOptions, CrossEntropyOptions, GaussianNllOptions,
    HingeEmbeddingOptions, KlDivOptions, MarginRankingOptions, MultiMarginOptions, NllOptions, PoissonNllOptions,
    SmoothL1Options, TripletMarginOptions,
}
