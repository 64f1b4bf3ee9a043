//! The lecture's page: its files, its data, and how it looks to a browser.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use clap::Parser;
use lecture::AnyExperiment::{self, *};
use lecture::LectureArgs;
use lecture::experiments::{cnn_inside, cnn_mistakes, cnn_training, mc_dropout, range_test, tuning};
use lecture::subjects::network;
use tempfile::TempDir;

/// The experiment with just enough training for a figure.
fn in_short(experiment: AnyExperiment) -> AnyExperiment {
    let short = |network| network::NetworkFlags { epochs: 1, images: 500, ..network };
    match experiment {
        RangeTest(e) => RangeTest(range_test::RangeTest { steps: 30, ..e }),
        CnnTraining(e) => CnnTraining(cnn_training::CnnTraining { network: short(e.network), ..e }),
        CnnInside(e) => CnnInside(cnn_inside::CnnInside { network: short(e.network), ..e }),
        CnnMistakes(e) => CnnMistakes(cnn_mistakes::CnnMistakes { network: short(e.network), ..e }),
        McDropout(e) => McDropout(mc_dropout::McDropout { network: short(e.network), passes: 10, ..e }),
        Tuning(e) => Tuning(tuning::Tuning { trials: 2, epochs: 1, images: 500, validation: 100, ..e }),
        other => other,
    }
}

/// The whole page. Its networks are trained in short; `LECTURE_PAGE=full` makes it as readers get it.
fn page() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let is_full = std::env::var("LECTURE_PAGE").is_ok_and(|value| value == "full");
        let all = AnyExperiment::all().into_iter();
        let experiments: Vec<AnyExperiment> = all.map(|e| if is_full { e } else { in_short(e) }).collect();
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
    for reference in [" src=", "url(", "@import", "<link rel=\"stylesheet"] {
        assert!(!html.contains(reference), "the page has {reference}");
    }
    assert_eq!(
        html.matches("href=\"http").count(),
        html.matches("<a href=\"https://").count(),
        "links to read, no more"
    );
    assert!(html.contains("default-src 'none'"), "and the browser is told so");
    assert_eq!(html.matches("<script>").count(), 1);
    assert_eq!(html.matches("<script type=\"application/json\">").count(), html.matches("<script ").count());
    assert!(html.len() < 5_000_000, "{} bytes", html.len());
    let n_figures = html.matches("<figure").count();
    assert_eq!(n_figures, html.matches("<figcaption>").count());
    assert_eq!(html.matches("<svg").count(), html.matches("<title>").count() - 1, "every figure has a name");
    // Every link leads to a heading or to a file.
    for target in html.split(" href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        match target.strip_prefix('#') {
            Some(id) => assert!(html.contains(&format!(" id=\"{id}\"")), "#{id} leads nowhere"),
            None => assert!(
                target.starts_with("data:") || target.starts_with("https://") || page().join(target).exists(),
                "{target} leads nowhere"
            ),
        }
    }
}

#[test]
fn nothing_that_is_written_in_a_figure_is_cut_off() {
    for section in
        fs::read_dir(page()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        for file in fs::read_dir(section).unwrap().map(|entry| entry.unwrap().path()) {
            let is_svg = file.extension().is_some_and(|ending| ending == "svg");
            let text = if is_svg { fs::read_to_string(&file).unwrap() } else { String::new() };
            assert!(!text.contains('…'), "{} has a text without room", file.display());
        }
    }
    let html = fs::read_to_string(page().join("index.html")).unwrap();
    let cut = html.split("</text>").find(|before| before.ends_with('…'));
    assert!(cut.is_none(), "{:?}", cut.and_then(|before| before.rsplit('>').next()));
}

