//! Labels among data: beside a point, along a line, clear of each other.

use plotters::style::TextStyle;
use plotters::style::text_anchor::{HPos, VPos};

use crate::canvas::FINE;
use crate::clip::{self, Place};
use crate::panel::{Drawn, Panel, text_style};
use crate::text::{self, Weight};
use crate::theme;

/// The room of a label, in pixels from the upper left of the plot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LabelBox {
    centre: (f64, f64),
    half: (f64, f64),
}

impl LabelBox {
    fn overlaps(&self, other: &LabelBox) -> bool {
        (self.centre.0 - other.centre.0).abs() < self.half.0 + other.half.0
            && (self.centre.1 - other.centre.1).abs() < self.half.1 + other.half.1
    }

    fn is_within(&self, width: f64, height: f64) -> bool {
        (self.half.0..=width - self.half.0).contains(&self.centre.0)
            && (self.half.1..=height - self.half.1).contains(&self.centre.1)
    }

    /// Whether a segment passes through it.
    fn meets(&self, from: (f64, f64), to: (f64, f64)) -> bool {
        let unit = |(x, y): (f64, f64)| {
            (
                (x - self.centre.0 + self.half.0) / (2.0 * self.half.0),
                (y - self.centre.1 + self.half.1) / (2.0 * self.half.1),
            )
        };
        clip::segment(unit(from), unit(to)).is_some()
    }
}

/// Height of a label's text in pixels.
const LABEL_SIZE: f64 = 11.5;

/// Width and height of a label in pixels.
fn label_size(text: &str) -> (f64, f64) {
    (text::width(text, Weight::Regular) * LABEL_SIZE, LABEL_SIZE)
}

impl Panel<'_> {
    /// A label for a point, on the side where it covers the fewest lines and no label.
    pub(crate) fn label_beside(&mut self, point: (f64, f64), text: &str) -> Drawn {
        let place = self.place(point);
        if !clip::inside(place) {
            return Ok(());
        }
        let (width, height) = label_size(text);
        let plot = self.size();
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
            (
                place.0 * plot.0 + dx * (width / 2.0 + reach),
                (1.0 - place.1) * plot.1 + dy * (height / 2.0 + reach),
            )
        });
        self.label_at_best(&centres, text)
    }

    /// A label for a vertical line at the place `x`: at its top or foot, first on the side that has more room.
    pub(crate) fn label_beside_vertical(&mut self, x: f64, text: &str) -> Drawn {
        let ((width, height), plot) = (label_size(text), self.size());
        let beside = (width / 2.0 + 5.0) * if x < 0.5 { 1.0 } else { -1.0 };
        let (top, foot) = (4.0 + height / 2.0, plot.1 - 4.0 - height / 2.0);
        let centres = [(beside, top), (-beside, top), (beside, foot), (-beside, foot)];
        self.label_at_best(&centres.map(|(dx, y)| (x * plot.0 + dx, y)), text)
    }

    /// A label for a horizontal line at the place `y`: above it or below, at its right, its left or its middle.
    pub(crate) fn label_beside_horizontal(&mut self, y: f64, text: &str) -> Drawn {
        let ((width, height), plot) = (label_size(text), self.size());
        let aside = (height / 2.0 + 4.0) * if y < 0.9 { -1.0 } else { 1.0 };
        let (left, right) = (4.0 + width / 2.0, plot.0 - 4.0 - width / 2.0);
        let columns = [right, left, plot.0 / 2.0];
        let centres: Vec<_> =
            [aside, -aside].iter().flat_map(|dy| columns.map(|x| (x, (1.0 - y) * plot.1 + dy))).collect();
        self.label_at_best(&centres, text)
    }

    /// A label around the first of these centres, in pixels, where it covers the fewest lines and no label.
    fn label_at_best(&mut self, centres: &[(f64, f64)], text: &str) -> Drawn {
        let ((width, height), plot) = (label_size(text), self.size());
        let half = (width / 2.0 + 2.0, height / 2.0 + 1.0);
        let boxes = centres.iter().map(|&centre| LabelBox { centre, half });
        let best = boxes.min_by_key(|b| self.cost(b)).expect("there are centres");
        self.labels.push(best);
        let place = (best.centre.0 / plot.0, 1.0 - best.centre.1 / plot.1);
        self.label(
            place,
            (0.0, 0.0),
            text,
            &text_style(LABEL_SIZE, theme::INK, false, (HPos::Center, VPos::Center)),
        )
    }

    /// How much a label here would cover, and how much of it would stick out.
    fn cost(&self, label: &LabelBox) -> usize {
        let (width, height) = self.size();
        let place = |(x, y): Place| (x * width, (1.0 - y) * height);
        let n_lines = self.lines.iter().filter(|line| label.meets(place(line.0), place(line.1))).count();
        let n_labels = self.labels.iter().filter(|other| label.overlaps(other)).count();
        n_lines + 1000 * n_labels + if label.is_within(width, height) { 0 } else { 500 }
    }

    /// A label on a line and in its direction, near its middle, unless the line is too short for it or it would
    /// cover another line or label wherever it stood.
    pub(crate) fn label_along(
        &mut self,
        line: &[(f64, f64)],
        text: &str,
        style: &TextStyle<'static>,
    ) -> Drawn {
        let (width, height) = self.size();
        let pixel = |&point: &(f64, f64)| {
            let (x, y) = self.place(point);
            (x * width, (1.0 - y) * height)
        };
        let pixels: Vec<(f64, f64)> = line.iter().map(pixel).collect();
        let length: f64 = pixels.windows(2).map(|w| (w[1].0 - w[0].0).hypot(w[1].1 - w[0].1)).sum();
        let size = style.font.get_size() / FINE;
        let text_width = text::width(text, Weight::Regular) * size;
        if length < 3.0 * text_width {
            return Ok(());
        }
        for share in [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9] {
            let i = ((pixels.len() - 1) as f64 * share) as usize;
            let (before, after) = (pixels[i.saturating_sub(2)], pixels[(i + 2).min(pixels.len() - 1)]);
            let angle = (after.1 - before.1).atan2(after.0 - before.0).to_degrees().round() as i32;
            let turn = (angle + 90).rem_euclid(180) - 90;
            // The box does not turn with the text: it is the square that the text turns in.
            let half = (text_width / 2.0 + 3.0).max(size / 2.0);
            let label = LabelBox { centre: pixels[i], half: (half, half) };
            if self.cost(&label) == 0 {
                self.labels.push(label);
                return self.turned_label(self.place(line[i]), (0.0, 0.0), text, style, turn);
            }
        }
        Ok(())
    }
}
