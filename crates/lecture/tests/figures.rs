//! The lecture's figures and numbers are those on record.
//!
//! If the data are the same on every processor, `figures.sha256` has the checksum of each figure and of each
//! table's numbers to nine digits. The results of f32 matrix products differ between processors in their last
//! digits; for those figures only the words of axes and legends are recorded, and `items.rs` checks the
//! numbers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lecture::AnyExperiment;
use lecture::AnyExperiment::*;
use sha2::{Digest, Sha256};

const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/figures.sha256");

/// Whether every number of an experiment is computed element by element, or read.
fn is_exact(experiment: &AnyExperiment) -> bool {
    matches!(
        experiment,
        LinearData(_)
            | NormalDraws(_)
            | Minima(_)
            | LearningRate(_)
            | Valleys(_)
            | LearningRateDecay(_)
            | Momentum(_)
            | Rmsprop(_)
            | Adam(_)
            | Surfaces(_)
            | Samples(_)
    )
}

/// Whether it trains a network, which takes too long for a test of every figure.
fn is_trained(experiment: &AnyExperiment) -> bool {
    matches!(
        experiment,
        RangeTest(_) | CnnTraining(_) | CnnInside(_) | CnnMistakes(_) | McDropout(_) | Tuning(_)
    )
}

/// The last digits of a cosine differ between platforms, and a slope at a minimum consists of nothing else.
fn to_nine_digits(csv: &str) -> String {
    let number = |x: f64| if x.abs() < 1e-12 { "0".to_owned() } else { format!("{x:.8e}") };
    let cell = |cell: &str| cell.parse().map_or(cell.to_owned(), number);
    csv.lines().map(|line| line.split(',').map(cell).collect::<Vec<_>>().join(",") + "\n").collect()
}

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Computes the checksums and compares them with the record; `LECTURE_FIGURES=write` rewrites it.
#[test]
fn exact_figures_and_numbers_are_those_on_record() {
    let mut sums = BTreeMap::new();
    for experiment in AnyExperiment::all().iter().filter(|experiment| is_exact(experiment)) {
        let section = experiment.run().unwrap();
        for (name, bytes) in section.files() {
            let sum = match Path::new(name).extension().and_then(|ending| ending.to_str()) {
                Some("svg") => {
                    assert_every_character_is_drawn(name, std::str::from_utf8(bytes).unwrap());
                    sum(bytes)
                }
                Some("csv") => sum(to_nine_digits(std::str::from_utf8(bytes).unwrap()).as_bytes()),
                _ => continue,
            };
            sums.insert(format!("{}/{name}", section.name), sum);
        }
    }
    let text: String = sums.iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect();
    if std::env::var("LECTURE_FIGURES").is_ok_and(|value| value == "write") {
        fs::write(RECORD, &text).unwrap();
    }
    let record = fs::read_to_string(RECORD).unwrap();
    let recorded: BTreeMap<String, String> = record
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(sum, name)| (name.to_owned(), sum.to_owned()))
        .collect();
    let names = sums.keys().chain(recorded.keys());
    let mut differ: Vec<&String> = names.filter(|name| sums.get(*name) != recorded.get(*name)).collect();
    differ.dedup();
    assert!(
        differ.is_empty() && record == text,
        "not as on record: {differ:?}. If that is as it should be, look at them after `descent lecture`, then \
         LECTURE_FIGURES=write makes the record anew"
    );
}

/// The embedded font draws a box, its glyph 0, for a character that it lacks.
#[track_caller]
fn assert_every_character_is_drawn(name: &str, svg: &str) {
    for (glyph, weight) in [("r0\"", "regular"), ("b0\"", "bold")] {
        assert!(!svg.contains(glyph), "{name}: a {weight} character is not in the font");
    }
}

#[test]
fn the_words_of_all_other_figures_are_those_on_record() {
    let mut words = String::new();
    for experiment in AnyExperiment::all().iter().filter(|e| !is_exact(e) && !is_trained(e)) {
        let section = experiment.run().unwrap();
        for (name, bytes) in section.files().filter(|(name, _)| name.ends_with(".svg")) {
            let svg = std::str::from_utf8(bytes).unwrap();
            assert_every_character_is_drawn(name, svg);
            let texts = svg.split("</text>").filter_map(|before| before.rsplit_once("opacity=\"0\">"));
            // The numbers on the axes follow the data.
            let is_number = |text: &str| text.replace('−', "-").parse::<f64>().is_ok();
            let texts: Vec<&str> = texts.map(|(_, text)| text).filter(|text| !is_number(text)).collect();
            words += &format!("{}/{name}: {}\n", section.name, texts.join(" | "));
        }
    }
    insta::assert_snapshot!(words);
}
