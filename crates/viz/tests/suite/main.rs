//! All tests of the crate in one program, which builds and links once.

mod calls;
mod files;
mod gallery_on_record;
mod hostile;
mod labels;
