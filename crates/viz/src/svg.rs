//! A canvas as an SVG document.
//!
//! Coordinates are whole twentieths of a pixel, which is short and fine enough for a smooth curve. Text is
//! drawn as outlines of the embedded font, because the fonts of the viewer are unknown. Every element has its
//! colours as plain attributes, so no reader needs CSS.

use std::collections::BTreeSet;
use std::fmt::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use foreign_text::in_full;
use ttf_parser::OutlineBuilder;

use crate::canvas::{self, Canvas, Element, HALO, Point, Rect, Stroke, TextStyle};
use crate::path_data::PathData;
use crate::pixels::Image;
use crate::text::{self, Glyph};
use crate::theme::{self, Color, PAPER, Theme};

/// The number of document units per pixel.
const UNITS_PER_PIXEL: f64 = 20.0;

/// The number of units per em in outlines: one is half a percent of a stem's width.
const UNITS_PER_EM: f64 = 1000.0;

/// The document of `size` pixels; `title` is for screen readers.
pub(crate) fn document(canvas: &Canvas, title: &str, (width, height): (u32, u32), theme: Theme) -> String {
    // A page may contain several figures, so names include a hash of the title (FNV-1a).
    let hash = title.bytes().fold(0x811c_9dc5u32, |hash, b| (hash ^ u32::from(b)).wrapping_mul(0x0100_0193));
    let mut writer =
        Writer { theme, prefix: format!("v{hash:x}"), body: String::new(), glyphs: BTreeSet::new() };
    canvas.elements.iter().for_each(|element| writer.element(element));
    let Writer { prefix, body, glyphs, .. } = writer;
    let glyphs: String = glyphs
        .into_iter()
        .map(|glyph| format!("<path id=\"{prefix}{}\" d=\"{}\"/>\n", glyph.name(), outline(glyph)))
        .collect();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"viz\" role=\"img\" width=\"{width}\" \
         height=\"{height}\" viewBox=\"0 0 {} {}\" stroke-linejoin=\"round\" stroke-linecap=\"round\" \
         fill=\"none\">\n<title>{}</title>{}\n<defs>\n{glyphs}</defs>\n{body}</svg>\n",
        units(width.into()),
        units(height.into()),
        escape(title),
        theme.style_element(),
    )
}

fn units(pixels: f64) -> i64 {
    (pixels * UNITS_PER_PIXEL).round() as i64
}

fn unit_point((x, y): Point) -> (i64, i64) {
    (units(x), units(y))
}

/// The document being written.
struct Writer {
    theme: Theme,
    /// The prefix of the names in this figure.
    prefix: String,
    body: String,
    /// The glyphs used so far, each of which is defined once.
    glyphs: BTreeSet<Glyph>,
}

impl Writer {
    fn push(&mut self, text: std::fmt::Arguments) {
        self.body.write_fmt(text).expect("a string takes all");
    }

