//! The checksum of a checkpoint: SHA-256 over the file with zeros in place of the digest itself; and that of any
//! other file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use foreign_text::shown_path;
use sha2::{Digest, Sha256};

use super::CHECKSUM;

/// The placeholder for the digest while it is computed.
pub(super) const DIGEST_PLACEHOLDER: &str =
    "0000000000000000000000000000000000000000000000000000000000000000";

/// Computes the digest of a file that was encoded with [`DIGEST_PLACEHOLDER`], and writes it in its place.
///
/// # Panics
/// When there is no placeholder.
pub(super) fn sign(bytes: &mut [u8]) {
    let header_len = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let at =
        8 + find_digest(&bytes[8..8 + header_len], DIGEST_PLACEHOLDER).expect("the file has a placeholder");
    let digest = hex(Sha256::digest(&*bytes));
    bytes[at..at + DIGEST_PLACEHOLDER.len()].copy_from_slice(digest.as_bytes());
}

/// Compares the digest that a file claims with its actual one. Its header has been parsed before.
pub(super) fn check(path: &Path, claimed: Option<&str>) -> Result<()> {
    let claimed = claimed.context("it has no checksum, so it is not a checkpoint")?;
    ensure!(claimed.len() == DIGEST_PLACEHOLDER.len(), "its checksum is not a SHA-256 digest");
    let mut file = File::open(path)?;
    let mut prefix = [0; 8];
    file.read_exact(&mut prefix)?;
    let header_len = u64::from_le_bytes(prefix).min(file.metadata()?.len());
    // Allocated at once: a growing vector temporarily holds up to three times its bytes.
    let mut header = Vec::with_capacity(header_len as usize);
    file.by_ref().take(header_len).read_to_end(&mut header)?;
    let at = find_digest(&header, claimed).context("its checksum is not a SHA-256 digest")?;
    header[at..at + DIGEST_PLACEHOLDER.len()].copy_from_slice(DIGEST_PLACEHOLDER.as_bytes());
    let mut hasher = Sha256::new();
    hasher.update(prefix);
    hasher.update(&header);
    add_rest(&mut hasher, &mut file)?;
    let found = hex(hasher.finalize());
    ensure!(found == claimed, "it is damaged: expected the SHA-256 {claimed}, found {found}");
    Ok(())
}

/// The SHA-256 of a whole file, in hexadecimal digits.
///
/// # Errors
/// When it cannot be read.
pub fn sha256_of_file(path: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    File::open(path)
        .and_then(|mut file| add_rest(&mut hasher, &mut file))
        .with_context(|| format!("cannot read {}", shown_path(path)))?;
    Ok(hex(hasher.finalize()))
}

fn add_rest(hasher: &mut Sha256, file: &mut File) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            n => hasher.update(&buffer[..n]),
        }
    }
}

/// The position of the digest. Within any other string the quotes would be escaped.
fn find_digest(header: &[u8], digest: &str) -> Option<usize> {
    let key = format!("\"{CHECKSUM}\":\"");
    let field = format!("{key}{digest}\"");
    let at = header.windows(field.len()).position(|window| window == field.as_bytes())?;
    Some(at + key.len())
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
