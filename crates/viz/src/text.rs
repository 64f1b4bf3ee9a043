//! Text as outlines of the embedded font, Inter: it measures and looks the same on every machine.

use std::sync::LazyLock;

use ttf_parser::{Face, GlyphId, OutlineBuilder};

use crate::path_data::PathData;

/// The weight of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    Regular,
    SemiBold,
}

/// The height of a capital letter, in em.
pub(crate) const CAP_HEIGHT: f64 = 0.727;

/// Outlines are written in whole units of which an em has this many: half a percent of a stem's width.
pub(crate) const UNITS_PER_EM: f64 = 1000.0;

static REGULAR: LazyLock<Face> = LazyLock::new(|| parse(include_bytes!("../fonts/Inter-Regular.ttf")));
static SEMI_BOLD: LazyLock<Face> = LazyLock::new(|| parse(include_bytes!("../fonts/Inter-SemiBold.ttf")));

fn parse(bytes: &'static [u8]) -> Face<'static> {
    Face::parse(bytes, 0).expect("the embedded font is whole")
}

fn face(weight: Weight) -> &'static Face<'static> {
    match weight {
        Weight::Regular => &REGULAR,
        Weight::SemiBold => &SEMI_BOLD,
    }
}

/// The width of `text` in em. A character that the font lacks has the width of its box.
pub(crate) fn width(text: &str, weight: Weight) -> f64 {
    let face = face(weight);
    let units: f64 = text.chars().map(|c| advance(face, glyph(face, c))).sum();
    units / f64::from(face.units_per_em())
}

/// The outlines of `text` as SVG path data in units of 1/1000 em, y downwards, from the origin of its
/// baseline.
pub(crate) fn outline(text: &str, weight: Weight) -> String {
    let face = face(weight);
    let scale = UNITS_PER_EM / f64::from(face.units_per_em());
    let mut outline = Outline { path: PathData::default(), scale, pen_x: 0.0 };
    for c in text.chars() {
        let glyph = glyph(face, c);
        face.outline_glyph(glyph, &mut outline);
        outline.pen_x += advance(face, glyph);
    }
    outline.path.into_string()
}

/// Glyph 0 is the box for characters that a font lacks.
fn glyph(face: &Face, c: char) -> GlyphId {
    face.glyph_index(c).unwrap_or(GlyphId(0))
}

fn advance(face: &Face, glyph: GlyphId) -> f64 {
    f64::from(face.glyph_hor_advance(glyph).unwrap_or(0))
}

/// Takes a font's outlines glyph by glyph.
struct Outline {
    path: PathData,
    scale: f64,
    pen_x: f64,
}

impl Outline {
    fn point(&self, x: f32, y: f32) -> (i32, i32) {
        let round = |v: f64| (v * self.scale).round() as i32;
        (round(self.pen_x + f64::from(x)), round(-f64::from(y)))
    }
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.move_to(self.point(x, y));
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.path.command('l', &[self.point(x, y)]);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.path.command('q', &[self.point(x1, y1), self.point(x, y)]);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.path.command('c', &[self.point(x1, y1), self.point(x2, y2), self.point(x, y)]);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_as_wide_as_its_letters_together() {
        for weight in [Weight::Regular, Weight::SemiBold] {
            let letters: f64 = "Loss ∇f".chars().map(|c| width(&c.to_string(), weight)).sum();
            assert!((width("Loss ∇f", weight) - letters).abs() < 1e-12);
            assert!((0.2..1.0).contains(&width("e", weight)));
        }
        assert!(width("train", Weight::SemiBold) > width("train", Weight::Regular));
    }

    #[test]
    fn the_font_has_the_signs_of_the_lecture() {
        for weight in [Weight::Regular, Weight::SemiBold] {
            for c in "αβγλσθεηπ∂∇√∞≈≤≥·×−±→↑↓⁰¹²³⁴⁵⁶⁷⁸⁹⁻₀₁₂ₜ°‖ℓéüß".chars()
            {
                assert_ne!(glyph(face(weight), c), GlyphId(0), "{weight:?} lacks {c}");
            }
        }
    }

    #[test]
    fn a_letter_has_an_outline_and_a_space_has_none() {
        assert!(outline("l", Weight::Regular).starts_with('M'));
        assert!(outline("l", Weight::Regular).ends_with('z'));
        assert_eq!(outline(" ", Weight::Regular), "");
        assert!(outline("漢", Weight::Regular).contains('z'), "the box for a character that the font lacks");
    }
}
