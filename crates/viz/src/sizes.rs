//! Sizes of text and spaces, in pixels.

/// Space around everything.
pub(crate) const MARGIN: f64 = 12.0;
/// Space between elements.
pub(crate) const GAP: f64 = 6.0;

/// Font sizes. Those of a small panel are smaller, but still legible when it is shown at its own size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) title: f64,
    pub(crate) label: f64,
    pub(crate) tick: f64,
}

impl Sizes {
    pub(crate) fn for_width(width: f64) -> Self {
        if width < 240.0 {
            Sizes { title: 12.5, label: 11.0, tick: 10.0 }
        } else if width < 420.0 {
            Sizes { title: 13.5, label: 12.0, tick: 11.5 }
        } else {
            Sizes { title: 15.5, label: 12.5, tick: 11.5 }
        }
    }
}
