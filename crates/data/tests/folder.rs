//! Folders of images by class: what is found, what is passed over, and what is refused.

mod encode;

use std::fs;
use std::path::Path;

use data::{Dataset, Error, ImageFolder, ImageShape, InMemory};
use encode::{rgb_png, saved};

const PIXEL: ImageShape = ImageShape { height: 1, width: 1, channels: 3 };

fn image_in(dir: &Path, folder: &str, name: &str, red: u8) {
    fs::create_dir_all(dir.join(folder)).unwrap();
    saved(rgb_png(2, 2, |_, _| [red, 0, 0]), dir.join(folder).join(name));
}

/// The label and the red of each image.
fn labels_and_reds(dir: &Path) -> Vec<(u32, u8)> {
    let set = InMemory::from_folder(dir, PIXEL).unwrap();
    (0..set.len()).map(|idx| (set.label(idx), set.image(idx)[0])).collect()
}

fn passed_over(dir: &Path) -> Vec<String> {
    let folder = ImageFolder::open(dir).unwrap();
    let relative = |path: &std::path::PathBuf| path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
    folder.passed_over().iter().map(relative).collect()
}

fn complaint(dir: &Path) -> String {
    InMemory::from_folder(dir, PIXEL).unwrap_err().to_string()
}

#[test]
fn a_folder_of_images_is_a_data_set() {
    let dir = tempfile::tempdir().unwrap();
    image_in(dir.path(), "b", "2.png", 3);
    image_in(dir.path(), "b", "10.PNG", 2);
    image_in(dir.path(), "a", "x.png", 1);
    image_in(dir.path(), ".hidden", "x.png", 9);
    fs::write(dir.path().join("a/readme.txt"), "no image").unwrap();
    fs::write(dir.path().join("readme.txt"), "no class").unwrap();
    image_in(dir.path(), "", "loose.png", 9);
    assert_eq!(labels_and_reds(dir.path()), [(0, 1), (1, 2), (1, 3)]);
    assert_eq!(ImageFolder::open(&dir).unwrap().class_names(), ["a", "b"]);
    assert_eq!(passed_over(dir.path()), ["loose.png", "readme.txt", "a/readme.txt"]);
}

#[test]
fn folders_within_a_class_belong_to_it() {
    let dir = tempfile::tempdir().unwrap();
    image_in(dir.path(), "cat/sub/deep", "3.png", 3);
    image_in(dir.path(), "cat/sub", "2.png", 2);
    image_in(dir.path(), "cat", "1.png", 1);
    image_in(dir.path(), "cat/.ipynb_checkpoints", "1.png", 9);
    image_in(dir.path(), "dog", "4.png", 4);
    assert_eq!(labels_and_reds(dir.path()), [(0, 1), (0, 2), (0, 3), (1, 4)]);
    fs::remove_file(dir.path().join("cat/1.png")).unwrap();
    // As Python sorts them.
    image_in(dir.path(), "cat/sub-b", "5.png", 5);
    assert_eq!(labels_and_reds(dir.path()), [(0, 2), (0, 5), (0, 3), (1, 4)]);
    assert!(passed_over(dir.path()).is_empty());
}

#[test]
fn a_folder_that_lacks_something_is_named() {
    let dir = tempfile::tempdir().unwrap();
    assert!(complaint(dir.path()).contains("expected one folder of images for each class"));
    image_in(dir.path(), "a", "x.png", 1);
    fs::create_dir(dir.path().join("b")).unwrap();
    assert!(complaint(dir.path()).contains("b: expected images (.png, .jpg, .webp, .bmp, .gif), found none"));
    fs::write(dir.path().join("b/broken.jpg"), "no image").unwrap();
    assert!(complaint(dir.path()).contains("broken.jpg: expected a PNG, JPEG, WebP, BMP or GIF image"));
    fs::remove_file(dir.path().join("b/broken.jpg")).unwrap();
    fs::write(dir.path().join("b/photo.tif"), "II*\0").unwrap();
    assert!(complaint(dir.path()).contains("photo.tif: TIFF is not supported: save it as PNG"));
    fs::remove_file(dir.path().join("b/photo.tif")).unwrap();
    for (name, start, format) in
        [("a.heic", "heic", "HEIC"), ("b.HEIF", "mif1", "HEIC"), ("c.avif", "avif", "AVIF")]
    {
        let path = dir.path().join("b").join(name);
        fs::write(&path, format!("\0\0\0\u{18}ftyp{start}")).unwrap();
        let expected = format!("{name}: {format} is not supported: convert it to JPEG or PNG");
        assert!(complaint(dir.path()).contains(&expected), "{}", complaint(dir.path()));
        fs::remove_file(path).unwrap();
    }
    let one_class = complaint(&dir.path().join("a"));
    assert!(one_class.contains("found images: give the folder above it"), "{one_class}");
    let nowhere = dir.path().join("none");
    let error = InMemory::from_folder(&nowhere, PIXEL).unwrap_err();
    assert!(matches!(error, Error::Io { path, .. } if path == nowhere));
}

