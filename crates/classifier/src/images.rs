//! The sources of images: CIFAR's files, MNIST's, folders by class, a table, or the built-in set.

mod cache;
mod folders;
mod layout;
mod ours;
mod tables;
mod watch;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use autograd::{Graph, Var};
use data::{
    Batch, Cifar, CifarKind, Dataset, ImageShape, InMemory, Loader, Normalize, Records, holds_idx, read_idx,
    shapes,
};
use foreign_text::shown_path;

pub use cache::{BrokenFile, CACHE_DIR, ImageFile, clear_cache, size_in_words};
pub use folders::{duplicates, shown};
pub use tables::read_rows;
pub use watch::{Interrupted, Watch};

/// The folder in which `cargo xtask fetch-cifar` puts CIFAR-10, relative to the project's root.
pub const DEFAULT_DIR: &str = "datasets/cifar-10-batches-bin";

/// The seed of the built-in set, which is always the same.
const BUILT_IN_SEED: u64 = 0;

/// The size to which the images of a folder are resized by default.
pub const DEFAULT_SIZE: usize = 64;

/// The most pixels of an image: 1024 × 1024.
pub(crate) const MAX_AREA: usize = 1 << 20;

/// The most classes: a confusion matrix has a count for each pair.
const MAX_CLASSES: usize = 10_000;

/// The field of a table that holds its numbers.
const FEATURES: &str = "features";

/// The kind of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// CIFAR-10's binary files.
    Cifar10,
    /// CIFAR-100's binary files.
    Cifar100,
    /// MNIST's files, or others in the same format.
    Idx,
    /// Image files in folders by class.
    Folder,
    /// A CSV file of numbers with a column of classes.
    Table,
    /// Drawn shapes.
    BuiltIn,
}

/// Training, validation and test examples of the same classes.
pub struct Images {
    /// The name of the set.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// The training images.
    pub train: Box<dyn Dataset>,
    /// The set's own validation images: often none.
    pub validation: Box<dyn Dataset>,
    /// The test images, if any.
    pub test: Box<dyn Dataset>,
    /// The default number of epochs.
    pub default_epochs: u64,
    /// Adam's default learning rate: the lecture's on CIFAR-10; for other sets one at which every seed learns
    /// (at the lecture's, some networks die in the first steps).
    pub adam_lr: f64,
    /// The names of a table's columns of numbers.
    pub columns: Vec<String>,
    /// The files of a folder, part by part.
    pub parts: Vec<Part>,
    /// The steps taken to read it, one line each.
    pub notes: Vec<String>,
    /// What may be read in another way than was meant, one line each.
    pub warnings: Vec<String>,
}

/// The files of a part of a folder.
#[derive(Clone, Debug)]
pub struct Part {
    /// `train`, `val`, `test`, or `all` if the folder has no parts.
    pub name: &'static str,
    /// The files of its images, in order.
    pub files: Vec<ImageFile>,
    /// Files that cannot be read.
    pub broken: Vec<BrokenFile>,
    /// Files that are not images, relative to the folder of the data.
    pub passed_over: Vec<String>,
}

/// The location of the images, and how to read them.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// A folder, or a CSV file; CIFAR-10 in [`DEFAULT_DIR`], or the built-in set, if it is `None`.
    pub data: Option<&'a Path>,
    /// Whether the classes of CIFAR-100 are its twenty superclasses.
    pub coarse: bool,
    /// The size and the channels of the images of a folder.
    pub shape: ImageShape,
    /// The column of a table that holds the class.
    pub label_column: &'a str,
    /// The other columns of a table in the order in which a network takes them; empty for any.
    pub columns: &'a [String],
    /// Whether unreadable files are skipped.
    pub skip_broken: bool,
    /// Whether a folder's classes and parts without images, and a single class, are warnings instead of errors: for
    /// listing what is there.
    pub only_looks: bool,
    /// Follows the decoding of a folder's images.
    pub watch: Option<&'a dyn Watch>,
}

impl Default for Source<'_> {
    fn default() -> Self {
        let shape = ImageShape { height: DEFAULT_SIZE, width: DEFAULT_SIZE, channels: 3 };
        let (data, watch, label_column, columns) = (None, None, "label", &[][..]);
        let (coarse, skip_broken, only_looks) = (false, false, false);
        Self { data, coarse, shape, label_column, columns, skip_broken, only_looks, watch }
    }
}

impl Images {
    /// CIFAR-10 from `dir`; without a `dir` from [`DEFAULT_DIR`], or the built-in set if that is absent.
    ///
    /// # Errors
    /// When files are missing or broken; the message says how to get them.
    pub fn open(dir: Option<&Path>) -> Result<Self> {
        match dir {
            Some(dir) => Self::cifar(dir, CifarKind::Cifar10),
            None if Path::new(DEFAULT_DIR).exists() => {
                Self::cifar(Path::new(DEFAULT_DIR), CifarKind::Cifar10)
            }
            None => Ok(Self::built_in()),
        }
    }

