//! The gradient check: a row for every op, and the analytic gradient of each row against a numeric one
//! taken on the f64 reference of its forward.

#[path = "../common/activations.rs"]
mod activations;
mod axes;
mod case;
mod check;
mod elementwise;
mod layout;
mod losses;
mod network;
mod norms;
mod parts;
mod products;
mod recurrent;
mod selection;
mod sequences;
mod sources;
mod spatial;

use case::{Rng, Row};
use check::{check_kinks, check_row};
use parts::check_parts;
use proptest::prelude::*;

/// The table.
fn rows() -> Vec<Row> {
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
        losses::rows(),
    ];
    kinds.into_iter().flatten().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn analytic_and_numeric_gradient_agree(seed: u64) {
        for row in rows() {
            check_row(&row, seed);
        }
    }
}

/// A batch gives the same bits as a whole and in parts, whatever the op and the size of the batch.
#[test]
fn parts_of_a_batch_give_the_bits_of_the_whole() {
    let edges = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 127, 128, 129, 200];
    for row in 0..rows().len() {
        let mut rng = Rng::new(row as u64);
        let others = [(); 4].map(|()| rng.size(1..=200));
        for (seed, n_images) in edges.into_iter().chain(others).enumerate() {
            check_parts(row, seed as u64, n_images);
        }
    }
}

#[test]
fn gradients_at_kinks_are_allowed_ones() {
    let rows = rows();
    assert!(rows.iter().any(|row| !row.kinks.is_empty()));
    for row in rows {
        check_kinks(&row);
    }
}

#[test]
fn every_op_has_a_row() {
    let mut in_table: Vec<String> = rows().iter().map(|row| row.op.to_owned()).collect();
    let in_sources = sources::ops("src");
    in_table.sort();
    in_table.dedup();
    assert!(in_sources.len() > 30, "only {} ops were found in the sources", in_sources.len());
    assert_eq!(in_sources, in_table, "left: the ops in src; right: rows of tests/gradcheck");
}

#[test]
fn ops_of_other_crates_of_the_workspace_would_be_seen() {
    // Their sources are beside ours in the workspace, and absent where this crate was taken alone.
    for other in sources::other_crates() {
        let found = sources::foreign_ops(&format!("../{other}/src"));
        assert!(
            found.is_empty(),
            "{other} implements {found:?}: move them to autograd/src/ops, give them rows"
        );
    }
}
