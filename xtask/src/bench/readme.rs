//! README's table and chart, from a results file and not by hand.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::results::Results;
use super::{chart, table};

const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

/// Puts what `file` holds between the marks in README.md, and draws its chart beside it again.
///
/// # Errors
/// If the file cannot be read or does not lie in the workspace, or README.md has no marks.
pub(super) fn update(root: &Path, file: &Path) -> Result<()> {
    let results = Results::read(file)?;
    let (root, file) = (fs::canonicalize(root)?, fs::canonicalize(file)?);
    let inside = file.strip_prefix(&root);
    let inside = inside.with_context(|| format!("{} does not lie in {}", file.display(), root.display()))?;
    chart::write(&results, &file.with_extension("svg"))?;
    let readme = root.join("README.md");
    let text = fs::read_to_string(&readme).with_context(|| format!("cannot read {}", readme.display()))?;
    let text = replaced(&text, &section(&results, inside))?;
    fs::write(&readme, text).with_context(|| format!("cannot write {}", readme.display()))
}

/// What stands between the marks for the results of `file`, a path from the workspace's root.
pub fn section(results: &Results, file: &Path) -> String {
    format!(
        "<!-- cargo xtask bench --readme {} -->\n{}\n![Training throughput of the CNN]({})\n",
        file.display(),
        table::markdown(results),
        file.with_extension("svg").display(),
    )
}

/// `text` with `section` between the marks.
fn replaced(text: &str, section: &str) -> Result<String> {
    let (before, rest) = text.split_once(BEGIN).with_context(|| format!("README.md has no {BEGIN}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("README.md has no {END} after {BEGIN}"))?;
    Ok(format!("{before}{BEGIN}\n{section}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::sample;
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_changes() -> Result<()> {
        let once = replaced("# A\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nB\n", "new\n")?;
        assert_eq!(once, "# A\n<!-- bench:begin -->\nnew\n<!-- bench:end -->\nB\n");
        assert_eq!(replaced(&once, "new\n")?, once);
        assert!(replaced("# A\n", "new").unwrap_err().to_string().contains("bench:begin"));
        assert!(replaced("<!-- bench:begin -->", "new").unwrap_err().to_string().contains("bench:end"));
        Ok(())
    }

    #[test]
    fn readme_and_chart_come_from_the_file() -> Result<()> {
        let root = tempfile::tempdir()?;
        let results = sample([400.0, 320.0, 360.0]);
        let file = root.path().join("benches/results/x.json");
        results.write(&file)?;
        fs::write(root.path().join("README.md"), format!("{BEGIN}{END}"))?;
        update(root.path(), &file)?;
        let readme = fs::read_to_string(root.path().join("README.md"))?;
        assert!(readme.contains(&section(&results, Path::new("benches/results/x.json"))), "{readme}");
        let svg = fs::read_to_string(file.with_extension("svg"))?;
        assert!(svg.contains("Descent") && svg.contains("PyTorch"));
        Ok(())
    }
}
