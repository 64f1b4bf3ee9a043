//! The gradient check: a row for every op, and the analytic gradient of each row against a numeric one
//! taken on the f64 reference of its forward. Over the same rows: the same bits in parts of a batch, and on several
//! threads. (That no op allocates in a steady step is in `steady_state.rs`, over the same rows too.)

mod check;
mod parts;
#[path = "rows.rs"]
mod rows;
mod sources;

use check::{check_kinks, check_row};
use parts::{check_parts, check_threads};
use proptest::prelude::*;
use rows::case::{self, Rng};
use rows::rows;

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

/// The same bits on any number of threads, whatever the op, for batches whose work is split.
#[test]
fn threads_give_the_bits_of_one() {
    for row in 0..rows().len() {
        check_threads(row, row as u64);
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
    let of_ops = rows().into_iter().filter(|row| !row.is_composition);
    let mut in_table: Vec<String> = of_ops.map(|row| row.op.to_owned()).collect();
    let in_sources = sources::ops("src");
    in_table.sort();
    in_table.dedup();
    assert!(in_sources.len() > 30, "only {} ops were found in the sources", in_sources.len());
    assert_eq!(in_sources, in_table, "left: the ops in src; right: rows of tests/gradcheck");
}

/// Methods of `Graph` that no row calls.
const WITHOUT_ROW: &[&str] = &[
    // They give indices, or numbers that depend on no input.
    "argmax",
    "argmin",
    "argsort",
    "attention_mask",
    "full",
    "multinomial",
    "rand",
    "rand_like",
    "randn",
    "randn_like",
    // `cross_entropy_with` its default options.
    "cross_entropy",
    // Formulas of the caller's own, as which many of the ops with rows are recorded.
    "elementwise",
    "pairwise_loss",
];

/// Also those that are recorded as other ops. A call on the way to another op counts, too.
#[test]
fn every_method_is_called_in_a_row() {
    let methods = sources::methods("src/ops");
    assert!(methods.len() > 100, "only {} methods were found in the sources", methods.len());
    let mut missing: Vec<_> = methods.iter().filter(|method| !sources::is_called(method)).collect();
    let mut expected = WITHOUT_ROW.to_vec();
    missing.sort();
    expected.sort();
    assert_eq!(missing, expected, "left: methods of Graph in src/ops that no row of tests/gradcheck calls");
}

/// Methods of `Graph` in `src/leaves.rs` that bring values into a graph, or let no gradient through.
const LEAVES: &[&str] = &[
    "constant", "detach", "images", "indices", "input", "integers", "labels", "param", "tokens", "variable",
];

/// Rows call them on the way to other ops, so that only a row of their name counts.
#[test]
fn every_other_view_has_a_row() {
    let mut views = sources::methods("src/leaves.rs");
    views.retain(|method| !LEAVES.contains(&method.as_str()));
    assert!(views.contains(&"reshape".to_owned()), "the methods of src/leaves.rs were not found");
    views.retain(|method| rows().iter().all(|row| row.op != method));
    assert!(views.is_empty(), "{views:?} in src/leaves.rs have no row in tests/gradcheck");
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
