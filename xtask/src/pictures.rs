//! The README's pictures: a recorded terminal session, and a browser screenshot of the lecture's page.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use foreign_text::in_full;

use crate::program::{descent, root};

/// Make the README's pictures: docs/pictures/terminal.svg, and page.png with a Chromium on the PATH.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Program to record [default: target/release/descent, built if needed].
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Page to take a screenshot of, as made by `descent lecture`.
    #[arg(long, value_name = "FILE", default_value = "runs/lecture/index.html")]
    page: PathBuf,
}

/// The typed command.
const TYPED: [&str; 5] = ["train", "--epochs", "3", "--out", "runs/shapes"];

/// A recorded line and its time.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its text.
    pub text: String,
    /// Seconds since the start.
    pub at: f64,
}

/// Makes the pictures.
///
/// # Errors
/// If a program cannot be run or fails, or a picture cannot be written.
pub fn run(args: &Args) -> Result<()> {
    let root = root()?;
    let folder = root.join("docs/pictures");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let program = descent(args.program.as_deref())?;
    let recording = record(&program)?;
    let command = format!("descent {}", TYPED.join(" "));
    let svg = terminal_svg(&command, &recording);
    let file = folder.join("terminal.svg");
    atomic_file::write(&file, svg.as_bytes()).with_context(|| format!("cannot write {}", file.display()))?;
    println!("written: {}", file.display());
    photograph(&args.page, &folder.join("page.png"))
}

