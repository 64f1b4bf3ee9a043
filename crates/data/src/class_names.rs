//! Class names, in the order of the labels.

use std::collections::HashSet;
use std::io::{ErrorKind, Read};
use std::path::Path;

use foreign_text::Foreign;

use crate::Error;
use crate::files::open_regular;

/// CIFAR-10.
pub const CIFAR10: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// CIFAR-100, the twenty superclasses ("coarse" labels).
#[rustfmt::skip]
pub const CIFAR100_COARSE: [&str; 20] = [
    "aquatic_mammals", "fish", "flowers", "food_containers", "fruit_and_vegetables",
    "household_electrical_devices", "household_furniture", "insects", "large_carnivores",
    "large_man-made_outdoor_things", "large_natural_outdoor_scenes", "large_omnivores_and_herbivores",
    "medium_mammals", "non-insect_invertebrates", "people", "reptiles", "small_mammals", "trees",
    "vehicles_1", "vehicles_2",
];

/// CIFAR-100, the hundred classes ("fine" labels).
#[rustfmt::skip]
pub const CIFAR100_FINE: [&str; 100] = [
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl",
    "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair",
    "chimpanzee", "clock", "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin",
    "elephant", "flatfish", "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp",
    "lawn_mower", "leopard", "lion", "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain",
    "mouse", "mushroom", "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck",
    "pine_tree", "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road",
    "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake", "spider",
    "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank", "telephone", "television",
    "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale", "willow_tree", "wolf",
    "woman", "worm",
];

/// Fashion-MNIST (Xiao et al., 2017).
#[rustfmt::skip]
pub const FASHION_MNIST: [&str; 10] = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
];

/// The lines of a file of class names that are not empty, or `None` if there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<String>>, Error> {
    let file = match open_regular(path) {
        Ok(file) => file,
        // Nothing exists here, not even a dangling link.
        Err(Error::Io { source, .. })
            if source.kind() == ErrorKind::NotFound && path.symlink_metadata().is_err() =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let problem = |problem: String| Error::ClassNames { path: path.to_path_buf(), problem };
    let max_len = 1 << 16;
    let mut bytes = Vec::new();
    file.take(max_len + 1).read_to_end(&mut bytes).map_err(Error::io(path))?;
    if bytes.len() as u64 > max_len {
        return Err(problem(format!("expected at most {max_len} bytes of class names, found more")));
    }
    let text = str::from_utf8(&bytes).map_err(|error| {
        let n_before = bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count();
        problem(format!("line {}: the class names are not UTF-8", n_before + 1))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut names, mut known) = (Vec::new(), HashSet::new());
    for (number, line) in (1..).zip(text.lines()) {
        let name = line.trim();
        if name.is_empty() {
            continue;
        }
        let checked = check(name).and_then(|()| if known.insert(name) { Ok(()) } else { Err(same(name)) });
        checked.map_err(|found| problem(format!("line {number}: {found}")))?;
        names.push(name.into());
    }
    Ok(Some(names))
}

/// Checks that an external name can safely be printed to a terminal and drawn in a plot: it must not contain
/// control characters.
pub(crate) fn check(name: &str) -> Result<(), String> {
    let name = Foreign::new(name);
    if name.has_orders() { Err(format!("the name \"{name}\" contains a control character")) } else { Ok(()) }
}

/// Checks the names of all classes, which must also be distinct.
pub(crate) fn check_all(names: &[String]) -> Result<(), String> {
    names.iter().try_for_each(|name| check(name))?;
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(same(pair[0])),
        None => Ok(()),
    }
}

fn same(name: &str) -> String {
    format!("two classes are named \"{}\"", Foreign::new(name))
}
