//! Hostile text in every place where external text is printed: no control character reaches a terminal, no
//! tag a page, no formula the surrounding Markdown.
#![cfg(unix)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{descent, sealed, tiny_cifar};
use foreign_text::Foreign;
use tempfile::TempDir;

/// Terminal commands: clear the screen, ring, change the direction of writing.
const ORDERS: &str = "\u{1b}[2J\u{7}\u{9b}31m\u{202e}";

/// Text that is harmless in a terminal, but not in HTML, Markdown, TeX or an SVG reader.
const MARKUP: &str = "<img src=x onerror=alert(1)>`$\\nosuch$`]]>&lt;*_|";

/// Runs the program, and returns its output on both streams, which must be plain text.
#[track_caller]
fn printed(folder: &Path, args: &[&str]) -> String {
    let output = descent(folder).args(args).output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(!text.contains("panicked"), "{args:?}: {text}");
    for line in text.lines() {
        assert!(!Foreign::new(&line.replace('\t', " ")).has_orders(), "{args:?} prints orders: {line:?}");
    }
    text
}

/// The same for a text that must contain some part.
#[track_caller]
fn assert_prints(folder: &Path, args: &[&str], part: &str) {
    let text = printed(folder, args);
    assert!(text.contains(part), "{args:?}: {part:?} is not in {text:?}");
}

fn folder_with_data() -> TempDir {
    let folder = TempDir::new().unwrap();
    tiny_cifar(folder.path(), 16);
    folder
}

/// A model whose classes have these names.
fn model_with_classes(path: &Path, names: &[&str; 10]) {
    let (_, params) = nn::build(nn::models::lecture_cnn(0.0), 0);
    let about = serde_json::json!({ "classes": names, "mean": [0, 0, 0], "std": [1, 1, 1] }).to_string();
    nn::weights::save(path, &params, &[("descent", &about)]).unwrap();
}

#[test]
fn of_a_model_names_of_classes_and_tensors() {
    let folder = folder_with_data();
    let image = folder.path().join("image.png");
    viz::Plot::save(&viz::Figure::new("t").line("", &[0.0, 1.0], &[0.0, 1.0]), image).unwrap();
    let long = "x".repeat(70_000);
    let names = [ORDERS, MARKUP, &long, "a\r\nb", "3", "4", "5", "6", "7", "8"];
    model_with_classes(&folder.path().join("m"), &names);
    let predict = ["predict", "image.png", "--model", "m", "--top", "10"];
    let text = printed(folder.path(), &predict);
    assert!(text.lines().count() == 10 && text.len() < 5000, "{text}");
    assert!(text.contains(r"\u{1b}[2J\u{7}\u{9b}31m\u{202e}") && text.contains(r"a\r\nb"), "{text}");
    assert_prints(folder.path(), &["eval", "--model", "m", "--data", "data"], "the network knows");

    let (_, params) = nn::build(nn::Linear::new(1, 1), 0);
    let whole = folder.path().join("whole");
    nn::weights::save(&whole, &params, &[]).unwrap();
    let header = |name: &str, dtype: &str| {
        let name = serde_json::to_string(name).unwrap();
        let dtype = serde_json::to_string(dtype).unwrap();
        format!(r#"{{{name}:{{"dtype":{dtype},"shape":[1],"data_offsets":[0,4]}}}}"#)
    };
    for (name, header) in [
        ("unexpected", header(ORDERS, "F32")),
        ("of_another_type", header("0.bias", ORDERS)),
        ("broken", header(ORDERS, "F64")),
        ("long", header(&long, "F64")),
        ("no_json", format!("{{\"{ORDERS}\"")),
    ] {
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 4]].concat();
        fs::write(folder.path().join(name), bytes).unwrap();
        let text = printed(folder.path(), &["eval", "--model", name]);
        assert!(text.contains(name) && text.len() < 20_000, "{text}");
    }
}

#[test]
fn of_a_data_set_names_of_classes_on_the_terminal_and_on_a_page() {
    let folder = folder_with_data();
    let meta = folder.path().join("data/batches.meta.txt");
    let with_first = |name: &str| {
        let others: String = (1..10).map(|i| format!("class {i}\n")).collect();
        fs::write(&meta, format!("{name}\n{others}")).unwrap();
    };
    with_first(ORDERS);
    let train = ["train", "--data", "data", "--epochs", "1", "--out", "out"];
    assert_prints(folder.path(), &train, "batches.meta.txt");
    assert!(!folder.path().join("out").exists());

    with_first(MARKUP);
    assert_prints(folder.path(), &train, "class 9");
    assert!(!fs::read_to_string(folder.path().join("out/confusion.svg")).unwrap().contains("<img"));
    for experiment in ["samples", "mc-dropout", "cnn-mistakes", "cnn-inside", "cnn-training"] {
        let of_network: &[&str] = match experiment {
            "samples" => &[],
            "mc-dropout" => {
                &["--epochs", "1", "--images", "16", "--class", "0", "--passes", "2", "--steps", "1"]
            }
            _ => &["--epochs", "1", "--images", "16"],
        };
        let args = ["lecture", experiment, "--data", "data", "--out", "page"];
        assert_prints(folder.path(), &[&args[..], of_network].concat(), "page");
        assert_no_tag(&folder.path().join(format!("page/{experiment}.html")));
    }
}

