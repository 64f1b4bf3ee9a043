//! Most tests of the crate in one program, which builds and links once. On their own stand those that bring an allocator
//! (`memory.rs`, `steady_state.rs`), and those that are often run by themselves.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/layers.rs"]
mod every_layer;
#[path = "../common/fill.rs"]
mod fill;
#[path = "../common/models.rs"]
mod fill_models;
#[path = "../common/pytorch.rs"]
mod pytorch;

mod fusion;
mod layers;
mod models;
mod new_layer;
mod own_parameters;
mod printing;
mod pytorch_losses;
mod pytorch_networks;
mod pytorch_norms;
mod pytorch_ops;
mod pytorch_recurrent;
mod pytorch_sequences;
mod pytorch_spatial;
mod recompute;
mod same_bits;
mod training_loop;
mod weights_in_part;
