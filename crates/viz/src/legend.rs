//! Legends: keys in rows above the plot, where they do not cover data.

use crate::canvas::{Anchor, Canvas, Point, Rect, Stroke, TextStyle};
use crate::dots::Shape;
use crate::sizes::{GAP, MARGIN};
use crate::text::{self, Weight};
use crate::theme::{Color, INK, MUTED};

/// One entry of a legend.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    name: String,
    symbol: Symbol,
    color: Color,
}

/// The symbol of a series in the legend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Symbol {
    Line { dashed: bool },
    Points(Shape),
    Path,
    Box,
}

impl Key {
    /// An entry for a series, if it has a name.
    pub(crate) fn named(name: &str, symbol: Symbol, color: Color) -> Option<Self> {
        (!name.is_empty()).then(|| Key { name: name.to_owned(), symbol, color })
    }
}

impl Symbol {
    /// The width in pixels.
    fn width(self) -> f64 {
        match self {
            Symbol::Line { .. } | Symbol::Path => 20.0,
            Symbol::Points(_) => 9.0,
            Symbol::Box => 14.0,
        }
    }
}

/// The layout of a legend.
pub(crate) struct Legend<'k> {
    /// Each key with its name, truncated if necessary, and the position of its left end.
    keys: Vec<(&'k Key, String, Point)>,
    /// The replacement for keys that do not fit, and its position.
    more: Option<(String, Point)>,
    font_size: f64,
    pub(crate) height: f64,
}

impl<'k> Legend<'k> {
    /// Lays the keys out from left to right in rows of `width` pixels, in about `max_height` pixels. Keys
    /// that do not fit are only counted.
    pub(crate) fn new(keys: &'k [Key], width: f64, max_height: f64, font_size: f64) -> Self {
        let row_height = font_size + 7.0;
        let right = width - MARGIN;
        let (mut x, mut y) = (MARGIN, row_height / 2.0);
        let (mut placed, mut more) = (Vec::new(), None);
        for (i, key) in keys.iter().enumerate() {
            let before_name = key.symbol.width() + GAP;
            let name = text::fitted(&key.name, Weight::Regular, (right - MARGIN - before_name) / font_size);
            let key_width = before_name + text::width(&name, Weight::Regular) * font_size;
            if x > MARGIN && x + key_width > right {
                (x, y) = (MARGIN, y + row_height);
            }
            if i > 0 && y + row_height * 1.5 > max_height && keys.len() > i + 1 && x == MARGIN {
                more = Some((format!("and {} more", keys.len() - i), (x, y)));
                break;
            }
            placed.push((key, name, (x, y)));
            x += key_width + 3.0 * GAP;
        }
        let height = if keys.is_empty() { 0.0 } else { y + row_height / 2.0 + 2.0 };
        Legend { keys: placed, more, font_size, height }
    }

    /// Draws the legend with its upper left at a point.
    pub(crate) fn draw(&self, canvas: &mut Canvas, (left, top): Point) {
        let style = |color| TextStyle::new(self.font_size, color, Anchor::Start, Anchor::Middle);
        for (key, name, (x, y)) in &self.keys {
            draw_symbol(canvas, key, (left + x, top + y));
            canvas.text(name, (left + x + key.symbol.width() + GAP, top + y), style(INK));
        }
        if let Some((more, (x, y))) = &self.more {
            canvas.text(more, (left + x, top + y), style(MUTED));
        }
    }
}

/// Draws the symbol with the middle of its left side at (x, y).
fn draw_symbol(canvas: &mut Canvas, key: &Key, (x, y): Point) {
    let width = key.symbol.width();
    let middle = (x + width / 2.0, y);
    let line = |dashed| Stroke { dashed, ..Stroke::solid(key.color, 2.0) };
    let ends = [(x, y), (x + width, y)];
    match key.symbol {
        Symbol::Line { dashed } => canvas.line(ends, line(dashed)),
        Symbol::Points(shape) => shape.draw(canvas, middle, 4.0, key.color),
        Symbol::Path => {
            canvas.line(ends, line(false));
            canvas.circle(middle, 3.5, key.color);
        }
        Symbol::Box => canvas.rect(Rect { left: x, top: y - 5.5, width, height: 11.0 }, key.color),
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
            max_height in prop_oneof![0.0..200.0f64, Just(f64::INFINITY)],
        ) {
            let keys: Vec<Key> =
                names.iter().filter_map(|name| Key::named(name, Symbol::Path, INK)).collect();
            let legend = Legend::new(&keys, width, max_height, 11.5);
            let end = |(key, name, (x, _)): &(&Key, String, (f64, f64))| {
                x + key.symbol.width() + GAP + text::width(name, Weight::Regular) * 11.5
            };
            for key in &legend.keys {
                prop_assert!(end(key) <= width - MARGIN + 1e-9 && key.2.1 < legend.height);
            }
            prop_assert_eq!(legend.more.is_none(), legend.keys.len() == keys.len());
            prop_assert!(legend.height < max_height.max(3.0 * 18.5) + 18.5, "{}", legend.height);
            for pair in legend.keys.windows(2) {
                let below = pair[1].2.1 > pair[0].2.1;
                prop_assert!(below || pair[1].2.0 > end(&pair[0]));
            }
        }
    }
}
