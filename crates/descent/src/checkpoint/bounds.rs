//! Bounds on the JSON of a checkpoint, so that reading a malicious one takes no more memory than the length
//! of the JSON.
//!
//! A cap on its length is not enough: a history of ten thousand epochs is longer than a harmful entry needs
//! to be.

use std::fmt;

use anyhow::{Result, ensure};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The longest string or number; a run writes less than a hundred bytes.
const MAX_TOKEN_LEN: usize = 4096;
/// How deep objects and lists may nest; the score of an epoch in the history of the state is the fifth level.
const MAX_DEPTH: usize = 8;
/// The longest object of flags; a run writes about two thousand bytes, and more for long lists.
pub(super) const MAX_FLAGS_LEN: usize = 4096;

/// Rejects long strings and numbers, which the parser copies, and deep nesting, since it keeps every level.
pub(super) fn check(json: &str) -> Result<()> {
    let (mut rest, mut depth) = (json.as_bytes(), 0_usize);
    while let Some((&byte, tail)) = rest.split_first() {
        let token_len = match byte {
            b'"' => 1 + string_len(tail),
            b'{' | b'[' => {
                depth += 1;
                1
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                1
            }
            _ => 1 + tail.iter().take_while(|byte| byte.is_ascii_digit()).count(),
        };
        ensure!(
            token_len <= MAX_TOKEN_LEN,
            "it has a string or a number of {token_len} bytes, expected at most {MAX_TOKEN_LEN}"
        );
        ensure!(depth <= MAX_DEPTH, "it is nested more than {MAX_DEPTH} levels deep");
        rest = &rest[token_len..];
    }
    Ok(())
}

/// The length of a string up to its closing quote, or of all the text.
fn string_len(text: &[u8]) -> usize {
    let mut is_escaped = false;
    let closes = |&byte: &u8| {
        let closes = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        closes
    };
    text.iter().position(closes).map_or(text.len(), |at| at + 1)
}

/// Reads flags: a limited number, without lists or objects.
pub(super) fn flags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    let flags = <&RawValue>::deserialize(deserializer)?.get();
    if flags.len() > MAX_FLAGS_LEN {
        return Err(D::Error::custom(format!("the flags take {} bytes", flags.len())));
    }
    let flags: Map<String, Value> = serde_json::from_str(flags).map_err(D::Error::custom)?;
    match flags.iter().find(|(_, value)| value.is_array() || value.is_object()) {
        Some((name, _)) => Err(D::Error::custom(format!("the flag {name} is a list or an object"))),
        None => Ok(flags),
    }
}

/// Reads a list after counting its items: a vector that grows as it is filled takes up to three times its
/// size.
pub(super) fn counted<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct Counted<T>(Vec<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Counted<T> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }
        fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Vec<T>, A::Error> {
            while let Some(item) = seq.next_element()? {
                self.0.push(item);
            }
            Ok(self.0)
        }
    }
    let list = <&RawValue>::deserialize(deserializer)?.get();
    // A vector of zero-sized items takes no memory.
    let n_items = serde_json::from_str::<Vec<IgnoredAny>>(list).map_err(D::Error::custom)?.len();
    // Items of other types may be short, and more than there is room for.
    let visitor = Counted(Vec::with_capacity(n_items.min(list.len() / size_of::<T>())));
    serde_json::Deserializer::from_str(list).deserialize_seq(visitor).map_err(D::Error::custom)
}
