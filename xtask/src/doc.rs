//! `cargo doc` plus a start page and the files that the crates' front pages show or link to.
//!
//! A front page is a crate's README. It links to files next to it, which rustdoc does not copy.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Build the documentation of all crates, with a start page: target/doc/index.html.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the task.
///
/// # Errors
/// If cargo fails or a page cannot be written.
pub fn run(_: &Args) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the workspace")?;
    let done = Command::new("cargo").args(["doc", "--workspace", "--no-deps"]).current_dir(root).status();
    ensure!(done.context("cannot run cargo")?.success(), "cargo doc failed");
    let metadata = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .output()
        .context("cannot run cargo")?;
    let metadata: Value = serde_json::from_slice(&metadata.stdout).context("cargo metadata is not JSON")?;
    let doc = metadata["target_directory"].as_str().context("no target directory")?;
    let doc = Path::new(doc).join("doc");
    let crates = documented(&metadata)?;
    for one in &crates {
        let front = doc.join(&one.module).join("index.html");
        let html = fs::read_to_string(&front).with_context(|| format!("cannot read {}", front.display()))?;
        let html = with_files(&html, one, &crates, root, &doc)?;
        fs::write(&front, html).with_context(|| format!("cannot write {}", front.display()))?;
    }
    let start = doc.join("index.html");
    fs::write(&start, start_page(&crates)).with_context(|| format!("cannot write {}", start.display()))?;
    println!("{}", start.display());
    Ok(())
}

/// A documented crate.
#[derive(Clone, Debug, PartialEq)]
pub struct Documented {
    /// The name in Cargo.toml.
    pub name: String,
    /// The name of its folder of pages.
    pub module: String,
    /// A description.
    pub about: String,
    /// Its folder in the workspace.
    pub folder: PathBuf,
}

/// The crates with a documented library, sorted by name.
fn documented(metadata: &Value) -> Result<Vec<Documented>> {
    let packages = metadata["packages"].as_array().context("no packages")?;
    let crates = packages.iter().filter_map(|package| {
        let is_shown = |target: &&Value| {
            target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "lib"))
                && target["doc"] == Value::Bool(true)
        };
        let target = package["targets"].as_array()?.iter().find(is_shown)?;
        Some(Documented {
            name: package["name"].as_str()?.to_owned(),
            module: target["name"].as_str()?.replace('-', "_"),
            about: package["description"].as_str().unwrap_or_default().to_owned(),
            folder: Path::new(package["manifest_path"].as_str()?).parent()?.to_owned(),
        })
    });
    let mut crates: Vec<Documented> = crates.collect();
    crates.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(crates)
}

/// A front page with links to project files redirected to copies, and links to crates to their pages.
fn with_files(html: &str, one: &Documented, all: &[Documented], root: &Path, doc: &Path) -> Result<String> {
    let mut out = String::new();
    let mut rest = html;
    while let Some(at) = ["href=\"", "src=\""].iter().filter_map(|a| rest.find(a).map(|i| i + a.len())).min()
    {
        out += &rest[..at];
        rest = &rest[at..];
        let end = rest.find('"').context("an attribute that does not end")?;
        let (link, after) = rest.split_at(end);
        out += &target(link, one, all, root, doc)?.unwrap_or_else(|| link.to_owned());
        rest = after;
    }
    Ok(out + rest)
}

/// The new target of a front page's link, if rustdoc made no such page.
fn target(
    link: &str,
    one: &Documented,
    all: &[Documented],
    root: &Path,
    doc: &Path,
) -> Result<Option<String>> {
    let path = link.split('#').next().unwrap_or_default();
    let is_elsewhere = path.is_empty() || path.contains(':') || doc.join(&one.module).join(path).exists();
    let found = one.folder.join(path).canonicalize().ok().filter(|_| !is_elsewhere);
    let Some(found) = found else { return Ok(None) };
    if let Some(other) =
        all.iter().find(|other| other.folder == found || other.folder.join("README.md") == found)
    {
        return Ok(Some(format!("../{}/index.html", other.module)));
    }
    let Ok(inside) = found.strip_prefix(root) else { return Ok(None) };
    if !found.is_file() {
        return Ok(None);
    }
    let copy = doc.join("project").join(inside);
    fs::create_dir_all(copy.parent().context("a file lies in a folder")?)?;
    fs::copy(&found, &copy).with_context(|| format!("cannot copy {}", found.display()))?;
    Ok(Some(format!("../project/{}", inside.display())))
}

/// The page that lists all crates.
fn start_page(crates: &[Documented]) -> String {
    let mut rows = String::new();
    for Documented { name, module, about, .. } in crates {
        let about = about.replace('&', "&amp;").replace('<', "&lt;");
        writeln!(rows, "<dt><a href=\"{module}/index.html\">{name}</a></dt><dd>{about}</dd>")
            .expect("a string takes all");
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>Descent</title>\n<style>\n\
         body {{ font: 1.05rem/1.6 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem; }}\n\
         dt {{ margin-top: 0.8rem; font-weight: 600; }}\ndd {{ margin: 0; }}\n</style>\n</head>\n<body>\n\
         <h1>Descent</h1>\n<p>Deep learning from scratch in Rust, in small crates. To train a network begin with \
         <a href=\"nn/index.html\">nn</a>; each crate can also be used alone.</p>\n<dl>\n{rows}</dl>\n</body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_copied_and_crates_lead_to_their_pages() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let root = folder.path().canonicalize()?;
        let doc = root.join("target/doc");
        for (path, text) in
            [("crates/a/x/p.svg", "p"), ("crates/b/README.md", "b"), ("target/doc/a/struct.S.html", "")]
        {
            fs::create_dir_all(root.join(path).parent().context("in a folder")?)?;
            fs::write(root.join(path), text)?;
        }
        let make = |name: &str| Documented {
            name: name.to_owned(),
            module: name.to_owned(),
            about: String::new(),
            folder: root.join("crates").join(name),
        };
        let crates = [make("a"), make("b")];
        let html = "<img src=\"x/p.svg\"><a href=\"../b\">b</a><a href=\"struct.S.html\">S</a><a href=\"https://c\">c</a>\
                    <a href=\"nowhere.md\">n</a>";
        let made = with_files(html, &crates[0], &crates, &root, &doc)?;
        assert_eq!(
            made,
            "<img src=\"../project/crates/a/x/p.svg\"><a href=\"../b/index.html\">b</a><a href=\"struct.S.html\">S</a>\
             <a href=\"https://c\">c</a><a href=\"nowhere.md\">n</a>"
        );
        assert_eq!(fs::read_to_string(doc.join("project/crates/a/x/p.svg"))?, "p");
        assert!(start_page(&crates).contains("<a href=\"b/index.html\">b</a>"));
        Ok(())
    }
}
