//! Labels among data keep clear of it.

use viz::{Figure, Plot, Theme};

/// Where the middle of a label was put, in twentieths of a pixel.
fn place(figure: &Figure, label: &str) -> (f64, f64) {
    let svg = figure.svg(Theme::Light).unwrap();
    let before = svg.split(&format!(">{label}</text>")).next().unwrap();
    let (_, place) = before.rsplit_once("<g transform=\"translate(").unwrap();
    let (x, rest) = place.split_once(' ').unwrap();
    (x.parse().unwrap(), rest.split(')').next().unwrap().parse().unwrap())
}

#[test]
fn a_rule_has_its_label_where_no_line_runs() {
    let figure = |heights: [f64; 3]| {
        let line = Figure::new("").size(600, 400).line("", &[0.0, 1.0, 2.0], &heights);
        line.y_range(0.0, 10.0).y_rule("rule", 5.0)
    };
    let (free, _) = place(&figure([1.0, 1.0, 1.0]), "rule");
    let (crossed, _) = place(&figure([1.0, 1.0, 9.0]), "rule");
    let (at_the_end, _) = place(&figure([1.0, 5.3, 5.3]), "rule");
    assert!(free > 550.0 * 20.0 && crossed == free, "at the right where there is room: {free} {crossed}");
    assert!(at_the_end < 100.0 * 20.0, "else at the left: {at_the_end}");

    let figure = |at_the_top: f64| {
        let line = Figure::new("").size(600, 400).line("", &[0.0, 4.0], &[at_the_top; 2]);
        line.y_range(0.0, 10.0).x_rule("rule", 1.0)
    };
    assert!(place(&figure(5.0), "rule").1 < 60.0 * 20.0);
    assert!(place(&figure(9.7), "rule").1 > 300.0 * 20.0, "at the foot when a line runs along the top");
}

#[test]
fn a_height_is_written_where_no_path_covers_it() {
    // Isolines are vertical, and the path crosses all of them in their middle.
    let map = || Figure::new("").size(600, 400).contour((0.0, 10.0), (0.0, 10.0), |x, _| 100.0 * x);
    let (_, free) = place(&map(), "500");
    let (_, crossed) = place(&map().path("", &[0.0, 10.0], &[5.0, 5.0]), "500");
    assert!((crossed - free).abs() > 15.0 * 20.0, "{crossed} {free}");
}
