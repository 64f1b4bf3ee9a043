//! The long checks are those that are there, and the document of promises names them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use xtask::torture::{CHECKS, Check};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn torture(args: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).arg("torture").args(args).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn the_list_says_what_each_check_runs() {
    let (success, text) = torture(&["--list"]);
    assert!(success);
    for check in CHECKS {
        assert!(text.contains(&format!("{}\n    {}\n", check.name, check.promise)), "{text}");
        assert!(text.contains(&check.command_line()), "{text}");
    }
    let (_, one) = torture(&["--list", "soak"]);
    assert!(one.starts_with("soak\n") && one.lines().count() == 3, "{one}");
}

#[test]
fn an_unknown_check_is_refused_before_anything_runs() {
    let (success, text) = torture(&["soak", "tickle"]);
    assert!(!success);
    assert!(text.starts_with("error: there is no check \"tickle\"; there are train-kills, "), "{text}");
}

/// The words of a check's command.
fn words(check: &Check) -> Vec<&'static str> {
    check.cargo.split(' ').collect()
}

/// A filter that matches no test, or a variable that none reads, would pass without checking anything.
#[test]
fn what_the_checks_run_is_there() {
    for check in CHECKS {
        let words = words(check);
        let all_after =
            |flag: &'static str| words.windows(2).filter(move |pair| pair[0] == flag).map(|pair| pair[1]);
        let (packages, mut tests) = (all_after("-p").collect::<Vec<_>>(), Vec::new());
        for package in &packages {
            let folder =
                if *package == "xtask" { root().join(package) } else { root().join("crates").join(package) };
            for target in all_after("--test") {
                let path = folder.join("tests").join(target).with_extension("rs");
                if let Ok(test) = fs::read_to_string(&path) {
                    tests.push((*package, target, test));
                }
            }
        }
        for target in all_after("--test") {
            assert!(tests.iter().any(|test| test.1 == target), "{}: there is no test {target}", check.name);
        }
        for package in packages {
            // Of unit tests only a run can say whether there are any.
            let is_run = words.contains(&"--lib") || tests.iter().any(|test| test.0 == package);
            assert!(is_run, "{}: nothing is run of {package}", check.name);
        }
        for (package, target, test) in tests {
            // The variables of a tool are its own.
            for (variable, _) in check.variables.iter().filter(|_| check.needs.is_none()) {
                assert!(
                    test.contains(&format!("\"{variable}\"")),
                    "{package}: {target} does not read {variable}"
                );
            }
            let filter = all_after(target).find(|word| !word.starts_with('-'));
            assert!(
                filter.is_none_or(|filter| test.contains(&format!("fn {filter}"))),
                "{package}: {target} has no {filter:?}"
            );
        }
    }
}

#[test]
fn every_fuzz_target_is_run_and_has_inputs_to_begin_with() {
    let targets: BTreeSet<String> = fs::read_dir(root().join("fuzz/fuzz_targets"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let fuzzing = CHECKS.iter().map(words).filter(|words| words[1] == "fuzz");
    assert_eq!(targets, fuzzing.map(|words| words[3].to_owned()).collect());
    for target in targets {
        assert!(fs::read_dir(root().join("fuzz/corpus").join(target)).unwrap().next().is_some());
    }
}

#[test]
fn the_document_of_promises_names_every_check() {
    let document = fs::read_to_string(root().join("docs/RELIABILITY.md")).unwrap();
    for check in CHECKS {
        assert!(document.contains(&format!("torture {}`", check.name)), "{} is not named", check.name);
    }
}
