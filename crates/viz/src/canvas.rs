//! The paper: a backend of the plotting library that writes SVG.
//!
//! The library's own SVG backend rounds to whole pixels, which shows as steps in a curve, and leaves text to
//! whatever font the viewer has. This one counts in twentieths of a pixel, draws text as outlines of the
//! embedded font, and knows which colours change with the theme.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontStyle,
    FontTransform,
    text_anchor::{HPos, VPos},
};

use crate::path_data::PathData;
use crate::text::{self, CAP_HEIGHT, Glyph, UNITS_PER_EM, Weight};
use crate::theme::{self, Theme};

/// How many canvas units make a pixel.
pub(crate) const FINE: f64 = 20.0;

/// Pixels as canvas units.
pub(crate) fn fine(pixels: f64) -> i32 {
    (pixels * FINE).round() as i32
}

/// What the plotting library's styles cannot say: it holds for whatever is drawn while it is set.
#[derive(Clone, Copy, Default)]
pub(crate) struct Pen {
    /// Lines are broken: lengths of dash and gap in canvas units.
    pub(crate) dash: Option<(u32, u32)>,
    /// Text has a rim of paper around it, to be read on top of data.
    pub(crate) halo: bool,
    /// Text is turned by so many degrees, clockwise.
    pub(crate) turn: i32,
}

/// A picture in the making. Shared by reference, for the library wants a backend of its own for each area.
pub struct Canvas {
    size: (u32, u32),
    theme: Theme,
    pen: Cell<Pen>,
    body: RefCell<String>,
    glyphs: RefCell<BTreeSet<Glyph>>,
    /// What the names in this picture begin with.
    prefix: String,
}

/// How an image's pixels are drawn when they are larger than the screen's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pixels {
    Square,
    Smooth,
}

impl Canvas {
    /// `size` in pixels. A page may hold many pictures: the title makes the names in this one its own.
    pub(crate) fn new(title: &str, size: (u32, u32), theme: Theme) -> Self {
        // The FNV-1a hash.
        let hash =
            title.bytes().fold(0x811c_9dc5u32, |hash, b| (hash ^ u32::from(b)).wrapping_mul(0x0100_0193));
        let prefix = format!("v{hash:x}");
        let (pen, body, glyphs) = Default::default();
        Canvas { size, theme, pen, body, glyphs, prefix }
    }

    /// Draws with another pen.
    pub(crate) fn with_pen<T>(&self, pen: Pen, draw: impl FnOnce() -> T) -> T {
        let before = self.pen.replace(pen);
        let drawn = draw();
        self.pen.set(before);
        drawn
    }

    /// Puts a PNG into the rectangle between two corners. The library's own bitmaps have one pixel for each
    /// unit of the canvas, so images come here directly.
    pub(crate) fn image(&self, (x0, y0): BackendCoord, (x1, y1): BackendCoord, png: &[u8], pixels: Pixels) {
        let rendering = match pixels {
            Pixels::Square => r#" image-rendering="optimizeSpeed" style="image-rendering:pixelated""#,
            Pixels::Smooth => "",
        };
        let (width, height) = (x1 - x0, y1 - y0);
        self.push(format_args!(
            "<image x=\"{x0}\" y=\"{y0}\" width=\"{width}\" height=\"{height}\" \
             preserveAspectRatio=\"none\"{rendering} href=\"data:image/png;base64,{}\"/>\n",
            BASE64_STANDARD.encode(png),
        ));
    }

