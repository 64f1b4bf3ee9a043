//! Your own images: folders by class with broken files, MNIST's files, tables, and the messages about them.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use crate::common::pictures::{bmp, photographs};
use crate::common::{PROGRAM, command, descent, failure, short_failure, stdout};
use serde_json::Value;
use tempfile::TempDir;

const N_CLASSES: usize = 37;

/// 37 classes of 6 pictures, with two broken files and one duplicate.
fn folder_with_photographs() -> TempDir {
    let folder = TempDir::new().unwrap();
    let dir = folder.path().join("photos");
    photographs(&dir, N_CLASSES, 6);
    fs::write(dir.join("class 03/broken.png"), "no image").unwrap();
    let whole = fs::read(dir.join("class 05/0.bmp")).unwrap();
    fs::write(dir.join("class 05/cut.bmp"), &whole[..whole.len() / 2]).unwrap();
    fs::copy(dir.join("class 07/1.bmp"), dir.join("class 08/copy.bmp")).unwrap();
    folder
}

/// What a command that must succeed says on standard error.
fn stderr(folder: &Path, args: &[&str]) -> String {
    String::from_utf8(descent(folder).args(args).assert().success().get_output().stderr.clone()).unwrap()
}

fn lines(folder: &Path, args: &[&str]) -> Vec<Value> {
    stdout(folder, args).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_folder_of_37_classes_is_shown_trained_on_judged_and_used() {
    let folder = folder_with_photographs();
    let (here, photos) = (folder.path(), folder.path().join("photos"));

    let message = short_failure(here, &["train", "--data", "photos", "--out", "run", "--image-size", "16"]);
    assert!(
        message.contains("photos/class 03/broken.png")
            && message.contains("photos/class 05/cut.bmp")
            && message.contains("(--skip-broken leaves out"),
        "{message}"
    );
    assert!(!here.join("run").exists());

    let survey = stdout(here, &["data", "photos", "--out", "survey", "--image-size", "16"]);
    for part in [
        "37 classes",
        "class 36       6\n",
        "all     223\n",
        "colour  223, grey 0",
        "2 files cannot be read",
        "class 05/cut.bmp",
        "1 exact duplicate within a part",
        "class 07/1.bmp = class 08/copy.bmp",
        "deviation",
    ] {
        assert!(survey.contains(part), "{part} is not in: {survey}");
    }
    assert!(!survey.contains("decoded"), "they were decoded for train: {survey}");
    assert!(here.join("survey/samples.svg").exists() && here.join("survey/samples.png").exists());

    let flags = ["train", "--data", "photos", "--out", "run", "--image-size", "16", "--skip-broken"];
    let text = stdout(here, &[&flags[..], &["--epochs", "4", "--batch-size", "32"]].concat());
    for part in [
        "37 classes, 16 × 16 in colour\n201 images to train on, 22 to validate\n2 files that cannot be read are left out: class 03/broken.png, class 05/cut.bmp",
        "Validation accuracy ",
        "classes have no images here",
        "descent predict IMAGE --model run",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    let history = fs::read_to_string(here.join("run/history.csv")).unwrap();
    let rows: Vec<Vec<&str>> = history.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0][3..5], ["test_loss", "test_accuracy"]);
    assert_eq!(rows[0][8..], ["validation_loss", "validation_accuracy", "train_accuracy"]);
    assert!(
        rows[1..].iter().all(|row| row[3..5] == ["", ""] && row[8..].iter().all(|cell| !cell.is_empty()))
    );

    let judged = stdout(here, &["eval", "--data", "photos", "--skip-broken", "--model", "run"]);
    for part in
        ["accuracy ", "top-5 ", "ECE ", "precision  recall", "on 22 of the validation set", "run/evaluation"]
    {
        assert!(judged.contains(part), "{part} is not in: {judged}");
    }
    let written = fs::read_to_string(here.join("run/evaluation/evaluation.json")).unwrap();
    let written: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(written["classes"].as_array().unwrap().len(), N_CLASSES);
    let csv = fs::read_to_string(here.join("run/evaluation/classes.csv")).unwrap();
    assert_eq!(csv.lines().count(), N_CLASSES + 1);
    for name in ["calibration.svg", "calibration.png", "confusion.svg", "confusion.png"] {
        assert!(here.join("run/evaluation").join(name).exists(), "{name}");
    }
    let object = lines(here, &["eval", "--data", "photos", "--skip-broken", "--model", "run", "--json"]);
    assert!(object.len() == 1 && object[0] == written);

    // Without --data they are those of the run; without its record nothing is known to be held out.
    assert_eq!(lines(here, &["eval", "--model", "run", "--json"]), object);
    fs::copy(here.join("run/model.safetensors"), here.join("copy.safetensors")).unwrap();
    let of_a_copy = ["eval", "--data", "photos", "--skip-broken", "--model", "copy.safetensors"];
    let output = descent(here).args(of_a_copy).output().unwrap();
    let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(
        told.contains("on 223 of the training set") && told.contains("warning: there are neither"),
        "{told}"
    );

    let answers =
        lines(here, &["predict", "photos/class 07", "photos/class 1*/0.bmp", "--model", "run", "--json"]);
    assert_eq!(answers.len(), 6 + 10);
    for answer in &answers {
        let classes = answer["classes"].as_array().unwrap();
        assert_eq!((classes.len(), &classes[0]["class"]), (5, &answer["class"]));
        assert!(
            answer["probability"].as_f64().unwrap() > 0.0
                && answer["file"].as_str().unwrap().ends_with(".bmp")
        );
    }
    let several = stdout(here, &["predict", "photos/class 07", "--model", "run", "--top", "1"]);
    assert_eq!(several.lines().count(), 6);
    assert!(several.starts_with("photos/class 07/0.bmp: class "), "{several}");

    let one = ["predict", "photos/class 07/0.bmp", "--model", "run"];
    let piped =
        piped(here, &["predict", "-", "--model", "run"], &fs::read(photos.join("class 07/0.bmp")).unwrap());
    assert_eq!(stdout(here, &one), piped);
}

