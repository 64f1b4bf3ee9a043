#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

use std::fmt::{self, Write};
use std::path::Path;

/// The maximum length, in characters, of text shown in full; longer text is reduced to its beginning and end.
pub const MAX_CHARS: usize = 80;

/// One line of external text. Its `Display` output is safe for a terminal: it has no control characters and
/// at most [`MAX_CHARS`] characters. Width and alignment are respected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign<'a>(&'a str);

impl<'a> Foreign<'a> {
    /// Wraps raw text.
    pub fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// Whether it has a character that could manipulate its display: a control character, or one that changes
    /// the text direction or has no width.
    pub fn has_orders(self) -> bool {
        self.0.chars().any(|c| c.is_control() || is_invisible(c))
    }

    /// Escapes the text for HTML, between tags or in a quoted attribute.
    pub fn html(self) -> String {
        self.escaped(|c, out| match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        })
    }

    /// Escapes the text for a paragraph of Markdown. Do not use it within backticks, where nothing can be
    /// escaped.
    pub fn markdown(self) -> String {
        self.escaped(|c, out| {
            if c.is_ascii_punctuation() {
                out.push('\\');
            }
            out.push(c);
        })
    }

    /// Escapes the text for TeX text, such as `\text{…}`.
    pub fn tex(self) -> String {
        self.escaped(|c, out| match c {
            '\\' => out.push_str("\\backslash{}"),
            '^' | '~' => _ = write!(out, "\\{c}{{}}"),
            '#' | '$' | '%' | '&' | '_' | '{' | '}' => _ = write!(out, "\\{c}"),
            c => out.push(c),
        })
    }

    fn escaped(self, escape: impl Fn(char, &mut String)) -> String {
        let mut out = String::new();
        self.shown().chars().for_each(|c| escape(c, &mut out));
        out
    }

    /// The text on one line, without control characters, shortened.
    fn shown(self) -> String {
        // Only looks at as many characters as can be shown.
        let n_chars = self.0.chars().take(MAX_CHARS + 1).count();
        let text = if n_chars <= MAX_CHARS { escaped_controls(self.0, "") } else { self.ends() };
        let n_chars = text.chars().count();
        if n_chars <= MAX_CHARS {
            return text;
        }
        // The escapes have made it longer.
        let n_end = MAX_CHARS / 4;
        let start = text.chars().take(MAX_CHARS - 1 - n_end);
        start.chain(['…']).chain(text.chars().skip(n_chars - n_end)).collect()
    }

    fn ends(self) -> String {
        let start: String = self.0.chars().take(MAX_CHARS).collect();
        let mut end: Vec<char> = self.0.chars().rev().take(MAX_CHARS / 4).collect();
        end.reverse();
        escaped_controls(&start, "") + &escaped_controls(&end.into_iter().collect::<String>(), "")
    }
}

impl fmt::Display for Foreign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A precision is not supported, because it would cut an escape.
        let text = self.shown();
        let n_missing = f.width().unwrap_or(0).saturating_sub(text.chars().count());
        let n_before = match f.align() {
            Some(fmt::Alignment::Right) => n_missing,
            Some(fmt::Alignment::Center) => n_missing / 2,
            _ => 0,
        };
        (0..n_before).try_for_each(|_| f.write_char(f.fill()))?;
        f.write_str(&text)?;
        (n_before..n_missing).try_for_each(|_| f.write_char(f.fill()))
    }
}

/// The whole text on one line, with control characters escaped, for callers that shorten it themselves.
pub fn in_full(text: &str) -> String {
    escaped_controls(text, "")
}

/// A path [in full](in_full), because its end is as informative as its beginning. Invalid Unicode is
/// replaced.
pub fn shown_path(path: &Path) -> String {
    in_full(&path.to_string_lossy())
}

/// A message of any length, made safe for a terminal: all control characters except line breaks and tabs are
/// escaped.
pub fn printable(message: &str) -> String {
    escaped_controls(message, "\n\t")
}

