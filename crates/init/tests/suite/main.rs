//! All tests of the crate in one program, which builds and links once.

mod misuse;
mod properties;
mod pytorch;
mod stream;
mod whitening;
