//! The commands of docs/your-images.md, run in order on small pictures.

use std::fs;
use std::path::Path;

use crate::common::pictures::photographs;
use crate::common::{PROGRAM, command};
use tempfile::TempDir;

const PAGE: &str = include_str!("../../../../docs/your-images.md");

/// The commands after `$` in the page's consoles.
fn commands() -> Vec<&'static str> {
    PAGE.lines().filter_map(|line| line.strip_prefix("$ ")).collect()
}

#[test]
fn the_commands_of_the_page_do_what_it_says() {
    let folder = TempDir::new().unwrap();
    let photos = folder.path().join("photos");
    photographs(&photos, 3, 20);
    for (class, name) in ["beach", "forest", "street"].into_iter().enumerate() {
        fs::rename(photos.join(format!("class {class:02}")), photos.join(name)).unwrap();
    }
    fs::write(photos.join("forest/broken.jpg"), "no picture").unwrap();
    let bin = Path::new(PROGRAM).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    for line in commands() {
        let output =
            command("sh").args(["-c", line]).current_dir(folder.path()).env("PATH", &path).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        // The folder has a broken file, which the exit code tells.
        let expected = i32::from(line.contains("predict photos --"));
        assert_eq!(output.status.code(), Some(expected), "{line}\n{stderr}");
    }
    let here = |name: &str| folder.path().join(name);
    for name in [
        "runs/data-photos/samples.svg",
        "runs/find-lr/learning-rate.svg",
        "runs/photos/evaluation/calibration.svg",
    ] {
        assert!(here(name).exists(), "{name}");
    }
    let answers = fs::read_to_string(here("answers.jsonl")).unwrap();
    assert_eq!(answers.lines().count(), 61);
    assert!(!here("photos/.descent-cache").exists());
    assert!(
        fs::read_to_string(here("runs/from-file/history.csv")).unwrap().lines().count() == 2,
        "flags win"
    );
}

#[test]
fn every_command_of_the_program_that_the_page_is_about_is_shown() {
    for command in ["data", "find-lr", "train", "eval", "predict"] {
        assert!(commands().iter().any(|line| line.contains(&format!("descent {command} "))), "{command}");
    }
}
