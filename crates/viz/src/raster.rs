//! Draws a canvas as a PNG: the same elements as in the SVG, by tiny-skia.

use tiny_skia::{
    FillRule, FilterQuality, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, PixmapPaint, StrokeDash,
    Transform,
};
use ttf_parser::OutlineBuilder;

use crate::canvas::{self, Canvas, Element, HALO, Point, Rect, Stroke, TextStyle};
use crate::pixels::Image;
use crate::text::{self, FONT_UNITS, Glyph};
use crate::theme::{Color, PAPER, Theme};

/// The PNG of a figure of `size` pixels, with `scale` pixels for each of them in both directions.
pub(crate) fn png(canvas: &Canvas, (width, height): (u32, u32), theme: Theme, scale: u32) -> Option<Vec<u8>> {
    let pixmap = Pixmap::new(width.checked_mul(scale)?, height.checked_mul(scale)?)?;
    let mut raster = Raster { pixmap, theme, view: Transform::from_scale(scale as f32, scale as f32) };
    canvas.elements.iter().for_each(|element| raster.element(element));
    raster.pixmap.encode_png().ok()
}

struct Raster {
    pixmap: Pixmap,
    theme: Theme,
    /// From the figure's pixels to those of the image.
    view: Transform,
}

impl Raster {
    fn element(&mut self, element: &Element) {
        match element {
            Element::Line { points, stroke } => {
                if let Some(path) = polyline(points, false) {
                    self.stroke(&path, stroke, self.view);
                }
            }
            Element::Polygon { corners, fill } => {
                if let Some(path) = polyline(corners, true) {
                    self.fill(&path, *fill, self.view);
                }
            }
            Element::Circle { centre, radius, fill } => {
                let circle = PathBuilder::from_circle(centre.0 as f32, centre.1 as f32, *radius as f32);
                if let Some(path) = circle {
                    self.fill(&path, *fill, self.view);
                }
            }
            Element::Text { text, at, style } => self.text(text, *at, style),
            Element::Image { rect, image, smooth } => self.image(*rect, image, *smooth),
        }
    }

    fn paint(&self, color: Color) -> Paint<'static> {
        let (red, green, blue) = self.theme.value(color);
        let mut paint = Paint::default();
        paint.set_color_rgba8(red, green, blue, (color.opacity * 255.0).round() as u8);
        paint
    }

    fn fill(&mut self, path: &Path, color: Color, transform: Transform) {
        self.pixmap.fill_path(path, &self.paint(color), FillRule::Winding, transform, None);
    }

    fn stroke(&mut self, path: &Path, stroke: &Stroke, transform: Transform) {
        let dash = stroke.dash().and_then(|(dash, gap)| StrokeDash::new(vec![dash as f32, gap as f32], 0.0));
        let (line_cap, line_join) = (LineCap::Round, LineJoin::Round);
        let width = stroke.width as f32;
        let style = tiny_skia::Stroke { width, line_cap, line_join, dash, ..tiny_skia::Stroke::default() };
        self.pixmap.stroke_path(path, &self.paint(stroke.color), &style, transform, None);
    }

    fn text(&mut self, text: &str, at: Point, style: &TextStyle) {
        let (dx, dy, _) = canvas::baseline(text, style);
        let em = style.size as f32;
        let transform = self
            .view
            .pre_translate(at.0 as f32, at.1 as f32)
            .pre_rotate(style.turn as f32)
            .pre_translate(dx as f32, dy as f32)
            .pre_scale(em, em);
        let glyphs = text::glyphs(text, style.weight);
        let paths: Vec<Path> = glyphs.into_iter().filter_map(|(glyph, x)| outline(glyph, x)).collect();
        if style.halo {
            // First, so that it does not make the letters thinner.
            paths.iter().for_each(|path| self.stroke(path, &Stroke::solid(PAPER, HALO), transform));
        }
        paths.iter().for_each(|path| self.fill(path, style.color, transform));
    }

    fn image(&mut self, rect: Rect, image: &Image, smooth: bool) {
        let (x, y) = (rect.width / image.width as f64, rect.height / image.height as f64);
        let transform =
            self.view.pre_translate(rect.left as f32, rect.top as f32).pre_scale(x as f32, y as f32);
        let quality = if smooth { FilterQuality::Bicubic } else { FilterQuality::Nearest };
        let paint = PixmapPaint { quality, ..PixmapPaint::default() };
        self.pixmap.draw_pixmap(0, 0, image.pixmap().as_ref(), &paint, transform, None);
    }
}

/// Straight lines through points. A line without length is kept, because its round caps form a dot.
fn polyline(points: &[Point], closed: bool) -> Option<Path> {
    let (&(x, y), rest) = points.split_first()?;
    let mut path = PathBuilder::new();
    path.move_to(x as f32, y as f32);
    if rest.is_empty() {
        path.line_to(x as f32, y as f32);
    }
    rest.iter().for_each(|&(x, y)| path.line_to(x as f32, y as f32));
    if closed {
        path.close();
    }
    path.finish()
}

/// The outline of a glyph in em, y downwards, shifted right by `x` em.
fn outline(glyph: Glyph, x: f64) -> Option<Path> {
    let mut outline = Outline { path: PathBuilder::new(), x };
    glyph.trace(&mut outline);
    outline.path.finish()
}

/// Receives an outline from the font.
struct Outline {
    path: PathBuilder,
    x: f64,
}

impl Outline {
    fn point(&self, x: f32, y: f32) -> (f32, f32) {
        ((self.x + f64::from(x) / FONT_UNITS) as f32, (-f64::from(y) / FONT_UNITS) as f32)
    }
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.point(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.point(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.point(x1, y1), self.point(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.point(x1, y1), self.point(x2, y2), self.point(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}