/// The program's output for this standard input.
fn piped(folder: &Path, args: &[&str], input: &[u8]) -> String {
    let mut child = command(PROGRAM)
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn decoded_images_are_kept_until_a_file_changes_and_removed_by_a_command() {
    let folder = TempDir::new().unwrap();
    let (here, photos) = (folder.path(), folder.path().join("photos"));
    photographs(&photos, 3, 4);
    let survey = || stdout(here, &["data", "photos", "--image-size", "8", "--out", "survey"]);
    let first = survey();
    assert!(
        first.contains("12 images decoded to 8 × 8 and kept in photos/.descent-cache/all-8x8x3.images"),
        "{first}"
    );
    assert!(first.contains(" kB)"), "{first}");
    let second = survey();
    assert_eq!(second, first.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>());

    let cache = photos.join(".descent-cache/all-8x8x3.images");
    let whole = fs::read(&cache).unwrap();
    // A changed file, a new one, and a cache with damaged pixels or cut short.
    fs::write(photos.join("class 00/0.bmp"), bmp(30, 30, [1, 2, 3], 5)).unwrap();
    assert!(survey().contains("12 images decoded"));
    fs::write(photos.join("class 00/new.bmp"), bmp(30, 30, [1, 2, 3], 6)).unwrap();
    assert!(survey().contains("13 images decoded"));
    let good = fs::read(&cache).unwrap();
    assert_ne!(good, whole);
    let (mut flipped, cut) = (good.clone(), &good[..good.len() - 1]);
    *flipped.last_mut().unwrap() ^= 1;
    for damaged in [&flipped, cut, b"descent images 1\xff\xff\xff\xff\xff\xff\xff\xff", b""] {
        fs::write(&cache, damaged).unwrap();
        assert!(survey().contains("13 images decoded"));
        assert_eq!(fs::read(&cache).unwrap(), good);
    }
    // What the system refuses to read may be readable the next time.
    #[cfg(target_os = "linux")]
    {
        let refused = photos.join("class 00/refused.bmp");
        std::os::unix::fs::symlink("/proc/self/mem", &refused).unwrap();
        let said = survey();
        assert!(
            said.contains("13 images decoded to 8 × 8, and not kept: photos/class 00/refused.bmp"),
            "{said}"
        );
        assert_eq!(fs::read(&cache).unwrap(), good);
        fs::remove_file(&refused).unwrap();
    }

    // A process that is killed while it writes leaves a part of a file. The next one removes it, unless it may
    // still be written.
    let left = photos.join(".descent-cache/.all-8x8x3.images.0123456789abcdef.half-written");
    let other = photos.join(".descent-cache/.mine.0123456789abcdef.half-written");
    for path in [&left, &other] {
        fs::write(path, "part").unwrap();
    }
    survey();
    assert!(left.exists());
    for path in [&left, &other] {
        let file = fs::File::options().append(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(4000)).unwrap();
    }
    survey();
    assert!(!left.exists() && other.exists() && cache.exists());
    fs::remove_file(&other).unwrap();
    fs::write(&left, "part").unwrap();
    let cleared = stdout(here, &["data", "photos", "--clear-cache"]);
    assert!(cleared.starts_with("removed ") && !photos.join(".descent-cache").exists(), "{cleared}");
    assert_eq!(stdout(here, &["data", "photos", "--clear-cache"]), "no decoded images are cached there\n");
    let message = short_failure(here, &["data", "nowhere", "--clear-cache"]);
    assert!(message.contains("there is no file or folder nowhere"), "{message}");
    fs::create_dir(photos.join(".descent-cache")).unwrap();
    fs::write(photos.join(".descent-cache/mine"), "precious").unwrap();
    let message = short_failure(here, &["data", "photos", "--clear-cache"]);
    assert!(message.contains("mine is not a file of the cache; move it elsewhere"), "{message}");
    assert!(photos.join(".descent-cache/mine").exists());
}

#[test]
fn a_folder_without_a_sound_image_is_named_with_its_first_broken_files() {
    let folder = TempDir::new().unwrap();
    for class in ["cat", "dog"] {
        fs::create_dir_all(folder.path().join("one").join(class)).unwrap();
        (0..2).for_each(|i| fs::write(folder.path().join(format!("one/{class}/{i}.png")), "text").unwrap());
    }
    let message = short_failure(folder.path(), &["data", "one"]);
    assert!(
        message.starts_with("error: one: none of its image files can be read: one/cat/0.png"),
        "{message}"
    );
    assert!(message.contains("one/dog/0.png") && message.trim_end().ends_with("; and 1 more"), "{message}");
}

/// `data` shows what `train` refuses.
#[test]
fn what_a_folder_lacks_is_shown_and_said() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    photographs(&here.join("set/train"), 2, 3);
    fs::create_dir_all(here.join("set/val/class 00")).unwrap();
    photographs(&here.join("unsplit/train"), 2, 3);
    fs::create_dir_all(here.join("unsplit/val")).unwrap();
    photographs(&here.join("photos"), 2, 3);
    fs::create_dir_all(here.join("photos/empty")).unwrap();
    photographs(&here.join("one"), 1, 3);
    photographs(&here.join("many"), 2, 3);
    for i in 0..5 {
        fs::create_dir_all(here.join(format!("many/empty {i}"))).unwrap();
    }
    for (data, survey, said, error) in [
        (
            "photos",
            "3 classes\n\n     class   train\n  class 00       3\n  class 01       3\n     empty       0\n",
            "warning: photos: training needs images of each class, and the class empty has none\n",
            "photos/empty: expected images (.png, .jpg, .webp, .bmp, .gif), found none",
        ),
        (
            "many",
            "   empty 4       0\n",
            "the classes empty 0, empty 1, empty 2 and 2 more have none\n",
            "many/empty 0: expected images",
        ),
        (
            "set",
            "     class   train     val\n  class 00       3       0\n  class 01       3       0\n",
            "warning: set/val: there is no image in its folders\n",
            "set/val: there is no image in its folders",
        ),
        (
            "unsplit",
            "  class   train\n  train       6\n    val       0\n",
            "val holds no folders of classes\nwarning: unsplit: training needs images of each class, and the class val",
            "unsplit/val: expected images",
        ),
        (
            "one",
            "1 class\n\n     class   train\n  class 00       3\n",
            "warning: one: training needs two classes or more, and class 00 is the only one\n",
            "one: expected two classes or more, found one",
        ),
    ] {
        let args = ["data", data, "--image-size", "8"];
        let shown = stdout(here, &args);
        assert!(shown.contains(survey) && shown.contains("no broken files"), "{shown}");
        let warned = stderr(here, &args);
        assert!(warned.contains(said), "{warned}");
        let objects = lines(here, &[&args[..], &["--json"]].concat());
        assert_eq!(objects[0]["event"], "warning");
        for command in ["train", "find-lr"] {
            let message = short_failure(here, &[command, "--data", data, "--image-size", "8", "--out", "x"]);
            assert!(message.contains(error), "{message}");
        }
    }
}

