//! Which ops there are, read from the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// The generic ops, and the methods of `Graph` whose calls name an op that is made of one.
const GENERIC: [(&str, &[&str]); 15] = [
    ("Unary", &["elementwise", "activation", "along_last_axis"]),
    ("Activate", &["activate"]),
    ("Binary", &["binary"]),
    ("OverAxes", &["over_axes", "extreme_over"]),
    ("Reduce", &["reduce_axes"]),
    ("Variance", &["variance"]),
    ("Pool2d", &["pool2d"]),
    ("ElementLoss", &["pairwise_loss", "element_loss"]),
    ("RowLoss", &["row_loss"]),
    ("Linear", &["linear_activated"]),
    ("Recurrent", &["recurrent"]),
    ("ConvPool", &["conv_pooled"]),
    ("BatchNorm", &["batch_normalised"]),
    ("RowNorm", &["row_norm"]),
    ("SharedDropout", &["shared_dropout"]),
];

/// Those of the methods that other crates can call.
const PUBLIC: [&str; 2] = ["elementwise", "pairwise_loss"];

/// The names of the ops in the sources under a folder beside this crate's manifest, sorted; none if there is no such
/// folder. Examples in comments do not count.
///
/// # Panics
/// When an op has a name that cannot be read: it must be a literal, in `fn name` or where a generic op is recorded.
pub(crate) fn ops(folder: &str) -> Vec<String> {
    let methods: Vec<&str> = GENERIC.iter().flat_map(|(_, methods)| *methods).copied().collect();
    names(folder, &|source| [source.implemented(), source.recorded(&methods)].concat())
}

/// The same of another crate, where a method of this crate's own may be the name of something else.
pub(crate) fn foreign_ops(folder: &str) -> Vec<String> {
    names(folder, &|source| [source.implemented(), source.recorded(&PUBLIC)].concat())
}

fn names(folder: &str, of: &dyn Fn(&Source) -> Vec<String>) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut names: Vec<String> = rust_files(&root).iter().flat_map(|path| of(&Source::read(path))).collect();
    names.sort();
    names.dedup();
    names
}

/// The public methods of `Graph` in a source, or in those under a folder, beside this crate's manifest, sorted.
pub(crate) fn methods(folder: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut methods = Vec::new();
    for path in rust_files(&root) {
        let text = fs::read_to_string(path).expect("a source is text");
        let bodies = text.split("\nimpl Graph<'_> {").skip(1).filter_map(|rest| rest.split("\n}").next());
        let starts = bodies.flat_map(|body| body.split("\n    pub fn ").skip(1));
        methods.extend(starts.map(|start| first_word(start).to_owned()));
    }
    methods.sort();
    methods
}

/// Whether the table calls this method of `Graph`.
pub(crate) fn is_called(method: &str) -> bool {
    let files = rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gradcheck"));
    files
        .iter()
        .map(|path| Source::read(path).code)
        .filter(|code| code.contains("fn rows() -> Vec<Row>"))
        .any(|code| {
            let calls = ["g.", "Graph::"].map(|before| format!("{before}{method}"));
            calls.iter().any(|call| code.split(call).skip(1).any(|rest| first_word(rest).is_empty()))
        })
}

/// What stands before the first character that belongs to no name.
fn first_word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// The folders beside this crate's.
pub(crate) fn other_crates() -> Vec<String> {
    let this = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = fs::read_dir(this.parent().expect("the crate lies in a folder")).expect("it can be listed");
    let names = beside.map(|entry| entry.expect("it can be listed").file_name());
    names.filter(|name| this.file_name() != Some(name)).map(|name| name.to_string_lossy().into()).collect()
}

/// The code of a file, on one line and without comments.
struct Source<'a> {
    path: &'a Path,
    code: String,
}

impl<'a> Source<'a> {
    fn read(path: &'a Path) -> Self {
        let text = fs::read_to_string(path).expect("a source is text");
        let code: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.starts_with("//")).collect();
        Self { path, code: code.join(" ") }
    }

    /// The names that implementations of `Op` give themselves.
    fn implemented(&self) -> Vec<String> {
        let own = implementors(&self.code)
            .filter(|(implementor, _)| GENERIC.iter().all(|(generic, _)| generic != implementor));
        own.map(|(implementor, body)| {
            let body = body.split_once("fn name(&self) -> &'static str {").map_or("", |(_, body)| body);
            self.name(body, implementor)
        })
        .collect()
    }

    /// The names with which generic ops are recorded.
    fn recorded(&self, methods: &[&str]) -> Vec<String> {
        let calls = |method: &&str| {
            let pattern = format!(".{method}(");
            self.code.split(&pattern).skip(1).map(|rest| self.name(rest, method)).collect::<Vec<_>>()
        };
        methods.iter().flat_map(calls).collect()
    }

    fn name(&self, rest: &str, what: &str) -> String {
        let literal = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"'));
        let (name, _) =
            literal.unwrap_or_else(|| panic!("{}: the name of {what} is no literal", self.path.display()));
        name.to_owned()
    }
}

/// The types with an `impl Op for`, generic or not, and what stands behind their names.
fn implementors(code: &str) -> impl Iterator<Item = (&str, &str)> {
    let impls = code.match_indices("Op for ").filter(|(at, _)| !code[..*at].ends_with(char::is_alphanumeric));
    impls.map(|(at, pattern)| {
        let rest = &code[at + pattern.len()..];
        rest.split_at(rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len()))
    })
}

/// The sources under a folder, or the source at this path; none if there is neither.
fn rust_files(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(path) else {
        let is_source = path.is_file() && path.extension().is_some_and(|extension| extension == "rs");
        return if is_source { vec![path.to_path_buf()] } else { Vec::new() };
    };
    entries.flat_map(|entry| rust_files(&entry.expect("a folder can be listed").path())).collect()
}
