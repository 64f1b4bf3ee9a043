//! Untrusted JSON, parsed in place: only what is requested is copied.

use std::fmt;

use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Calls `f` with each key and value of an object, both as written in the text. Stops at the first error.
///
/// The nesting of the text must be bounded ([`depth`]): the parser uses a byte for each level.
pub(super) fn for_each_pair<'t>(
    object: &'t str,
    f: impl FnMut(&'t str, &'t str) -> Result<(), String>,
) -> Result<(), String> {
    struct Pairs<F>(F);
    impl<'t, F: FnMut(&'t str, &'t str) -> Result<(), String>> Visitor<'t> for Pairs<F> {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'t>>(mut self, mut map: A) -> Result<(), A::Error> {
            while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                (self.0)(key.get(), value.get()).map_err(A::Error::custom)?;
            }
            Ok(())
        }
    }
    // The parser's own error would repeat all of a long string.
    if !object.trim_start().starts_with('{') {
        return Err("expected an object".into());
    }
    let mut reader = serde_json::Deserializer::from_str(object);
    reader.deserialize_map(Pairs(f)).and_then(|()| reader.end()).map_err(|error| error.to_string())
}

/// How deeply objects and arrays are nested, whether or not the text is valid JSON.
pub(super) fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut is_escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// The text between two brackets or quotes.
pub(super) fn inner(text: &str, open: char, close: char) -> Option<&str> {
    text.strip_prefix(open)?.strip_suffix(close)
}

/// Appends the unescaped contents of a JSON string, which has no more bytes than the escaped form.
pub(super) fn unescape(mut rest: &str, text: &mut String) -> Result<(), String> {
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        // Two bytes, or `\u` and four digits; twice that for a surrogate pair.
        let escape_len = match rest.as_bytes().get(..4) {
            Some([_, b'u', b'd' | b'D', b'8' | b'9' | b'a' | b'A' | b'b' | b'B']) => 12,
            Some([_, b'u', ..]) => 6,
            _ => 2,
        };
        let escape = rest.get(..escape_len).ok_or_else(|| "incomplete escape in a string".to_owned())?;
        let decoded: String =
            serde_json::from_str(&format!("\"{escape}\"")).map_err(|error| error.to_string())?;
        text.push_str(&decoded);
        rest = &rest[escape_len..];
    }
    text.push_str(rest);
    Ok(())
}

/// The value of a JSON string, in one allocation; `None` if it is not a string.
pub(super) fn unescaped(json: &str) -> Result<Option<String>, String> {
    let Some(inside) = inner(json, '"', '"') else { return Ok(None) };
    let mut text = String::with_capacity(inside.len());
    unescape(inside, &mut text)?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn strings_are_those_of_the_reference(text in any::<String>(), at: prop::sample::Index) {
            let text_of = |inside: &str| {
                let mut text = String::new();
                unescape(inside, &mut text).ok().map(|()| text)
            };
            let quoted = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(text_of(inner(&quoted, '"', '"').unwrap()), Some(text.clone()));
            let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            prop_assert_eq!(text_of(&escaped), Some(text));
            // Truncated anywhere, it gives the same string as the reference, or an error if the reference
            // does.
            let cut = &escaped[..at.index(escaped.len() + 1)];
            prop_assert_eq!(text_of(cut), serde_json::from_str::<String>(&format!("\"{cut}\"")).ok());
        }
    }

    #[test]
    fn brackets_within_strings_do_not_nest() {
        for (text, expected) in
            [("", 0), ("{}", 1), (r#"{"a":[[],{}]}"#, 3), (r#"{"[\"[":"{{"}"#, 1), ("]]{", 1)]
        {
            assert_eq!(depth(text), expected, "{text}");
        }
    }
}
