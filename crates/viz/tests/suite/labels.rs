//! Labels among data keep clear of it; no text leaves its figure.

use roxmltree::{Document, Node};
use viz::{Bars, Figure, Grid, HeatMap, ImageGrid, Plot, Theme, Tile};

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

/// Checks that all texts lie within the figure, in twentieths of a pixel: those that are not turned by their
/// ends, those that are by the end that is anchored.
fn assert_texts_fit(plot: &dyn Plot) {
    let svg = plot.svg(Theme::Light).expect("there is data");
    let document = Document::parse(&svg).expect("it is XML");
    let size = document.root_element().attribute("viewBox").expect("it has a size");
    let size: Vec<f64> = size.split(' ').skip(2).map(|v| v.parse().unwrap()).collect();
    let texts = document.descendants().filter(|node| node.has_tag_name("text"));
    for text in texts {
        let number = |node: Node, name| node.attribute(name).unwrap().parse::<f64>().unwrap();
        let width = number(text, "textLength");
        let transform = text.parent().unwrap().attribute("transform").unwrap();
        let numbers: Vec<f64> = transform
            .split(|c: char| !c.is_ascii_digit() && c != '-' && c != '.')
            .filter_map(|v| v.parse().ok())
            .collect();
        let ((x, y), turn, dx) = match numbers[..] {
            [x, y, dx, _] => ((x, y), 0.0f64, dx),
            [x, y, turn, dx, _] => ((x, y), turn, dx),
            _ => panic!("{transform}"),
        };
        let (sin, cos) = turn.to_radians().sin_cos();
        for along in [dx, dx + width] {
            let (x, y) = (x + along * cos, y + along * sin);
            assert!(
                (0.0..=size[0]).contains(&x) && (0.0..=size[1]).contains(&y),
                "{:?} reaches {x} {y} of {size:?}",
                text.text()
            );
        }
    }
}

#[test]
fn texts_of_any_length_are_cut_to_fit() {
    let long = "very long label ".repeat(80);
    let names = [&long, "short", &long, "\u{1b}[31m"];
    for size in [(640, 400), (300, 200), (200, 150), (100, 100)] {
        let figure = || {
            let figure = Figure::new(&long).size(size.0, size.1).x_label(&long).y_label(&long);
            figure.line(&long, &[1.7e9, 1.7e9 + 600.0], &[0.0, 1e-9])
        };
        assert_texts_fit(&figure());
        assert_texts_fit(
            &figure().mark(&long, 1.7e9 + 500.0, 0.9e-9).x_rule(&long, 1.7e9).y_rule(&long, 0.0),
        );
        let crowded =
            (0..200).fold(figure(), |figure, i| figure.line(format!("{i}"), &[1.7e9], &[i as f64 / 1e9]));
        assert_texts_fit(&crowded);
        assert_texts_fit(&Grid::new(&long, 2).panel_size(size.0, size.1).panel(figure()).panel(crowded));
        let bars = Bars::new(&long, &names).size(size.0, size.1).x_label(&long).y_label(&long);
        assert_texts_fit(&bars.group(&long, &[1.0, 2.0, 3.0, 1e300]));
        for names in [&[&long[..]][..], &["a", "b", &long]] {
            let bars = Bars::new("", names).size(size.0, size.1);
            assert_texts_fit(&bars.group("", &vec![1.0; names.len()]));
        }
        let map =
            HeatMap::new(&long, 4, 4, &[f64::MAX; 16]).size(size.0, size.1).x_label(&long).y_label(&long);
        assert_texts_fit(&map.row_names(&names).column_names(&names));
    }
    let tile = Tile::gray(2, 2, &[0.0; 4]).caption(long.replace("label", "\n"));
    assert_texts_fit(&ImageGrid::new(&long, 3).tile(tile));
}

#[test]
fn a_label_says_what_to_add_to_the_ticks() {
    let svg = |x_label: &str| {
        let figure = Figure::new("").x_label(x_label).line("", &[1.7e9, 1.7e9 + 600.0], &[0.0, 1.0]);
        figure.svg(Theme::Light).unwrap()
    };
    assert!(svg("time (s)").contains(">time (s) (+1.7×10⁹)</text>") && svg("").contains(">+1.7×10⁹</text>"));
    assert!(svg(&"time ".repeat(80)).contains("… (+1.7×10⁹)</text>"));
    let map = HeatMap::new("", 1, 2, &[1e9, 1e9 + 1.0]).svg(Theme::Light).unwrap();
    assert!(map.contains(">+1×10⁹</text>"));
}