#[test]
fn results_stay_out_of_the_images_and_are_no_class() {
    let folder = TempDir::new().unwrap();
    let (here, photos) = (folder.path(), folder.path().join("photos"));
    photographs(&photos, 3, 12);
    let train = ["train", "--image-size", "8", "--net", "mlp:4", "--epochs", "1", "--batch-size", "8"];
    for (cwd, more) in [(here, &["--data", "photos", "--out", "photos/run"][..]), (&photos, &["--data", "."])]
    {
        let message = short_failure(cwd, &[&train[..], more].concat());
        assert!(message.contains("inside the images in ") && message.contains("with --out"), "{message}");
    }
    assert!(!photos.join("run").exists() && !photos.join("runs").exists());
    let message = short_failure(here, &["find-lr", "--data", "photos", "--out", "photos/lr"]);
    assert!(message.contains("inside the images"), "{message}");
    assert!(
        stdout(&photos, &["data", "."]).contains("no samples are drawn: runs/data-photos would be among")
    );

    // As an earlier version left them.
    stdout(here, &[&train[..], &["--data", "photos", "--out", "elsewhere"]].concat());
    fs::create_dir(photos.join("runs")).unwrap();
    fs::rename(here.join("elsewhere"), photos.join("runs/a")).unwrap();
    let told = stdout(here, &[&train[..], &["--data", "photos", "--out", "b"]].concat());
    assert!(told.contains("results of this program, no class: photos/runs\n"), "{told}");
    assert!(told.contains("3 classes, 8 × 8"), "{told}");
}

