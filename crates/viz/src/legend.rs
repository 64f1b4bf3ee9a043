//! Legends: keys in rows above the plot, where they cover no data.

use plotters::element::{PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBAColor, ShapeStyle};

use crate::canvas::{Canvas, fine};
use crate::frame::{GAP, MARGIN, fitted};
use crate::panel::{Area, Drawn, Shape, Stroke, draw_shape, text_style};
use crate::text::{self, Weight};
use crate::theme::INK;

/// One entry of a legend.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    name: String,
    symbol: Symbol,
    color: RGBAColor,
}

/// What stands for a series in the legend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Symbol {
    Line { dashed: bool },
    Points(Shape),
    Path,
    Box,
}

impl Key {
    /// An entry for a series that has a name.
    pub(crate) fn named(name: &str, symbol: Symbol, color: impl Color) -> Option<Self> {
        (!name.is_empty()).then(|| Key { name: name.to_owned(), symbol, color: color.to_rgba() })
    }
}

impl Symbol {
    /// In pixels.
    fn width(self) -> f64 {
        match self {
            Symbol::Line { .. } | Symbol::Path => 20.0,
            Symbol::Points(_) => 9.0,
            Symbol::Box => 14.0,
        }
    }
}

/// Where the keys of a legend stand.
pub(crate) struct Legend<'k> {
    /// Each key with its name, cut if need be, and the place of its left end.
    keys: Vec<(&'k Key, String, (f64, f64))>,
    font_size: f64,
    pub(crate) height: f64,
}

impl<'k> Legend<'k> {
    /// Lays the keys out from left to right in rows of `width` pixels.
    pub(crate) fn new(keys: &'k [Key], width: f64, font_size: f64) -> Self {
        let row_height = font_size + 7.0;
        let right = width - MARGIN;
        let (mut x, mut y) = (MARGIN, row_height / 2.0);
        let mut placed = Vec::new();
        for key in keys {
            let before_name = key.symbol.width() + GAP;
            let name = fitted(&key.name, Weight::Regular, (right - MARGIN - before_name) / font_size);
            let key_width = before_name + text::width(&name, Weight::Regular) * font_size;
            if x > MARGIN && x + key_width > right {
                (x, y) = (MARGIN, y + row_height);
            }
            placed.push((key, name, (x, y)));
            x += key_width + 3.0 * GAP;
        }
        let height = if keys.is_empty() { 0.0 } else { y + row_height / 2.0 + 2.0 };
        Legend { keys: placed, font_size, height }
    }

    /// Draws it `top` pixels from the top.
    pub(crate) fn draw(&self, area: &Area, canvas: &Canvas, top: f64) -> Drawn {
        let style = text_style(self.font_size, INK, false, (HPos::Left, VPos::Center));
        for (key, name, (x, y)) in &self.keys {
            draw_symbol(area, canvas, key, (*x, top + y))?;
            let at = (fine(x + key.symbol.width() + GAP), fine(top + y));
            area.draw(&Text::new(name.clone(), at, style.clone()))?;
        }
        Ok(())
    }
}

/// Draws the symbol with the middle of its left side at (x, y).
fn draw_symbol(area: &Area, canvas: &Canvas, key: &Key, (x, y): (f64, f64)) -> Drawn {
    let width = key.symbol.width();
    let middle = (fine(x + width / 2.0), fine(y));
    let line = |dashed| {
        let stroke = Stroke { dashed, ..Stroke::solid(key.color, 2.0) };
        let element = PathElement::new(vec![(fine(x), fine(y)), (fine(x + width), fine(y))], stroke.style());
        canvas.with_pen(stroke.pen(), || area.draw(&element))
    };
    match key.symbol {
        Symbol::Line { dashed } => line(dashed),
        Symbol::Points(shape) => draw_shape(area, middle, shape, 4.0, key.color),
        Symbol::Path => {
            line(false)?;
            draw_shape(area, middle, Shape::Circle, 3.5, key.color)
        }
        Symbol::Box => {
            let corners = [(fine(x), fine(y - 5.5)), (fine(x + width), fine(y + 5.5))];
            area.draw(&Rectangle::new(corners, ShapeStyle::from(&key.color).filled()))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_neither_leave_the_legend_nor_meet(
            names in prop::collection::vec("[a-z ]{1,60}", 1..12),
            width in 100.0..900.0f64,
        ) {
            let keys: Vec<Key> =
                names.iter().filter_map(|name| Key::named(name, Symbol::Path, INK)).collect();
            let legend = Legend::new(&keys, width, 11.5);
            let end = |(key, name, (x, _)): &(&Key, String, (f64, f64))| {
                x + key.symbol.width() + GAP + text::width(name, Weight::Regular) * 11.5
            };
            for key in &legend.keys {
                prop_assert!(end(key) <= width - MARGIN + 1e-9 && key.2.1 < legend.height);
            }
            for pair in legend.keys.windows(2) {
                let below = pair[1].2.1 > pair[0].2.1;
                prop_assert!(below || pair[1].2.0 > end(&pair[0]));
            }
        }
    }
}
