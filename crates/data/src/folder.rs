//! A folder that has one folder of images for each class.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::{Error, ImageShape, InMemory, class_names, read_image};

/// Endings of images, without regard to case. What ends as one of the last four is taken for an image, as torchvision
/// does, and cannot be read: nobody should wonder where it has gone.
const IMAGES: [&str; 10] = ["png", "jpg", "jpeg", "webp", "bmp", "gif", "pgm", "ppm", "tif", "tiff"];

/// The images of a folder that has one folder for each class, as torchvision's `ImageFolder` finds them.
///
/// The classes are the folders in the order of their names. The images of a class (`.png`, `.jpg`, `.jpeg`, `.webp`,
/// `.bmp`, `.gif`) are those in its folder and in all folders below, links followed: folder by folder in the order of
/// their paths, within a folder in the order of their names. Whatever starts with a dot is not looked at.
///
/// What ends in `.pgm`, `.ppm`, `.tif` or `.tiff` counts as an image, too, and is an error when it is read.
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
    /// Looks for classes and images; reads no image.
    ///
    /// # Errors
    /// When there is no class, or a class has no image; when a folder cannot be read or a link leads nowhere; when the
    /// name of a class is not UTF-8 or has a control character.
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

    /// The same for another part of a set whose classes are known: label `l` is class `class_names[l]`. A class may be
    /// missing here, or have no image.
    ///
    /// # Errors
    /// As [`open`](Self::open), and when there is a folder of another class.
    pub fn open_part(dir: impl AsRef<Path>, class_names: &[String]) -> Result<Self, Error> {
        let dir = dir.as_ref();
        let (classes, files) = entries(dir)?;
        let mut found = Self { class_names: class_names.to_vec(), images: Vec::new(), passed_over: files };
        for class in &classes {
            let name = class_name(class)?;
            let Some(label) = class_names.iter().position(|known| *known == name) else {
                return Err(problem(class, "no class of this name is trained on"));
            };
            found.add(class, label as u32)?;
        }
        if found.images.is_empty() {
            return Err(problem(dir, "expected images in folders by class, found none"));
        }
        Ok(found)
    }

    /// The names of the classes: those of their folders.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The images with their labels.
    pub fn images(&self) -> &[(PathBuf, u32)] {
        &self.images
    }

    /// What was found and is no part of the set: files that do not end as images do, images beside the folders of
    /// the classes, and folders that a class reaches a second time by a link.
    pub fn passed_over(&self) -> &[PathBuf] {
        &self.passed_over
    }

    /// Reads all images, as [`read_image`] does it, into memory.
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

    /// Adds the images of the folder `class` and all below it.
    fn add(&mut self, class: &Path, label: u32) -> Result<(), Error> {
        let mut visited = HashSet::new();
        let mut waiting = vec![class.to_path_buf()];
        let mut folders = Vec::new();
        while let Some(folder) = waiting.pop() {
            // A link may lead back to a folder above it, or many to one folder: without an end, or nearly so.
            if !visited.insert(folder.canonicalize().map_err(Error::io(&folder))?) {
                self.passed_over.push(folder);
                continue;
            }
            let (below, files) = entries(&folder)?;
            waiting.extend(below.into_iter().rev());
            folders.push((folder, files));
        }
        // As Python compares paths: by their bytes, "a-b" before "a/b".
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
    /// Reads a folder that has one folder of images for each class: [`ImageFolder::open`], which can say what it
    /// passed over, and [`ImageFolder::read`].
    ///
    /// # Errors
    /// As theirs.
    ///
    /// # Panics
    /// When `shape` has neither one nor three channels, or no pixels.
    pub fn from_folder(dir: impl AsRef<Path>, shape: ImageShape) -> Result<Self, Error> {
        ImageFolder::open(dir)?.read(shape)
    }
}

/// The folders and the other things in `dir` that are not hidden, each in the order of their names.
fn entries(dir: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Error> {
    let (mut folders, mut others) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(dir).map_err(Error::io(dir))? {
        let entry = entry.map_err(Error::io(dir))?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        // Follows links: one that leads nowhere is an error, since nobody can say what is missing.
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
