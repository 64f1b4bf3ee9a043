//! Text as outlines of the embedded font, Inter, so it has the same size and look on every machine.

use std::sync::LazyLock;

use foreign_text::in_full;
use ttf_parser::{Face, GlyphId, OutlineBuilder};

/// The weight of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    Regular,
    SemiBold,
}

/// The height of a capital letter, in em.
pub(crate) const CAP_HEIGHT: f64 = 0.727;

/// The number of font units per em.
pub(crate) const FONT_UNITS: f64 = 2048.0;

static REGULAR: LazyLock<Face> = LazyLock::new(|| parse(include_bytes!("../fonts/Inter-Regular.ttf")));
static SEMI_BOLD: LazyLock<Face> = LazyLock::new(|| parse(include_bytes!("../fonts/Inter-SemiBold.ttf")));

fn parse(bytes: &'static [u8]) -> Face<'static> {
    Face::parse(bytes, 0).expect("the embedded font is valid")
}

fn face(weight: Weight) -> &'static Face<'static> {
    match weight {
        Weight::Regular => &REGULAR,
        Weight::SemiBold => &SEMI_BOLD,
    }
}

/// The width of `text` in em. A character missing from the font has the width of its replacement box.
pub(crate) fn width(text: &str, weight: Weight) -> f64 {
    let face = face(weight);
    in_full(text).chars().map(|c| advance(face, glyph_id(face, c))).sum::<f64>() / FONT_UNITS
}

/// `text` as displayed, truncated with an ellipsis if it is wider than `width` em.
pub(crate) fn fitted(text: &str, weight: Weight, width: f64) -> String {
    let face = face(weight);
    let advance = |c| advance(face, glyph_id(face, c)) / FONT_UNITS;
    let (mut fits, mut cut_at, mut so_far) = (String::new(), 0, 0.0);
    for c in in_full(text).chars() {
        so_far += advance(c);
        if so_far > width {
            fits.truncate(cut_at);
            return format!("{}…", fits.trim_end());
        }
        fits.push(c);
        if so_far + advance('…') <= width {
            cut_at = fits.len();
        }
    }
    fits
}

/// The glyphs of `text` with their start positions in em, without spaces, which have no outline.
pub(crate) fn glyphs(text: &str, weight: Weight) -> Vec<(Glyph, f64)> {
    let face = face(weight);
    let mut x = 0.0;
    let mut glyphs = Vec::new();
    for c in in_full(text).chars() {
        let id = glyph_id(face, c);
        if face.glyph_bounding_box(id).is_some() {
            glyphs.push((Glyph { weight, id: id.0 }, x / FONT_UNITS));
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
    /// A unique name for the glyph.
    pub(crate) fn name(self) -> String {
        let weight = if self.weight == Weight::Regular { 'r' } else { 'b' };
        format!("{weight}{}", self.id)
    }

    /// Draws the outline with `pen`, in font units, y upwards, from the origin of its baseline.
    pub(crate) fn trace(self, pen: &mut dyn OutlineBuilder) {
        face(self.weight).outline_glyph(GlyphId(self.id), pen);
    }
}

/// Glyph 0 is the box for characters missing from a font.
fn glyph_id(face: &Face, c: char) -> GlyphId {
    face.glyph_index(c).unwrap_or(GlyphId(0))
}

fn advance(face: &Face, glyph: GlyphId) -> f64 {
    f64::from(face.glyph_hor_advance(glyph).unwrap_or(0))
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
    fn a_space_has_no_glyph_and_what_the_font_lacks_is_a_box() {
        let glyphs = glyphs("a l漢", Weight::Regular);
        assert_eq!(glyphs.len(), 3);
        let starts: Vec<f64> = glyphs.iter().map(|glyph| glyph.1).collect();
        assert_eq!(starts[..2], [0.0, width("a ", Weight::Regular)]);
        assert_eq!(face(Weight::Regular).units_per_em(), 2048);
        assert_eq!(face(Weight::SemiBold).units_per_em(), 2048);
    }

    #[test]
    fn a_text_is_cut_where_it_no_longer_fits() {
        let all = width("a long name", Weight::Regular);
        assert_eq!(fitted("a long name", Weight::Regular, all + 1e-9), "a long name");
        for share in [0.0, 0.3, 0.5, 0.9] {
            let cut = fitted("a long name", Weight::Regular, (all * share).max(1.0));
            assert!(cut.ends_with('…') && width(&cut, Weight::Regular) <= (all * share).max(1.0), "{cut}");
        }
        assert_eq!(fitted("anything", Weight::Regular, 0.0), "…");
        // In time independent of the truncated length.
        assert_eq!(fitted(&"name ".repeat(1 << 24), Weight::Regular, 3.0), "nam…");
    }

    #[test]
    fn what_controls_is_shown_as_an_escape() {
        assert_eq!(in_full("a\n\u{1b}[31mb\u{202e}\0"), r"a\n\u{1b}[31mb\u{202e}\0");
        assert_eq!(in_full("naïve 猫 <b>"), "naïve 猫 <b>");
    }
}
