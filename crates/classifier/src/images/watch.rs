//! Long reading that is followed and can be ended.

use std::fmt;

/// Follows the decoding of a folder's images.
pub trait Watch: fmt::Debug + Sync {
    /// Called before each file, when about `n_done` of `n` have been decoded; `false` ends the decoding.
    fn decodes(&self, n_done: usize, n: usize) -> bool;
}

/// The error when a [`Watch`] has ended the decoding. Nothing is cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stopped while the images were being decoded")
    }
}

impl std::error::Error for Interrupted {}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::{CACHE_DIR, Images, Source};

    /// Ends the decoding after so many files.
    #[derive(Debug)]
    struct Patience(AtomicUsize);

    impl Watch for Patience {
        fn decodes(&self, n_done: usize, n: usize) -> bool {
            assert!(n_done < n);
            self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
        }
    }

    /// A BMP of one pixel.
    fn pixel(value: u8) -> Vec<u8> {
        let numbers = [58_u32, 0, 54, 40, 1, 1].map(u32::to_le_bytes).concat();
        [&b"BM"[..], &numbers[..], &[1, 0, 24, 0], &[0; 24], &[value, value, value, 0]].concat()
    }

    #[test]
    fn decoding_can_be_ended_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        for class in ["a", "b"] {
            fs::create_dir(dir.path().join(class)).unwrap();
            (0..8).for_each(|i| fs::write(dir.path().join(format!("{class}/{i}.bmp")), pixel(i)).unwrap());
        }
        for (n_files, is_ended) in [(0, true), (7, true), (16, false)] {
            let watch = Patience(AtomicUsize::new(n_files));
            let source = Source { data: Some(dir.path()), watch: Some(&watch), ..Source::default() };
            let found = Images::find(&source);
            assert_eq!(
                found.as_ref().err().is_some_and(|error| error.is::<Interrupted>()),
                is_ended,
                "{n_files}"
            );
            assert_eq!(found.is_ok(), !is_ended);
            assert_eq!(dir.path().join(CACHE_DIR).exists(), !is_ended);
        }
    }
}
