//! Converts a page of the book for mdBook. The book is written for a forge, where `math` blocks and
//! `` $`x`$ `` are formulas and links lead to files; mdBook knows neither these formulas nor links to its own
//! pages.

use std::ops::Range;
use std::path::{Component, Path};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag};
use pulldown_latex::config::DisplayMode;

use super::markdown::mathml;

/// Converts the page at `path` in the book's folder: formulas become MathML, a link to a `README.md` leads to
/// the page that mdBook makes of it, and a link that leaves the folder, or leads to `SUMMARY.md`, is reduced
/// to its text.
///
/// # Panics
/// When a formula is not valid TeX.
#[track_caller]
pub fn book_page(markdown: &str, path: &Path) -> String {
    let mut changes: Vec<(Range<usize>, String)> = Vec::new();
    let mut formula: Option<(Range<usize>, String)> = None;
    for (event, range) in Parser::new_ext(markdown, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) if &*language == "math" => {
                formula = Some((range, String::new()));
            }
            Event::Text(text) if formula.is_some() => {
                formula.iter_mut().for_each(|(_, tex)| tex.push_str(&text));
            }
            Event::End(_) => {
                if let Some((range, tex)) = formula.take() {
                    let html = mathml(tex.trim(), DisplayMode::Block).replace('\n', " ");
                    changes.push((range, format!("<div class=\"formula\">{html}</div>\n")));
                }
            }
            Event::Code(tex) => {
                let (before, after) = (&markdown[..range.start], &markdown[range.end..]);
                if before.ends_with('$') && after.starts_with('$') {
                    let html = mathml(&tex, DisplayMode::Inline).replace('\n', " ");
                    changes.push((range.start - 1..range.end + 1, html));
                }
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                let link = &markdown[range.clone()];
                if let Some((text, _)) = link
                    .split_once("](")
                    .filter(|_| leaves(path, &dest_url) || dest_url.ends_with("SUMMARY.md"))
                {
                    changes.push((range, text.trim_start_matches('[').to_owned()));
                } else if let Some((folder, rest)) = dest_url.split_once("README.md") {
                    changes.push((range, link.replace(&*dest_url, &format!("{folder}index.md{rest}"))));
                }
            }
            _ => {}
        }
    }
    let mut page = markdown.to_owned();
    changes.into_iter().rev().for_each(|(range, text)| page.replace_range(range, &text));
    page
}

/// Whether a link on the page at `path` leads out of the book's folder.
fn leaves(path: &Path, link: &str) -> bool {
    if link.contains("://") || link.starts_with('#') {
        return false;
    }
    let folders = path.parent().map_or(0, |parent| parent.components().count());
    let steps = Path::new(link).components().map(|component| match component {
        Component::ParentDir => -1,
        Component::Normal(_) => 1,
        _ => 0,
    });
    let depths = steps.scan(folders as i64, |depth, step| {
        *depth += step;
        Some(*depth)
    });
    depths.into_iter().any(|depth| depth < 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forges_page_becomes_one_of_mdbook() {
        let page = "With $`x^2`$, `$a` and [a](../results/README.md#b), [`c`](../../crates/c.rs), [d](adam.md):\n\n\
                    ```math\n\\frac{1}{2}\n```\n\n```rust\nlet x = 1;\n```\n";
        let made = book_page(page, "book/x.md".as_ref());
        assert!(
            made.contains("<msup>")
                && made.contains("<div class=\"formula\"><math")
                && made.contains("<mfrac>")
        );
        assert!(made.contains("`$a` and [a](../results/index.md#b), `c`, [d](adam.md):"), "{made}");
        assert!(made.contains("```rust\nlet x = 1;\n```") && !made.contains("```math"), "{made}");
    }

    #[test]
    fn what_lies_in_the_books_folder_does_not_leave_it() {
        for (path, link, expected) in [
            ("book/a.md", "../RELIABILITY.md", false),
            ("book/a.md", "../../README.md", true),
            ("RELIABILITY.md", "results/fuzz.md", false),
            ("RELIABILITY.md", "../crates", true),
            ("results/README.md", "https://a.b/../../../c", false),
        ] {
            assert_eq!(leaves(path.as_ref(), link), expected, "{path} {link}");
        }
    }
}
