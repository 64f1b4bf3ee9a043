//! Colours: their roles in a figure, and their values on light and dark paper.

/// The paper a figure is drawn for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Follows the reader: the SVG has both sets of colours as CSS variables and switches by
    /// `prefers-color-scheme`. A page may set the variables (see [`Theme::css_variables`]) to switch it
    /// differently. A viewer without CSS variables, and a PNG, show the light colours.
    #[default]
    Auto,
    /// Dark ink on white paper.
    Light,
    /// Light ink on dark paper.
    Dark,
}

impl Theme {
    /// The colours as CSS declarations, `--viz-paper:#ffffff;--viz-ink:…`, to be set on a page's `.viz`
    /// elements: `[data-theme="dark"] .viz { … }`. `Auto` returns the light ones.
    pub fn css_variables(self) -> String {
        let declaration =
            |(i, ink): (usize, &Ink)| format!("--viz-{}:{};", ink.name, hex(self.value(Color::ink(i))));
        INKS.iter().enumerate().map(declaration).collect()
    }

    /// The value of `color` on this paper.
    pub(crate) fn value(self, color: Color) -> Rgb {
        match color.base {
            Base::Ink(idx) if self == Theme::Dark => INKS[idx].dark,
            Base::Ink(idx) => INKS[idx].light,
            Base::Fixed(rgb) => rgb,
        }
    }

    /// The figure's style element. All of it is inside `@supports (--a:0)`, which readers without CSS
    /// variables, such as CairoSVG and Inkscape, skip in favour of the plain attributes. An `Auto` figure has
    /// variables for both papers, and one class of fill (`f`) and stroke (`s`) for each ink.
    pub(crate) fn style_element(self) -> String {
        let class = |(i, ink): (usize, &Ink)| {
            let name = ink.name;
            format!(".viz .f{i}{{fill:var(--viz-{name})}}.viz .s{i}{{stroke:var(--viz-{name})}}")
        };
        let colors = match self {
            Theme::Auto => format!(
                ".viz{{{}}}@media (prefers-color-scheme:dark){{.viz{{{}}}}}{}",
                Theme::Light.css_variables(),
                Theme::Dark.css_variables(),
                INKS.iter().enumerate().map(class).collect::<String>(),
            ),
            Theme::Light | Theme::Dark => String::new(),
        };
        format!(
            "<style>@supports (--a:0){{.viz{{max-width:100%;height:auto}}\
             .viz .px{{image-rendering:pixelated}}{colors}}}</style>"
        )
    }
}

pub(crate) type Rgb = (u8, u8, u8);

/// A colour with an opacity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Color {
    base: Base,
    /// 0 to 1.
    pub(crate) opacity: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Base {
    /// A role, by its index in [`INKS`].
    Ink(usize),
    /// The same on every paper.
    Fixed(Rgb),
}

impl Color {
    const fn ink(idx: usize) -> Self {
        Color { base: Base::Ink(idx), opacity: 1.0 }
    }

    /// The same colour with this opacity.
    pub(crate) fn faded(self, opacity: f64) -> Self {
        Color { opacity, ..self }
    }

    /// The index of its role, if it has one.
    pub(crate) fn ink_idx(self) -> Option<usize> {
        match self.base {
            Base::Ink(idx) => Some(idx),
            Base::Fixed(_) => None,
        }
    }
}

/// A colour with a role.
struct Ink {
    name: &'static str,
    light: Rgb,
    dark: Rgb,
}

const fn ink(name: &'static str, light: Rgb, dark: Rgb) -> Ink {
    Ink { name, light, dark }
}

/// The series colours are those of Okabe and Ito (2008), which can be told apart with any kind of colour
/// blindness, with the most distinct first. Yellow is left out because it is hard to see on white, and black
/// is softened. On dark paper they are lighter.
const INKS: [Ink; 12] = [
    ink("paper", (0xff, 0xff, 0xff), (0x14, 0x17, 0x1c)),
    ink("ink", (0x1f, 0x23, 0x28), (0xe6, 0xea, 0xef)),
    ink("muted", (0x5b, 0x64, 0x6f), (0x9a, 0xa4, 0xb0)),
    ink("axis", (0x9a, 0xa2, 0xac), (0x5f, 0x69, 0x75)),
    ink("grid", (0xe9, 0xeb, 0xee), (0x2a, 0x2f, 0x37)),
    ink("blue", (0x00, 0x72, 0xb2), (0x4c, 0x8e, 0xdb)),
    ink("vermilion", (0xd5, 0x5e, 0x00), (0xf9, 0x70, 0x3c)),
    ink("green", (0x00, 0x9e, 0x73), (0x3d, 0xd6, 0xa3)),
    ink("purple", (0xcc, 0x79, 0xa7), (0xbb, 0x86, 0xa8)),
    ink("orange", (0xe6, 0x9f, 0x00), (0xf2, 0xc6, 0x3e)),
    ink("sky", (0x56, 0xb4, 0xe9), (0xa9, 0xd4, 0xf9)),
    ink("slate", (0x3a, 0x41, 0x49), (0xec, 0xef, 0xf3)),
];