#[test]
fn a_limit_takes_images_of_all_classes() {
    let folder = TempDir::new().unwrap();
    photographs(&folder.path().join("photos"), 3, 12);
    let train = ["train", "--data", "photos", "--image-size", "8", "--net", "mlp:4", "--epochs", "1"];
    let train = [&train[..], &["--limit", "12", "--val", "50%", "--batch-size", "4"]].concat();
    let told = stdout(folder.path(), &[&train[..], &["--out", "a"]].concat());
    assert!(told.contains("6 images to train on, 6 to validate"), "{told}");
    let n_missing = |told: &str| told.contains("has no images here") || told.contains("have no images here");
    assert!(!n_missing(&told), "{told}");
    assert!(n_missing(&stdout(
        folder.path(),
        &[&train[..], &["--limit-by", "first", "--out", "b"]].concat()
    )));
    let record: Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("a/config.json")).unwrap()).unwrap();
    assert_eq!((&record["limit_by"], &record["val"]), (&"class".into(), &6.into()));
    let few = ["--epochs", "1", "--limit", "6", "--out", "c"];
    let told = stdout(folder.path(), &[&train[..7], &few].concat());
    assert!(told.contains("No image is held out to choose the best weights by"), "{told}");
    let message =
        short_failure(folder.path(), &[&train[..7], &["--recipe", "airbench94", "--out", "d"]].concat());
    assert!(
        message.contains("--recipe airbench94 leaves out batches that are not full (--drop-last)"),
        "{message}"
    );
}

