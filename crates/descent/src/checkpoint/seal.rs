//! The sum of a checkpoint: SHA-256 over the file in which the sum's own digits are zeros.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use super::SUM;

/// The digits that stand in the sum's place while it is taken.
pub(super) const NO_SUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Takes the sum of a file that was encoded with [`NO_SUM`] and writes it into its place.
///
/// # Panics
/// When there is no such place.
pub(super) fn close(bytes: &mut [u8]) {
    let header_len = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let at = 8 + place(&bytes[8..8 + header_len], NO_SUM).expect("the file was encoded with a place");
    let sum = hex(Sha256::digest(&*bytes));
    bytes[at..at + NO_SUM.len()].copy_from_slice(sum.as_bytes());
}

/// Compares the sum that a file claims with its own. The file's header was parsed before.
pub(super) fn check(path: &Path, claimed: Option<&str>) -> Result<()> {
    let claimed = claimed.context("it has no sum, so it is no checkpoint")?;
    ensure!(claimed.len() == NO_SUM.len(), "its sum is no SHA-256");
    let mut file = File::open(path)?;
    let mut prefix = [0; 8];
    file.read_exact(&mut prefix)?;
    let header_len = u64::from_le_bytes(prefix).min(file.metadata()?.len());
    // Its room is made at once: a vector that grows holds up to three times its bytes meanwhile.
    let mut header = Vec::with_capacity(header_len as usize);
    file.by_ref().take(header_len).read_to_end(&mut header)?;
    let at = place(&header, claimed).context("its sum is no SHA-256")?;
    header[at..at + NO_SUM.len()].copy_from_slice(NO_SUM.as_bytes());
    let mut hasher = Sha256::new();
    hasher.update(prefix);
    hasher.update(&header);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => hasher.update(&buffer[..n]),
        }
    }
    let found = hex(hasher.finalize());
    ensure!(found == claimed, "it is damaged: it should have the SHA-256 {claimed}, and has {found}");
    Ok(())
}

/// Where the digits of the sum begin. Within any other string the quotes would be escaped.
fn place(header: &[u8], sum: &str) -> Option<usize> {
    let key = format!("\"{SUM}\":\"");
    let field = format!("{key}{sum}\"");
    let at = header.windows(field.len()).position(|window| window == field.as_bytes())?;
    Some(at + key.len())
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
