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
        if is_start { 1 } else { strsim::osa_distance(&name, &known.to_lowercase()) }
    };
    let others = known.into_iter().filter(|known| *known != given);
    let nearest = others.map(|known| (distance(&known), known)).min_by_key(|(n, _)| *n);
    match nearest {
        Some((n, known)) if n <= name.chars().count() / 3 => format!("; did you mean {known}?"),
        _ => String::new(),
    }
}