#[test]
fn parts_are_parts_if_nothing_else_stands_there_and_else_classes() {
    let folder = TempDir::new().unwrap();
    let (here, data) = (folder.path(), folder.path().join("set"));
    photographs(&data.join("train"), 4, 5);
    photographs(&data.join("val"), 3, 2);
    photographs(&data.join("test"), 4, 3);
    let survey = stdout(here, &["data", "set", "--out", "survey"]);
    for part in [
        "4 classes",
        "   train     val    test\n",
        "class 03       5       0       3\n",
        "duplicates across parts",
    ] {
        assert!(survey.contains(part), "{part} is not in: {survey}");
    }
    let train = ["train", "--data", "set", "--image-size", "8", "--gray", "--epochs", "1", "--out", "run"];
    let text = stdout(here, &train);
    assert!(text.contains("8 × 8 in grey\n20 images to train on, 6 to validate, 12 to test"), "{text}");
    assert!(
        text.contains("Test accuracy ") && !text.contains("test accuracy"),
        "it is looked at once: {text}"
    );
    let message = failure(here, &[&train[..8], &["--out", "run2", "--val", "3"]].concat());
    assert!(message.contains("there is a validation part in the images in set already"), "{message}");
    let judged = stdout(here, &["eval", "--data", "set", "--model", "run", "--part", "val"]);
    assert!(judged.contains("on 6 of the validation set"), "{judged}");

    fs::create_dir(data.join("test/class 99")).unwrap();
    fs::write(data.join("test/class 99/x.bmp"), bmp(9, 9, [0; 3], 1)).unwrap();
    let message = short_failure(here, &train);
    assert!(message.contains("class 99: the training set has no class with this name"), "{message}");

    photographs(&data.join("other"), 1, 2);
    let survey = stdout(here, &["data", "set", "--out", "survey"]);
    assert!(
        survey.contains("4 classes") && survey.contains("other") && !survey.contains("val    test"),
        "{survey}"
    );
    assert!(
        stderr(here, &["-q", "data", "set", "--out", "survey"]).contains(
            "warning: set: the folders train and val and test are read as classes, not as parts of the data set: other is \
             there, too: move it elsewhere"
        )
    );
    let objects = lines(here, &["data", "set", "--json"]);
    assert_eq!(objects[0]["event"], "warning");
    let output = descent(here).args(["eval", "--data", "set", "--model", "run"]).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && message.contains("the network knows class 00, class 01"),
        "{message}"
    );
    assert_eq!(message.lines().count(), 2, "{message}");
}

