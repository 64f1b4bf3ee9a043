//! The size of a network's images.

/// `[height, width, channels]` of a network's input images.
pub type ImageSize = [usize; 3];

/// Panics unless an image has at least `smallest` pixels on a side.
#[track_caller]
pub(super) fn check_size(model: &str, [height, width, _]: ImageSize, smallest: usize) {
    assert!(
        height.min(width) >= smallest,
        "{model}: images of {height} × {width} pixels are too small; expected at least {smallest} × \
         {smallest}"
    );
}