    /// The images of any known kind at the source.
    ///
    /// # Errors
    /// When files are missing or broken, or the layout is unknown; the message names the file.
    pub fn find(source: &Source<'_>) -> Result<Self> {
        let Some(path) = source.data else { return Self::open(None) };
        if path.is_file() {
            return tables::open(path, source.label_column, source.columns);
        }
        ensure!(
            path.exists(),
            "there is no file or folder {} (`cargo xtask fetch-cifar` downloads CIFAR-10)",
            shown_path(path)
        );
        if let Some(kind) = cifar_in(path, source.coarse) {
            return Self::cifar(path, kind);
        }
        if holds_idx(path) {
            return Self::idx(path);
        }
        ensure!(
            matches!(source.shape.channels, 1 | 3),
            "the network takes rows of numbers, and {} is not a CSV file",
            shown_path(path)
        );
        folders::open(path, source).map_err(|error| match error.downcast_ref() {
            Some(data::Error::Folder { path: at, .. }) if at == path => error.context(format!(
                "{} holds no data set: neither the files of CIFAR (`cargo xtask fetch-cifar`) or MNIST, nor a folder of \
                 images per class",
                shown_path(path)
            )),
            _ => error,
        })
    }

    fn cifar(dir: &Path, kind: CifarKind) -> Result<Self> {
        let (name, fetch) = match kind {
            CifarKind::Cifar10 => ("CIFAR-10", "cargo xtask fetch-cifar"),
            _ => ("CIFAR-100", "cargo xtask fetch-cifar --cifar100"),
        };
        let open = |part| {
            Cifar::open(dir, kind, part).with_context(|| {
                format!(
                    "no readable {name} in {} (get it with `{fetch}`, or leave out --data to use \
                     the built-in set)",
                    shown_path(dir)
                )
            })
        };
        let (train, test) = (open(data::Part::Train)?, open(data::Part::Test)?);
        let (kind, adam_lr) = match kind {
            CifarKind::Cifar10 => (Kind::Cifar10, 5e-3),
            _ => (Kind::Cifar100, 1e-3),
        };
        Ok(Self { adam_lr, ..Self::new(name.to_owned(), kind, Box::new(train), Some(Box::new(test)), 50) })
    }

    fn idx(dir: &Path) -> Result<Self> {
        let train = read_idx(dir, data::Part::Train)?;
        let ImageShape { height, width, .. } = train.image_shape();
        ensure!(
            height * width <= MAX_AREA,
            "{}: images of {height} × {width}, expected at most {MAX_AREA} pixels",
            shown_path(dir)
        );
        let test = match read_idx(dir, data::Part::Test) {
            // A set may have none, but a broken one is an error.
            Err(data::Error::Idx { path, .. }) if !path.exists() => None,
            test => Some(test?),
        };
        if let Some(test) = &test {
            ensure!(
                test.image_shape() == train.image_shape()
                    && test.class_names().len() <= train.class_names().len(),
                "{}: the test images differ from the training images in size, or have more classes",
                shown_path(dir)
            );
        }
        // Without a file of names, the test part has no more classes than its largest label says.
        let classes = train.class_names().to_vec();
        let test = test.map(|test| Box::new(test.with_class_names(classes)) as Box<dyn Dataset>);
        let name = format!("the images in {}", shown_path(dir));
        Ok(Self::new(name, Kind::Idx, Box::new(train), test, 20))
    }

    /// Ten classes of drawn shapes, the same on every machine.
    fn built_in() -> Self {
        let [train, test] =
            [data::Part::Train, data::Part::Test].map(|part| Box::new(shapes::generate(part, BUILT_IN_SEED)));
        Self::new("the built-in shapes".to_owned(), Kind::BuiltIn, train, Some(test), 10)
    }

