//! Figures with sliders: every position is computed beforehand, and the page only swaps drawings.
//!
//! The page has one drawing in full, that of the initial position. Of each other drawing it has the lines
//! that differ: how many lines at the start and at the end are the same, and the lines between them. Axes,
//! curve and text are the same in all, so a position takes only as much space as its path.

use std::fmt::Write as _;

use anyhow::{Result, ensure};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use viz::{Figure, Plot, Theme};

use super::markdown::escape;
use super::table::{Cell, Table};

/// A slider: its name, the labels of its positions, and its initial position.
#[derive(Clone, Debug, PartialEq)]
pub struct Knob {
    name: String,
    positions: Vec<String>,
    start: usize,
}

impl Knob {
    /// Creates a slider over `values` that starts at the one nearest to `start`.
    ///
    /// # Panics
    /// When there is no value.
    #[track_caller]
    pub fn new(name: impl Into<String>, values: &[f64], start: f64) -> Self {
        assert!(!values.is_empty(), "Knob::new: no values");
        let distance = |i: &usize| (values[*i] - start).abs();
        let nearest = (0..values.len()).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(0);
        let written = |value: &f64| value.to_string().replace('-', "−");
        Self { name: name.into(), positions: values.iter().map(written).collect(), start: nearest }
    }

    /// Creates a slider over words that starts at the first.
    pub fn words<W: Into<String>>(name: impl Into<String>, words: impl IntoIterator<Item = W>) -> Self {
        Self { name: name.into(), positions: words.into_iter().map(Into::into).collect(), start: 0 }
    }
}