#[test]
fn mnists_files_and_tables_are_trained_on() {
    let folder = TempDir::new().unwrap();
    let (here, mnist) = (folder.path(), folder.path().join("mnist"));
    fs::create_dir(&mnist).unwrap();
    let idx = |axes: &[u32], bytes: Vec<u8>| -> Vec<u8> {
        let lengths = axes.iter().flat_map(|axis| axis.to_be_bytes());
        [0, 0, 8, axes.len() as u8].into_iter().chain(lengths).chain(bytes).collect()
    };
    for (part, n) in [("train", 60_u32), ("t10k", 20)] {
        let pixels = (0..n * 784).map(|i| ((i / 784 % 10) * 25) as u8).collect();
        fs::write(mnist.join(format!("{part}-images-idx3-ubyte")), idx(&[n, 28, 28], pixels)).unwrap();
        let labels = (0..n).map(|i| (i % 10) as u8).collect();
        fs::write(mnist.join(format!("{part}-labels-idx1-ubyte")), idx(&[n], labels)).unwrap();
    }
    let text = stdout(here, &["train", "--data", "mnist", "--epochs", "1", "--out", "digits"]);
    assert!(
        text.contains("10 classes, 28 × 28 in grey\n54 images to train on, 6 to validate, 20 to test"),
        "{text}"
    );
    let judged = stdout(here, &["eval", "--data", "mnist", "--model", "digits"]);
    assert!(judged.contains("on 20 of the test set"), "{judged}");
    let judged = stdout(here, &["eval", "--data", "mnist", "--model", "digits", "--part", "val"]);
    assert!(judged.contains("On what the run held out of its training images.\n"), "{judged}");
    assert!(judged.contains("on 6 of the validation set") && !judged.contains("no other part"), "{judged}");
    fs::write(here.join("seven.bmp"), bmp(40, 50, [175; 3], 1000)).unwrap();
    assert_eq!(stdout(here, &["predict", "seven.bmp", "--model", "digits"]).lines().count(), 5);

    // Small images, and a test part without the last of twelve classes.
    let small = here.join("small");
    fs::create_dir(&small).unwrap();
    for (part, n, n_classes) in [("train", 48_u32, 12_u32), ("t10k", 22, 11)] {
        let pixels = (0..n * 25).map(|i| (i % 251) as u8).collect();
        fs::write(small.join(format!("{part}-images-idx3-ubyte")), idx(&[n, 5, 5], pixels)).unwrap();
        let labels = (0..n).map(|i| (i % n_classes) as u8).collect();
        fs::write(small.join(format!("{part}-labels-idx1-ubyte")), idx(&[n], labels)).unwrap();
    }
    let train = ["train", "--data", "small", "--net", "mlp:8", "--tta", "mirror-shift", "--out", "small-run"];
    let text = stdout(here, &train);
    assert!(text.contains("12 classes, 5 × 5 in grey"), "{text}");
    let judged = stdout(here, &["eval", "--data", "small", "--model", "small-run"]);
    assert!(judged.contains("on 22 of the test set"), "{judged}");
    let crop = ["--crop", "5", "--crop-border", "reflect", "--out", "v"];
    let message = short_failure(here, &[&train[..5], &crop].concat());
    assert!(message.contains("--crop 5 with --crop-border reflect: expected fewer than"), "{message}");

    let rows: String = (0..80)
        .map(|i| format!("{},{},{}\n", i % 7, i * 1000, if i < 40 { "low" } else { "high" }))
        .collect();
    fs::write(here.join("table.csv"), format!("noise,size,kind\n{rows}")).unwrap();
    let message = short_failure(here, &["train", "--data", "table.csv", "--out", "t"]);
    assert!(message.contains("--label-column") && message.contains("noise, size, kind"), "{message}");
    let message = short_failure(here, &["train", "--data", "seven.bmp", "--out", "t"]);
    assert!(message.contains("seven.bmp: this is a BMP image; expected a folder of images"), "{message}");
    let train = ["train", "--data", "table.csv", "--label-column", "kind", "--epochs", "30", "--out", "t"];
    let text = stdout(here, &train);
    assert!(text.contains("2 classes, 2 numbers\n72 rows to train on, 8 to validate"), "{text}");
    assert!(text.contains("Try it on other rows:\n  descent predict TABLE --model t"), "{text}");
    let judged =
        &lines(here, &["eval", "--data", "table.csv", "--label-column", "kind", "--model", "t", "--json"])[0];
    assert!(judged["accuracy"].as_f64().unwrap() > 0.9, "{judged}");
    let survey = stdout(here, &["data", "table.csv", "--label-column", "kind"]);
    assert!(survey.contains("2 numbers, of each") && survey.contains("no exact duplicates"), "{survey}");
    let survey = ["data", "table.csv", "--label-column", "kind", "--out", "survey"];
    let message = short_failure(here, &survey);
    assert!(
        message.contains("--out: the figure shows samples of images, and table.csv is a file"),
        "{message}"
    );
    assert!(!here.join("survey").exists());
    // Its column is that of the run.
    let of_run = &lines(here, &["eval", "--model", "t", "--part", "train", "--json"])[0];
    assert_eq!(of_run["images"].as_u64(), Some(80));
    let message = short_failure(here, &["predict", "seven.bmp", "--model", "t"]);
    assert!(message.contains("takes rows of 2 numbers, not images"), "{message}");
    fs::write(here.join("rows.csv"), "noise,size\n3,1000\n3,79000\n").unwrap();
    let told = stdout(here, &["predict", "rows.csv", "--model", "t", "--top", "1"]);
    assert!(told.starts_with("rows.csv row 1: low ") && told.contains("\nrows.csv row 2: high "), "{told}");
    let with_classes = ["predict", "table.csv", "--label-column", "kind", "--model", "t", "--json"];
    let rows = lines(here, &with_classes);
    assert_eq!((rows.len(), &rows[79]["row"], &rows[79]["class"]), (80, &80.into(), &"high".into()));
    assert_eq!(
        piped(here, &["predict", "-", "--model", "t", "--top", "1"], b"noise,size\n1,1000\n").lines().count(),
        1
    );
    // Columns go by their names.
    fs::write(here.join("swap.csv"), "size,noise\n1000,3\n79000,3\n").unwrap();
    let swapped = stdout(here, &["predict", "swap.csv", "--model", "t", "--top", "1"]);
    assert_eq!(swapped.replace("swap.csv", "rows.csv"), told);
    let rows: String = (0..80)
        .map(|i| format!("{},{},{}\n", if i < 40 { "low" } else { "high" }, i * 1000, i % 7))
        .collect();
    fs::write(here.join("swap.csv"), format!("kind,size,noise\n{rows}")).unwrap();
    let swap = ["eval", "--data", "swap.csv", "--label-column", "kind", "--model", "t", "--json"];
    assert_eq!(lines(here, &swap)[0]["accuracy"], judged["accuracy"]);
    let message = short_failure(
        here,
        &[&train[..1], &["--data", "swap.csv"], &train[3..7], &["--weights", "t", "--out", "w"]].concat(),
    );
    assert!(
        message.contains("takes the columns noise, size, in this order, but the table swap.csv has"),
        "{message}"
    );
    fs::write(here.join("swap.csv"), "size,colour\n1000,3\n").unwrap();
    let message = short_failure(here, &["predict", "swap.csv", "--model", "t"]);
    assert!(message.contains("the network takes the columns noise, size, found size, colour"), "{message}");
    let message = short_failure(here, &[&train[..7], &["--augment", "--out", "u"]].concat());
    assert!(message.contains("--augment and the other augmentation flags need images"), "{message}");
}

