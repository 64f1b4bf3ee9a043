//! A model in one file, or sharded over several: an index then gives the file of each tensor.
//!
//! ```json
//! {"metadata":{"total_size":8},"weight_map":{"0.bias":"model-00001-of-00002.safetensors"}}
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path};

use foreign_text::Foreign;

use super::archive::Archive;
use super::error::WeightsError;
use super::header::{MAX_DEPTH, MAX_HEADER_LEN, sort_by_name};
use super::json::{depth, for_each_pair, unescaped};

impl Archive {
    /// Opens a file and reads and checks its header. Given an index, whose name ends in `.json`, opens the
    /// files of the model in the same directory.
    ///
    /// # Errors
    /// When a file cannot be read or is not a valid safetensors file; when the index and the files disagree.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightsError> {
        let path = path.as_ref();
        match path.extension() {
            Some(extension) if extension == "json" => open_index(path),
            _ => Self::open_file(path),
        }
    }
}

/// Opens the files that an index names, and checks that it gives the right file for each tensor.
fn open_index(path: &Path) -> Result<Archive, WeightsError> {
    let broken = |reason: String| WeightsError::Format { path: path.into(), reason };
    let file_of =
        files_by_tensor(&read(path)?).map_err(|reason| broken(format!("its index is broken: {reason}")))?;
    let mut names: Vec<&String> = file_of.values().collect();
    names.sort_unstable();
    names.dedup();
    let mut whole: Option<Archive> = None;
    for name in names {
        let shard = Archive::open_file(&path.with_file_name(name))?;
        for tensor in shard.tensors() {
            if file_of.get(tensor.name()) != Some(name) {
                let (tensor, name) = (Foreign::new(tensor.name()), Foreign::new(name));
                return Err(broken(format!(
                    "its index does not map the tensor \"{tensor}\" to {name}, which contains it"
                )));
            }
        }
        match &mut whole {
            None => whole = Some(shard),
            Some(whole) => append(whole, shard),
        }
    }
    let mut whole = whole.ok_or_else(|| broken("its index names no file".into()))?;
    whole.path = path.into();
    sort_by_name(&mut whole.header.entries).map_err(broken)?;
    match file_of.iter().find(|(tensor, _)| whole.tensor(tensor).is_none()) {
        None => Ok(whole),
        Some((tensor, file)) => Err(broken(format!(
            "its index maps the tensor \"{}\" to {}, which does not contain it",
            Foreign::new(tensor),
            Foreign::new(file)
        ))),
    }
}

/// Appends the tensors of another file.
fn append(whole: &mut Archive, shard: Archive) {
    let n_bytes = whole.files.last().map_or(0, |file| file.bytes.end);
    let shift = |bytes: &mut std::ops::Range<u64>| *bytes = bytes.start + n_bytes..bytes.end + n_bytes;
    whole.header.entries.extend(shard.header.entries.into_iter().map(|mut entry| {
        shift(&mut entry.bytes);
        entry
    }));
    whole.files.extend(shard.files.into_iter().map(|mut file| {
        shift(&mut file.bytes);
        file
    }));
}

fn read(path: &Path) -> Result<String, WeightsError> {
    let io = |source| WeightsError::Io { action: "read", path: path.into(), source };
    // Checked before opening: opening a pipe would wait for its writer.
    if !fs::metadata(path).map_err(io)?.is_file() {
        return Err(WeightsError::Format { path: path.into(), reason: "it is not a regular file".into() });
    }
    let mut text = String::new();
    File::open(path).map_err(io)?.take(MAX_HEADER_LEN).read_to_string(&mut text).map_err(io)?;
    Ok(text)
}

/// The file of each tensor.
fn files_by_tensor(index: &str) -> Result<BTreeMap<String, String>, String> {
    if depth(index) > MAX_DEPTH {
        return Err("it is nested too deeply".into());
    }
    let mut map = None;
    for_each_pair(index, |key, value| {
        if key == r#""weight_map""# {
            map = Some(value);
        }
        Ok(())
    })?;
    let mut files = BTreeMap::new();
    for_each_pair(map.ok_or("it has no \"weight_map\"")?, |tensor, file| {
        let text = |json| unescaped(json)?.ok_or_else(|| format!("{} is not a string", Foreign::new(json)));
        let (tensor, file) = (text(tensor)?, text(file)?);
        // An untrusted index must not reach files in other directories.
        if !matches!(Path::new(&file).components().collect::<Vec<_>>()[..], [Component::Normal(_)]) {
            return Err(format!(
                "\"{}\" is not the name of a file in the same directory",
                Foreign::new(&file)
            ));
        }
        files.insert(tensor, file);
        Ok(())
    })?;
    Ok(files)
}
