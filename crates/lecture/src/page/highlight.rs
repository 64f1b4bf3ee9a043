//! Source code on the page: folded away, with comments, strings and keywords coloured.

use super::markdown::escape;

const KEYWORDS: &[&str] = &[
    "as", "const", "else", "enum", "false", "fn", "for", "if", "impl", "in", "let", "loop", "match", "mod",
    "move", "mut", "pub", "ref", "return", "self", "Self", "static", "struct", "super", "crate", "true",
    "trait", "type", "use", "where", "while",
];

/// Renders a source file as an element that opens on a click, without its tests.
pub(super) fn details(path: &str, source: &str) -> String {
    let shown = source.split("\n#[cfg(test)]").next().unwrap_or(source).trim_end();
    // The marks with which the book quotes the code are not shown.
    let is_mark = |line: &&str| line.trim_start().starts_with("// ANCHOR");
    let shown = shown.lines().filter(|line| !is_mark(line)).collect::<Vec<_>>().join("\n");
    format!(
        "<details class=\"code\"><summary><code>{}</code></summary><pre tabindex=\"0\"><code>{}</code></pre></details>\n",
        escape(path),
        highlight(&shown)
    )
}

/// Renders Rust as HTML: `<i>` for comments, `<q>` for strings, `<b>` for keywords.
fn highlight(source: &str) -> String {
    let mut html = String::new();
    let mut rest = source;
    while !rest.is_empty() {
        let (len, element) = token(rest);
        let (text, after) = rest.split_at(len);
        let text = escape(text);
        match element {
            Some(element) => html += &format!("<{element}>{text}</{element}>"),
            None => html += &text,
        }
        rest = after;
    }
    html
}

/// Length and element of the token at the start of `source`, which is not empty.
fn token(source: &str) -> (usize, Option<&'static str>) {
    let end_of = |is_inside: fn(char) -> bool| source.find(|c: char| !is_inside(c)).unwrap_or(source.len());
    let first = source.chars().next().expect("not empty");
    if source.starts_with("//") {
        (source.find('\n').unwrap_or(source.len()), Some("i"))
    } else if first == '"' {
        (string_len(source), Some("q"))
    } else if first.is_alphanumeric() || first == '_' {
        let len = end_of(|c| c.is_alphanumeric() || c == '_');
        (len, KEYWORDS.contains(&&source[..len]).then_some("b"))
    } else if first.is_whitespace() {
        (end_of(char::is_whitespace), None)
    } else if source.starts_with("'\"'") {
        (3, Some("q"))
    } else {
        (first.len_utf8(), None)
    }
}

/// The length of the string literal at the start, quotes included.
fn string_len(source: &str) -> usize {
    let mut escaped = false;
    for (i, c) in source.char_indices().skip(1) {
        match c {
            '"' if !escaped => return i + 1,
            '\\' if !escaped => escaped = true,
            _ => escaped = false,
        }
    }
    source.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_escaped_and_coloured() {
        let html = highlight("let x = \"a \\\" < b\"; // why & how\nfoo::<f32>()");
        assert_eq!(
            html,
            "<b>let</b> x = <q>&quot;a \\&quot; &lt; b&quot;</q>; <i>// why &amp; how</i>\nfoo::&lt;f32&gt;()"
        );
    }

    #[test]
    fn tests_are_left_out() {
        assert!(!details("a.rs", "fn a() {}\n\n#[cfg(test)]\nmod tests {}\n").contains("mod"));
    }
}
