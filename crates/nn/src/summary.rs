//! The model as a table: layer, output shape, parameters, and the total.

use std::fmt;

use autograd::{Graph, Indices, Mode, Params, Role, Tape, Trace, Traced, Var};
use tensor::Shape;

/// A table of a model's layers; [`Layer::summary`](crate::Layer::summary) creates it, `Display` prints it.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The input shapes, one for each input.
    pub inputs: Vec<Shape>,
    /// One row for each layer that has no children or has parameters besides its children's, in the order in
    /// which the layers finish.
    pub rows: Vec<Row>,
    /// The number of parameters that training changes.
    pub n_trainable: usize,
    /// The number of parameters that training leaves unchanged.
    pub n_frozen: usize,
    /// The number of running statistics: stored with the weights, not counted as parameters.
    pub n_statistics: usize,
    /// The multiply-adds that the model performs for these inputs, in matrix products and convolutions.
    pub multiply_adds: u64,
}

/// The shape of a layer's input `X`: one for a tensor or for tokens, a tuple for several inputs.
pub trait InputShape<X> {
    /// Returns such an input, filled with zeros, and adds its shapes to `shapes`.
    fn zeros(self, g: &Graph<'_>, shapes: &mut Vec<Shape>) -> X;
}

impl<S: Into<Shape>> InputShape<Var> for S {
    fn zeros(self, g: &Graph<'_>, shapes: &mut Vec<Shape>) -> Var {
        let shape = self.into();
        shapes.push(shape);
        g.input(shape, &vec![0.0; shape.numel()])
    }
}

impl<S: Into<Shape>> InputShape<Indices> for S {
    fn zeros(self, g: &Graph<'_>, shapes: &mut Vec<Shape>) -> Indices {
        let shape = self.into();
        shapes.push(shape);
        g.tokens(shape, &vec![0; shape.numel()])
    }
}

/// An optional input.
impl<X, S: InputShape<X>> InputShape<Option<X>> for Option<S> {
    fn zeros(self, g: &Graph<'_>, shapes: &mut Vec<Shape>) -> Option<X> {
        self.map(|shape| shape.zeros(g, shapes))
    }
}

macro_rules! several_inputs {
    ($(($($x:ident $s:ident),+)),+) => {$(
        impl<$($x, $s: InputShape<$x>),+> InputShape<($($x,)+)> for ($($s,)+) {
            #[expect(non_snake_case, reason = "a variable for each type")]
            fn zeros(self, g: &Graph<'_>, shapes: &mut Vec<Shape>) -> ($($x,)+) {
                let ($($s,)+) = self;
                ($($s.zeros(g, shapes),)+)
            }
        }
    )+};
}

several_inputs!((X1 S1, X2 S2), (X1 S1, X2 S2, X3 S3), (X1 S1, X2 S2, X3 S3, X4 S4));

/// One layer of a [`Summary`].
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The layer's path in the model: `0`, `block.body.2`.
    pub path: String,
    /// The layer as PyTorch prints it, truncated if long.
    pub layer: String,
    /// The shape of its output.
    pub output: Shape,
    /// The number of its own parameters, trainable or frozen.
    pub n_params: usize,
}

impl Summary {
    /// Runs `forward` of the model printed as `model` on zeros, and summarises the output of its layers.
    pub(crate) fn of<X>(
        model: String,
        params: &Params,
        input: impl InputShape<X>,
        forward: impl FnOnce(&Graph<'_>, X) -> Var,
    ) -> Self {
        let (mut tape, mut run_params) = (Tape::new(), params.clone());
        let g = tape.begin(&mut run_params, Mode::eval());
        let mut inputs = Vec::new();
        let x = input.zeros(&g, &mut inputs);
        let (y, Trace { mut layers, multiply_adds }) = g.trace(|g| forward(g, x));
        layers.push(Traced { path: String::new(), layer: model, output: g.shape(y) });
        let rows = (0..layers.len()).filter_map(|i| Row::of(&layers[i], &layers[..i], params)).collect();
        let count = |role| {
            let entries = params.entries().iter().filter(|entry| entry.role == role);
            entries.map(|entry| entry.shape.numel()).sum::<usize>()
        };
        let n_trainable = params.n_trainable();
        Self {
            inputs,
            rows,
            n_trainable,
            n_frozen: count(Role::Trainable) - n_trainable,
            n_statistics: count(Role::Statistic),
            multiply_adds,
        }
    }

    /// The number of parameters, trainable or frozen.
    pub fn n_params(&self) -> usize {
        self.n_trainable + self.n_frozen
    }
}

impl Row {
    /// The row of a layer, given those that finished before it. It counts the parameters under its path that
    /// are not its children's. `None` if only its children have anything to report.
    fn of(layer: &Traced, before: &[Traced], params: &Params) -> Option<Self> {
        let children: Vec<&Traced> =
            before.iter().filter(|child| is_under(&child.path, &layer.path)).collect();
        let own = params.entries().iter().filter(|entry| {
            entry.role != Role::Statistic
                && is_of(&entry.name, &layer.path)
                && !children.iter().any(|child| is_of(&entry.name, &child.path))
        });
        let n_params = own.map(|entry| entry.shape.numel()).sum();
        let Traced { path, layer, output } = layer;
        let row = Self { path: path.clone(), layer: one_line(layer), output: *output, n_params };
        (children.is_empty() || n_params > 0).then_some(row)
    }

    /// Path, layer, shape of the output and number of parameters, as displayed.
    pub fn cells(&self) -> [String; 4] {
        [self.path.clone(), self.layer.clone(), self.output.to_string(), thousands(self.n_params)]
    }
}

/// Whether a parameter is under a layer's path or has its name.
fn is_of(name: &str, path: &str) -> bool {
    name == path || is_under(name, path)
}

/// Whether a name is under a layer's path; everything is under the empty path.
fn is_under(name: &str, path: &str) -> bool {
    path.is_empty() || name.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'))
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["", "layer", "output shape", "parameters"].map(String::from);
        let inputs =
            self.inputs.iter().map(|input| [String::new(), "input".into(), input.to_string(), String::new()]);
        let rows = self.rows.iter().map(Row::cells);
        let table: Vec<[String; 4]> = [header].into_iter().chain(inputs).chain(rows).collect();
        let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let [w0, w1, w2, w3] = [0, 1, 2, 3].map(width);
        let rule = "─".repeat(w0 + w1 + w2 + w3 + 6);
        for (row_idx, [path, layer, output, n_params]) in table.iter().enumerate() {
            let line = format!("{path:w0$}  {layer:w1$}  {output:w2$}  {n_params:>w3$}");
            writeln!(f, "{}", line.trim_end())?;
            if row_idx == 0 {
                writeln!(f, "{rule}")?;
            }
        }
        writeln!(f, "{rule}")?;
        write!(f, "{} parameters", thousands(self.n_params()))?;
        if self.n_frozen > 0 {
            write!(f, ", {} of them frozen", thousands(self.n_frozen))?;
        }
        if self.n_statistics > 0 {
            write!(f, "; {} running statistics", thousands(self.n_statistics))?;
        }
        if self.multiply_adds > 0 {
            write!(f, "; {} multiply-adds", thousands(self.multiply_adds))?;
        }
        Ok(())
    }
}

/// A layer's description on one line of limited length; with children it may have many lines.
fn one_line(layer: &str) -> String {
    const MAX_CHARS: usize = 88;
    let words = layer.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

/// A count with commas as thousands separators.
fn thousands(n: impl fmt::Display) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