fn escaped_controls(text: &str, kept: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if kept.contains(c) => out.push(c),
            c if c.is_control() => out.extend(c.escape_debug()),
            c if is_invisible(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Characters that change the text direction, have no width or are blank letters, and two noncharacters: those with
/// Unicode's property Default_Ignorable_Code_Point, and a few more. Two texts that differ by them look the same.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_text_is_nothing_but_text() {
        for (text, terminal, html, markdown, tex) in [
            ("cat", "cat", "cat", "cat", "cat"),
            ("", "", "", "", ""),
            ("\u{1b}[31m", r"\u{1b}[31m", r"\u{1b}[31m", r"\\u\{1b\}\[31m", r"\backslash{}u\{1b\}[31m"),
            ("\u{9b}2J", r"\u{9b}2J", r"\u{9b}2J", r"\\u\{9b\}2J", r"\backslash{}u\{9b\}2J"),
            (
                "a\r\nb\0",
                r"a\r\nb\0",
                r"a\r\nb\0",
                r"a\\r\\nb\\0",
                r"a\backslash{}r\backslash{}nb\backslash{}0",
            ),
            (
                "gpj.\u{202e}x",
                r"gpj.\u{202e}x",
                r"gpj.\u{202e}x",
                r"gpj\.\\u\{202e\}x",
                r"gpj.\backslash{}u\{202e\}x",
            ),
            (
                "c\u{34f}a\u{3164}t\u{fe0f}",
                r"c\u{34f}a\u{3164}t\u{fe0f}",
                r"c\u{34f}a\u{3164}t\u{fe0f}",
                r"c\\u\{34f\}a\\u\{3164\}t\\u\{fe0f\}",
                r"c\backslash{}u\{34f\}a\backslash{}u\{3164\}t\backslash{}u\{fe0f\}",
            ),
            ("<b>\"&'", "<b>\"&'", "&lt;b&gt;&quot;&amp;&#39;", "\\<b\\>\\\"\\&\\'", "<b>\"\\&'"),
            ("`$x$`|_", "`$x$`|_", "`$x$`|_", r"\`\$x\$\`\|\_", r"`\$x\$`|\_"),
            ("ä 猫 🐈", "ä 猫 🐈", "ä 猫 🐈", "ä 猫 🐈", "ä 猫 🐈"),
        ] {
            let foreign = Foreign::new(text);
            assert_eq!(foreign.to_string(), terminal);
            assert_eq!(
                (foreign.html(), foreign.markdown(), foreign.tex()),
                (html.into(), markdown.into(), tex.into())
            );
        }
    }

    #[test]
    fn long_text_is_shortened_and_its_end_seen() {
        let shown = Foreign::new(&format!("a{}z.bin", "x".repeat(1 << 20))).to_string();
        assert!(shown.starts_with("axx") && shown.contains("x…x") && shown.ends_with("xz.bin"), "{shown}");
        assert_eq!(shown.chars().count(), MAX_CHARS);
        assert_eq!(Foreign::new(&"ä".repeat(MAX_CHARS)).to_string(), "ä".repeat(MAX_CHARS));
    }

    #[test]
    fn width_and_alignment_are_heeded() {
        let cat = Foreign::new("cat");
        assert_eq!(format!("{cat:5}|{cat:>5}|{cat:-^6}|{cat:1}"), "cat  |  cat|-cat--|cat");
    }

    proptest! {
        #[test]
        fn no_control_character_comes_through(text in any::<String>()) {
            let shown = Foreign::new(&text).to_string();
            prop_assert!(shown.chars().count() <= MAX_CHARS);
            prop_assert!(!shown.chars().any(|c| c.is_control() || is_invisible(c)));
            let message = printable(&text);
            prop_assert!(!message.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
            prop_assert!(!Foreign::new(&text).html().contains(['<', '>', '"']));
            prop_assert!(!Foreign::new(&shown).has_orders());
            prop_assert_eq!(Foreign::new(&text).has_orders(), printable(&text.replace(['\n', '\t'], "\0")) != text);
            prop_assert!(!Foreign::new(&shown_path(Path::new(&text))).has_orders());
        }
    }
}