/// What is shown at one position of the sliders.
pub struct Frame {
    /// The drawing. Title and axes must be the same for all positions.
    pub figure: Figure,
    /// Named numbers, with the same names at all positions.
    pub reading: Vec<(&'static str, f64)>,
}

/// Width and height of a drawing: those for a phone, where the sliders are below it.
const SIZE: (u32, u32) = (328, 290);

/// Abbreviations for most of the SVG of a path's dots, of which there are thousands.
const SHORT: [(char, &str); 6] = [
    ('~', "<circle cx=\""),
    ('^', "\" cy=\""),
    ('`', "\" r=\""),
    ('|', "\" fill=\"#"),
    ('{', "\" class=\"f"),
    ('}', "\"/>\n"),
];

/// The positions of all sliders in the order of their frames: the last slider varies fastest.
fn positions(knobs: &[Knob]) -> Vec<Vec<usize>> {
    knobs.iter().fold(vec![Vec::new()], |all, knob| {
        let with =
            |at: &Vec<usize>| (0..knob.positions.len()).map(|i| [at.as_slice(), &[i]].concat()).collect();
        all.iter().flat_map(|at: &Vec<usize>| -> Vec<Vec<usize>> { with(at) }).collect()
    })
}

/// Draws the content of the figure on the page, and makes a table of the readings at every position.
pub(super) fn draw(
    knobs: &[Knob],
    decimals: usize,
    frame: impl Fn(&[usize]) -> Result<Frame> + Sync,
) -> Result<(String, Table)> {
    let all = positions(knobs);
    let drawn: Vec<(String, Vec<(&'static str, f64)>)> = all
        .into_par_iter()
        .map(|at| {
            let Frame { figure, reading } = frame(&at)?;
            Ok((figure.size(SIZE.0, SIZE.1).svg(Theme::Auto)?, reading))
        })
        .collect::<Result<_>>()?;
    let start = knobs.iter().fold(0, |at, knob| at * knob.positions.len() + knob.start);
    let base = lines(&drawn[start].0);
    let (mut frames, mut readings) = (String::new(), String::new());
    let columns = knobs.iter().map(|knob| knob.name.as_str());
    let mut table =
        Table::new(columns.chain(drawn[start].1.iter().map(|(name, _)| *name))).decimals(decimals);
    for (i, (at, (svg, reading))) in positions(knobs).iter().zip(&drawn).enumerate() {
        let comma = if i > 0 { "," } else { "" };
        let (before, own, after) = difference(&base, &lines(svg));
        ensure!(
            !own.contains(SHORT.map(|(mark, _)| mark)),
            "a figure with sliders cannot have a mark in a text"
        );
        let own = SHORT.iter().fold(own, |own, (mark, text)| own.replace(text, &mark.to_string()));
        write!(frames, "{comma}[{before},{after},{}]", json(&own)).expect("a string takes all");
        write!(readings, "{comma}{}", json(&read(reading, decimals))).expect("a string takes all");
        let names = reading.iter().map(|(name, _)| *name);
        ensure!(names.eq(drawn[start].1.iter().map(|(name, _)| *name)), "the readings differ in their names");
        let at = knobs.iter().zip(at).map(|(knob, &i)| Cell::from(knob.positions[i].as_str()));
        table.push(at.chain(reading.iter().map(|(_, value)| Cell::from(*value))));
    }
    let names = knobs.iter().map(|knob| {
        let positions: Vec<String> = knob.positions.iter().map(|position| json(position)).collect();
        format!("[{}]", positions.join(","))
    });
    let names = names.collect::<Vec<_>>().join(",");
    let short = SHORT.map(|(mark, text)| format!("[{},{}]", json(&mark.to_string()), json(text))).join(",");
    let data = format!(
        "{{\"short\":[{short}],\"knobs\":[{names}],\"readings\":[{readings}],\"frames\":[{frames}]}}"
    );
    let (svg, reading) = &drawn[start];
    let reading = escape(&read(reading, decimals));
    let sliders: String = knobs.iter().map(slider).collect();
    let html = format!(
        "<div class=\"drawing\">{svg}</div><div class=\"dials\"><div class=\"sliders\" hidden>{sliders}</div>\
         <output class=\"reading\" aria-live=\"polite\">{reading}</output></div>\
         <script type=\"application/json\">{data}</script>"
    );
    Ok((html, table))
}

fn slider(knob: &Knob) -> String {
    let Knob { name, positions, start } = knob;
    let (name, now, last) = (escape(name), escape(&positions[*start]), positions.len() - 1);
    format!(
        "<label><span>{name} = <b>{now}</b></span><input type=\"range\" min=\"0\" max=\"{last}\" step=\"1\" \
         value=\"{start}\" aria-label=\"{name}\" aria-valuetext=\"{now}\"></label>"
    )
}

/// The reading as shown under the sliders.
fn read(reading: &[(&'static str, f64)], decimals: usize) -> String {
    let one =
        |(name, value): &(&'static str, f64)| format!("{name}: {}", Cell::from(*value).display(decimals));
    reading.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// The lines between the outer tags of an SVG.
fn lines(svg: &str) -> Vec<&str> {
    let inside = svg.split_once('>').and_then(|(_, rest)| rest.rsplit_once("</svg>"));
    inside.map(|(inside, _)| inside.split('\n').collect()).unwrap_or_default()
}

/// How many lines two drawings share at the start, the lines that only the second has, and how many they
/// share at the end.
fn difference(base: &[&str], other: &[&str]) -> (usize, String, usize) {
    let before = base.iter().zip(other).take_while(|(a, b)| a == b).count();
    let rest = base.len().min(other.len()) - before;
    let after = base.iter().rev().zip(other.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    (before, other[before..other.len() - after].join("\n"), after)
}

/// A text as a JSON string that can be embedded in a script element.
fn json(text: &str) -> String {
    let mut json = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => json += "\\\"",
            '\\' => json += "\\\\",
            '<' | '\u{2028}' | '\u{2029}' => {
                write!(json, "\\u{:04x}", u32::from(c)).expect("a string takes all")
            }
            c if c < ' ' => write!(json, "\\u{:04x}", u32::from(c)).expect("a string takes all"),
            c => json.push(c),
        }
    }
    json + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_slider_turns_fastest() {
        let knobs = [Knob::new("a", &[1.0, 2.0], 2.0), Knob::words("b", ["x", "y", "z"])];
        assert_eq!(positions(&knobs)[..4], [vec![0, 0], vec![0, 1], vec![0, 2], vec![1, 0]]);
        assert_eq!((knobs[0].start, knobs[1].start), (1, 0));
    }

    #[test]
    fn a_drawing_is_put_together_again_from_what_differs() {
        for (a, b) in
            [("1\n2\n3", "1\n9\n3"), ("1\n2", "1\n2"), ("1\n1\n1", "1\n1"), ("x", "1\n2\nx"), ("", "a")]
        {
            let (a, b): (Vec<&str>, Vec<&str>) = (a.split('\n').collect(), b.split('\n').collect());
            let (before, own, after) = difference(&a, &b);
            let own = own.split('\n').filter(|_| b.len() > before + after);
            let again: Vec<&str> =
                a[..before].iter().copied().chain(own).chain(a[a.len() - after..].iter().copied()).collect();
            assert_eq!(again, b);
        }
    }

    #[test]
    fn no_text_ends_the_script() {
        assert_eq!(json("</script>\n\"\\"), "\"\\u003c/script>\\u000a\\\"\\\\\"");
    }
}