/// Runs the program in an empty folder, where the only data set is the built-in one.
fn record(program: &Path) -> Result<Vec<Line>> {
    let folder = tempfile::tempdir().context("cannot make a folder to run in")?;
    let started = Instant::now();
    let mut child = Command::new(program)
        .args(TYPED)
        .current_dir(&folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {}", program.display()))?;
    let output = BufReader::new(child.stdout.take().context("its output is a pipe")?);
    let stamped =
        |text: std::io::Result<String>| Ok(Line { text: text?, at: started.elapsed().as_secs_f64() });
    let lines = output.lines().map(stamped).collect::<Result<_>>()?;
    ensure!(child.wait()?.success(), "{} failed", program.display());
    Ok(lines)
}

const SIZE: f64 = 13.0;
/// The width of a letter: the text is stretched to it in any font.
const ADVANCE: f64 = 7.8;
const LINE_HEIGHT: f64 = 18.0;
const MARGIN: f64 = 18.0;
/// Longer pauses are cut to this many seconds.
const LONGEST_PAUSE: f64 = 1.2;

/// A terminal in which `command` is typed and the lines appear at their times; all at once for readers who
/// prefer reduced motion, and for viewers without animation.
pub fn terminal_svg(command: &str, lines: &[Line]) -> String {
    let widest = lines.iter().map(|line| line.text.chars().count()).max().unwrap_or(0).max(command.len() + 2);
    let (width, height) =
        (2.0 * MARGIN + widest as f64 * ADVANCE, 2.0 * MARGIN + (lines.len() + 1) as f64 * LINE_HEIGHT);
    let mut body = row(0, &format!("$ {command}"), 0.0, "#6fd6ae");
    let (mut before, mut delay) = (0.0, 0.8);
    for (i, line) in lines.iter().enumerate() {
        delay += (line.at - before).clamp(0.02, LONGEST_PAUSE);
        before = line.at;
        body += &row(i + 1, &line.text, delay, "#e6eaef");
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\">\n<!-- cargo xtask pictures -->\n<title>{}</title>\n<style>\n\
         text {{ font: {SIZE}px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; \
         white-space: pre; animation: come 0.01s backwards; }}\n@keyframes come {{ from {{ opacity: 0; }} }}\n\
         @media (prefers-reduced-motion: reduce) {{ text {{ animation: none; }} }}\n</style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"10\" fill=\"#14171c\"/>\n{body}</svg>\n",
        escape(&format!("A terminal: {command}"))
    )
}

fn row(i: usize, text: &str, delay: f64, color: &str) -> String {
    let trimmed = text.trim_start_matches(' ');
    let n_spaces = text.len() - trimmed.len();
    if trimmed.is_empty() {
        return String::new();
    }
    let (x, y) = (MARGIN + n_spaces as f64 * ADVANCE, MARGIN + (i as f64 + 0.75) * LINE_HEIGHT);
    let width = trimmed.chars().count() as f64 * ADVANCE;
    let mut row = String::new();
    writeln!(
        row,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\" \
         xml:space=\"preserve\" fill=\"{color}\" style=\"animation-delay: {delay:.2}s\">{}</text>",
        escape(trimmed)
    )
    .expect("a string takes all");
    row
}

fn escape(text: &str) -> String {
    in_full(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The top of the page as rendered by Chromium.
fn photograph(page: &Path, picture: &Path) -> Result<()> {
    let page = fs::canonicalize(page).with_context(|| {
        format!("no {}: `descent lecture` makes it, --page names another", page.display())
    })?;
    let browsers = ["chromium", "chromium-browser", "google-chrome"];
    let is_there = |name: &&&str| Command::new(name).arg("--version").stdout(Stdio::null()).status().is_ok();
    let browser = browsers
        .iter()
        .find(is_there)
        .context("no Chromium on the PATH: it is needed for a screenshot of the page")?;
    let profile = tempfile::tempdir().context("cannot make a folder for the browser")?;
    // An older picture is kept until there is a new one.
    let folder = picture.parent().context("the picture has a folder")?;
    let folder = tempfile::tempdir_in(folder).context("cannot make a folder for the picture")?;
    let taken = folder.path().join("page.png");
    let done = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"])
        .args(["--window-size=1200,820", "--virtual-time-budget=5000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--screenshot={}", taken.display()))
        .arg(format!("file://{}", page.display()))
        .stderr(Stdio::null())
        .status()
        .with_context(|| format!("cannot run {browser}"))?;
    ensure!(done.success() && taken.exists(), "{browser} failed to take a screenshot");
    fs::rename(&taken, picture).with_context(|| format!("cannot write {}", picture.display()))?;
    println!("written: {}", picture.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_in_their_order_and_a_long_silence_is_cut() {
        let line = |text: &str, at: f64| Line { text: text.to_owned(), at };
        let svg = terminal_svg("x", &[line("  a <b>", 0.5), line("", 0.6), line("c", 60.0)]);
        let delays: Vec<f64> = svg
            .split("animation-delay: ")
            .skip(1)
            .map(|rest| rest.split('s').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(delays, [0.0, 1.3, 2.6]);
        assert!(svg.contains("a &lt;b&gt;") && svg.contains("$ x") && !svg.contains("<b>"), "{svg}");
    }

    /// What a recorded line says, and the part of it that the program's sources have as it stands.
    const SAID: [(&str, &str); 6] = [
        ("18000 images to train on, 2000 to validate, 2000 to test", " to validate"),
        ("adam (lr 0.001, beta1 0.9, ", " schedule over "),
        ("Results go to runs/shapes", "Results go to "),
        ("Keeping the weights of epoch ", "Keeping the weights of epoch "),
        ("result    runs/shapes/result.json", "  result    "),
        ("descent predict IMAGE --model runs/shapes<", "  descent predict IMAGE --model "),
    ];

    #[test]
    fn the_terminal_of_the_readme_shows_what_the_program_says() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let svg = fs::read_to_string(root.join("docs/pictures/terminal.svg")).unwrap();
        assert!(svg.contains("<!-- cargo xtask pictures -->"));
        assert!(svg.contains(&format!("$ descent {}", TYPED.join(" "))) && svg.contains("Test accuracy"));
        let sources: String = ["descent", "classifier"]
            .map(|name| sources_of(&root.join(format!("crates/{name}/src"))))
            .concat();
        for (line, part) in SAID {
            assert!(sources.contains(part), "descent no longer says {part:?}: mend SAID");
            assert!(svg.contains(line), "terminal.svg is old, it lacks {line:?}: run `cargo xtask pictures`");
        }
    }

    fn sources_of(folder: &Path) -> String {
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        paths
            .map(|path| if path.is_dir() { sources_of(&path) } else { fs::read_to_string(path).unwrap() })
            .collect()
    }
}
