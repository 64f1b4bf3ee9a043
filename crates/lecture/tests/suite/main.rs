//! Tests of the page in one program, which builds and links once.

mod cnn;
mod items;
mod page;
mod sliders;
