//! Sums of products given by an equation, built from permutations, products and sums.

use std::fmt;

use tensor::{Axes, MAX_RANK, Shape};

use super::shared::count;
use crate::{Graph, Var};

impl Graph<'_> {
    /// The sum of products given by an equation; `torch.einsum`, for one operand or two.
    ///
    /// Each operand's axes are named by letters. A letter missing after the arrow is summed over; a letter
    /// that both operands have names the same index in both; as in [`add`](Self::add), an operand whose axis has
    /// size 1 is repeated along it. Without an arrow, the result has the letters that occur once, in
    /// alphabetical order. If a shared letter is summed over and an operand has a letter of its own, two
    /// operands become one (batched) matrix product.
    ///
    /// An ellipsis, `...`, stands for all axes of an operand that have no letter, aligned at the last of them;
    /// a missing one is repeated too. After the arrow it stands for those of the result; without it there they
    /// are summed over, and without an arrow they come first.
    ///
    /// ```
    /// use autograd::{Graph, Var};
    ///
    /// /// Attention weights of queries [n, heads, t, d] and keys [n, heads, s, d].
    /// fn scores(g: &Graph<'_>, queries: Var, keys: Var) -> Var {
    ///     g.einsum("nhtd,nhsd->nhts", &[queries, keys])
    /// }
    ///
    /// /// A matrix's transpose, the sums of its rows, and the outer product of each row with itself.
    /// fn more(g: &Graph<'_>, x: Var) -> [Var; 3] {
    ///     [g.einsum("ij->ji", &[x]), g.einsum("ij->i", &[x]), g.einsum("ij,ik->ijk", &[x, x])]
    /// }
    ///
    /// /// The products of the last two axes, whatever the axes before them.
    /// fn products(g: &Graph<'_>, a: Var, b: Var) -> Var {
    ///     g.einsum("...ij,...jk->...ik", &[a, b])
    /// }
    /// ```
    ///
    /// The images of a batch, on the first axis of an operand, stay there. They may be summed over, shared by both
    /// operands, or be the first axis of the result. If a product of matrices has them as rows (`"nhd,hdk->nhk"`) or
    /// sums over them (`"nhi,nhj->hij"`) beside another shared letter, it is made image by image: the second needs
    /// memory for the result of each image.
    ///
    /// # Panics
    /// When the equation cannot be parsed, does not fit the operands, has a letter twice in one operand (a
    /// diagonal), or when one letter stands for two sizes other than 1. If the process has only a part of the batch,
    /// also when the images are not on the result's first axis although they are in it (`"ni->in"`), or when images
    /// meet other images (`"ni,mi->nm"`).
    #[track_caller]
    pub fn einsum(&self, equation: &str, operands: &[Var]) -> Var {
        let refuse = |message: String| -> ! { panic!("einsum{}: {equation:?}: {message}", self.at()) };
        let parsed = Equation::parse(equation).unwrap_or_else(|message| refuse(message));
        if parsed.n_operands != operands.len() {
            let (named, given) = (count(parsed.n_operands, "operand"), operands.len());
            refuse(format!("it names {named}, found {given}; give one for each term before the arrow"));
        }
        let (mut sizes, mut labels) = (Sizes::default(), [Labels::default(); 2]);
        for ((&x, term), labels) in operands.iter().zip(&parsed.operands).zip(&mut labels) {
            let shape = self.shape(x);
            *labels = term.of_shape(shape).unwrap_or_else(|message| refuse(message));
            sizes.add(*labels, shape).unwrap_or_else(|message| refuse(message));
        }
        let output = parsed.output.labels(sizes.n_unnamed()).unwrap_or_else(|message| refuse(message));
        if self.batch().is_in_parts() {
            self.check_images(operands, labels, output).unwrap_or_else(|message| refuse(message));
        }
        let operand = |i: usize| self.without_repeated(operands[i], labels[i], &sizes);
        let result = match operands.len() {
            1 => self.sum_out(operand(0), |label| output.contains(label)),
            _ => self.einsum_of_two([operand(0), operand(1)], output, &sizes),
        };
        self.arrange(result, output)
    }

    /// Checks that images are on the first axis of the result or summed over, and are not compared with each other.
    fn check_images(&self, operands: &[Var], labels: [Labels; 2], output: Labels) -> Result<(), String> {
        let mut found = None;
        for (i, _) in operands.iter().enumerate().filter(|&(_, &x)| self.has_images(x)) {
            let Some(images) = labels[i].first() else { continue };
            // Over the images of one operand alone, a sum is taken first.
            if !output.contains(images) && !labels[1 - i].contains(images) {
                continue;
            }
            let first = *found.get_or_insert(images);
            if first != images {
                return Err(format!(
                    "{} and {} both run over the images of a batch, of which only a part is in this process; name \
                     both by one letter, or sum over one of them",
                    quoted(first),
                    quoted(images)
                ));
            }
            if output.contains(images) && output.first() != Some(images) {
                return Err(format!(
                    "{} runs over the images of a batch, of which only a part is in this process; put it first after \
                     the arrow, or leave it out there to sum over it",
                    quoted(images)
                ));
            }
        }
        Ok(())
    }

    /// The operand without the axes along which it is repeated.
    #[track_caller]
    fn without_repeated(&self, x: Var, labels: Labels, sizes: &Sizes) -> Operand {
        let shape = self.shape(x);
        let size_here = |label: u8| shape[labels.position(label).expect("the label is one of the operand's")];
        let kept = labels.filter(|label| size_here(label) == sizes.size(label));
        if kept.len == labels.len {
            return Operand { x, labels };
        }
        Operand { x: self.reshape(x, sizes.shape(kept, |_| true)), labels: kept }
    }

    /// The product of two operands, with its axes in any order.
    #[track_caller]
    fn einsum_of_two(&self, [a, b]: [Operand; 2], output: Labels, sizes: &Sizes) -> Operand {
        let only_in = |one: Operand, other: Operand| {
            self.sum_out(one, |label| output.contains(label) || other.labels.contains(label))
        };
        let (mut a, mut b) = (only_in(a, b), only_in(b, a));
        // The first axis of the result, which may run over images, should come from the first operand.
        if output
            .list()
            .iter()
            .find(|&&label| !a.has_both(b, label))
            .is_some_and(|&label| b.labels.contains(label))
        {
            (a, b) = (b, a);
        }
        // Images stay on the first axis of every value: where the names allow them, whether they are there or not, so
        // that the bits are the same. Where they are summed over beside axes that both operands share, they are
        // themselves shared at first, and summed over at the end.
        let firsts = [a, b].map(|operand| operand.labels.first());
        let images = match output.first() {
            Some(first) if firsts.contains(&Some(first)) => Some(first),
            _ => firsts[0].filter(|_| firsts[0] == firsts[1]),
        };
        let is_images = |label: u8| images == Some(label);
        let shared = a.labels.filter(|label| b.labels.contains(label));
        let kept = output.filter(|label| shared.contains(label));
        let last = shared.filter(|label| {
            is_images(label) && !output.contains(label) && kept.len > 0 && output.len < MAX_RANK
        });
        let summed = shared.filter(|label| !output.contains(label) && !last.contains(label));
        let free_a = a.labels.filter(|label| !shared.contains(label));
        let free_b = b.labels.filter(|label| !shared.contains(label));
        let product = if summed.len == 0 || free_a.len + free_b.len == 0 {
            self.product_by_broadcast([a, b], last.then(output), summed, sizes)
        } else {
            let batch = last.then(kept.filter(is_images)).then(kept.filter(|label| !is_images(label)));
            // Images that a product has as rows are an axis of their own before those that both operands share.
            let leading = free_a.filter(|label| is_images(label) && batch.len > 0);
            let rows = free_a.filter(|label| !leading.contains(label));
            self.product_of_matrices([a, b], [leading, batch, rows, summed, free_b], images, sizes)
        };
        self.sum_out(product, |label| !last.contains(label))
    }

    /// The same as a (batched) matrix product. The parts are axes of the first operand alone that come first, those
    /// that both share, the rows of the first, those that are summed over, and the columns of the second.
    #[track_caller]
    fn product_of_matrices(
        &self,
        [a, b]: [Operand; 2],
        [leading, batch, rows, summed, cols]: [Labels; 5],
        images: Option<u8>,
        sizes: &Sizes,
    ) -> Operand {
        // Either order of the last two axes works without a copy; other orders are permuted.
        let matrix = |x: Operand, leading: Labels, rows: Labels, cols: Labels| {
            let before = leading.then(batch);
            let [plain, transposed] = [before.then(rows).then(cols), before.then(cols).then(rows)];
            // Images that are summed over come first in the transposed order.
            let starts_with_images = before.len == 0 && transposed.first() == images;
            let is_transposed = x.labels != plain && (x.labels == transposed || starts_with_images);
            let x = self.arrange(x, if is_transposed { transposed } else { plain });
            let [rows, cols] = if is_transposed { [cols, rows] } else { [rows, cols] };
            // The axes of a part become one axis. Without leading or batch axes, that axis is left out.
            let (mut dims, mut rank) = ([0; 4], 0);
            let parts = [leading, batch].into_iter().filter(|part| part.len > 0).chain([rows, cols]);
            for part in parts {
                dims[rank] = sizes.product(part);
                rank += 1;
            }
            (self.reshape(x, Shape::new(&dims[..rank])), is_transposed)
        };
        let (a, transpose_a) = matrix(a, leading, rows, summed);
        let (b, transpose_b) = matrix(b, Labels::default(), summed, cols);
        let c = self.matmul_transposed(a, b, [transpose_a, transpose_b]);
        let labels = leading.then(batch).then(rows).then(cols);
        Operand { x: self.reshape(c, sizes.shape(labels, |_| true)), labels }
    }

    /// The same, element by element, with the axes that are summed over behind the others: for products in which
    /// nothing is summed, or all axes that are not summed are shared.
    #[track_caller]
    fn product_by_broadcast(
        &self,
        [a, b]: [Operand; 2],
        kept: Labels,
        summed: Labels,
        sizes: &Sizes,
    ) -> Operand {
        let all = kept.then(summed);
        let widened = |operand: Operand| {
            let own = all.filter(|label| operand.labels.contains(label));
            let x = self.arrange(operand, own);
            self.reshape(x, sizes.shape(all, |label| own.contains(label)))
        };
        let product = Operand { x: self.mul(widened(a), widened(b)), labels: all };
        self.sum_out(product, |label| !summed.contains(label))
    }

    /// The sum over all axes but those that are kept.
    #[track_caller]
    fn sum_out(&self, Operand { x, labels }: Operand, is_kept: impl Fn(u8) -> bool) -> Operand {
        let kept = labels.filter(&is_kept);
        if kept.len == labels.len {
            return Operand { x, labels };
        }
        let (mut axes, mut n_axes) = ([0; MAX_RANK], 0);
        for (axis, _) in labels.list().iter().enumerate().filter(|&(_, &label)| !is_kept(label)) {
            axes[n_axes] = axis;
            n_axes += 1;
        }
        Operand { x: self.sum_axes(x, Axes::from(&axes[..n_axes]), false), labels: kept }
    }

    /// The axes in the order of `labels`, all of which the operand has.
    #[track_caller]
    fn arrange(&self, operand: Operand, labels: Labels) -> Var {
        if operand.labels == labels {
            return operand.x;
        }
        let mut axes = [0; MAX_RANK];
        for (axis, &label) in axes.iter_mut().zip(labels.list()) {
            *axis = operand.labels.position(label).expect("the label is one of the operand's");
        }
        self.permute(operand.x, &axes[..labels.len])
    }
}

