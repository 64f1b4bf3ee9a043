//! A folder with one folder of images per class.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use foreign_text::Foreign;
use rayon::prelude::*;

use crate::{Error, ImageShape, InMemory, class_names, read_image};

/// Extensions of images, case-insensitive. Those of the second line count as images but cannot be read, so that
/// they are reported instead of silently ignored.
const IMAGES: [&str; 13] = [
    "png", "jpg", "jpeg", "webp", "bmp", "gif", //
    "pgm", "ppm", "tif", "tiff", "heic", "heif", "avif",
];

/// Whether a file counts as an image, by the ending of its name.
///
/// ```
/// assert!(data::is_image_name("flowers/1.JPG") && !data::is_image_name("flowers/notes.txt"));
/// ```
pub fn is_image_name(path: impl AsRef<Path>) -> bool {
    let ending = path.as_ref().extension().unwrap_or_default().to_string_lossy().to_lowercase();
    IMAGES.contains(&&*ending)
}

/// The images in a folder that has one folder per class, as in torchvision's `ImageFolder`.
///
/// The classes are the folders, sorted by name. The images of a class (`.png`, `.jpg`, `.jpeg`, `.webp`,
/// `.bmp`, `.gif`) are those in its folder and all folders below it, following links. Folders are sorted by
/// path, and images within a folder by name. Names that start with a dot are ignored.
///
/// Files ending in `.heic`, `.heif`, `.avif`, `.tif`, `.tiff`, `.pgm` or `.ppm` also count as images, and cause an
/// error when read.
///
/// ```no_run
/// use data::{ImageFolder, ImageShape};
/// let folder = ImageFolder::open("flowers")?;
/// for path in folder.passed_over() {
///     eprintln!("passed over: {path:?}");
/// }
/// let images = folder.read(ImageShape::CIFAR)?;
/// # Ok::<(), data::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ImageFolder {
    dir: PathBuf,
    class_names: Vec<String>,
    images: Vec<(PathBuf, u32)>,
    passed_over: Vec<PathBuf>,
}

impl ImageFolder {
    /// Finds classes and images; reads no image.
    ///
    /// # Errors
    /// When there is no class, or a class has no image; when a folder cannot be read, a link is dangling, or
    /// leads to a folder of another class or of all classes; when the name of a class is not UTF-8 or has a control
    /// character.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, Error> {
        let found = Self::open_except(dir, |_| false)?;
        found.check_classes()?;
        Ok(found)
    }

    /// Like [`open`](Self::open), but passes over the folders for which `is_left_out` is true, and finds classes
    /// without images, too: [`check_classes`](Self::check_classes) is left to the caller.
    ///
    /// # Errors
    /// As for [`open`](Self::open), except that a class may have no image.
    pub fn open_except(dir: impl AsRef<Path>, is_left_out: impl Fn(&Path) -> bool) -> Result<Self, Error> {
        let dir = dir.as_ref();
        let mut found = Self {
            dir: dir.to_path_buf(),
            class_names: Vec::new(),
            images: Vec::new(),
            passed_over: Vec::new(),
        };
        let (mut classes, files) = entries(dir)?;
        found.passed_over.extend(classes.extract_if(.., |class| is_left_out(class)));
        if classes.is_empty() {
            let expected = "expected one folder of images for each class, found";
            let found = match files.iter().any(is_image_name) {
                true => "images: give the folder above it if this is one class",
                false => "no folder",
            };
            return Err(problem(dir, &format!("{expected} {found}")));
        }
        found.passed_over.extend(files);
        let mut walk = Walk::new(dir, &is_left_out)?;
        for (label, class) in (0..).zip(&classes) {
            found.class_names.push(class_name(class)?);
            found.add(class, label, &mut walk)?;
        }
        Ok(found)
    }

    /// Like [`open`](Self::open), for another part of a set with known classes: label `l` is class
    /// `class_names[l]`. A class may be missing here, or have no image; all of them may.
    ///
    /// # Errors
    /// When there is a folder of another class; and as for [`open`](Self::open), except that there may be no class and
    /// no image.
    pub fn open_part(dir: impl AsRef<Path>, class_names: &[String]) -> Result<Self, Error> {
        let dir = dir.as_ref();
        let (classes, files) = entries(dir)?;
        let mut found = Self {
            dir: dir.to_path_buf(),
            class_names: class_names.to_vec(),
            images: Vec::new(),
            passed_over: files,
        };
        let mut walk = Walk::new(dir, &|_| false)?;
        for class in &classes {
            let name = class_name(class)?;
            let Some(label) = class_names.iter().position(|known| *known == name) else {
                return Err(problem(class, "the training set has no class with this name"));
            };
            found.add(class, label as u32, &mut walk)?;
        }
        Ok(found)
    }

    /// The classes without an image, by their labels.
    pub fn classes_without_images(&self) -> Vec<usize> {
        let mut is_empty = vec![true; self.class_names.len()];
        self.images.iter().for_each(|&(_, label)| is_empty[label as usize] = false);
        (0..is_empty.len()).filter(|&class| is_empty[class]).collect()
    }

    /// Checks that each class has an image.
    ///
    /// # Errors
    /// When one has none.
    pub fn check_classes(&self) -> Result<(), Error> {
        let Some(&class) = self.classes_without_images().first() else { return Ok(()) };
        let path = self.dir.join(&self.class_names[class]);
        Err(problem(&path, "expected images (.png, .jpg, .webp, .bmp, .gif), found none"))
    }

    /// The names of the classes, which are those of their folders.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The images with their labels.
    pub fn images(&self) -> &[(PathBuf, u32)] {
        &self.images
    }

    /// Entries that were skipped: files without an image extension, files next to the class folders, and
    /// folders that a class reaches again by a link or that are left out.
    pub fn passed_over(&self) -> &[PathBuf] {
        &self.passed_over
    }

    /// Reads all images into memory, as [`read_image`] does.
    ///
    /// # Errors
    /// When an image cannot be read.
    ///
    /// # Panics
    /// When `shape` has neither one nor three channels, or no pixels.
    pub fn read(&self, shape: ImageShape) -> Result<InMemory, Error> {
        let read = |(path, _): &(PathBuf, u32)| read_image(path, shape);
        let images = self.images.par_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let labels = self.images.iter().map(|&(_, label)| label).collect();
        Ok(InMemory::new(shape, images.concat(), labels, self.class_names.clone()))
    }

    /// Adds the images in the folder `class` and all folders below it.
    fn add(&mut self, class: &Path, label: u32, walk: &mut Walk<'_>) -> Result<(), Error> {
        let mut waiting = vec![class.to_path_buf()];
        let mut folders = Vec::new();
        while let Some(folder) = waiting.pop() {
            if !walk.enters(&folder, label, &self.class_names)? {
                self.passed_over.push(folder);
                continue;
            }
            let (below, files) = entries(&folder)?;
            waiting.extend(below.into_iter().rev());
            folders.push((folder, files));
        }
        // Sorted by bytes, as Python compares paths: "a-b" before "a/b".
        folders
            .sort_by(|(a, _), (b, _)| a.as_os_str().as_encoded_bytes().cmp(b.as_os_str().as_encoded_bytes()));
        for path in folders.into_iter().flat_map(|(_, files)| files) {
            if is_image_name(&path) {
                self.images.push((path, label));
            } else {
                self.passed_over.push(path);
            }
        }
        Ok(())
    }
}