#[test]
fn of_several_images_those_that_can_be_read_are_answered() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    let (_, params) = nn::build(nn::models::lecture_cnn(0.0), 0);
    nn::weights::save(here.join("model.safetensors"), &params, &[]).unwrap();
    fs::write(here.join("a.bmp"), bmp(20, 20, [1, 2, 3], 1)).unwrap();
    fs::write(here.join("b.bmp"), "no image").unwrap();
    let predict = ["predict", "a.bmp", "b.bmp", "a.bmp", "--model", "."];
    for json in [false, true] {
        let args = [&predict[..], if json { &["--json"] } else { &[] }].concat();
        let output = descent(here).args(&args).output().unwrap();
        let (stdout, stderr) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr.ends_with("error: 1 of 3 images could not be classified\n"), "{stderr}");
        assert_eq!((stdout.lines().count(), stderr.lines().count()), if json { (3, 1) } else { (2, 2) });
        assert!(format!("{stdout}{stderr}").contains("b.bmp: "), "{stdout}{stderr}");
    }
    let message = short_failure(here, &["predict", "*.jpeg", "--model", "."]);
    assert!(message.contains("*.jpeg: no file matches this pattern"), "{message}");
    let output = descent(here).args(["predict", "*.jpeg", "a.bmp", "--model", "."]).output().unwrap();
    assert_eq!(
        (output.status.code(), String::from_utf8(output.stdout).unwrap().lines().count()),
        (Some(1), 1)
    );
}

#[test]
fn a_file_of_torch_save_is_an_error_that_says_how_to_convert_it() {
    let folder = TempDir::new().unwrap();
    for start in [b"PK\x03\x04rest".as_slice(), b"\x80\x02}q\x00.", b"\x80\x02\x8a\nl\xfc"] {
        fs::write(folder.path().join("net.pt"), start).unwrap();
        for args in [&["eval", "--model", "net.pt"][..], &["train", "--weights", "net.pt", "--out", "out"]] {
            let message = short_failure(folder.path(), args);
            assert!(
                message.contains("net.pt: a file of torch.save") && message.contains("save_file("),
                "{message}"
            );
        }
    }
}

/// The network that a file describes is checked against its contents before any memory is allocated for it.
#[test]
fn a_model_of_another_shape_than_it_says_is_refused() {
    let folder = TempDir::new().unwrap();
    let (_, params) = nn::build(nn::models::lecture_cnn(0.0), 0);
    let too_large = "and the network that it describes has";
    for (net, shape, channels, expected) in [
        ("lecture", [1024, 1024, 3], 3, too_large),
        ("lecture", [1024, 1025, 3], 3, "the metadata entry \"descent\" is damaged"),
        ("lecture", [1, 1, 1 << 20], 1 << 20, too_large),
        ("resnet18", [32, 32, 3], 3, too_large),
        ("mlp:65536,65536", [32, 32, 3], 3, too_large),
        ("lecture", [32, 32, 1], 1, "0.weight [32, 3, 3, 3], in the network [32, 1, 3, 3]"),
        ("lenet5", [32, 32, 3], 3, "does not fit this network"),
        ("resnet50", [32, 32, 3], 3, "the metadata entry \"descent\" is damaged"),
        ("vit", [30, 32, 3], 3, "images of 30 × 32 do not fit the network vit"),
    ] {
        let classes: Vec<String> = (0..10).map(|i| i.to_string()).collect();
        let about = serde_json::json!({
            "classes": classes, "mean": vec![0; channels], "std": vec![1; channels], "shape": shape, "net": net,
        });
        let path = folder.path().join("m.safetensors");
        nn::weights::save(&path, &params, &[("descent", &about.to_string())]).unwrap();
        let message = failure(folder.path(), &["eval", "--model", "m.safetensors"]);
        assert!(message.contains(expected), "{net}: {message}");
    }
}

