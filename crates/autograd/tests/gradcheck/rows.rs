//! The table of the gradient check: a row for every op, by kind, and for what is recorded as other ops. Other tests run
//! over it too.

#[path = "../common/activations.rs"]
pub(crate) mod activations;
mod axes;
pub(crate) mod case;
mod compositions;
mod elementwise;
mod layout;
mod losses;
mod network;
mod norms;
mod products;
mod recurrent;
mod selection;
mod sequences;
mod spatial;

use case::Row;

/// The table.
pub(crate) fn rows() -> Vec<Row> {
    let kinds = [
        elementwise::rows(),
        layout::rows(),
        axes::rows(),
        selection::rows(),
        products::rows(),
        network::rows(),
        sequences::rows(),
        norms::rows(),
        recurrent::rows(),
        spatial::rows(),
        compositions::rows(),
        losses::rows(),
    ];
    kinds.into_iter().flatten().collect()
}
