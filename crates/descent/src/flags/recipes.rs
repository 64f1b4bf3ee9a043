//! Named recipes: sets of flags as text.

/// Name and text of each recipe. A line is a flag with its value, or a comment after `#`.
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

/// The flags of a recipe as words of a command line.
pub fn words_of_recipe(text: &str) -> impl Iterator<Item = String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(' ').map_or(line.to_owned(), |(flag, value)| format!("{flag}={value}")))
}