pub(crate) const PAPER: Color = Color::ink(0);
pub(crate) const INK: Color = Color::ink(1);
pub(crate) const MUTED: Color = Color::ink(2);
pub(crate) const AXIS: Color = Color::ink(3);
pub(crate) const GRID: Color = Color::ink(4);
pub(crate) const BLUE: Color = Color::ink(5);
pub(crate) const VERMILION: Color = Color::ink(6);
pub(crate) const GREEN: Color = Color::ink(7);
/// For text on strong colours, which are the same on every paper.
pub(crate) const WHITE: Color = Color { base: Base::Fixed((0xff, 0xff, 0xff)), opacity: 1.0 };
const N_SERIES_COLORS: usize = 7;

/// The colour of the `idx`-th series; colours repeat after the seventh.
pub(crate) fn series_color(idx: usize) -> Color {
    Color::ink(5 + idx % N_SERIES_COLORS)
}

/// Whether the colour of the `idx`-th series is a repeat, so that something else must distinguish it.
pub(crate) fn is_repeated(idx: usize) -> bool {
    idx / N_SERIES_COLORS % 2 == 1
}

/// `#rrggbb`.
pub(crate) fn hex((r, g, b): Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear((r, g, b): Rgb) -> [f64; 3] {
        [r, g, b].map(|v| {
            let v = f64::from(v) / 255.0;
            if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        })
    }

    fn luminance(color: Rgb) -> f64 {
        let [r, g, b] = linear(color);
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    /// The WCAG 2 contrast ratio, from 1 to 21.
    fn contrast(a: Rgb, b: Rgb) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// Simulated colour vision on linear RGB (Machado, Oliveira and Fernandes 2009, severity 1): without red
    /// cones, without green cones, without blue cones, and normal.
    const SIGHTS: [[[f64; 3]; 3]; 4] = [
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    ];

    /// CIE L*a*b* of linear RGB.
    fn lab(rgb: [f64; 3]) -> [f64; 3] {
        let xyz = [
            (0.4124 * rgb[0] + 0.3576 * rgb[1] + 0.1805 * rgb[2]) / 0.9505,
            0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2],
            (0.0193 * rgb[0] + 0.1192 * rgb[1] + 0.9505 * rgb[2]) / 1.089,
        ];
        let f = xyz.map(|v| if v > 0.008856 { v.cbrt() } else { 7.787 * v + 16.0 / 116.0 });
        [116.0 * f[1] - 16.0, 500.0 * (f[0] - f[1]), 200.0 * (f[1] - f[2])]
    }

    fn difference(sight: &[[f64; 3]; 3], a: Rgb, b: Rgb) -> f64 {
        let seen = |color| {
            let rgb = linear(color);
            lab(sight.map(|row| (row[0] * rgb[0] + row[1] * rgb[1] + row[2] * rgb[2]).clamp(0.0, 1.0)))
        };
        let (a, b) = (seen(a), seen(b));
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
    }

    #[test]
    fn colour_blind_readers_tell_the_series_apart() {
        for theme in [Theme::Light, Theme::Dark] {
            let colors: Vec<Rgb> = (5..INKS.len()).map(|i| theme.value(Color::ink(i))).collect();
            for (i, &a) in colors.iter().enumerate() {
                for (j, &b) in colors.iter().enumerate().skip(i + 1) {
                    for (sight, matrix) in SIGHTS.iter().enumerate() {
                        let difference = difference(matrix, a, b);
                        assert!(
                            difference > 15.0,
                            "{theme:?}, sight {sight}: {i} and {j} differ by {difference:.1}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn text_and_lines_stand_out_from_the_paper() {
        for theme in [Theme::Light, Theme::Dark] {
            let against_paper = |idx: usize| contrast(theme.value(Color::ink(idx)), theme.value(PAPER));
            assert!(against_paper(1) > 12.0 && against_paper(2) > 4.5, "{theme:?} text");
            for (idx, ink) in INKS.iter().enumerate().skip(5) {
                assert!(against_paper(idx) > 2.2, "{theme:?} {}: {:.1}", ink.name, against_paper(idx));
            }
        }
    }

    #[test]
    fn the_page_may_set_the_colours() {
        let light = Theme::Light.css_variables();
        assert!(light.starts_with("--viz-paper:#ffffff;") && light.ends_with(';'));
        assert!(Theme::Auto.style_element().contains(&Theme::Dark.css_variables()));
    }
}
