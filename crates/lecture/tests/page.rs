//! The lecture's page: its files, its data, and how it looks to a browser.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use lecture::AnyExperiment::{self, *};
use lecture::experiments::{cnn_doubt, cnn_inside, cnn_mistakes, cnn_training, range_test, tuning};
use lecture::subjects::network;
use tempfile::TempDir;

/// The experiment with as little training as makes a figure.
fn in_short(experiment: AnyExperiment) -> AnyExperiment {
    let short = |network| network::NetworkFlags { epochs: 1, images: 500, ..network };
    match experiment {
        RangeTest(e) => RangeTest(range_test::RangeTest { steps: 30, ..e }),
        CnnTraining(e) => CnnTraining(cnn_training::CnnTraining { network: short(e.network), ..e }),
        CnnInside(e) => CnnInside(cnn_inside::CnnInside { network: short(e.network), ..e }),
        CnnMistakes(e) => CnnMistakes(cnn_mistakes::CnnMistakes { network: short(e.network), ..e }),
        CnnDoubt(e) => CnnDoubt(cnn_doubt::CnnDoubt { network: short(e.network), passes: 10, ..e }),
        Tuning(e) => Tuning(tuning::Tuning { trials: 2, epochs: 1, images: 500, validation: 100, ..e }),
        other => other,
    }
}

/// The whole page.
fn page() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let experiments: Vec<AnyExperiment> = AnyExperiment::all().into_iter().map(in_short).collect();
        let folder = tempfile::tempdir().unwrap();
        lecture::write(folder.path(), &lecture::run_all(&experiments).unwrap(), "index.html").unwrap();
        folder
    });
    folder.path()
}

#[test]
fn every_figure_is_an_svg_and_a_png_and_every_table_a_csv() {
    let mut n_figures = 0;
    for section in
        fs::read_dir(page()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        let files: Vec<PathBuf> = fs::read_dir(section).unwrap().map(|entry| entry.unwrap().path()).collect();
        for file in &files {
            match file.extension().unwrap().to_str().unwrap() {
                "svg" => {
                    n_figures += 1;
                    assert!(fs::read(file.with_extension("png")).unwrap().starts_with(b"\x89PNG"));
                }
                "png" => assert!(file.with_extension("svg").exists()),
                "csv" => {
                    let text = fs::read_to_string(file).unwrap();
                    assert!(text.lines().count() > 1 && !text.contains("NaN"), "{}", file.display());
                }
                other => panic!("{} has the ending {other}", file.display()),
            }
        }
    }
    assert!(n_figures >= 37, "{n_figures} figures");
}

#[test]
fn the_page_needs_nothing_from_outside() {
    let html = fs::read_to_string(page().join("index.html")).unwrap();
    for reference in ["src=\"http", "href=\"http", "url(http", "@import", "<script"] {
        assert!(!html.contains(reference), "the page has {reference}");
    }
    let n_figures = html.matches("<figure").count();
    assert_eq!(n_figures, html.matches("<figcaption>").count());
    assert_eq!(html.matches("<svg").count(), html.matches("<title>").count() - 1, "every figure has a name");
    // Every link leads to a heading or to a file.
    for target in html.split(" href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        match target.strip_prefix('#') {
            Some(id) => assert!(html.contains(&format!(" id=\"{id}\"")), "#{id} leads nowhere"),
            None => {
                assert!(target.starts_with("data:") || page().join(target).exists(), "{target} leads nowhere")
            }
        }
    }
}

/// Runs in the page and tells the page around it what a reader would complain about.
const INSPECTION: &str = "<script>addEventListener('load', () => {
  const drawn = svg => svg.getBoundingClientRect().height > 50 && svg.querySelectorAll('path').length > 5;
  const figures = [...document.querySelectorAll('figure')];
  const blank = figures.filter(f => ![...f.querySelectorAll('svg')].some(drawn)).length;
  const zoom = svg => 20 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
  const shown = [...document.querySelectorAll('svg')].map(zoom).filter(zoom => zoom > 0);
  const odd = shown.filter(zoom => zoom < 0.8 || zoom > 1.25).length;
  const root = document.documentElement, over = root.scrollWidth - root.clientWidth;
  parent.postMessage(`${figures.length} figures, ${blank} blank, ${odd} of an odd size, ${over} px over ${innerWidth}`, '*');
});</script>";

/// The page around it: a browser's window has a smallest width, a frame has none.
fn frame(width: u32) -> String {
    format!(
        "<!doctype html><meta charset=utf-8><output id=report></output><script>addEventListener('message', \
         m => document.getElementById('report').textContent = m.data)</script>\
         <iframe src=inspected.html width={width} height=800 style=border:0></iframe>"
    )
}

#[test]
fn a_browser_draws_every_figure_and_the_page_fits_a_telephone() {
    let browsers = ["chromium", "chromium-browser", "google-chrome"];
    let Some(browser) = browsers.iter().find(|name| Command::new(name).arg("--version").output().is_ok())
    else {
        eprintln!("skipped: no Chromium on the PATH (Debian: apt-get install chromium)");
        return;
    };
    let html = fs::read_to_string(page().join("index.html")).unwrap();
    let inspected = page().join("inspected.html");
    fs::write(&inspected, html.replace("</body>", &format!("{INSPECTION}</body>"))).unwrap();
    for width in [1200, 375] {
        let frame_path = page().join(format!("frame-{width}.html"));
        fs::write(&frame_path, frame(width)).unwrap();
        let profile = tempfile::tempdir().unwrap();
        let output = Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args([
                "--enable-logging=stderr",
                "--window-size=1300,900",
                "--virtual-time-budget=10000",
                "--dump-dom",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("file://{}", frame_path.display()))
            .output()
            .unwrap();
        let (dom, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let report = dom.split("<output id=\"report\">").nth(1).and_then(|rest| rest.split('<').next());
        let n_figures = html.matches("<figure").count();
        assert_eq!(
            report,
            Some(format!("{n_figures} figures, 0 blank, 0 of an odd size, 0 px over {width}").as_str()),
            "{log}"
        );
        assert!(!log.contains("CONSOLE"), "the console has something to say: {log}");
    }
}
