//! Folders of generated pictures.

use std::fs;
use std::path::Path;

/// A BMP of one colour with a stripe, so that no two are the same by chance.
pub fn bmp(width: usize, height: usize, [red, green, blue]: [u8; 3], stripe: usize) -> Vec<u8> {
    let row_len = (3 * width).next_multiple_of(4);
    let mut bytes = b"BM".to_vec();
    for number in [54 + row_len * height, 0, 54, 40, width, height] {
        bytes.extend((number as u32).to_le_bytes());
    }
    bytes.extend([1, 0, 24, 0]);
    bytes.extend([0; 24]);
    for y in 0..height {
        let mut row = Vec::new();
        (0..width).for_each(|x| {
            row.extend(if (x + y) % (stripe + 2) == 0 { [9, 9, 9] } else { [blue, green, red] })
        });
        row.resize(row_len, 0);
        bytes.extend(row);
    }
    bytes
}

/// A folder `dir` of `n_classes` classes with `n` pictures each, of odd sizes; the colour identifies the
/// class.
pub fn photographs(dir: &Path, n_classes: usize, n: usize) {
    for class in 0..n_classes {
        let folder = dir.join(format!("class {class:02}"));
        fs::create_dir_all(&folder).unwrap();
        for i in 0..n {
            let (width, height) = (17 + (class * 7 + i * 13) % 41, 11 + (class * 5 + i * 3) % 29);
            let color = [class as u8 * 6, 250 - class as u8 * 5, (class % 5) as u8 * 50];
            fs::write(folder.join(format!("{i}.bmp")), bmp(width, height, color, i)).unwrap();
        }
    }
}
