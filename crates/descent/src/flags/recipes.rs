//! Named recipes: sets of flags as text.

/// Name and text of each recipe. A line is a flag with its value, for all data or for CIFAR-10 alone, or a comment
/// after `#`.
pub const RECIPES: [(&str, &str); 5] = [
    ("lecture", include_str!("../../recipes/lecture.txt")),
    ("airbench94", include_str!("../../recipes/airbench94.txt")),
    ("airbench94-sgd", include_str!("../../recipes/airbench94-sgd.txt")),
    ("airbench94-2025", include_str!("../../recipes/airbench94-2025.txt")),
    ("airbench95", include_str!("../../recipes/airbench95.txt")),
];

/// The text of a recipe.
pub fn recipe(name: &str) -> Option<&'static str> {
    RECIPES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The beginning of a line with a flag that other data do not have. Such flags are what CIFAR-10 has without any:
/// see [`Images::default_validation`](classifier::Images::default_validation) and its `watches_test`.
const ON_CIFAR_10: &str = "on CIFAR-10: ";

/// The flags of a recipe as words of a command line.
pub fn words_of_recipe(text: &str) -> impl Iterator<Item = String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter(|line| !line.starts_with(ON_CIFAR_10)).map(word)
}

/// The flags that a recipe has on CIFAR-10 besides.
pub fn words_on_cifar_10(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter_map(|line| line.trim().strip_prefix(ON_CIFAR_10)).map(word)
}

fn word(line: &str) -> String {
    line.split_once(' ').map_or(line.to_owned(), |(flag, value)| format!("{flag}={value}"))
}