/// An axis's name as errors say it.
fn quoted(label: u8) -> String {
    match label {
        b'0'..=b'9' => "an axis of \"...\"".to_owned(),
        _ => format!("{:?}", char::from(label)),
    }
}

/// A value and the names of its axes.
#[derive(Clone, Copy)]
struct Operand {
    x: Var,
    labels: Labels,
}

impl Operand {
    fn has_both(self, other: Operand, label: u8) -> bool {
        self.labels.contains(label) && other.labels.contains(label)
    }
}

/// Names of axes, one letter each; those of an ellipsis are named by digits, 0 being the last.
#[derive(Clone, Copy, Default, PartialEq)]
struct Labels {
    letters: [u8; MAX_RANK],
    len: usize,
}

impl Labels {
    fn list(&self) -> &[u8] {
        &self.letters[..self.len]
    }

    fn first(&self) -> Option<u8> {
        self.list().first().copied()
    }

    fn contains(&self, label: u8) -> bool {
        self.list().contains(&label)
    }

    fn position(&self, label: u8) -> Option<usize> {
        self.list().iter().position(|&other| other == label)
    }

    /// Appends one letter.
    fn push(&mut self, label: u8) -> Result<(), String> {
        if self.len == MAX_RANK {
            return Err(format!("a term has more than {MAX_RANK} axes, the maximum"));
        }
        self.letters[self.len] = label;
        self.len += 1;
        Ok(())
    }