/// The folders that the walk through the classes has entered.
struct Walk<'w> {
    /// The folder of the classes, without links.
    root: PathBuf,
    /// The folders without links, each with its class.
    entered: HashMap<PathBuf, u32>,
    is_left_out: &'w dyn Fn(&Path) -> bool,
}

impl<'w> Walk<'w> {
    fn new(dir: &Path, is_left_out: &'w dyn Fn(&Path) -> bool) -> Result<Self, Error> {
        let root = dir.canonicalize().map_err(Error::io(dir))?;
        Ok(Self { root, entered: HashMap::new(), is_left_out })
    }

    /// Whether to enter a folder of a class. Links may form a cycle, or many may lead to one folder, so that the
    /// walk would not end or take very long: each is entered once.
    fn enters(&mut self, folder: &Path, label: u32, class_names: &[String]) -> Result<bool, Error> {
        if (self.is_left_out)(folder) {
            return Ok(false);
        }
        let real = folder.canonicalize().map_err(Error::io(folder))?;
        if self.root.starts_with(&real) {
            return Err(problem(folder, "a link to a folder that holds all classes: remove it"));
        }
        let Some(known) = self.entered.insert(real, label) else { return Ok(true) };
        if known == label {
            return Ok(false);
        }
        let [one, other] = [known, label].map(|label| Foreign::new(&class_names[label as usize]));
        Err(problem(
            folder,
            &format!(
                "by a link its images are in the class {one} and in the class {other}: remove one of the two"
            ),
        ))
    }
}

impl InMemory {
    /// Reads a folder with one folder of images per class, by [`ImageFolder::open`], which can report the
    /// skipped files, and [`ImageFolder::read`].
    ///
    /// # Errors
    /// Those of both functions.
    ///
    /// # Panics
    /// When `shape` has neither one nor three channels, or no pixels.
    pub fn from_folder(dir: impl AsRef<Path>, shape: ImageShape) -> Result<Self, Error> {
        ImageFolder::open(dir)?.read(shape)
    }
}

/// The folders and the other entries in `dir` that are not hidden, each sorted by name.
fn entries(dir: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Error> {
    let (mut folders, mut others) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(dir).map_err(Error::io(dir))? {
        let entry = entry.map_err(Error::io(dir))?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        // Follows links. A dangling one is an error, since what is missing is unknown.
        let is_folder = fs::metadata(&path).map_err(Error::io(&path))?.is_dir();
        if is_folder { &mut folders } else { &mut others }.push(path);
    }
    folders.sort();
    others.sort();
    Ok((folders, others))
}

fn class_name(class: &Path) -> Result<String, Error> {
    let Some(name) = class.file_name().and_then(OsStr::to_str) else {
        return Err(problem(class, "expected the name of a class in UTF-8"));
    };
    class_names::check(name).map_err(|complaint| problem(class.parent().unwrap_or(class), &complaint))?;
    Ok(name.to_owned())
}

fn problem(path: &Path, problem: &str) -> Error {
    Error::Folder { path: path.to_path_buf(), problem: problem.to_owned() }
}