/// Names of files and folders are untrusted.
#[test]
fn of_files_and_folders_names() {
    let folder = folder_with_data();
    let hostile = format!("{}{ORDERS}", MARKUP.replace('/', "|"));
    let args =
        |words: &[&str]| words.iter().map(|word| word.replace("HOSTILE", &hostile)).collect::<Vec<_>>();
    let shown = r"\u{1b}[2J";
    for words in [
        &["eval", "--model", "HOSTILE"][..],
        &["predict", "HOSTILE", "--model", "HOSTILE"],
        &["train", "--data", "HOSTILE", "--out", "out"],
        &["train", "--data", "data", "--epochs", "1", "--out", "HOSTILE"],
        &["train", "--data", "data", "--epochs", "1", "--out", "HOSTILE", "--seed", "2"],
        &["train", "--data", "data", "--epochs", "1", "--out", "HOSTILE", "--seed", "2", "--resume"],
        &["eval", "--model", "HOSTILE/config.json"],
        &["lecture", "cnn-training", "--run", "HOSTILE", "--model", "HOSTILE/history.csv"],
        &["lecture", "momentum", "--out", "HOSTILE/config.json"],
    ] {
        let args = args(words);
        assert_prints(folder.path(), &args.iter().map(String::as_str).collect::<Vec<_>>(), shown);
    }
    let words = [
        ["lecture", "cnn-training", "--run", "HOSTILE", "--data", "data", "--model"].as_slice(),
        &["HOSTILE/model.safetensors", "--out", "page"],
    ];
    let args = args(&words.concat());
    assert_prints(folder.path(), &args.iter().map(String::as_str).collect::<Vec<_>>(), "page");
    assert_no_tag(&folder.path().join("page/cnn-training.html"));

    let images = folder.path().join("images");
    for (class, file, shown) in
        [(ORDERS, "1.png", shown), ("cat", ORDERS, "none"), ("cat", "\u{1b}[2J.png", shown)]
    {
        fs::create_dir_all(images.join(class)).unwrap();
        fs::write(images.join(class).join(file), "no image").unwrap();
        let error = data::InMemory::from_folder(&images, data::ImageShape::CIFAR).unwrap_err().to_string();
        assert!(error.contains(shown) && !Foreign::new(&error).has_orders(), "{error:?}");
        fs::remove_dir_all(&images).unwrap();
    }
}

/// Also where no flag or value is expected.
#[test]
fn of_the_command_line() {
    let folder = TempDir::new().unwrap();
    let flag = format!("--{ORDERS}");
    let long = "9".repeat(100_000);
    for words in [
        &["train", &flag][..],
        &["train", "--lr", ORDERS],
        &["train", "--net", ORDERS],
        &["train", "--recipe", ORDERS],
        &["lecture", "momentum", "--lr", ORDERS],
        &["lecture", ORDERS],
        &["predict", &flag],
        &[ORDERS],
    ] {
        assert_prints(folder.path(), words, r"\u{202e}");
    }
    assert!(printed(folder.path(), &["train", "--lr", &long]).len() < 5000);
}

#[test]
fn of_a_checkpoint_flags_and_of_a_run_its_history() {
    let folder = folder_with_data();
    let train = ["train", "--data", "data", "--epochs", "1", "--out", "out"];
    printed(folder.path(), &train);
    let checkpoint =
        fs::read_dir(folder.path().join("out/checkpoints")).unwrap().next().unwrap().unwrap().path();
    let original = fs::read(&checkpoint).unwrap();
    // JSON within a string of JSON.
    for (from, to, part) in [
        (r#"\"adam\""#, r#"\"\\u001b[2Jadam\""#, r"but \u{1b}[2Jadam in the checkpoint"),
        (r#"\"optimizer\""#, r#"\"\\u001b[2J\""#, r"--\u{1b}[2J is not given, but adam in the checkpoint"),
        (r#"\"format\""#, r#"\"\\u001b[2J\""#, "another version of this program"),
        (r#"\"instruction_set\":\""#, r#"\"instruction_set\":\"\\u001b[2J"#, r"computed with \u{1b}[2J"),
    ] {
        fs::write(&checkpoint, with_header(&original, from, to)).unwrap();
        assert_prints(folder.path(), &[&train[..], &["--resume"]].concat(), part);
        let saved = ["--resume", "--resume-with", "saved"];
        printed(folder.path(), &[&train[..], &saved].concat());
    }

    let history = folder.path().join("out/history.csv");
    let csv = fs::read_to_string(&history).unwrap();
    fs::write(&history, csv.replace("\n1,", &format!("\n{ORDERS},"))).unwrap();
    let lecture = ["lecture", "cnn-training", "--run", "out", "--out", "page"];
    assert_prints(folder.path(), &lecture, r#"expected a number, found "\u{1b}[2J"#);
}

/// A checkpoint with other text in its header, and a corrected checksum.
#[track_caller]
fn with_header(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let len = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&bytes[8..8 + len]).unwrap();
    assert!(header.contains(from), "{from} is not in {}", &header[..2000.min(header.len())]);
    let header = header.replacen(from, to, 1);
    sealed([&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &bytes[8 + len..]].concat())
}

/// The page contains no foreign tag, and no formula that is not TeX; it exists.
#[track_caller]
fn assert_no_tag(page: &PathBuf) {
    let html = fs::read_to_string(page).unwrap();
    assert!(!html.contains("<img") && !html.contains("onerror=alert(1)>"), "{}", page.display());
    assert!(!html.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{}", page.display());
}

#[test]
fn in_figures_names_of_series_and_classes() {
    let names = [ORDERS, MARKUP];
    let plot = viz::HeatMap::confusion(format!("{ORDERS}{MARKUP}"), &names, &[1, 2, 3, 4]);
    let svg = viz::Plot::svg(&plot, viz::Theme::Auto).unwrap();
    assert!(!svg.contains("<img") && !svg.contains("]]>"), "{svg}");
    assert!(!svg.chars().any(|c| c.is_control() && c != '\n'), "{svg:?}");
    assert!(svg.contains(r"\u{1b}[2J"), "{svg}");
}