    fn new(
        name: String,
        kind: Kind,
        train: Box<dyn Dataset>,
        test: Option<Box<dyn Dataset>>,
        default_epochs: u64,
    ) -> Self {
        let validation = empty(&*train);
        let test = test.unwrap_or_else(|| empty(&*train));
        Self {
            name,
            kind,
            train,
            validation,
            test,
            default_epochs,
            adam_lr: 1e-3,
            columns: Vec::new(),
            parts: Vec::new(),
            notes: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The shape of a network's input: the images' shape, or for a table 1 × 1 × the count of its numbers.
    pub fn input_shape(&self) -> ImageShape {
        input_shape(&*self.train)
    }

    /// The default number of training images held out for validation: none on CIFAR-10, as in the lecture,
    /// nor if the set has a part for it; else a tenth.
    pub fn default_validation(&self, n_training: usize) -> usize {
        let has_own = self.kind == Kind::Cifar10 || !self.validation.is_empty();
        if has_own { 0 } else { n_training / 10 }
    }

    /// Whether the test set is evaluated after each epoch, as in the lecture, and not once at the end.
    pub fn watches_test(&self) -> bool {
        self.kind == Kind::Cifar10
    }

    /// A description of the training data in a line or two.
    pub fn describe(&self, n_training: usize, n_validation: usize) -> String {
        let validation =
            if n_validation > 0 { format!(", {n_validation} to validate") } else { String::new() };
        let test =
            if self.test.is_empty() { String::new() } else { format!(", {} to test", self.test.len()) };
        let what = if self.kind == Kind::Table { "rows" } else { "images" };
        let counts = format!("{n_training} {what} to train on{validation}{test}");
        match self.kind {
            Kind::Cifar10 => format!("CIFAR-10: {counts}"),
            Kind::BuiltIn => format!(
                "CIFAR-10 is not in {DEFAULT_DIR} (get it with `cargo xtask fetch-cifar`): using {}.\n{counts}",
                self.name
            ),
            _ => {
                let ImageShape { height, width, channels } = self.input_shape();
                let size = match (self.kind, channels) {
                    (Kind::Table, n) => format!("{n} numbers"),
                    (_, 1) => format!("{height} × {width} in grey"),
                    _ => format!("{height} × {width} in colour"),
                };
                let broken: Vec<String> =
                    self.parts.iter().flat_map(|part| &part.broken).map(|file| shown(&file.path)).collect();
                let broken = match broken.len() {
                    0 => String::new(),
                    1 => format!("\n1 file that cannot be read is left out: {}", broken[0]),
                    n => format!("\n{n} files that cannot be read are left out: {}", some_of(&broken)),
                };
                let skipped = match self.parts.iter().map(|part| part.passed_over.len()).sum() {
                    0 => String::new(),
                    1 => "\n1 file that is not an image is left out".to_owned(),
                    n => format!("\n{n} files that are not images are left out"),
                };
                let n_classes = self.train.class_names().len();
                format!("{}: {n_classes} classes, {size}\n{counts}{broken}{skipped}", self.name)
            }
        }
    }

    /// Mean and standard deviation of each channel over the training images, or of each number over the rows
    /// of a table.
    pub fn normalize(&self) -> Normalize {
        match self.kind {
            Kind::Table => Normalize::measure_field(&self.train, FEATURES),
            _ => Normalize::measure(&self.train),
        }
    }
}

/// The kind of CIFAR in a folder, by the names of its files.
fn cifar_in(dir: &Path, coarse: bool) -> Option<CifarKind> {
    let has = |name: &str| dir.join(name).exists();
    if has("test_batch.bin") || (1..=5).any(|i| has(&format!("data_batch_{i}.bin"))) {
        return Some(CifarKind::Cifar10);
    }
    let of_100 = if coarse { CifarKind::Cifar100Coarse } else { CifarKind::Cifar100Fine };
    (has("train.bin") || has("test.bin")).then_some(of_100)
}

/// Whether a path is one of a folder that is read as image files by class.
pub fn holds_classes(path: &Path) -> bool {
    path.is_dir() && cifar_in(path, false).is_none() && !holds_idx(path)
}

/// The first few names, and how many more there are.
fn some_of(names: &[String]) -> String {
    const N_SHOWN: usize = 3;
    let shown = names[..names.len().min(N_SHOWN)].join(", ");
    match names.len().saturating_sub(N_SHOWN) {
        0 => shown,
        n => format!("{shown} and {n} more (`descent data` lists them)"),
    }
}

/// The shape of a network's input for an example of this set.
pub fn input_shape(dataset: &dyn Dataset) -> ImageShape {
    let shape = dataset.image_shape();
    let n_features = dataset.fields().first().map_or(0, |field| field.len());
    if shape.is_empty() { ImageShape { height: 1, width: 1, channels: n_features } } else { shape }
}

/// The examples of a batch as a network's input, `[n, h, w, c]`: its images, or its numbers as images of one
/// pixel.
pub fn input(g: &Graph<'_>, batch: &Batch) -> Var {
    // A part of a batch may be empty and still be one of images.
    if batch.image_len() == 0 {
        let [n, d] = *batch.shape_of(FEATURES) else { unreachable!("numbers in a row") };
        return g.input([n, 1, 1, d], batch.f32(FEATURES));
    }
    g.images(batch)
}

/// The loader with normalised images, or with normalised numbers of its table.
pub fn normalized<'a>(loader: Loader<'a>, dataset: &dyn Dataset, normalize: &Normalize) -> Loader<'a> {
    if dataset.image_shape().is_empty() {
        loader.normalize_field(FEATURES, normalize)
    } else {
        loader.normalize(normalize)
    }
}

/// An empty set with the classes and the shape of `like`.
fn empty(like: &dyn Dataset) -> Box<dyn Dataset> {
    let classes = like.class_names().to_vec();
    let shape = like.image_shape();
    if shape.is_empty() {
        let shape = [input_shape(like).channels];
        return Box::new(
            Records::new().with_f32(FEATURES, &shape, Vec::new()).with_labels(Vec::new(), classes),
        );
    }
    Box::new(InMemory::new(shape, Vec::new(), Vec::new(), classes))
}