    fn filter(&self, is_kept: impl Fn(u8) -> bool) -> Self {
        self.list().iter().copied().filter(|&label| is_kept(label)).fold(Self::default(), Self::with)
    }

    /// Appends another list. Both are axes of one value, so they fit.
    fn then(self, other: Self) -> Self {
        other.list().iter().copied().fold(self, Self::with)
    }

    fn with(mut self, label: u8) -> Self {
        self.push(label).expect("the axes of one value");
        self
    }
}

/// One operand of an equation, or its result: letters, and how many of them stand before the ellipsis.
#[derive(Clone, Copy, Default)]
struct Term {
    letters: Labels,
    ellipsis: Option<usize>,
}

impl Term {
    fn parse(text: &str) -> Result<Self, String> {
        let mut term = Self::default();
        let mut chars = text.chars().filter(|letter| !letter.is_whitespace());
        while let Some(letter) = chars.next() {
            if letter == '.' && chars.next() == Some('.') && chars.next() == Some('.') {
                if term.ellipsis.replace(term.letters.len).is_some() {
                    return Err(format!("\"...\" appears twice in \"{}\"; write it once", text.trim()));
                }
                continue;
            }
            let Some(label) = u8::try_from(letter).ok().filter(u8::is_ascii_alphabetic) else {
                return Err(format!(
                    "{letter:?} cannot name an axis; write letters, \"...\", commas between operands and one \
                     \"->\", as in \"bij,bjk->bik\""
                ));
            };
            if term.letters.contains(label) {
                return Err(format!(
                    "{letter:?} appears twice in \"{}\"; diagonals are not supported",
                    text.trim()
                ));
            }
            term.letters.push(label)?;
        }
        Ok(term)
    }

