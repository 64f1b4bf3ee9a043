//! Whatever the numbers and texts, a plot is drawn or an error says why not; nothing panics or hangs.

use proptest::collection::vec;
use proptest::prelude::*;
use roxmltree::Document;
use viz::{Bars, Border, ColorMap, Error, Figure, Grid, HeatMap, ImageGrid, Plot, Theme, Tile};

fn number() -> impl Strategy<Value = f64> {
    let special = [
        0.0,
        -0.0,
        1.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        5e-324,
        1e300,
        -1e300,
        1e-300,
        1.7e9,
        1.7e9 + 1.0,
        1.7e9 + 1e-3,
    ];
    prop_oneof![3 => prop::sample::select(special.to_vec()), 2 => any::<f64>(), 3 => -10.0..10.0f64]
}

fn numbers(n: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<f64>> {
    // Series of one number over and over are a case of their own.
    prop_oneof![4 => vec(number(), n), 1 => (number(), 1..9usize).prop_map(|(v, n)| std::vec![v; n])]
}

fn size() -> impl Strategy<Value = (u32, u32)> {
    prop_oneof![Just((640, 400)), (100..900u32, 100..900u32)]
}

/// Draws the plot; what comes of it is a valid SVG document.
fn check(plot: &impl Plot) -> Result<(), TestCaseError> {
    let svg = match plot.svg(Theme::Auto) {
        Ok(svg) => svg,
        Err(Error::Empty { .. } | Error::NothingToDraw { .. }) => return Ok(()),
        Err(error) => return Err(TestCaseError::fail(error.to_string())),
    };
    // Places are whole numbers; the sizes of texts are not.
    let drawn = svg.split("<defs>").nth(1).expect("the glyphs come first");
    for size in ["scale(NaN", "textLength=\"NaN", "translate(NaN", "scale(inf", "textLength=\"inf"] {
        prop_assert!(!drawn.contains(size), "{size}: {svg}");
    }
    prop_assert!(svg.len() < 2_000_000, "{} bytes", svg.len());
    prop_assert!(Document::parse(&svg).is_ok(), "{svg}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_figure_of_any_numbers(
        xs in numbers(0..12),
        ys in numbers(12),
        (x_log, y_log) in any::<(bool, bool)>(),
        (width, height) in size(),
        n_bins in 1..40usize,
    ) {
        let n = xs.len().min(ys.len());
        let (xs, ys) = (&xs[..n], &ys[..n]);
        let base = || {
            let figure = Figure::new("any").size(width, height).x_label("x").y_label("y");
            let figure = if x_log { figure.x_log() } else { figure };
            if y_log { figure.y_log() } else { figure }
        };
        let lines = base().line("line", xs, ys).dashed("dashed", ys, xs);
        check(&lines)?;
        prop_assert_eq!(lines.svg(Theme::Dark).is_ok(), lines.png(Theme::Auto).is_ok());
        check(&base().scatter("points", xs, ys).path("path", xs, ys))?;
        check(&base().band("band", xs, ys, xs))?;
        check(&base().histogram("histogram", xs, n_bins))?;
        if let (Some(&x), Some(&y)) = (xs.first(), ys.first()) {
            check(&base().mark("mark", x, y).x_rule("x", x).y_rule("y", y))?;
            check(&base().contour((-1.0, 1.0), (0.5, 2.0), |a, b| x * a + y * b * b).path("path", xs, ys))?;
            check(&base().contour((-1.0, 1.0), (0.5, 2.0), |a, _| if a > 0.0 { x } else { y }))?;
        }
    }

    #[test]
    fn a_range_cuts_whatever_lies_beyond(
        xs in numbers(1..12),
        (lo, width) in (-1e3..1e3f64, 1e-3..1e3f64),
    ) {
        let figure = Figure::new("cut").x_range(lo, lo + width).y_range(lo, lo + width);
        check(&figure.line("line", &xs, &xs).path("path", &xs, &xs).histogram("histogram", &xs, 9))?;
    }

    #[test]
    fn bars_of_any_numbers(values in vec(number(), 1..9), errors in vec(number(), 9), (width, height) in size()) {
        let names: Vec<String> = (0..values.len()).map(|i| "name ".repeat(i * i)).collect();
        let errors = &errors[..values.len()];
        let bars = Bars::new("any", &names).size(width, height).group("a", &values);
        check(&bars.group_with_errors("b", &values, errors))?;
    }

    #[test]
    fn a_heat_map_of_any_numbers(n_columns in 1..9usize, values in vec(number(), 1..60), (width, height) in size()) {
        let n_rows = values.len() / n_columns;
        let map = || HeatMap::new("any", n_rows, n_columns, &values[..n_rows * n_columns]);
        check(&map().color_map(ColorMap::Diverging))?;
        check(&map().size(width, height).cell_texts(|v| format!("{v:.3}")))?;
    }

    #[test]
    fn texts_of_any_characters(texts in vec(any::<String>(), 4)) {
        let [title, name, label, category] = &texts[..] else { unreachable!("there are four") };
        let figure = Figure::new(title).x_label(label).y_label(label).line(name, &[0.0, 1.0], &[1.0, 2.0]);
        check(&figure.mark(label, 0.5, 1.5).x_rule(category, 0.2))?;
        check(&Bars::new(title, &[category]).x_label(label).group(name, &[1.0]))?;
        let tile = Tile::gray(2, 2, &[0.0, f32::NAN, f32::INFINITY, 1e38]).caption(label).border(Border::Bad);
        let images = ImageGrid::new(title, 3).tile(tile.clone()).tile(tile);
        check(&Grid::new(title, 2).panel(images).panel(HeatMap::confusion(title, &[category], &[u64::MAX])))?;
    }
}

#[test]
fn many_categories_and_points_stay_drawable() {
    let values: Vec<f64> = (0..3000).map(f64::from).collect();
    let names: Vec<String> = values.iter().map(|v| format!("category {v}")).collect();
    let check = |plot: &dyn Plot| assert!(plot.png(Theme::Light).is_ok_and(|png| png.len() > 1000));
    check(&Bars::new("many", &names).group("a", &values));
    check(&HeatMap::new("many", 3000, 1, &values).row_names(&names));
    let history: Vec<f64> = (0..200_000).map(|i| f64::from(i).sin()).collect();
    let steps: Vec<f64> = (0..200_000).map(f64::from).collect();
    let svg = Figure::new("many").line("loss", &steps, &history).svg(Theme::Auto).expect("there is data");
    assert!(svg.len() < 200_000, "{} bytes for 200,000 points", svg.len());
}

/// The points of each line and polygon of a colour, in pixels.
fn paths(plot: &dyn Plot, color: &str) -> Vec<Vec<(f64, f64)>> {
    let svg = plot.svg(Theme::Light).expect("it can be drawn");
    let document = Document::parse(&svg).expect("it is XML");
    let is_colored =
        |node: &roxmltree::Node| ["fill", "stroke"].iter().any(|&name| node.attribute(name) == Some(color));
    let mut paths = Vec::new();
    for node in document.descendants().filter(|node| node.has_tag_name("path") && is_colored(node)) {
        let data = node.attribute("d").expect("a path has data").replace('-', " -");
        let (mut at, mut points) = ((0.0, 0.0), Vec::new());
        for command in data.split_inclusive(char::is_alphabetic).collect::<Vec<_>>().windows(2) {
            let numbers: Vec<f64> = command[1]
                .trim_end_matches(char::is_alphabetic)
                .split(' ')
                .filter_map(|v| v.parse().ok())
                .collect();
            let [x, y] = numbers[..] else { continue };
            at = if command[0].ends_with('M') { (x, y) } else { (at.0 + x, at.1 + y) };
            points.push((at.0 / 20.0, at.1 / 20.0));
        }
        paths.push(points);
    }
    paths
}

/// All of their points.
fn points(plot: &dyn Plot, color: &str) -> Vec<(f64, f64)> {
    paths(plot, color).concat()
}

const FIRST: &str = "#0072b2";

/// From the least to the greatest of some numbers.
fn span(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    (values.clone().fold(f64::INFINITY, f64::min), values.fold(f64::NEG_INFINITY, f64::max))
}

#[test]
fn what_an_axis_shows_is_sampled_on_its_scale() {
    let f = |x: f64| (10.0 * x.log10()).sin();
    let xs: Vec<f64> = (0..=2000).map(|i| 10f64.powf(-4.0 + 4.0 * f64::from(i) / 2000.0)).collect();
    let ys: Vec<f64> = xs.iter().map(|&x| f(x)).collect();
    let expected = points(&Figure::new("").x_log().y_range(-1.0, 1.0).line("", &xs, &ys), FIRST);
    let base = || Figure::new("").y_range(-1.0, 1.0);
    for figure in [base().x_log().function("", 1e-4, 1.0, f), base().function("", 1e-4, 1.0, f).x_log()] {
        let found = points(&figure, FIRST);
        assert!(found.len() > 500);
        for (x, y) in found {
            let nearest = expected.iter().min_by(|a, b| (a.0 - x).abs().total_cmp(&(b.0 - x).abs()));
            let nearest = nearest.expect("there are points");
            assert!((nearest.1 - y).abs() < 4.0, "{x} {y} {nearest:?}");
        }
    }
    // Bins of equal width on paper, whose edges the gaps show.
    let values: Vec<f64> = (0..100).map(|i| 10f64.powf(f64::from(i % 10))).collect();
    let bars = paths(&Figure::new("").histogram("", &values, 10).x_log(), FIRST).into_iter();
    let ends = bars.map(|bar| span(bar.into_iter().map(|point| point.0)));
    let widths: Vec<f64> = ends.map(|(left, right)| right - left).collect();
    assert!(widths.len() == 10 && widths.iter().all(|w| (w - widths[0]).abs() < 0.2), "{widths:?}");
}

#[test]
fn data_far_from_0_fill_the_axes() {
    for (start, step) in
        [(1.7e9, 6.0), (1.7e9, 1.0), (1e8, 1.0), (-1e8, 1.0), (1e15, 16.0), (1.0, 1e-9), (-3e300, 1e290)]
    {
        let there: Vec<f64> = (0..100).map(|k| start + step * f64::from(k)).collect();
        let wave: Vec<f64> = (0..100).map(|k| (f64::from(k) / 10.0).sin()).collect();
        let figures = [
            Figure::new("").line("", &there, &wave),
            Figure::new("").line("", &wave, &there),
            Figure::new("").path("", &there, &there),
            Figure::new("").histogram("", &there, 20),
        ];
        for figure in figures {
            let points = points(&figure, FIRST);
            let (left, right) = span(points.iter().map(|p| p.0));
            let (top, bottom) = span(points.iter().map(|p| p.1));
            assert!(
                right - left > 400.0 && bottom - top > 200.0,
                "{start} + {step}: {left} {right} {top} {bottom}"
            );
        }
        if start > 0.0 {
            let (left, right) = span(
                points(&Figure::new("").x_log().line("", &there, &wave), FIRST).into_iter().map(|p| p.0),
            );
            assert!(right - left > 400.0, "logarithmic, {start} + {step}: {left} {right}");
        }
    }
}

#[test]
fn finite_extremes_are_drawn() {
    let extremes = [-1e308, 1e308, f64::MAX, f64::MIN, 5e-324];
    let (left, right) =
        span(points(&Figure::new("").line("", &extremes, &extremes), FIRST).into_iter().map(|p| p.0));
    assert!(right - left > 400.0);
    let bars = points(&Bars::new("", &["a", "b"]).group("", &[1e308, -1e308]), FIRST);
    let (top, bottom) = span(bars.iter().map(|p| p.1));
    assert!(bars.len() == 8 && bottom - top > 200.0, "{bars:?}");
    assert!(
        points(&Bars::new("", &["a"]).group_with_errors("", &[f64::MAX], &[f64::MAX]), "#1f2328").len() >= 6
    );
    let colors = |values: &[f64]| {
        let svg =
            HeatMap::new("", 1, 3, values).cell_texts(|_| String::new()).svg(Theme::Light).expect("data");
        svg.split("base64,").nth(1).expect("an image").to_owned()
    };
    assert_eq!(
        colors(&[f64::MIN, 0.0, f64::MAX]).split('"').next(),
        colors(&[-1.0, 0.0, 1.0]).split('"').next()
    );
    let all = Figure::new("").x_log().y_log().function("", f64::MIN_POSITIVE, f64::MAX, |x| x);
    assert!(points(&all, FIRST).len() > 100);
    assert!(points(&Figure::new("").function("", f64::MIN, f64::MAX, |x| x), FIRST).len() > 100);
}

#[test]
fn a_line_to_a_point_far_beyond_keeps_its_slope() {
    for far in [1e3, 1e9, 1e200] {
        let figure = Figure::new("").x_range(0.0, 1.0).y_range(0.0, 1.0);
        let line = points(&figure.line("", &[0.0, far], &[0.0, far / 2.0]), FIRST);
        let [(left, foot), (right, head)] = line[..] else { panic!("{line:?}") };
        let figure = Figure::new("").x_range(0.0, 1.0).y_range(0.0, 1.0);
        let expected = points(&figure.line("", &[0.0, 1.0], &[0.0, 0.5]), FIRST);
        assert_eq!([(left, foot), (right, head)], expected[..], "{far}");
    }
}

#[test]
fn single_points_are_seen() {
    let one = Figure::new("").line("", &[1.0], &[2.0]);
    let gaps = Figure::new("").line("", &[0.0, 1.0, 2.0], &[1.0, f64::NAN, 2.0]);
    for (figure, n) in [(one, 1), (gaps, 2)] {
        let svg = figure.svg(Theme::Light).expect("data");
        let dots: Vec<&str> = svg.lines().filter(|line| line.contains(FIRST)).collect();
        assert_eq!(dots.len(), n);
        // In twentieths of a pixel.
        assert!(
            dots.iter().all(|dot| dot.contains("h0\"") && dot.contains("stroke-width=\"101\"")),
            "{dots:?}"
        );
    }
    for figure in [
        Figure::new("").path("path", &[1.0], &[2.0]),
        Figure::new("").band("band", &[1.0], &[2.0], &[3.0]),
        Figure::new("").histogram("histogram", &[1.0], 3),
    ] {
        let svg = figure.svg(Theme::Light).expect("data");
        // One in the legend, one in the plot at least.
        assert!(svg.matches(FIRST).count() >= 2, "{svg}");
    }
}

#[test]
fn a_matrix_of_any_shape_has_a_sensible_size() {
    let height = |n_rows: usize, n_columns: usize| -> u32 {
        let svg = HeatMap::new("t", n_rows, n_columns, &vec![1.0; n_rows * n_columns]).svg(Theme::Light);
        let svg = svg.expect("there are values");
        assert!(svg.contains(r#"width="560""#));
        svg.split(r#"height=""#)
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .and_then(|h| h.parse().ok())
            .expect("a height")
    };
    for (n_rows, n_columns) in [(10, 40), (10, 64), (2, 10), (3, 10), (1, 4), (1, 1000)] {
        assert!((200..=300).contains(&height(n_rows, n_columns)), "{n_rows} × {n_columns}");
    }
    for (n_rows, n_columns) in [(64, 10), (32, 3), (1000, 1)] {
        assert_eq!(height(n_rows, n_columns), 2000, "{n_rows} × {n_columns}");
    }
    let ascending: Vec<u32> = (1..=40).map(|n_rows| height(n_rows, 10)).collect();
    assert!(ascending.windows(2).all(|w| w[0] <= w[1] && w[1] - w[0] < 100), "{ascending:?}");
    let tile = |height, width| Tile::gray(height, width, &vec![0.0; height * width]);
    for (height, width) in [(1, 5000), (5000, 1)] {
        let svg = ImageGrid::new("", 1).tile(tile(height, width)).svg(Theme::Light).expect("data");
        assert!(
            points(&ImageGrid::new("", 1).tile(tile(height, width).border(Border::Bad)), "#d55e00").len()
                == 4
        );
        assert!(!svg.contains(r#" height="0""#));
    }
}

/// Measured anew for each letter to be cut, they would take days.
#[test]
fn long_names_take_no_time() {
    let name = "x".repeat(1 << 20);
    let names = [&name, &name];
    HeatMap::confusion(&name, &names, &[1, 2, 3, 4]).svg(Theme::Auto).expect("data");
    Bars::new(&name, &names).x_label(&name).group(&name, &[1.0, 2.0]).svg(Theme::Auto).expect("data");
    Figure::new(&name)
        .y_label(&name)
        .mark(&name, 0.0, 0.0)
        .line(&name, &[0.0], &[1.0])
        .svg(Theme::Auto)
        .expect("data");
}

#[test]
fn text_from_outside_neither_marks_up_nor_controls() {
    let text = "<script>&\u{1b}[31m\u{202e}\r\n\0\u{7}\"";
    let tile = Tile::gray(1, 1, &[0.0]).caption(text.replace('\n', ""));
    let figure = Figure::new(text).x_label(text).y_label(text).line(text, &[0.0, 1.0], &[0.0, 1.0]);
    let plots: [&dyn Plot; 4] = [
        &figure.mark(text, 0.5, 0.5).x_rule(text, 0.1),
        &Bars::new(text, &[text]).group(text, &[1.0]),
        &HeatMap::new(text, 1, 1, &[1.0])
            .row_names(&[text])
            .column_names(&[text])
            .cell_texts(|_| text.to_owned()),
        &ImageGrid::new(text, 1).tile(tile),
    ];
    for plot in plots {
        let svg = plot.svg(Theme::Auto).expect("data");
        assert!(
            !svg.contains("<script")
                && !svg.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}')
        );
        let document = Document::parse(&svg).expect("it is XML");
        let title =
            document.descendants().find(|node| node.has_tag_name("title")).and_then(|node| node.text());
        assert_eq!(title, Some(r#"<script>&\u{1b}[31m\u{202e}\r\n\0\u{7}""#));
    }
}
