//! Labels among data: beside a point or along a line, without overlaps.

use crate::canvas::{Anchor, Point, TextStyle};
use crate::clip;
use crate::clutter::LabelBox;
use crate::panel::Panel;
use crate::text::{self, Weight};
use crate::theme::INK;

/// The font size of a label in pixels.
const LABEL_SIZE: f64 = 11.5;

/// The width and height of a label in pixels.
fn label_size(text: &str) -> (f64, f64) {
    (text::width(text, Weight::Regular) * LABEL_SIZE, LABEL_SIZE)
}

impl Panel<'_> {
    /// Labels a point, on the side where the label covers the fewest lines and no other label.
    pub(crate) fn label_beside(&mut self, point: (f64, f64), text: &str) {
        let place = self.place(point);
        if !clip::inside(place) {
            return;
        }
        let text = self.cut(text);
        let (width, height) = label_size(&text);
        let (x, y) = self.within(place);
        let sides = [
            (0.0, -1.0),
            (0.0, 1.0),
            (1.0, 0.0),
            (-1.0, 0.0),
            (1.0, -1.0),
            (-1.0, -1.0),
            (1.0, 1.0),
            (-1.0, 1.0),
        ];
        let centres = sides.map(|(dx, dy): (f64, f64)| {
            let reach = if dx != 0.0 && dy != 0.0 { 5.0 } else { 9.0 };
            (x + dx * (width / 2.0 + reach), y + dy * (height / 2.0 + reach))
        });
        self.label_at_best(&centres, &text);
    }

    /// Labels a vertical line at position `x`, at its top or bottom, first trying the side with more room.
    pub(crate) fn label_beside_vertical(&mut self, x: f64, text: &str) {
        let text = self.cut(text);
        let ((width, height), plot) = (label_size(&text), self.size());
        let beside = (width / 2.0 + 5.0) * if x < 0.5 { 1.0 } else { -1.0 };
        let (top, foot) = (4.0 + height / 2.0, plot.1 - 4.0 - height / 2.0);
        let centres = [(beside, top), (-beside, top), (beside, foot), (-beside, foot)];
        self.label_at_best(&centres.map(|(dx, y)| (x * plot.0 + dx, y)), &text);
    }

    /// Labels a horizontal line at position `y`, above or below it, at its right, left or middle.
    pub(crate) fn label_beside_horizontal(&mut self, y: f64, text: &str) {
        let text = self.cut(text);
        let ((width, height), plot) = (label_size(&text), self.size());
        let aside = (height / 2.0 + 4.0) * if y < 0.9 { -1.0 } else { 1.0 };
        let (left, right) = (4.0 + width / 2.0, plot.0 - 4.0 - width / 2.0);
        let columns = [right, left, plot.0 / 2.0];
        let centres: Vec<Point> =
            [aside, -aside].iter().flat_map(|dy| columns.map(|x| (x, (1.0 - y) * plot.1 + dy))).collect();
        self.label_at_best(&centres, &text);
    }

    /// Truncates a label to the width of the plot.
    fn cut(&self, text: &str) -> String {
        text::fitted(text, Weight::Regular, (self.size().0 - 8.0) / LABEL_SIZE)
    }

    /// Draws a label around the first of these centres where it covers the fewest lines and no other label.
    fn label_at_best(&mut self, centres: &[Point], text: &str) {
        let (width, height) = label_size(text);
        let half = (width / 2.0 + 2.0, height / 2.0 + 1.0);
        let boxes = centres.iter().map(|&centre| LabelBox { centre, half });
        let best = boxes.min_by_key(|b| self.clutter.cost(b)).expect("there are centres");
        let best = best.moved_within(self.size());
        self.clutter.add_label(best);
        let style = TextStyle::new(LABEL_SIZE, INK, Anchor::Middle, Anchor::Middle);
        let at = (self.rect.left + best.centre.0, self.rect.top + best.centre.1);
        self.canvas.text(text, at, TextStyle { halo: true, ..style });
    }

    /// Draws a label on a line and in its direction, near its middle, unless the line is too short or the
    /// label would cover another line or label at every position.
    pub(crate) fn label_along(&mut self, line: &[(f64, f64)], text: &str, style: &TextStyle) {
        let pixels: Vec<Point> = line.iter().map(|&point| self.within(self.place(point))).collect();
        let length: f64 = pixels.windows(2).map(|w| (w[1].0 - w[0].0).hypot(w[1].1 - w[0].1)).sum();
        let text_width = text::width(text, Weight::Regular) * style.size;
        if length < 3.0 * text_width {
            return;
        }
        for share in [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9] {
            let i = ((pixels.len() - 1) as f64 * share) as usize;
            let (before, after) = (pixels[i.saturating_sub(2)], pixels[(i + 2).min(pixels.len() - 1)]);
            let angle = (after.1 - before.1).atan2(after.0 - before.0).to_degrees().round() as i32;
            let turn = (angle + 90).rem_euclid(180) - 90;
            // The box is not rotated with the text: it is the square that contains the text at any angle.
            let half = (text_width / 2.0 + 3.0).max(style.size / 2.0);
            let label = LabelBox { centre: pixels[i], half: (half, half) };
            if self.clutter.cost(&label) == 0 {
                self.clutter.add_label(label);
                let at = (self.rect.left + pixels[i].0, self.rect.top + pixels[i].1);
                return self.canvas.text(text, at, TextStyle { turn, halo: true, ..*style });
            }
        }
    }
}
