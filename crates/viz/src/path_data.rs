//! Compact SVG path data: whole units, relative, without needless spaces.

use std::fmt::Write;

/// Path data being written.
#[derive(Default)]
pub(crate) struct PathData {
    data: String,
    at: (i64, i64),
}

impl PathData {
    /// Begins a new contour.
    pub(crate) fn move_to(&mut self, (x, y): (i64, i64)) {
        write!(self.data, "M{x} {y}").expect("a string takes all");
        self.at = (x, y);
    }

    /// Adds a straight or curved segment: the relative command `letter` (`l`, `q` or `c`) and its points, the
    /// last of which is its end.
    pub(crate) fn command(&mut self, letter: char, points: &[(i64, i64)]) {
        self.data.push(letter);
        for &(x, y) in points {
            for delta in [x - self.at.0, y - self.at.1] {
                // A minus sign separates two numbers as well as a space.
                if delta >= 0 && !self.data.ends_with(letter) {
                    self.data.push(' ');
                }
                write!(self.data, "{delta}").expect("a string takes all");
            }
        }
        self.at = *points.last().expect("a segment ends somewhere");
    }

    /// Closes the contour.
    pub(crate) fn close(&mut self) {
        self.data.push('z');
    }

    /// Straight lines through `points`. Adjacent equal points count as one; a line without length is kept,
    /// because its round caps form a dot.
    pub(crate) fn polyline(points: impl IntoIterator<Item = (i64, i64)>) -> Self {
        let mut path = PathData::default();
        for (i, point) in points.into_iter().enumerate() {
            if i == 0 {
                path.move_to(point);
            } else if point != path.at {
                path.command('l', &[point]);
            }
        }
        if !path.data.is_empty() && !path.data.contains('l') {
            path.data.push_str("h0");
        }
        path
    }

    pub(crate) fn into_string(self) -> String {
        self.data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_relative_and_short() {
        let data = |points: &[(i64, i64)]| PathData::polyline(points.iter().copied()).into_string();
        assert_eq!(data(&[(10, 20), (13, 15), (13, 15), (10, 15)]), "M10 20l3-5l-3 0");
        assert_eq!(data(&[(1, 2), (1, 2)]), "M1 2h0");
        assert_eq!(data(&[]), "");
    }
}
