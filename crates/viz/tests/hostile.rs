//! Whatever the numbers and texts, a plot is drawn or an error says why not; nothing panics or hangs.

use proptest::collection::vec;
use proptest::prelude::*;
use resvg::usvg::{Options, Tree};
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

/// Draws the plot; what comes of it is a whole SVG document.
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
    prop_assert!(Tree::from_str(&svg, &Options::default()).is_ok(), "{svg}");
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
