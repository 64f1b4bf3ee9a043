//! Colours: the roles they play in a picture, and their values on light and on dark paper.

use plotters::style::RGBColor;

/// Which paper a picture is drawn for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Follows the reader: the SVG carries both sets of colours as CSS variables and switches with
    /// `prefers-color-scheme`; a page may set the variables (see [`Theme::css_variables`]) to switch it
    /// otherwise. A viewer without CSS, and a PNG, show the light colours.
    #[default]
    Auto,
    /// Dark ink on white paper.
    Light,
    /// Light ink on dark paper.
    Dark,
}

impl Theme {
    /// The colours as CSS declarations, `--viz-paper:#ffffff;--viz-ink:…`, to be set on a page's
    /// `.viz` elements: `[data-theme="dark"] .viz { … }`. `Auto` gives the light ones.
    pub fn css_variables(self) -> String {
        let declaration = |ink: &Ink| format!("--viz-{}:{};", ink.name, hex(self.value(ink.light)));
        INKS.iter().map(declaration).collect()
    }

    /// What `color` is on this paper; a colour that is no ink is itself on every paper.
    pub(crate) fn value(self, color: Rgb) -> Rgb {
        match (self, ink_idx(color)) {
            (Theme::Dark, Some(idx)) => INKS[idx].dark,
            _ => color,
        }
    }

    /// The style element of an `Auto` picture: variables for both papers, and one class of fill (`f`)
    /// and stroke (`s`) for each ink.
    pub(crate) fn style_element() -> String {
        let classes: String = INKS
            .iter()
            .enumerate()
            .map(|(i, ink)| {
                let name = ink.name;
                format!(".viz .f{i}{{fill:var(--viz-{name})}}.viz .s{i}{{stroke:var(--viz-{name})}}")
            })
            .collect();
        format!(
            "<style>.viz{{{}}}@media(prefers-color-scheme:dark){{.viz{{{}}}}}{classes}</style>",
            Theme::Light.css_variables(),
            Theme::Dark.css_variables(),
        )
    }
}

pub(crate) type Rgb = (u8, u8, u8);

/// A colour with a role. On its way through the plotting library it is known by its light value.
struct Ink {
    name: &'static str,
    light: Rgb,
    dark: Rgb,
}

const fn ink(name: &'static str, light: Rgb, dark: Rgb) -> Ink {
    Ink { name, light, dark }
}

/// The series colours are those of Okabe and Ito (2008), which readers with any kind of colour blindness
/// tell apart, in an order that puts the most distinct first; yellow is left out for it is lost on white.
/// On dark paper they are lighter.
const INKS: [Ink; 12] = [
    ink("paper", (0xff, 0xff, 0xff), (0x14, 0x17, 0x1c)),
    ink("ink", (0x1f, 0x23, 0x28), (0xe6, 0xea, 0xef)),
    ink("muted", (0x5b, 0x64, 0x6f), (0x9a, 0xa4, 0xb0)),
    ink("axis", (0x9a, 0xa2, 0xac), (0x5f, 0x69, 0x75)),
    ink("grid", (0xe9, 0xeb, 0xee), (0x2a, 0x2f, 0x37)),
    ink("blue", (0x00, 0x72, 0xb2), (0x4f, 0xa8, 0xe8)),
    ink("vermilion", (0xd5, 0x5e, 0x00), (0xff, 0x8b, 0x4a)),
    ink("green", (0x00, 0x9e, 0x73), (0x33, 0xc7, 0x9a)),
    ink("purple", (0xcc, 0x79, 0xa7), (0xe6, 0x9c, 0xc6)),
    ink("orange", (0xe6, 0x9f, 0x00), (0xf4, 0xbb, 0x3d)),
    ink("sky", (0x56, 0xb4, 0xe9), (0x9a, 0xd6, 0xf8)),
    ink("grey", (0x7a, 0x7f, 0x87), (0xb8, 0xbf, 0xc8)),
];

pub(crate) const PAPER_RGB: Rgb = INKS[0].light;
pub(crate) const PAPER: RGBColor = plotters_color(0);
pub(crate) const INK: RGBColor = plotters_color(1);
pub(crate) const MUTED: RGBColor = plotters_color(2);
pub(crate) const AXIS: RGBColor = plotters_color(3);
pub(crate) const GRID: RGBColor = plotters_color(4);
pub(crate) const BLUE: RGBColor = plotters_color(5);
pub(crate) const VERMILION: RGBColor = plotters_color(6);
pub(crate) const GREEN: RGBColor = plotters_color(7);
const N_SERIES_COLORS: usize = 7;

const fn plotters_color(ink_idx: usize) -> RGBColor {
    let (r, g, b) = INKS[ink_idx].light;
    RGBColor(r, g, b)
}

/// The colour of the `idx`-th series; they begin again after the seventh.
pub(crate) fn series_color(idx: usize) -> RGBColor {
    plotters_color(5 + idx % N_SERIES_COLORS)
}

/// Whether the colours have begun again at the `idx`-th series, so that something else must tell it apart.
pub(crate) fn is_repeated(idx: usize) -> bool {
    idx / N_SERIES_COLORS % 2 == 1
}

/// The ink that `color` stands for.
pub(crate) fn ink_idx(color: Rgb) -> Option<usize> {
    INKS.iter().position(|ink| ink.light == color)
}

/// `#rrggbb`.
pub(crate) fn hex((r, g, b): Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}
