//! The binary files of CIFAR-10 and CIFAR-100, read into memory or memory-mapped.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::files::open_regular;
use crate::mapped::MappedFile;
use crate::{Dataset, Error, ImageShape, class_names};

const IMAGE_LEN: usize = 3 * 32 * 32;

/// The data set and, for CIFAR-100, which of its two labels to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CifarKind {
    /// CIFAR-10: ten classes. A record is 1 label and a 3,072-byte image.
    Cifar10,
    /// CIFAR-100 with its hundred classes. A record is a coarse label, a fine label and a 3,072-byte image.
    Cifar100Fine,
    /// CIFAR-100 with its twenty superclasses.
    Cifar100Coarse,
}

/// The training part or the test part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// For training: 50,000 images in CIFAR, 60,000 in MNIST, 20,000 drawn shapes.
    Train,
    /// For testing: 10,000 images in CIFAR and MNIST, 2,000 drawn shapes.
    Test,
}

/// CIFAR-10 or CIFAR-100 in the authors' binary layout.
///
/// Images are not copied: [`Dataset::image`] points into the records. A file may hold any number of records,
/// so smaller sets of the same layout can be read too; to check that the files are the published ones, use
/// [`Published::verify`](crate::Published::verify).
#[derive(Debug)]
pub struct Cifar {
    kind: CifarKind,
    files: Vec<Records>,
    /// For each file, the number of images up to its end.
    ends: Vec<usize>,
    class_names: Vec<String>,
}

impl Cifar {
    /// Reads one part of the data set into memory from the folder `dir`, laid out as in the authors' archive.
    /// The training part of CIFAR-10 is 154 MB. The files may change afterwards.
    ///
    /// The classes have their usual names, or those in `batches.meta.txt` (CIFAR-10), `fine_label_names.txt`
    /// or `coarse_label_names.txt` (CIFAR-100) if `dir` has such a file.
    ///
    /// # Errors
    /// When a file is missing, is not a regular file, is empty, has a length that is not a multiple of the
    /// record length, or has an invalid label; when a file of class names is not UTF-8 (a byte order mark is
    /// skipped), is longer than 64 KiB, or does not have one name for each class, all different and without
    /// control characters.
    pub fn open(dir: impl AsRef<Path>, kind: CifarKind, part: Part) -> Result<Self, Error> {
        let read = |path: &Path| {
            let mut bytes = Vec::new();
            open_regular(path)?.read_to_end(&mut bytes).map_err(Error::io(path))?;
            Ok(Bytes::Owned { path: path.to_path_buf(), bytes })
        };
        Self::open_with(dir.as_ref(), kind, part, read)
    }

    /// Like [`open`](Self::open), but memory-mapped: nothing is copied, and all processes that map the files
    /// share the memory.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    ///
    /// # Safety
    /// Until the set is dropped, nothing in this process or any other may write to the files or truncate
    /// them, because the set hands out shared slices of the mapped memory. Renaming another file over one of
    /// them is harmless; the map keeps the old one.
    ///
    /// Some violations are detected, without guarantee: if a file is truncated between two batches, the
    /// [`Loader`](crate::Loader) returns [`Error::CutShort`], and if a label becomes invalid,
    /// [`Error::LabelInUse`]. If a file is truncated while it is read, most systems end the program with the
    /// signal SIGBUS.
    #[allow(unsafe_code)]
    pub unsafe fn open_mapped(dir: impl AsRef<Path>, kind: CifarKind, part: Part) -> Result<Self, Error> {
        // SAFETY: the caller ensures that no file is changed.
        let map = |path: &Path| Ok(Bytes::Mapped(unsafe { MappedFile::open(path) }?));
        Self::open_with(dir.as_ref(), kind, part, map)
    }

    fn open_with(
        dir: &Path,
        kind: CifarKind,
        part: Part,
        bytes: impl Fn(&Path) -> Result<Bytes, Error>,
    ) -> Result<Self, Error> {
        let path = dir.join(kind.class_names_file());
        let class_names = class_names::read(&path)?.unwrap_or_else(|| kind.class_names());
        let (expected, found) = (kind.n_classes(), class_names.len());
        if found != expected {
            let problem = format!("expected the names of {expected} classes, found {found}");
            return Err(Error::ClassNames { path, problem });
        }
        let records = |name: &&str| Records::check(kind, bytes(&dir.join(name))?);
        let files = kind.files(part).iter().map(records).collect::<Result<_, _>>()?;
        Ok(Self::of_files(kind, files, class_names))
    }