    /// The whole picture; `title` is what a screen reader says of it.
    pub(crate) fn into_svg(self, title: &str) -> String {
        let (width, height) = self.size;
        let (fine_width, fine_height) = (fine(f64::from(width)), fine(f64::from(height)));
        let style = if self.theme == Theme::Auto { Theme::style_element() } else { String::new() };
        let glyph = |glyph: Glyph| {
            format!("<path id=\"{}{}\" d=\"{}\"/>\n", self.prefix, glyph.name(), glyph.outline())
        };
        let glyphs: String = self.glyphs.into_inner().into_iter().map(glyph).collect();
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"viz\" role=\"img\" width=\"{width}\" \
             height=\"{height}\" viewBox=\"0 0 {fine_width} {fine_height}\" stroke-linejoin=\"round\" \
             stroke-linecap=\"round\" fill=\"none\" style=\"max-width:100%;height:auto\">\n\
             <title>{}</title>{style}\n<defs>\n{glyphs}</defs>\n{}</svg>\n",
            escape(title),
            self.body.into_inner(),
        )
    }

    fn push(&self, element: std::fmt::Arguments) {
        self.body.borrow_mut().write_fmt(element).expect("a string takes all");
    }

    /// The attributes that fill a shape.
    fn fill(&self, color: BackendColor) -> String {
        self.paint("fill", 'f', color)
    }

    /// The attributes that stroke a shape.
    fn stroke(&self, color: BackendColor, width: u32) -> String {
        let mut attributes = self.paint("stroke", 's', color);
        write!(attributes, r#" stroke-width="{width}""#).expect("a string takes all");
        if let Some((dash, gap)) = self.pen.get().dash {
            write!(attributes, r#" stroke-dasharray="{dash} {gap}""#).expect("a string takes all");
        }
        attributes
    }

    fn paint(&self, property: &str, class: char, color: BackendColor) -> String {
        let mut attributes = format!(r#" {property}="{}""#, theme::hex(self.theme.value(color.rgb)));
        if let (Theme::Auto, Some(idx)) = (self.theme, theme::ink_idx(color.rgb)) {
            write!(attributes, r#" class="{class}{idx}""#).expect("a string takes all");
        }
        if color.alpha < 1.0 {
            write!(attributes, r#" {property}-opacity="{:.2}""#, color.alpha).expect("a string takes all");
        }
        attributes
    }
}

/// Text that XML takes: the five special characters escaped, those it does not know replaced.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' | '\r' => escaped.push(' '),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

impl DrawingBackend for &Canvas {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (self.size.0 * FINE as u32, self.size.1 * FINE as u32)
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        self.draw_rect((x, y), (x + 1, y + 1), &color, true)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (x0, y0): BackendCoord,
        (x1, y1): BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let paint =
            if fill { self.fill(style.color()) } else { self.stroke(style.color(), style.stroke_width()) };
        let (width, height) = (x1 - x0, y1 - y0);
        self.push(format_args!("<path d=\"M{x0} {y0}h{width}v{height}h{}z\"{paint}/>\n", -width));
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        let data = PathData::polyline(path).into_string();
        let stroke = self.stroke(style.color(), style.stroke_width());
        self.push(format_args!("<path d=\"{data}\"{stroke}/>\n"));
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        (x, y): BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let paint =
            if fill { self.fill(style.color()) } else { self.stroke(style.color(), style.stroke_width()) };
        self.push(format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"{paint}/>\n"));
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vertices: I,
        style: &S,
    ) -> Drawn {
        let data = PathData::polyline(vertices).into_string();
        let fill = self.fill(style.color());
        self.push(format_args!("<path d=\"{data}z\"{fill}/>\n"));
        Ok(())
    }

    /// Outlines to be seen, and the text itself, invisible and stretched to the same width, to be searched,
    /// selected and read aloud.
    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Drawn {
        let (size, weight) = (style.size(), weight(style));
        let width = text::width(text, weight) * size;
        let dx = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => -width / 2.0,
            HPos::Right => -width,
        };
        let dy = match style.anchor().v_pos {
            VPos::Top => CAP_HEIGHT * size,
            VPos::Center => CAP_HEIGHT * size / 2.0,
            VPos::Bottom => 0.0,
        };
        let turn = self.pen.get().turn
            + match style.transform() {
                FontTransform::None => 0,
                FontTransform::Rotate90 => 90,
                FontTransform::Rotate180 => 180,
                FontTransform::Rotate270 => 270,
            };
        let turn = if turn == 0 { String::new() } else { format!(" rotate({turn})") };
        let glyphs = text::glyphs(text, weight);
        if glyphs.is_empty() {
            return Ok(());
        }
        let outlines: String = glyphs
            .iter()
            .map(|(glyph, x)| format!("<use href=\"#{}{}\" x=\"{x}\"/>", self.prefix, glyph.name()))
            .collect();
        self.glyphs.borrow_mut().extend(glyphs.into_iter().map(|(glyph, _)| glyph));
        if self.pen.get().halo {
            // Painted first, so that it does not thin the letters.
            let paper = BackendColor { rgb: theme::PAPER_RGB, alpha: 1.0 };
            let rim = self.stroke(paper, UNITS_PER_EM as u32 / 4);
            self.push(format_args!("<g paint-order=\"stroke\"{rim}>"));
        }
        let (fill, scale) = (self.fill(style.color()), size / UNITS_PER_EM);
        self.push(format_args!(
            "<g transform=\"translate({x} {y}){turn} translate({dx:.0} {dy:.0})\"{fill}>\
             <g transform=\"scale({scale:.3})\">{outlines}</g>\
             <text font-size=\"{size:.0}\" textLength=\"{width:.0}\" opacity=\"0\">{}</text></g>",
            escape(text),
        ));
        self.push(format_args!("{}", if self.pen.get().halo { "</g>\n" } else { "\n" }));
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let width = text::width(text, weight(style)) * style.size();
        Ok((width.ceil() as u32, style.size().ceil() as u32))
    }
}

fn weight<S: BackendTextStyle>(style: &S) -> Weight {
    match style.style() {
        FontStyle::Bold => Weight::SemiBold,
        _ => Weight::Regular,
    }
}