    fn element(&mut self, element: &Element) {
        match element {
            Element::Line { points, stroke } => {
                let data = PathData::polyline(points.iter().copied().map(unit_point)).into_string();
                let stroke = self.stroke(stroke);
                self.push(format_args!("<path d=\"{data}\"{stroke}/>\n"));
            }
            Element::Polygon { corners, fill } => {
                let data = PathData::polyline(corners.iter().copied().map(unit_point)).into_string();
                let fill = self.paint("fill", *fill);
                self.push(format_args!("<path d=\"{data}z\"{fill}/>\n"));
            }
            Element::Circle { centre, radius, fill } => {
                let ((x, y), radius, fill) = (unit_point(*centre), units(*radius), self.paint("fill", *fill));
                self.push(format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"{fill}/>\n"));
            }
            Element::Text { text, at, style } => self.text(text, *at, style),
            Element::Image { rect, image, smooth } => self.image(*rect, image, *smooth),
        }
    }

    fn image(&mut self, rect: Rect, image: &Image, smooth: bool) {
        let ((x0, y0), (x1, y1)) =
            (unit_point((rect.left, rect.top)), unit_point((rect.right(), rect.bottom())));
        let (width, height) = (x1 - x0, y1 - y0);
        let rendering = if smooth { "" } else { " class=\"px\" image-rendering=\"optimizeSpeed\"" };
        self.push(format_args!(
            "<image x=\"{x0}\" y=\"{y0}\" width=\"{width}\" height=\"{height}\" \
             preserveAspectRatio=\"none\"{rendering} href=\"data:image/png;base64,{}\"/>\n",
            BASE64_STANDARD.encode(image.png()),
        ));
    }

    /// Draws visible outlines, and the text itself, invisible and stretched to the same width, for searching,
    /// selecting and screen readers. A halo is painted first, so that it does not make the letters thinner.
    fn text(&mut self, text: &str, at: Point, style: &TextStyle) {
        let glyphs = text::glyphs(text, style.weight);
        if glyphs.is_empty() {
            return;
        }
        let place = |em: f64| (em * UNITS_PER_EM).round();
        let outlines: String = glyphs
            .iter()
            .map(|(glyph, x)| format!("<use href=\"#{}{}\" x=\"{}\"/>", self.prefix, glyph.name(), place(*x)))
            .collect();
        self.glyphs.extend(glyphs.into_iter().map(|(glyph, _)| glyph));
        let (dx, dy, width) = canvas::baseline(text, style);
        let ((x, y), (dx, dy), width) = (unit_point(at), unit_point((dx, dy)), units(width));
        let turn = if style.turn == 0 { String::new() } else { format!(" rotate({})", style.turn) };
        let size = style.size * UNITS_PER_PIXEL;
        let scale = format!("transform=\"scale({:.3})\"", size / UNITS_PER_EM);
        let halo = if style.halo {
            let paper = self.paint("stroke", PAPER);
            format!("<g {scale}{paper} stroke-width=\"{}\">{outlines}</g>", HALO * UNITS_PER_EM)
        } else {
            String::new()
        };
        let fill = self.paint("fill", style.color);
        self.push(format_args!(
            "<g transform=\"translate({x} {y}){turn} translate({dx} {dy})\"{fill}>{halo}<g {scale}>{outlines}</g>\
             <text font-size=\"{size:.0}\" textLength=\"{width}\" opacity=\"0\">{}</text></g>\n",
            escape(text),
        ));
    }

    /// The attributes that stroke a line.
    fn stroke(&self, stroke: &Stroke) -> String {
        let mut attributes = self.paint("stroke", stroke.color);
        write!(attributes, r#" stroke-width="{}""#, units(stroke.width)).expect("a string takes all");
        if let Some((dash, gap)) = stroke.dash() {
            write!(attributes, r#" stroke-dasharray="{} {}""#, units(dash), units(gap))
                .expect("a string takes all");
        }
        attributes
    }

    /// The attributes for `property`, `fill` or `stroke`.
    fn paint(&self, property: &str, color: Color) -> String {
        let mut attributes = format!(r#" {property}="{}""#, theme::hex(self.theme.value(color)));
        if let (Theme::Auto, Some(idx)) = (self.theme, color.ink_idx()) {
            write!(attributes, r#" class="{}{idx}""#, &property[..1]).expect("a string takes all");
        }
        if color.opacity < 1.0 {
            write!(attributes, r#" {property}-opacity="{:.2}""#, color.opacity).expect("a string takes all");
        }
        attributes
    }
}

/// Text for XML: special characters are escaped, the rest is made displayable.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in in_full(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The outline of a glyph as path data, y downwards, from the origin of its baseline.
fn outline(glyph: Glyph) -> String {
    let mut outline = Outline(PathData::default());
    glyph.trace(&mut outline);
    outline.0.into_string()
}

/// Receives an outline from the font, in em.
struct Outline(PathData);

fn em_point(x: f32, y: f32) -> (i64, i64) {
    let round = |v: f32| (f64::from(v) * UNITS_PER_EM / text::FONT_UNITS).round() as i64;
    (round(x), round(-y))
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.0.move_to(em_point(x, y));
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.0.command('l', &[em_point(x, y)]);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.0.command('q', &[em_point(x1, y1), em_point(x, y)]);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.0.command('c', &[em_point(x1, y1), em_point(x2, y2), em_point(x, y)]);
    }

    fn close(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Weight;

    #[test]
    fn a_letter_has_an_outline() {
        for (glyph, _) in text::glyphs("a漢", Weight::Regular) {
            let outline = outline(glyph);
            assert!(outline.starts_with('M') && outline.ends_with('z'), "{outline}");
        }
    }
}
