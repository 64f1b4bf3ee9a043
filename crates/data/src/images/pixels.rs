//! Decoded pixels, turned upright and cropped without being moved.

/// Decoded pixels, row-major, on white where they were transparent.
pub(super) struct Pixels {
    pub(super) bytes: Vec<u8>,
    pub(super) width: usize,
    pub(super) height: usize,
    /// Values per pixel: 3 for red, green, blue; 1 for grey.
    pub(super) channels: usize,
    /// The EXIF orientation, 1 to 8, still to be applied.
    pub(super) orientation: u16,
}

impl Pixels {
    /// The upright pixels.
    pub(super) fn view(&self) -> View<'_> {
        let Self { ref bytes, width, height, channels, orientation } = *self;
        let (step_x, step_y) = (channels as isize, (channels * width) as isize);
        let mut view = View { bytes, channels, width, height, start: 0, step_x, step_y };
        if orientation >= 5 {
            (view.width, view.height) = (height, width);
            (view.step_x, view.step_y) = (step_y, step_x);
        }
        if matches!(orientation, 2 | 3 | 6 | 7) {
            view.start += (view.width as isize - 1) * view.step_x;
            view.step_x = -view.step_x;
        }
        if matches!(orientation, 3 | 4 | 7 | 8) {
            view.start += (view.height as isize - 1) * view.step_y;
            view.step_y = -view.step_y;
        }
        view
    }
}

/// A rectangle of pixels within others. Turning, mirroring and cropping move no bytes: pixel (x, y) begins at
/// byte start + x · step_x + y · step_y.
pub(super) struct View<'a> {
    bytes: &'a [u8],
    pub(super) channels: usize,
    pub(super) width: usize,
    pub(super) height: usize,
    start: isize,
    step_x: isize,
    step_y: isize,
}

impl View<'_> {
    /// The largest window with the proportions height : width, as close to the centre as whole pixels allow.
    pub(super) fn centred_window(mut self, height: usize, width: usize) -> Self {
        let scaled =
            |side: usize, by: usize, over: usize| (side as u128 * by as u128 / over as u128) as usize;
        let window_width = self.width.min(scaled(self.height, width, height)).max(1);
        let window_height = self.height.min(scaled(self.width, height, width)).max(1);
        let (left, top) = ((self.width - window_width) / 2, (self.height - window_height) / 2);
        self.start += left as isize * self.step_x + top as isize * self.step_y;
        (self.width, self.height) = (window_width, window_height);
        self
    }

    /// The values of one pixel.
    pub(super) fn pixel(&self, x: usize, y: usize) -> &[u8] {
        let start = self.start + x as isize * self.step_x + y as isize * self.step_y;
        &self.bytes[start as usize..][..self.channels]
    }
}