    /// The names of an operand's axes.
    fn of_shape(&self, shape: Shape) -> Result<Labels, String> {
        let (n_letters, rank) = (self.letters.len, shape.rank());
        let n_unnamed = match self.ellipsis {
            Some(_) => rank.checked_sub(n_letters),
            None => (rank == n_letters).then_some(0),
        };
        match n_unnamed {
            Some(n_unnamed) => self.labels(n_unnamed),
            None if self.ellipsis.is_some() => Err(format!(
                "\"{self}\" names {n_letters} axes beside the ellipsis, the operand {shape} has {rank}"
            )),
            None => Err(format!(
                "\"{self}\" names {n_letters} axes, the operand {shape} has {rank}; give each axis a letter"
            )),
        }
    }

    /// All names, if the ellipsis stands for this many axes.
    fn labels(&self, n_unnamed: usize) -> Result<Labels, String> {
        let n_before = self.ellipsis.unwrap_or(0);
        let n_unnamed = if self.ellipsis.is_some() { n_unnamed } else { 0 };
        let (before, after) = self.letters.list().split_at(n_before);
        let unnamed = (0..n_unnamed).rev().map(|idx| b'0' + idx as u8);
        let mut labels = Labels::default();
        let mut all = before.iter().copied().chain(unnamed).chain(after.iter().copied());
        all.try_for_each(|label| labels.push(label))?;
        Ok(labels)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (idx, &label) in self.letters.list().iter().enumerate() {
            if self.ellipsis == Some(idx) {
                write!(f, "...")?;
            }
            write!(f, "{}", char::from(label))?;
        }
        if self.ellipsis == Some(self.letters.len) { write!(f, "...") } else { Ok(()) }
    }
}

