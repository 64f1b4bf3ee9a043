//! The README's table against PyTorch's names, which `pytorch/names.py` recorded, and against the code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use nn::config::Registry;

/// The rows of one of the README's tables: the name on the left, and those in backticks on the right. What is no
/// method of `Graph` is a link there, so that rustdoc refuses a name that the crate does not export.
type Table = BTreeMap<String, Vec<String>>;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The table under the heading `| title | here |`.
fn table(title: &str) -> Table {
    let readme = read(&here("README.md"));
    let lines = readme.lines().skip_while(|line| *line != format!("| {title} | here |")).skip(2);
    let mut table = Table::new();
    for line in lines.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, ours] = cells[..] else { panic!("README.md: {line:?} has not two cells") };
        let linked = ours;
        let ours: Vec<String> = ours.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        for name in ours.iter().filter(|name| !name.starts_with("g.")) {
            assert!(
                linked.contains(&format!("[`{name}`]")),
                "README.md: {line:?} has `{name}` without a link; write [`{name}`]"
            );
        }
        let is_new = table.insert(name.trim_matches('`').to_owned(), ours).is_none();
        assert!(is_new, "README.md: the table of {title} has two rows for {name}; join them");
    }
    assert!(!table.is_empty(), "README.md: there is no table of {title}");
    table
}

fn tables() -> [Table; 3] {
    ["torch.nn", "torch.nn.functional", "beside them"].map(table)
}

/// What PyTorch has under `prefix`.
fn recorded(prefix: &str) -> BTreeSet<String> {
    let names = read(&here("tests/pytorch/names.txt"));
    let names = names.lines().filter_map(|line| line.strip_prefix(prefix));
    names.filter(|name| !name.contains('.')).map(str::to_owned).collect()
}

/// The files of Rust under a folder.
fn sources(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("a folder can be listed").path());
    let texts = paths.flat_map(|path| match path.is_dir() {
        true => sources(&path),
        false if path.extension().is_some_and(|extension| extension == "rs") => vec![read(&path)],
        false => Vec::new(),
    });
    texts.collect()
}

/// What stands behind `prefix`, up to the first character that belongs to no name.
fn names_after<'t>(text: &'t str, prefix: &'t str) -> impl Iterator<Item = String> + 't {
    let ends = text.match_indices(prefix).map(move |(at, prefix)| &text[at + prefix.len()..]);
    ends.map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
}

/// The public items that a file of this crate lists.
fn items(path: &str) -> BTreeSet<String> {
    let text = read(&here(path));
    let exports = text.split("pub use ").skip(1).map(|rest| rest.split(';').next().unwrap_or_default());
    let words = exports.flat_map(|export| export.split(|c: char| !c.is_alphanumeric() && c != '_'));
    words.filter(|word| word.starts_with(char::is_uppercase)).map(str::to_owned).collect()
}

/// The layers, and what else is listed with them.
fn layers() -> BTreeSet<String> {
    items("src/layers/mod.rs")
}

/// The methods of `Graph` in `autograd/src/ops`, which record an op, and those that the engine itself has.
fn methods() -> (BTreeSet<String>, BTreeSet<String>) {
    let of = |text: &str| -> Vec<String> {
        let graph =
            text.split("\nimpl Graph<'_> {").skip(1).map(|rest| rest.split("\n}").next().unwrap_or_default());
        graph.flat_map(|body| names_after(body, "    pub fn ").collect::<Vec<_>>()).collect()
    };
    let ops = sources(&here("../autograd/src/ops")).iter().flat_map(|text| of(text)).collect();
    let engine = ["graph", "leaves", "part", "reading"]
        .map(|file| read(&here(&format!("../autograd/src/{file}.rs"))))
        .concat();
    (ops, names_after(&engine, "    pub fn ").collect())
}

#[test]
fn every_name_of_pytorch_has_its_row() {
    let [layers, functions, _] = tables();
    for (title, table, prefix) in
        [("torch.nn", layers, "torch.nn."), ("torch.nn.functional", functions, "torch.nn.functional.")]
    {
        let (rows, names) = (table.into_keys().collect::<BTreeSet<_>>(), recorded(prefix));
        let missing: Vec<_> = names.difference(&rows).collect();
        assert!(missing.is_empty(), "README.md: the table of {title} lacks rows for {missing:?}");
        let unknown: Vec<_> = rows.difference(&names).collect();
        assert!(
            unknown.is_empty(),
            "README.md: the table of {title} has rows for {unknown:?}, which PyTorch does not have; what is ours alone \
             goes into the table `beside them`"
        );
    }
}

#[test]
fn every_name_of_ours_is_in_the_code() {
    let (mut items, (ops, engine)) = (items("src/lib.rs"), methods());
    items.extend(layers());
    for (name, ours) in tables().into_iter().flatten() {
        for ours in ours {
            let is_there = match ours.strip_prefix("g.") {
                Some(method) => ops.contains(method) || engine.contains(method),
                None => items.contains(&ours),
            };
            assert!(
                is_there,
                "README.md, the row of {name}: `{ours}` is not there; a layer stands as [`Name`] and is exported by \
                 nn/src/layers/mod.rs, a method of Graph stands as `g.name`"
            );
        }
    }
}

/// What is listed among the layers and is no layer that a configuration can have.
const NOT_IN_A_CONFIG: &[&str] = &[
    "Approximate",
    "BatchNorm",
    "Border",
    "CarriedState",
    "FlattenFrom",
    "GruCell",
    "LstmCell",
    "Masks",
    "PaddingMode",
    "Pair",
    "Parameter",
    "Recurrent",
    "RecurrentCell",
    "RnnCell",
    "Sequences",
    "State",
    "Tensors",
    "TransformerActivation",
];

#[test]
fn every_layer_can_be_read_from_a_configuration() {
    let read: BTreeSet<&str> = Registry::new().names().collect();
    let layers = layers();
    let missing: Vec<_> = layers.iter().map(String::as_str).filter(|layer| !read.contains(layer)).collect();
    assert_eq!(
        missing, NOT_IN_A_CONFIG,
        "left: what nn/src/layers/mod.rs lists and nn/src/builtin.rs cannot read; right: what need not be read. \
         Let a new layer implement Describe, and give it a line there and one in EVERY_LAYER of tests/config.rs"
    );
}

#[test]
fn every_layer_and_every_op_is_in_a_table() {
    let listed: BTreeSet<String> = tables().into_iter().flatten().flat_map(|(_, ours)| ours).collect();
    let (layers, (ops, _)) = (layers(), methods());
    assert!(layers.len() > 12 && ops.len() > 40, "only {layers:?} and {ops:?} were found in the sources");
    let layers: Vec<_> = layers.into_iter().filter(|layer| !listed.contains(layer)).collect();
    assert!(
        layers.is_empty(),
        "README.md: no table has {layers:?}; put [`Name`] into the row of the layer of torch.nn that it is, or add a \
         row to the table `beside them` (| what it is | [`Name`] |)"
    );
    let ops: Vec<_> = ops.into_iter().filter(|op| !listed.contains(&format!("g.{op}"))).collect();
    assert!(
        ops.is_empty(),
        "README.md: no table has the methods {ops:?} of Graph; put `g.name` into the row of the function of \
         torch.nn.functional that it is, or add a row to the table `beside them` (| `torch.name` | `g.name` |)"
    );
}