#[test]
fn every_section_ends_with_exercises_whose_commands_are_understood() {
    #[derive(clap::Parser)]
    struct Lecture {
        #[command(flatten)]
        args: LectureArgs,
    }
    let html = fs::read_to_string(page().join("index.html")).unwrap();
    let sections: Vec<&str> = html.split("<section class=\"experiment\"").skip(1).collect();
    assert_eq!(sections.len(), AnyExperiment::all().len());
    for section in sections {
        let name = section.split("<h3 id=\"").nth(1).unwrap().split('"').next().unwrap();
        let exercises = section.split("<h4>Exercises</h4>").nth(1);
        let exercises =
            exercises.unwrap_or_else(|| panic!("{name} has no exercises")).split("</ol>").next().unwrap();
        let commands: Vec<&str> =
            exercises.split("<br><code>").skip(1).map(|rest| rest.split("</code>").next().unwrap()).collect();
        assert!(commands.len() >= 2, "{name}: {commands:?}");
        for command in commands {
            let words: Vec<&str> = command.split(' ').collect();
            match words.as_slice() {
                ["descent", "train", ..] => {}
                ["descent", rest @ ..] => {
                    let parsed = Lecture::try_parse_from(rest).unwrap_or_else(|e| panic!("{command}: {e}"));
                    let section = parsed.args.experiment.map(|_| rest[1]);
                    assert_eq!(section, Some(name), "{command}");
                }
                _ => panic!("{command}"),
            }
        }
        assert!(section.contains("<h4>To read</h4>"), "{name} names no source");
    }
}

#[test]
fn what_the_numbers_without_flags_show_is_not_said_of_others() {
    let momentum =
        Momentum(lecture::experiments::momentum::Momentum { momenta: vec![0.5], ..lecture::defaults() });
    let rmsprop = Rmsprop(lecture::experiments::rmsprop::Rmsprop {
        gammas: vec![0.5],
        lr: 0.25,
        ..lecture::defaults()
    });
    let folder = tempfile::tempdir().unwrap();
    lecture::write(folder.path(), &lecture::run_all(&[momentum, rmsprop]).unwrap(), "index.html").unwrap();
    // Without the source code, which contains all of the texts.
    let told = |folder: &Path| -> String {
        let html = fs::read_to_string(folder.join("index.html")).unwrap();
        html.split("<section class=\"experiment\"")
            .map(|s| s.split("<div class=\"workshop\">").next().unwrap())
            .collect()
    };
    let (other, usual) = (told(folder.path()), told(page()));
    for (text, holds_always) in [
        ("β = 0.9 has gathered", false),
        ("ten steps of ½", false),
        ("as each panel's title says: 35 steps from −7", true),
        ("10 steps from 12 with η = 0.5", false),
    ] {
        assert!(usual.contains(text), "{text}");
        assert_eq!(other.contains(text), holds_always, "{text}");
    }
    assert!(other.contains("10 steps from 12 with η = 0.25"));
}

/// The captions of a page, without tags.
fn captions(html: &str) -> Vec<String> {
    let pieces = html.split("caption>").skip(1).step_by(2);
    let pieces = pieces.filter_map(|piece| Some(piece.rsplit_once("</")?.0));
    let without_tags = |piece: &str| piece.split('<').map(|part| part.rsplit('>').next().unwrap()).collect();
    pieces.map(without_tags).collect()
}

#[test]
fn numbers_in_captions_have_commas_and_minus_signs() {
    let html = fs::read_to_string(page().join("index.html")).unwrap();
    let captions = captions(&html);
    assert!(captions.len() > 60, "{} captions", captions.len());
    for text in [
        "The line has slope −0.0023 and intercept 0.05",
        "After 20 factors, over 2,000 products.",
        "of 2,000 such products",
        "A layer of 2,000 inputs and 500 outputs.",
        "drawn up to its edge: Adam, momentum, RMSProp, SGD.",
    ] {
        assert!(captions.iter().any(|caption| caption.contains(text)), "no caption has {text:?}");
    }
    for caption in captions {
        let is_long = |word: &str| word.len() > 3 && word.chars().all(|c| c.is_ascii_digit());
        let mut words = caption.split(|c: char| !(c.is_ascii_digit() || ".,".contains(c)));
        assert!(
            !words.any(|word| is_long(word.trim_end_matches(['.', ',']))),
            "a number without commas: {caption}"
        );
        let hyphen = caption.split(" -").skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        assert!(!hyphen, "a hyphen for a minus sign: {caption}");
    }
}

