//! Text as outlines of the embedded font, Inter: it measures and looks the same on every machine.

use std::sync::LazyLock;

use ttf_parser::{Face, GlyphId, OutlineBuilder};

use crate::path_data::PathData;

/// The weight of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    let units: f64 = text.chars().map(|c| advance(face, glyph_id(face, c))).sum();
    units / f64::from(face.units_per_em())
}

/// The glyphs of `text`, each with where it begins in units of 1/1000 em. Those without an outline, spaces,
/// are left out.
pub(crate) fn glyphs(text: &str, weight: Weight) -> Vec<(Glyph, i32)> {
    let face = face(weight);
    let scale = UNITS_PER_EM / f64::from(face.units_per_em());
    let mut x = 0.0;
    let mut glyphs = Vec::new();
    for c in text.chars() {
        let id = glyph_id(face, c);
        if face.glyph_bounding_box(id).is_some() {
            glyphs.push((Glyph { weight, id: id.0 }, (x * scale).round() as i32));
        }
        x += advance(face, id);
    }
    glyphs
}

/// A glyph of the embedded font.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Glyph {
    weight: Weight,
    id: u16,
}

impl Glyph {
    /// A name that no other glyph has.
    pub(crate) fn name(self) -> String {
        let weight = if self.weight == Weight::Regular { 'r' } else { 'b' };
        format!("{weight}{}", self.id)
    }

    /// Its outline as SVG path data in units of 1/1000 em, y downwards, from the origin of its baseline.
    pub(crate) fn outline(self) -> String {
        let face = face(self.weight);
        let scale = UNITS_PER_EM / f64::from(face.units_per_em());
        let mut outline = Outline { path: PathData::default(), scale };
        face.outline_glyph(GlyphId(self.id), &mut outline);
        outline.path.into_string()
    }
}

/// Glyph 0 is the box for characters that a font lacks.
fn glyph_id(face: &Face, c: char) -> GlyphId {
    face.glyph_index(c).unwrap_or(GlyphId(0))
}

fn advance(face: &Face, glyph: GlyphId) -> f64 {
    f64::from(face.glyph_hor_advance(glyph).unwrap_or(0))
}

/// Takes an outline from the font.
struct Outline {
    path: PathData,
    scale: f64,
}

impl Outline {
    fn point(&self, x: f32, y: f32) -> (i32, i32) {
        let round = |v: f32| (f64::from(v) * self.scale).round() as i32;
        (round(x), round(-y))
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
                assert_ne!(glyph_id(face(weight), c), GlyphId(0), "{weight:?} lacks {c}");
            }
        }
    }

    #[test]
    fn a_letter_has_an_outline_and_a_space_has_none() {
        let glyphs = glyphs("a l漢", Weight::Regular);
        assert_eq!(glyphs.len(), 3, "a character that the font lacks is a box");
        for (glyph, _) in &glyphs {
            let outline = glyph.outline();
            assert!(outline.starts_with('M') && outline.ends_with('z'), "{outline}");
        }
        let starts: Vec<f64> = glyphs.iter().map(|glyph| f64::from(glyph.1) / UNITS_PER_EM).collect();
        assert_eq!(starts[0], 0.0);
        assert!((starts[1] - width("a ", Weight::Regular)).abs() < 1e-3);
    }
}
