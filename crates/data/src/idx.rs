//! MNIST's files: IDX, optionally gzipped.

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use crate::files::open_regular;
use crate::{Error, ImageShape, InMemory, Part, class_names};

/// The largest file accepted: over five times MNIST's largest.
const MAX_BYTES: u64 = 256 << 20;

/// The first four bytes of a file of bytes with one axis, and of one with three.
const LABELS: [u8; 4] = [0, 0, 8, 1];
const IMAGES: [u8; 4] = [0, 0, 8, 3];

/// Reads one part of MNIST, Fashion-MNIST or another set in their format into memory.
///
/// The files are `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, and `t10k-…` for the test part; a
/// dot in place of the second hyphen and the extension `.gz` are also accepted. The class names are the lines
/// of `class_names.txt` that are not empty, if `dir` has that file. Otherwise they are Fashion-MNIST's if
/// "fashion" is in the name of `dir` or of its parent folder (torchvision's layout), and else the numbers
/// from 0 to the largest label, at least ten.
///
/// ```no_run
/// use data::{Dataset, Part};
/// let digits = data::read_idx("datasets/mnist", Part::Train)?;
/// assert_eq!((digits.len(), digits.class_names()[3].as_str()), (60_000, "3"));
/// # Ok::<(), data::Error>(())
/// ```
///
/// # Errors
/// When a file is missing, is not in this format, is shorter or longer than its header says, or holds more
/// than 256 MiB; when there is no image, the numbers of labels and images differ, or a label has no name;
/// when `class_names.txt` is not a regular file, is not UTF-8 (a byte order mark is skipped), is longer than
/// 64 KiB, or has two equal names or control characters.
pub fn read_idx(dir: impl AsRef<Path>, part: Part) -> Result<InMemory, Error> {
    let dir = dir.as_ref();
    let prefix = if part == Part::Train { "train" } else { "t10k" };
    let find = |what: &str| find(dir, prefix, what);
    let (images_path, labels_path) = (find("images-idx3-ubyte")?, find("labels-idx1-ubyte")?);
    let ([n_images, height, width], images) = read::<3>(&images_path, IMAGES)?;
    let ([n_labels], labels) = read::<1>(&labels_path, LABELS)?;
    if n_images != n_labels || n_images == 0 || height * width == 0 {
        let problem = format!("{n_labels} labels for {n_images} images of {height} × {width}");
        return Err(Error::Idx { path: labels_path, problem });
    }
    let n_classes = labels.iter().max().map_or(0, |&label| usize::from(label) + 1);
    let names = names(dir, n_classes)?;
    if let Some(at) = labels.iter().position(|&label| usize::from(label) >= names.len()) {
        let problem = format!("label {at} is {}, out of range for {} classes", labels[at], names.len());
        return Err(Error::Idx { path: labels_path, problem });
    }
    let shape = ImageShape { height, width, channels: 1 };
    Ok(InMemory::new(shape, images, labels.into_iter().map(u32::from).collect(), names))
}

/// Whether `dir` has a training file that [`read_idx`] would read.
pub fn holds_idx(dir: impl AsRef<Path>) -> bool {
    find(dir.as_ref(), "train", "images-idx3-ubyte").is_ok()
}

fn find(dir: &Path, prefix: &str, what: &str) -> Result<PathBuf, Error> {
    let hyphen = format!("{prefix}-{what}");
    let names = [hyphen.clone(), hyphen.replace("-idx", ".idx")];
    let found = names.iter().flat_map(|name| [dir.join(name), dir.join(format!("{name}.gz"))]);
    let mut found = found.filter(|path| path.exists());
    found.next().ok_or_else(|| Error::Idx {
        path: dir.join(&hyphen),
        problem: "there is no such file, gzipped or not".into(),
    })
}

/// The lengths of the axes, and the bytes.
fn read<const N: usize>(path: &Path, magic: [u8; 4]) -> Result<([usize; N], Vec<u8>), Error> {
    let problem = |problem: String| Error::Idx { path: path.to_path_buf(), problem };
    let file = BufReader::new(open_regular(path)?);
    let is_gzipped = path.extension().is_some_and(|ending| ending == "gz");
    let mut reader: Box<dyn Read> =
        if is_gzipped { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut bytes = Vec::new();
    reader.by_ref().take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(Error::io(path))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(problem(format!("it holds more than {MAX_BYTES} bytes")));
    }
    let found = &bytes[..bytes.len().min(4)];
    if found != magic {
        return Err(problem(format!("expected the first bytes {magic:?}, found {found:?}")));
    }
    let start = 4 + 4 * N;
    let header = bytes.get(4..start).ok_or_else(|| {
        problem(format!("it ends inside its header of {start} bytes, after {} bytes", bytes.len()))
    })?;
    let axis =
        |idx: usize| u32::from_be_bytes(*header[4 * idx..].first_chunk().expect("four bytes")) as usize;
    let axes = std::array::from_fn(axis);
    let expected = axes.iter().try_fold(1_usize, |product, &axis| product.checked_mul(axis));
    let n_bytes = bytes.len() - start;
    if expected != Some(n_bytes) {
        return Err(problem(format!("its axes are {axes:?}, but it holds {n_bytes} bytes")));
    }
    bytes.drain(..start);
    Ok((axes, bytes))
}

fn names(dir: &Path, n_classes: usize) -> Result<Vec<String>, Error> {
    if let Some(names) = class_names::read(&dir.join("class_names.txt"))? {
        return Ok(names);
    }
    let dir = dir.canonicalize().map_err(Error::io(dir))?;
    let mut last_two = dir.iter().rev().take(2).map(|part| part.to_string_lossy().to_lowercase());
    if n_classes <= 10 && last_two.any(|part| part.contains("fashion")) {
        return Ok(class_names::FASHION_MNIST.map(String::from).to_vec());
    }
    Ok((0..n_classes.max(10)).map(|label| label.to_string()).collect())
}
