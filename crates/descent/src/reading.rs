//! Reading images: with a progress bar, until a signal asks to stop.

use anyhow::Result;
use classifier::{Images, Interrupted, Source, Watch};

use crate::progress::FileBar;
use crate::signals::{Stopped, received};

/// The images at the source.
///
/// # Errors
/// As [`Images::find`]; [`Stopped`] when a signal asks to stop.
pub fn read_images(source: &Source<'_>) -> Result<Images> {
    let bar = FileBar::new("decoding");
    let images = Images::find(&Source { watch: Some(&bar), ..*source });
    images.map_err(|error| match received() {
        Some(signal) if error.is::<Interrupted>() => Stopped { signal, kept: None }.into(),
        _ => error,
    })
}

impl Watch for FileBar {
    fn decodes(&self, n_done: usize, n: usize) -> bool {
        self.reach(n_done, n);
        received().is_none()
    }
}
