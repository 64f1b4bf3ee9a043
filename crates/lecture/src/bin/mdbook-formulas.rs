//! An mdBook preprocessor for the book in `docs/`: formulas become MathML, which browsers draw without a
//! script, and links lead to where mdBook puts their targets.
//!
//! mdBook calls it (`docs/book.toml`): first with `supports RENDERER`, then with the book as JSON on its
//! input.

#![forbid(unsafe_code)]

use std::io;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::Value;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, renderer] = arguments.as_slice()
        && command == "supports"
    {
        return if renderer == "html" { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    match preprocess() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mdbook-formulas: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Reads `[context, book]`, writes the book.
fn preprocess() -> Result<()> {
    let input: Value = serde_json::from_reader(io::stdin().lock()).context("expected JSON from mdBook")?;
    let Value::Array(parts) = input else { bail!("expected [context, book]") };
    let [_, mut book]: [Value; 2] = parts.try_into().ok().context("expected [context, book]")?;
    each_chapter(&mut book);
    serde_json::to_writer(io::stdout().lock(), &book).context("cannot write the book")
}

/// Converts every chapter. Chapters are nested objects under the key `Chapter`; what contains them has had
/// several names.
fn each_chapter(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(each_chapter),
        Value::Object(entries) => {
            if let Some(Value::Object(chapter)) = entries.get_mut("Chapter") {
                let path = chapter.get("source_path").or(chapter.get("path")).and_then(Value::as_str);
                let path = path.unwrap_or_default().to_owned();
                if let Some(Value::String(content)) = chapter.get_mut("content") {
                    *content = lecture::book_page(content, path.as_ref());
                }
            }
            entries.values_mut().for_each(each_chapter);
        }
        _ => {}
    }
}
