//! Flags for settings up to an epoch, or from one on: `3=16,6=24`.

/// The sizes of `--resize-until`: epochs, ascending, and the side of the images in pixels until each.
///
/// # Errors
/// When the text is malformed.
pub fn resizes(text: &str) -> Result<Vec<(f64, usize)>, String> {
    let form = || {
        "expected epochs and pixels per side, as in 3=16,6=24: 16 for 3 epochs, then 24 up to the sixth"
            .to_owned()
    };
    let phase = |part: &str| {
        let (epochs, side) = at(part)?;
        Some((epochs, side.trim().parse().ok().filter(|side| (1..=1024).contains(side))?))
    };
    let phases: Option<Vec<(f64, usize)>> = text.split(',').map(phase).collect();
    let phases = phases.ok_or_else(form)?;
    match phases.is_sorted_by(|(a, _), (b, _)| a < b) {
        true => Ok(phases),
        false => Err("expected epochs in increasing order, as in 3=16,6=24".to_owned()),
    }
}

/// The parts of `--freeze-after`: the epochs after which they are frozen, and their paths. Each text may hold
/// several, separated by `;`.
///
/// # Errors
/// When a text is malformed.
pub fn freezes(texts: &[String]) -> Result<Vec<(f64, Vec<String>)>, String> {
    let form = || "expected epochs and paths, as in 6=whiten,layers.0".to_owned();
    let part = |part: &str| {
        let (epochs, paths) = at(part)?;
        let paths: Vec<String> = paths.split(',').map(|path| path.trim().to_owned()).collect();
        paths.iter().all(|path| !path.is_empty()).then_some((epochs, paths))
    };
    let all: Option<Vec<_>> = texts.iter().flat_map(|text| text.split(';')).map(part).collect();
    all.ok_or_else(form)
}

/// `EPOCHS=WHAT`.
fn at(text: &str) -> Option<(f64, &str)> {
    let (epochs, what) = text.split_once('=')?;
    let epochs = epochs.trim().parse::<f64>().ok().filter(|epochs| epochs.is_finite() && *epochs > 0.0)?;
    Some((epochs, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_and_what_holds_until_them() {
        assert_eq!(resizes("3=16, 6.5=24"), Ok(vec![(3.0, 16), (6.5, 24)]));
        for wrong in [
            "",
            "16",
            "3=",
            "=16",
            "0=16",
            "-1=16",
            "3=0",
            "3=1025",
            "3=x",
            "nan=16",
            "3=16,3=24",
            "6=16,3=24",
        ] {
            assert!(resizes(wrong).unwrap_err().starts_with("expected epochs"), "{wrong}");
        }
        let texts = ["6=whiten,layers.0; 7=layers.1".to_owned(), "7.5=head".to_owned()];
        let expected = [(6.0, vec!["whiten", "layers.0"]), (7.0, vec!["layers.1"]), (7.5, vec!["head"])];
        let expected =
            expected.map(|(epochs, paths)| (epochs, paths.into_iter().map(String::from).collect()));
        assert_eq!(freezes(&texts), Ok(expected.to_vec()));
        for wrong in ["", "whiten", "6=", "6=a,,b", "x=whiten", "0=whiten", "6=a;"] {
            assert!(freezes(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