    /// Reads the records in `bytes`, laid out as in a file, with the usual class names.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn from_bytes(kind: CifarKind, bytes: Vec<u8>) -> Result<Self, Error> {
        Self::from_bytes_with_names(kind, bytes, kind.class_names())
    }

    pub(crate) fn from_bytes_with_names(
        kind: CifarKind,
        bytes: Vec<u8>,
        class_names: Vec<String>,
    ) -> Result<Self, Error> {
        let records = Records::check(kind, Bytes::Owned { path: "records in memory".into(), bytes })?;
        Ok(Self::of_files(kind, vec![records], class_names))
    }

    /// The records of a set made from bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.files[0].bytes()
    }

    fn of_files(kind: CifarKind, files: Vec<Records>, class_names: Vec<String>) -> Self {
        let mut n_images = 0;
        let mut end = |file: &Records| {
            n_images += file.bytes().len() / kind.record_len();
            n_images
        };
        let ends = files.iter().map(&mut end).collect();
        Self { kind, files, ends, class_names }
    }

    fn record(&self, image_idx: usize) -> &[u8] {
        let file_idx = self.ends.partition_point(|&end| end <= image_idx);
        assert!(
            file_idx < self.files.len(),
            "Cifar: image {image_idx} is out of range for {} images",
            self.len()
        );
        let start = if file_idx == 0 { 0 } else { self.ends[file_idx - 1] };
        let record_len = self.kind.record_len();
        &self.files[file_idx].bytes()[(image_idx - start) * record_len..][..record_len]
    }
}

impl Dataset for Cifar {
    fn len(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    fn image_shape(&self) -> ImageShape {
        ImageShape::CIFAR
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    fn image(&self, image_idx: usize) -> &[u8] {
        &self.record(image_idx)[self.kind.n_labels()..]
    }

    fn label(&self, image_idx: usize) -> u32 {
        self.record(image_idx)[self.kind.label_idx()].into()
    }

    fn check(&self) -> Result<(), Error> {
        self.files.iter().try_for_each(|records| match &records.0 {
            Bytes::Mapped(file) => file.check_len(),
            Bytes::Owned { .. } => Ok(()),
        })
    }
}

impl CifarKind {
    /// The names of the classes, in the order of the labels.
    pub fn class_names(self) -> Vec<String> {
        let names: &[&str] = match self {
            Self::Cifar10 => &class_names::CIFAR10,
            Self::Cifar100Fine => &class_names::CIFAR100_FINE,
            Self::Cifar100Coarse => &class_names::CIFAR100_COARSE,
        };
        names.iter().map(|&name| name.to_owned()).collect()
    }

    /// The number of bytes in a record: its labels and its image.
    pub fn record_len(self) -> usize {
        self.n_labels() + IMAGE_LEN
    }

    /// The files of a part, in the order of their images.
    pub fn files(self, part: Part) -> &'static [&'static str] {
        match (self, part) {
            (Self::Cifar10, Part::Train) => &[
                "data_batch_1.bin",
                "data_batch_2.bin",
                "data_batch_3.bin",
                "data_batch_4.bin",
                "data_batch_5.bin",
            ],
            (Self::Cifar10, Part::Test) => &["test_batch.bin"],
            (_, Part::Train) => &["train.bin"],
            (_, Part::Test) => &["test.bin"],
        }
    }

    pub(crate) fn class_names_file(self) -> &'static str {
        match self {
            Self::Cifar10 => "batches.meta.txt",
            Self::Cifar100Fine => "fine_label_names.txt",
            Self::Cifar100Coarse => "coarse_label_names.txt",
        }
    }

    /// The number of classes for each label byte of a record.
    fn label_ranges(self) -> &'static [usize] {
        match self {
            Self::Cifar10 => &[10],
            Self::Cifar100Fine | Self::Cifar100Coarse => &[20, 100],
        }
    }

    fn n_labels(self) -> usize {
        self.label_ranges().len()
    }

    /// The index of the label byte that is the class.
    fn label_idx(self) -> usize {
        usize::from(self == Self::Cifar100Fine)
    }

    fn n_classes(self) -> usize {
        self.label_ranges()[self.label_idx()]
    }
}

/// Records that have been checked: at least one, none truncated, every label in range.
#[derive(Debug)]
struct Records(Bytes);

#[derive(Debug)]
enum Bytes {
    Mapped(MappedFile),
    Owned { path: PathBuf, bytes: Vec<u8> },
}

impl Records {
    // ANCHOR: record
    fn check(kind: CifarKind, bytes: Bytes) -> Result<Self, Error> {
        let records = Self(bytes);
        let (len, record_len) = (records.bytes().len(), kind.record_len());
        if len == 0 || len % record_len != 0 {
            return Err(Error::Length { path: records.path(), len: len as u64, record_len });
        }
        for (record_idx, record) in records.bytes().chunks_exact(record_len).enumerate() {
            for (&label, &n_classes) in record.iter().zip(kind.label_ranges()) {
                if usize::from(label) >= n_classes {
                    return Err(Error::Label {
                        path: records.path(),
                        record_idx,
                        label: label.into(),
                        n_classes,
                    });
                }
            }
        }
        Ok(records)
    }
    // ANCHOR_END: record

    fn bytes(&self) -> &[u8] {
        match &self.0 {
            Bytes::Mapped(file) => file.bytes(),
            Bytes::Owned { bytes, .. } => bytes,
        }
    }

    fn path(&self) -> PathBuf {
        match &self.0 {
            Bytes::Mapped(file) => file.path().to_path_buf(),
            Bytes::Owned { path, .. } => path.clone(),
        }
    }
}
