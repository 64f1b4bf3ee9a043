#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod bars;
mod figure;
mod grid;
mod heat_map;
mod image_grid;
mod plot;

mod error;
mod pixels;
mod theme;

mod color_bar;
mod frame;
mod labels;
mod layer;
mod layers;
mod legend;
mod panel;

mod axis;
mod bounds;
mod clip;
mod clutter;
mod dots;
mod isolines;
mod scale;
mod sizes;
mod ticks;

mod canvas;
mod path_data;
mod raster;
mod svg;
mod text;

pub use bars::Bars;
pub use error::{Error, Result};
pub use figure::Figure;
pub use grid::Grid;
pub use heat_map::HeatMap;
pub use image_grid::{Border, ImageGrid, Tile};
pub use pixels::ColorMap;
pub use plot::Plot;
pub use theme::Theme;
