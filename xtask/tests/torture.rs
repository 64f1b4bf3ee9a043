//! The long checks are those that are there, and the document of promises names them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use xtask::torture::CHECKS;

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

/// A filter that matches no test, or a variable that none reads, would pass without checking anything.
#[test]
fn what_the_checks_run_is_there() {
    for check in CHECKS {
        let all_after = |flag: &'static str| {
            check.cargo.windows(2).filter(move |pair| pair[0] == flag).map(|pair| pair[1])
        };
        let Some(target) = all_after("--test").next() else { continue };
        for package in all_after("-p") {
            let folder =
                if package == "xtask" { root().join("xtask") } else { root().join("crates").join(package) };
            let path = folder.join("tests").join(target).with_extension("rs");
            let test = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            // Those of a tool are its own.
            for (variable, _) in check.variables.iter().filter(|_| check.needs.is_none()) {
                assert!(
                    test.contains(&format!("\"{variable}\"")),
                    "{} does not read {variable}",
                    path.display()
                );
            }
            let Some(filter) = all_after(target).find(|arg| *arg != "--") else { continue };
            assert!(test.contains(&format!("fn {filter}")), "{} has no {filter}", path.display());
        }
    }
}

#[test]
fn every_fuzz_target_is_run_and_has_inputs_to_begin_with() {
    let targets: BTreeSet<String> = fs::read_dir(root().join("fuzz/fuzz_targets"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let run = CHECKS.iter().filter(|check| check.cargo[1] == "fuzz").map(|check| check.cargo[3].to_owned());
    assert_eq!(targets, run.collect());
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
