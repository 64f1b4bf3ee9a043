//! Most tests of the crate in one program, which builds and links once. On their own stand those that bring an allocator
//! (`recompute_memory.rs`, `steady_state.rs`), and those that are often run by themselves.

#[path = "../common/numbers.rs"]
mod numbers;
#[path = "../common/weights.rs"]
mod weights;

mod anomaly;
mod another_crate;
mod batch_norm;
mod einsum;
mod engine;
mod evaluation;
mod gradient_check;
mod misuse;
mod new_op;
mod recipes;
mod recompute;
mod statistics;
mod values;
