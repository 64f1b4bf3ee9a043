//! Results stay out of the folder of the images, where they would count as images.

use std::path::{Path, absolute};

use anyhow::{Result, ensure};
use classifier::holds_classes;
use foreign_text::shown_path;

/// Checks that the results do not go into a folder of images by class.
///
/// # Errors
/// When they would; the error says what to do.
pub fn check_outside(out: &Path, data: Option<&Path>) -> Result<()> {
    let Some(data) = data.filter(|data| holds_classes(data)) else { return Ok(()) };
    ensure!(
        !is_inside(out, data),
        "the results would go to {}, inside the images in {}: choose a folder elsewhere with --out",
        shown_path(out),
        shown_path(data)
    );
    Ok(())
}

/// Whether a path, which need not exist yet, leads into the folder.
pub fn is_inside(path: &Path, dir: &Path) -> bool {
    let (Ok(dir), Ok(path)) = (dir.canonicalize(), absolute(path)) else { return false };
    let existing = path.ancestors().find_map(|ancestor| ancestor.canonicalize().ok());
    existing.is_some_and(|existing| existing.starts_with(dir))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_does_not_exist_yet_is_inside_where_it_would_be() {
        let dir = tempfile::tempdir().unwrap();
        let photos = dir.path().join("photos");
        fs::create_dir_all(photos.join("cat")).unwrap();
        for (path, expected) in [
            ("photos", true),
            ("photos/run", true),
            ("photos/a/b/run", true),
            ("photos/../run", false),
            ("photos-2/run", false),
            ("run", false),
        ] {
            assert_eq!(is_inside(&dir.path().join(path), &photos), expected, "{path}");
        }
        assert!(check_outside(&photos.join("run"), Some(&photos)).is_err());
        assert!(check_outside(&photos.join("run"), None).is_ok());
    }
}