#[test]
fn folders_can_be_left_out_as_classes_and_within_them() {
    let dir = tempfile::tempdir().unwrap();
    image_in(dir.path(), "a", "1.png", 1);
    image_in(dir.path(), "a/runs", "2.png", 2);
    image_in(dir.path(), "b", "3.png", 3);
    image_in(dir.path(), "runs", "4.png", 4);
    let found = ImageFolder::open_except(dir.path(), |path| path.ends_with("runs")).unwrap();
    assert_eq!((found.class_names(), found.images().len()), (&["a".to_owned(), "b".to_owned()][..], 2));
    assert_eq!(found.passed_over(), [dir.path().join("runs"), dir.path().join("a/runs")]);
    assert!(found.check_classes().is_ok());
    fs::create_dir(dir.path().join("aa")).unwrap();
    let found = ImageFolder::open_except(dir.path(), |path| path.ends_with("runs")).unwrap();
    assert_eq!(found.classes_without_images(), [1]);
    assert!(found.check_classes().unwrap_err().to_string().contains("aa: expected images"));
}

#[cfg(unix)]
#[test]
fn links_are_followed_once_and_must_lead_somewhere() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    image_in(elsewhere.path(), "", "2.png", 2);
    image_in(dir.path(), "a", "1.png", 1);
    symlink(elsewhere.path(), dir.path().join("a/link")).unwrap();
    symlink(elsewhere.path().join("2.png"), dir.path().join("a/0.png")).unwrap();
    assert_eq!(labels_and_reds(dir.path()), [(0, 2), (0, 1), (0, 2)]);
    // A link back, and many ways to one folder.
    symlink(dir.path().join("a"), dir.path().join("a/loop")).unwrap();
    symlink(elsewhere.path(), dir.path().join("a/more")).unwrap();
    assert_eq!(labels_and_reds(dir.path()).len(), 3);
    assert_eq!(passed_over(dir.path()), ["a/loop", "a/more"]);
    // What has two classes has none.
    image_in(dir.path(), "b", "3.png", 3);
    for (name, target, expected) in [
        ("a/up", "..", "a/up: a link to a folder that holds all classes: remove it"),
        (
            "a/b",
            "../b",
            "b: by a link its images are in the class a and in the class b: remove one of the two",
        ),
        ("c", "b", "c: by a link its images are in the class b and in the class c: remove one of the two"),
    ] {
        symlink(target, dir.path().join(name)).unwrap();
        assert!(complaint(dir.path()).ends_with(expected), "{}", complaint(dir.path()));
        fs::remove_file(dir.path().join(name)).unwrap();
    }
    fs::remove_dir_all(dir.path().join("b")).unwrap();
    for name in ["a/gone.png", "a/gone", "gone"] {
        symlink("/nowhere", dir.path().join(name)).unwrap();
        assert!(complaint(dir.path()).contains(&format!("{name}: ")), "{}", complaint(dir.path()));
        fs::remove_file(dir.path().join(name)).unwrap();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn names_of_classes_that_cannot_be_shown_are_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    for (name, expected) in [
        (b"a\x1b[31mb" as &[u8], r#"the name "a\u{1b}[31mb" contains a control character"#),
        (b"c\nd", r#"the name "c\nd" contains a control character"#),
        ("a\u{202e}b".as_bytes(), r#"the name "a\u{202e}b" contains a control character"#),
        (b"d\xff", "expected the name of a class in UTF-8"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let class = dir.path().join(OsStr::from_bytes(name));
        fs::create_dir(&class).unwrap();
        saved(rgb_png(1, 1, |_, _| [1; 3]), class.join("x.png"));
        assert!(complaint(dir.path()).contains(expected), "{}", complaint(dir.path()));
    }
}

#[test]
fn another_part_of_a_set_has_the_labels_of_the_classes_that_are_known() {
    let dir = tempfile::tempdir().unwrap();
    let classes = ["a", "b", "c"].map(String::from);
    image_in(dir.path(), "c", "x.png", 1);
    image_in(dir.path(), "a", "y.png", 2);
    let part = ImageFolder::open_part(&dir, &classes).unwrap();
    assert_eq!(part.images().iter().map(|image| image.1).collect::<Vec<_>>(), [0, 2]);
    image_in(dir.path(), "d", "z.png", 3);
    let message = ImageFolder::open_part(&dir, &classes).unwrap_err().to_string();
    assert!(message.ends_with("d: the training set has no class with this name"), "{message}");
    let empty = tempfile::tempdir().unwrap();
    assert!(ImageFolder::open_part(&empty, &classes).unwrap().images().is_empty());
}