/// An equation of one operand or two.
struct Equation {
    operands: [Term; 2],
    n_operands: usize,
    output: Term,
}

impl Equation {
    fn parse(equation: &str) -> Result<Self, String> {
        let (inputs, output) = match equation.split_once("->") {
            Some((inputs, output)) => (inputs, Some(Term::parse(output)?)),
            None => (equation, None),
        };
        let (mut operands, mut n_operands) = ([Term::default(); 2], 0);
        for input in inputs.split(',') {
            let Some(term) = operands.get_mut(n_operands) else {
                return Err("it names more than two operands; multiply two at a time".into());
            };
            *term = Term::parse(input)?;
            n_operands += 1;
        }
        let n_places = |label: u8| operands.iter().filter(|term| term.letters.contains(label)).count();
        let output = match output {
            Some(output) => output,
            None => {
                let mut output = Term { letters: Labels::default(), ellipsis: Some(0) };
                (b'A'..=b'z')
                    .filter(|&label| n_places(label) == 1)
                    .try_for_each(|label| output.letters.push(label))?;
                output
            }
        };
        match output.letters.list().iter().find(|&&label| n_places(label) == 0) {
            Some(&label) => Err(format!(
                "{:?} after the arrow is in none of the operands; use only letters of the operands",
                char::from(label)
            )),
            None => Ok(Self { operands, n_operands, output }),
        }
    }
}

/// The size of each axis, and the shape it was taken from.
#[derive(Default)]
struct Sizes {
    labels: [Labels; 2],
    shapes: [Option<Shape>; 2],
}

impl Sizes {
    fn add(&mut self, labels: Labels, shape: Shape) -> Result<(), String> {
        for (&label, &size) in labels.list().iter().zip(shape.iter()) {
            match self.find(label) {
                Some((other, of)) if other != size && other != 1 && size != 1 => {
                    return Err(format!(
                        "{} is {other} in {of} and {size} in {shape}; make the sizes equal, or one of them 1",
                        quoted(label)
                    ));
                }
                _ => {}
            }
        }
        let place = usize::from(self.shapes[0].is_some());
        (self.labels[place], self.shapes[place]) = (labels, Some(shape));
        Ok(())
    }

    /// The size of an axis, and a shape that has it: one that is not repeated along it.
    fn find(&self, label: u8) -> Option<(usize, Shape)> {
        let known = self.labels.iter().zip(self.shapes);
        let sizes = known.filter_map(|(labels, shape)| Some((shape?[labels.position(label)?], shape?)));
        sizes.reduce(|first, second| if first.0 == 1 { second } else { first })
    }

    fn size(&self, label: u8) -> usize {
        self.find(label).expect("each letter is one of an operand").0
    }

    /// The number of axes that the ellipsis of the result stands for.
    fn n_unnamed(&self) -> usize {
        let n_unnamed = |labels: &Labels| labels.list().iter().filter(|label| label.is_ascii_digit()).count();
        self.labels.iter().map(n_unnamed).max().unwrap_or(0)
    }

    fn product(&self, labels: Labels) -> usize {
        labels.list().iter().map(|&label| self.size(label)).product()
    }

    /// The sizes of these axes, with 1 for those that are not chosen.
    fn shape(&self, labels: Labels, is_chosen: impl Fn(u8) -> bool) -> Shape {
        let mut dims = [1; MAX_RANK];
        for (dim, &label) in dims.iter_mut().zip(labels.list()).filter(|(_, label)| is_chosen(**label)) {
            *dim = self.size(label);
        }
        Shape::new(&dims[..labels.len])
    }
}
