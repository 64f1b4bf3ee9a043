//! Rules for the whole workspace: the allowed dependencies, and that the project's own check runs what the
//! README promises.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("crates/descent lies two levels down")
        .into()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The workspace members, from Cargo's metadata.
fn packages() -> Vec<serde_json::Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

/// For each member, the members it depends on (except development dependencies).
fn internal_dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let packages = packages();
    let name = |value: &serde_json::Value| value["name"].as_str().expect("a name").to_owned();
    let members: BTreeSet<String> = packages.iter().map(name).collect();
    let internal = |package: &serde_json::Value| {
        let dependencies = package["dependencies"].as_array().expect("dependencies");
        dependencies.iter().filter(|d| d["kind"] != "dev").map(name).filter(|d| members.contains(d)).collect()
    };
    packages.iter().map(|package| (name(package), internal(package))).collect()
}

#[test]
fn the_crate_graph_stays_as_designed() {
    let graph = internal_dependencies();
    let allowed: &[(&str, &[&str])] = &[
        ("atomic-file", &[]),
        ("counting", &[]),
        ("foreign-text", &[]),
        ("huge-pages", &[]),
        ("keyed-random", &[]),
        ("metrics", &[]),
        ("simd", &[]),
        ("parameters", &[]),
        ("tensor", &["keyed-random", "simd"]),
        ("init", &[]),
        ("optim", &["huge-pages", "parameters", "simd"]),
        ("data", &["atomic-file", "foreign-text", "keyed-random"]),
        ("viz", &["atomic-file", "foreign-text"]),
        ("autograd", &["huge-pages", "keyed-random", "parameters", "tensor"]),
        ("nn", &["atomic-file", "autograd", "foreign-text", "init", "keyed-random", "tensor"]),
        ("classifier", &["atomic-file", "autograd", "data", "foreign-text", "metrics", "nn"]),
        (
            "lecture",
            &[
                "atomic-file",
                "autograd",
                "classifier",
                "data",
                "foreign-text",
                "init",
                "keyed-random",
                "nn",
                "optim",
                "tensor",
                "viz",
            ],
        ),
        ("collective", &["tensor"]),
        (
            "descent",
            &[
                "atomic-file",
                "autograd",
                "classifier",
                "collective",
                "data",
                "foreign-text",
                "keyed-random",
                "lecture",
                "nn",
                "optim",
                "tensor",
                "viz",
            ],
        ),
        ("bench-protocol", &["keyed-random"]),
        ("benches", &["autograd", "bench-protocol", "data", "keyed-random", "nn", "optim", "tensor"]),
        ("xtask", &["atomic-file", "bench-protocol", "data", "foreign-text", "tensor", "viz"]),
    ];
    let listed: BTreeSet<&str> = allowed.iter().map(|(name, _)| *name).collect();
    let members: BTreeSet<&str> = graph.keys().map(String::as_str).collect();
    assert_eq!(listed, members, "left: the crates of this list; right: those of the workspace");
    for (name, expected) in allowed {
        let found = &graph[*name];
        let extra: Vec<_> = found.iter().filter(|d| !expected.contains(&d.as_str())).collect();
        assert!(extra.is_empty(), "{name} may depend on {expected:?} only, and depends on {extra:?} too");
    }
}

#[test]
fn every_library_has_a_readme_with_an_example() {
    let programs = ["descent", "xtask", "benches", "bench-protocol"];
    for name in internal_dependencies().keys().filter(|name| !programs.contains(&name.as_str())) {
        let readme = read(&format!("crates/{name}/README.md"));
        assert!(readme.contains("\n```rust"), "crates/{name}/README.md has no example in Rust");
    }
}

#[test]
fn the_check_runs_the_test_command_of_the_readme() {
    let command = "cargo test --workspace";
    assert!(read("README.md").contains(command), "README.md does not say how to run the tests: {command}");
    assert!(read(".ci/run").contains(command), ".ci/run does not call the README's test command: {command}");
}

/// A program with `test = false` is not built a second time for tests it does not have, so it must have none.
#[test]
fn what_is_not_tested_has_no_tests() {
    for package in packages() {
        let targets = package["targets"].as_array().expect("targets");
        for target in targets.iter().filter(|target| target["kind"] == serde_json::json!(["bin"])) {
            let path = PathBuf::from(target["src_path"].as_str().expect("a path"));
            // `src/bin/NAME/main.rs` has its modules beside it; beside the others are those of the library.
            let folder = path.parent().expect("a file lies in a folder");
            let files = match folder.parent().is_some_and(|above| above.ends_with("src/bin")) {
                true => std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect(),
                false => vec![path],
            };
            let has_tests =
                files.iter().any(|file| std::fs::read_to_string(file).unwrap().contains("#[test]"));
            assert_eq!(target["test"], has_tests, "`test` of {}, whose files are {files:?}", target["name"]);
        }
    }
}
