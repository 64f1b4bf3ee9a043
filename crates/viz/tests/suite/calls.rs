//! Mistakes in a call panic and say what was expected; numbers that cannot be drawn are errors.

use std::panic::{AssertUnwindSafe, catch_unwind};

use viz::{Bars, Error, Figure, Grid, HeatMap, ImageGrid, Plot, Theme, Tile};

/// The message of the panic.
fn panics<T>(call: impl FnOnce() -> T) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(call)) else { panic!("the call should panic") };
    payload.downcast_ref::<String>().expect("a message").clone()
}

#[test]
fn lengths_that_differ_are_named() {
    assert_eq!(
        panics(|| Figure::new("f").line("train", &[1.0, 2.0], &[1.0])),
        r#"Figure::line: series "train" has 2 x values and 1 y values, expected as many of each"#
    );
    assert!(
        panics(|| Bars::new("b", &["x", "y"]).group("CNN", &[1.0])).contains("expected one for each of 2")
    );
    assert!(panics(|| HeatMap::new("h", 2, 3, &[0.0; 5])).contains("2 rows × 3 columns = 6"));
    assert!(panics(|| HeatMap::confusion("h", &["a", "b"], &[1, 2, 3])).contains("3 counts, expected 2 × 2"));
    assert!(panics(|| HeatMap::new("h", 2, 1, &[0.0; 2]).row_names(&["a"])).contains("1 names, expected 2"));
    assert!(panics(|| Tile::rgb(2, 2, &[0; 11])).contains("2 rows × 2 columns × 3 = 12"));
    assert!(panics(|| Tile::gray(0, 2, &[])).contains("at least one"));
}

#[test]
fn sizes_and_ranges_that_make_no_sense_are_named() {
    assert!(panics(|| Figure::new("f").x_range(1.0, 1.0)).contains("a finite range that ascends, got 1..=1"));
    assert!(panics(|| Figure::new("f").y_range(f64::NAN, 1.0)).contains("got NaN..=1"));
    assert!(panics(|| Figure::new("f").y_range(0.0, 5e-324)).contains("Figure::y_range"));
    let narrow = panics(|| Figure::new("f").y_range(1.0, 1.0 + f64::EPSILON));
    assert!(narrow.contains("1e-12 times as wide as its numbers are large"), "{narrow}");
    assert!(panics(|| Figure::new("f").size(0, 400)).contains("got 0 × 400"));
    assert!(panics(|| Figure::new("f").aspect(0.0)).contains("Figure::aspect"));
    assert!(panics(|| Figure::new("f").histogram("h", &[1.0], 0)).contains("got 0"));
    assert!(panics(|| Grid::new("g", 0)).contains("got 0"));
    assert!(panics(|| ImageGrid::new("g", 0)).contains("got 0"));
}

#[test]
fn what_cannot_be_drawn_is_an_error_that_says_why() {
    let error = |plot: &dyn Plot| plot.svg(Theme::Auto).expect_err("it cannot be drawn").to_string();
    let nan = [f64::NAN; 3];
    assert_eq!(error(&Figure::new("f")), r#"plot "f": the figure is empty, expected at least one value"#);
    assert_eq!(
        error(&Figure::new("f").line("loss", &[0.0, 1.0, 2.0], &nan)),
        r#"plot "f": none of its 3 values can be drawn, expected at least one that is finite"#
    );
    assert!(
        error(&Figure::new("f").y_log().line("a", &[0.0], &[-1.0]))
            .ends_with("above 0 on a logarithmic axis")
    );
    assert!(
        error(&Figure::new("f").x_range(5.0, 6.0).line("a", &[0.0], &[1.0]))
            .ends_with("within the axes' ranges")
    );
    let histogram = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    assert!(error(&Figure::new("f").histogram("h", &histogram, 5)).contains("none of its 3 values"));
    let contour = Figure::new("f").x_log().contour((-1.0, 1.0), (1.0, 2.0), |x, y| x * y);
    assert!(error(&contour).ends_with("above 0 on a logarithmic axis"));
    let below = Figure::new("f").y_log().y_range(0.0, 1.0).line("a", &[0.0], &[1.0]);
    assert!(matches!(below.svg(Theme::Auto), Err(Error::LogRange { axis: "y", .. })));
    assert!(error(&Bars::new("b", &["x"])).contains("the list of groups is empty"));
    assert!(error(&Bars::new("b", &["x", "y", "z"]).group("g", &nan)).contains("none of its 3 values"));
    assert!(error(&HeatMap::new("h", 0, 0, &[])).contains("the matrix is empty"));
    assert!(error(&ImageGrid::new("i", 3)).contains("the grid of images is empty"));
    assert!(error(&Grid::new("g", 3)).contains("the grid is empty"));
    let inner = Grid::new("outer", 1).panel(Figure::new("inner"));
    assert!(error(&inner).contains(r#""inner""#), "the error names the panel");
}

#[test]
fn a_series_that_is_all_gaps_leaves_the_others() {
    let figure =
        Figure::new("f").line("good", &[0.0, 1.0], &[1.0, 2.0]).line("bad", &[0.0, 1.0], &[f64::NAN; 2]);
    let svg = figure.svg(Theme::Light).expect("one series can be drawn");
    assert!(svg.contains(">good</text>") && svg.contains(">bad</text>"));
}

#[test]
fn a_gap_parts_a_line() {
    let n_lines = |ys: &[f64]| {
        let xs: Vec<f64> = (0..ys.len()).map(|i| i as f64).collect();
        // The line is the only thing in its colour: it has no name and so no key.
        let svg = Figure::new("f").line("", &xs, ys).svg(Theme::Light).expect("it can be drawn");
        svg.matches(r##"stroke="#0072b2""##).count()
    };
    assert_eq!(n_lines(&[1.0, 2.0, 3.0, 2.0, 1.0]), 1);
    assert_eq!(n_lines(&[1.0, 2.0, f64::NAN, 2.0, 1.0]), 2);
    assert_eq!(n_lines(&[1.0, f64::INFINITY, 3.0, f64::NAN, 1.0]), 3);
}
