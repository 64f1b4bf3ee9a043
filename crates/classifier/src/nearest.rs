//! The known name that was probably meant.

/// The longest name that may be a slip of the keyboard.
const MAX_LEN: usize = 64;

/// The end of an error about an unknown name: "; did you mean NAME?", or nothing if no known name is near.
///
/// ```
/// use classifier::tip;
/// assert_eq!(tip("restnet18", ["lenet5", "resnet18"]), "; did you mean resnet18?");
/// assert_eq!(tip("Adam", ["sgd", "adam"]), "; did you mean adam?");
/// assert_eq!(tip("stairs", ["constant", "cosine"]), "");
/// ```
pub fn tip<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let name = given.to_lowercase();
    if name.len() > MAX_LEN {
        return String::new();
    }
    let distance = |known: &&str| {
        let is_start = name.len() > 2 && known.to_lowercase().starts_with(&name);
        if is_start { 1 } else { edits(&name, &known.to_lowercase()) }
    };
    let others = known.into_iter().filter(|known| *known != given);
    let nearest = others.map(|known| (distance(&known), known)).min_by_key(|(n, _)| *n);
    match nearest {
        Some((n, known)) if n <= name.chars().count() / 3 => format!("; did you mean {known}?"),
        _ => String::new(),
    }
}

/// The fewest insertions, removals, replacements and exchanges of neighbours that lead from one text to the
/// other.
fn edits(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows = vec![(0..=to.len()).collect::<Vec<usize>>()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (from, to, n) in [
            ("", "", 0),
            ("", "ab", 2),
            ("ephocs", "epochs", 2),
            ("adm", "adam", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!((edits(from, to), edits(to, from)), (n, n), "{from} {to}");
        }
    }
}