/// A CIFAR-100 of `n` images per part, each with a different fine class and its superclass.
fn tiny_cifar100(dir: &Path, n: usize) {
    fs::create_dir(dir).unwrap();
    for name in ["train.bin", "test.bin"] {
        let record = |i: usize| {
            let (coarse, fine) = ((i % 20) as u8, (i % 100) as u8);
            [coarse, fine].into_iter().chain((0..3072).map(move |at| (at * (i + 1) % 251) as u8))
        };
        fs::write(dir.join(name), (0..n).flat_map(record).collect::<Vec<u8>>()).unwrap();
    }
}

#[test]
fn cifar_100_has_a_hundred_classes_or_twenty() {
    let folder = TempDir::new().unwrap();
    tiny_cifar100(&folder.path().join("hundred"), 40);
    for (labels, n_classes, first) in [("fine", 100, "apple"), ("coarse", 20, "aquatic_mammals")] {
        let of = ["--data", "hundred", "--labels", labels];
        let train = ["train", "--net", "mlp:8", "--epochs", "1", "--batch-size", "8", "--out", labels];
        let text = stdout(folder.path(), &[&train[..], &of].concat());
        assert!(text.contains(&format!("CIFAR-100: {n_classes} classes, 32 × 32 in colour")), "{text}");
        assert!(text.contains("36 images to train on, 4 to validate, 40 to test"), "{text}");
        let judged = &lines(folder.path(), &[&["eval", "--model", labels, "--json"][..], &of].concat())[0];
        let classes = judged["classes"].as_array().unwrap();
        assert_eq!((classes.len(), &classes[0]["class"]), (n_classes, &first.into()));
        assert_eq!(classes[0]["images"], if labels == "fine" { 1 } else { 2 });
        assert!(stdout(folder.path(), &["data", "hundred", "--labels", labels]).contains(first));
    }
    for (flags, expected) in [
        (&["--gray"][..], "--gray: only image files of a folder are read as grey, not CIFAR-100"),
        (&["--image-size", "16"], "--image-size: only image files of a folder are resized, not CIFAR-100"),
        (&["--label-column", "y"], "--label-column: only a CSV file has columns, not CIFAR-100"),
    ] {
        for command in ["train", "find-lr"] {
            let args = [&[command, "--data", "hundred", "--out", "idle"], flags].concat();
            let message = short_failure(folder.path(), &args);
            assert!(message.contains(expected), "{message}");
        }
    }
    let known = "the network knows apple, ";
    for (flags, expected) in [
        (&["--data", "hundred", "--labels", "coarse"][..], known),
        // On the data of the run, too.
        (&["--labels", "coarse"], known),
        (&["--label-column", "y"], "--label-column: only a CSV file has columns, not CIFAR-100"),
        (&["--data", "hundred", "--label-column", "y"], "--label-column: only a CSV file has columns"),
        (&["--skip-broken"], "--skip-broken: only image files of a folder are skipped, not CIFAR-100"),
        (&["--data", "hundred", "--skip-broken"], "--skip-broken: only image files of a folder are skipped"),
    ] {
        let message = short_failure(folder.path(), &[&["eval", "--model", "fine"][..], flags].concat());
        assert!(message.contains(expected), "{flags:?}: {message}");
    }
    let predict = ["predict", "x.png", "--model", "fine", "--label-column", "y"];
    let message = short_failure(folder.path(), &predict);
    assert!(message.contains("--label-column needs rows of numbers, but the network in fine"), "{message}");
}