#[test]
fn what_the_lecture_prints_is_shown_as_it_prints_it() {
    let html = fs::read_to_string(page().join("index.html")).unwrap();
    for (column, printed) in [("training loss", "0.0002"), ("test loss", "0.0150")] {
        assert!(html.contains(&format!("data-column=\"{column}\"><span>{printed}</span>")), "{printed}");
    }
}

/// Runs in the page and reports to the page around it what a reader would complain about.
///
/// `turn` moves every slider to each of its positions by `stepUp`, with the event that keys and fingers
/// cause, and checks that the figure follows, and that the slider takes focus and is high enough for a finger.
/// No key is pressed and nothing is touched.
const INSPECTION: &str = "<script>
const turn = () => {
  let sliders = 0, dead = 0, small = 0, lost = 0;
  for (const figure of document.querySelectorAll('figure.knobs')) {
    const svg = figure.querySelector('svg'), reading = figure.querySelector('.reading');
    const state = () => svg.innerHTML + reading.textContent;
    const opened = state();
    for (const input of figure.querySelectorAll('input')) {
      sliders += 1;
      const start = input.value, seen = new Set();
      input.focus();
      if (document.activeElement !== input || input.getBoundingClientRect().height < 44) small += 1;
      for (input.value = 0; ; input.stepUp()) {
        input.dispatchEvent(new Event('input'));
        seen.add(state());
        if (!input.getAttribute('aria-valuetext') || svg.querySelectorAll('path').length < 5) lost += 1;
        if (input.value === input.max) break;
      }
      if (seen.size < 2) dead += 1;
      input.value = start;
      input.dispatchEvent(new Event('input'));
    }
    if (state() !== opened) lost += 1;
  }
  return `${sliders} sliders, ${dead} dead, ${small} out of reach, ${lost} lost`;
};
addEventListener('load', () => {
  const drawn = svg => svg.getBoundingClientRect().height > 50 && svg.querySelectorAll('path').length > 5;
  const figures = [...document.querySelectorAll('figure')];
  const blank = figures.filter(f => ![...f.querySelectorAll('svg')].some(drawn)).length;
  const zoom = svg => 20 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
  const shown = [...document.querySelectorAll('svg')].map(zoom).filter(zoom => zoom > 0);
  const odd = shown.filter(zoom => zoom < 0.8 || zoom > 1.25).length;
  // But for the counts in the cells of the confusion matrix, which have what room there is.
  const is_cell = t => t.ownerSVGElement.querySelector('title').textContent.startsWith('Confusion') && +t.textContent >= 0;
  const texts = [...document.querySelectorAll('svg text')].filter(t => t.getBoundingClientRect().width > 0 && !is_cell(t));
  const size = t => t.getAttribute('font-size') / 20 * zoom(t.ownerSVGElement);
  const tiny = texts.filter(t => size(t) < 11).map(t => `${t.textContent} ${size(t).toFixed(1)}`);
  const out = [...document.querySelectorAll('main *, header *, nav *')]
    .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && !e.closest('svg, math, pre'))
    .map(e => `${e.tagName}.${e.className} ${e.textContent.slice(0, 30)}`);
  const wide = [...document.querySelectorAll('.table, math[display=block], .experiment > pre, figcaption')]
    .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.slice(0, 40));
  const root = document.documentElement, over = root.scrollWidth - root.clientWidth;
  parent.postMessage(`${figures.length} figures, ${blank} blank, ${odd} of an odd size, ${over} px over ${innerWidth}` +
    `${out.slice(0, 3).join(', ')}; ` +
    `cut: ${wide.join(', ')}; tiny: ${[...new Set(tiny)].slice(0, 9).join(', ')}; ${turn()}`, '*');
});</script>";

/// The page around it: a browser window has a minimum width, a frame has none.
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
        let n_sliders = html.matches("type=\"range\"").count();
        assert!(n_sliders >= 14, "{n_sliders} sliders");
        assert_eq!(
            report,
            Some(
                format!(
                    "{n_figures} figures, 0 blank, 0 of an odd size, 0 px over {width}; cut: ; tiny: ; \
                     {n_sliders} sliders, 0 dead, 0 out of reach, 0 lost"
                )
                .as_str()
            ),
            "{log}"
        );
        assert!(!log.contains("CONSOLE"), "the console has something to say: {log}");
    }
}
