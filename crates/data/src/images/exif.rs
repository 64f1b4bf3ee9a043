//! The one EXIF entry that changes how an image is displayed: its orientation.

/// The orientation in an EXIF block, 1 to 8; 1, which is upright, if it is missing or invalid.
pub(super) fn orientation(exif: &[u8]) -> u16 {
    find(exif).filter(|orientation| (1..=8).contains(orientation)).unwrap_or(1)
}

/// The value of tag 0x0112 in the first directory: a TIFF header, a count, entries of twelve bytes.
fn find(exif: &[u8]) -> Option<u16> {
    let is_little = match exif.first_chunk()? {
        b"II\x2a\0" => true,
        b"MM\0\x2a" => false,
        _ => return None,
    };
    let u16_at = |bytes: &[u8], at: usize| {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let offset = *exif.get(4..)?.first_chunk()?;
    let offset = if is_little { u32::from_le_bytes(offset) } else { u32::from_be_bytes(offset) };
    let directory = exif.get(offset as usize..)?;
    let n_entries = usize::from(u16_at(directory, 0)?);
    let mut entries = directory[2..].chunks_exact(12).take(n_entries);
    // A single short.
    let count = if is_little { [1, 0, 0, 0] } else { [0, 0, 0, 1] };
    let is_orientation = |entry: &[u8]| {
        u16_at(entry, 0) == Some(0x0112) && u16_at(entry, 2) == Some(3) && entry[4..8] == count
    };
    u16_at(entries.find(|entry| is_orientation(entry))?, 8)
}
