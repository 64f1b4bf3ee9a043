//! A folder with one folder of images per class.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::{Error, ImageShape, InMemory, class_names, read_image};

/// Extensions of images, case-insensitive. The last four count as images, as in torchvision, but cannot be
/// read, so that they are reported instead of silently ignored.
const IMAGES: [&str; 10] = ["png", "jpg", "jpeg", "webp", "bmp", "gif", "pgm", "ppm", "tif", "tiff"];

/// The images in a folder that has one folder per class, as in torchvision's `ImageFolder`.
///
/// The classes are the folders, sorted by name. The images of a class (`.png`, `.jpg`, `.jpeg`, `.webp`,
/// `.bmp`, `.gif`) are those in its folder and all folders below it, following links. Folders are sorted by
/// path, and images within a folder by name. Names that start with a dot are ignored.
///
/// Files ending in `.pgm`, `.ppm`, `.tif` or `.tiff` also count as images, and cause an error when read.
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
    class_names: Vec<String>,
    images: Vec<(PathBuf, u32)>,
    passed_over: Vec<PathBuf>,
}

impl ImageFolder {
    /// Finds classes and images; reads no image.
    ///
    /// # Errors
    /// When there is no class, or a class has no image; when a folder cannot be read or a link is dangling;
    /// when the name of a class is not UTF-8 or has a control character.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, Error> {
        let dir = dir.as_ref();
        let mut found = Self { class_names: Vec::new(), images: Vec::new(), passed_over: Vec::new() };
        let (classes, files) = entries(dir)?;
        found.passed_over.extend(files);
        if classes.is_empty() {
            return Err(problem(dir, "expected one folder of images for each class, found no folder"));
        }
        for (label, class) in (0..).zip(&classes) {
            found.class_names.push(class_name(class)?);
            let n_before = found.images.len();
            found.add(class, label)?;
            if found.images.len() == n_before {
                return Err(problem(class, "expected images (.png, .jpg, .webp, .bmp, .gif), found none"));
            }
        }
        Ok(found)
    }

    /// Like [`open`](Self::open), for another part of a set with known classes: label `l` is class
    /// `class_names[l]`. A class may be missing here, or have no image.
    ///
    /// # Errors
    /// As for [`open`](Self::open), and when there is a folder of another class.
    pub fn open_part(dir: impl AsRef<Path>, class_names: &[String]) -> Result<Self, Error> {
        let dir = dir.as_ref();
        let (classes, files) = entries(dir)?;
        let mut found = Self { class_names: class_names.to_vec(), images: Vec::new(), passed_over: files };
        for class in &classes {
            let name = class_name(class)?;
            let Some(label) = class_names.iter().position(|known| *known == name) else {
                return Err(problem(class, "the training set has no class with this name"));
            };
            found.add(class, label as u32)?;
        }
        if found.images.is_empty() {
            return Err(problem(dir, "expected images in folders by class, found none"));
        }
        Ok(found)
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
    /// folders that a class reaches again by a link.
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
    fn add(&mut self, class: &Path, label: u32) -> Result<(), Error> {
        let mut visited = HashSet::new();
        let mut waiting = vec![class.to_path_buf()];
        let mut folders = Vec::new();
        while let Some(folder) = waiting.pop() {
            // Links may form a cycle, or many may lead to one folder, so that the walk would not end or take
            // very long.
            if !visited.insert(folder.canonicalize().map_err(Error::io(&folder))?) {
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
            let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            if IMAGES.contains(&&*ending) {
                self.images.push((path, label));
            } else {
                self.passed_over.push(path);
            }
        }
        Ok(())
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
