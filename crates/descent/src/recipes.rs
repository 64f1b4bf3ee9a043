//! `descent recipes`: the named sets of flags, which further flags override.

use std::ffi::OsString;

use anyhow::Result;
use classifier::output::{self, answer, say_json};
use data::ImageShape;
use nn::Layer;
use serde_json::{Map, Value, json};

use crate::cli::{Command, RecipesArgs, TrainArgs};
use crate::config_file::parse;
use crate::flags::{RECIPES, recipe, words_of_recipe, words_on_cifar_10};
use crate::report;

/// `descent recipes`: lists the names, or prints one recipe with its network; with `--json` objects.
///
/// # Errors
/// When standard output cannot be written.
pub fn recipes(args: &RecipesArgs) -> Result<()> {
    let asked = args.name.as_deref();
    if args.json {
        let chosen = RECIPES.iter().filter(|(name, _)| asked.is_none_or(|asked| asked == *name));
        return chosen.map(|(name, text)| object(name, text)).try_for_each(|object| say_json(&object));
    }
    let Some((name, text)) = asked.and_then(|name| Some((name, recipe(name)?))) else {
        for (_, text) in RECIPES {
            answer(text.lines().next().unwrap_or_default().trim_start_matches("# "))?;
        }
        return answer(
            "\n`descent recipes NAME` prints one; `descent train --recipe NAME` trains with it, and further \
             flags override it.",
        );
    };
    let settings = train_args(name).settings;
    let ImageShape { height, width, channels } = ImageShape::CIFAR;
    let net = settings.net.network(ImageShape::CIFAR, 10, settings.dropout as f32)?;
    let (net, params) = nn::build(net, settings.seed);
    let summary = net.summary(&params, [1, height, width, channels]);
    answer(format_args!("{text}\n{}", report::fitted(&summary, output::width())))
}

/// The object that `--json` prints for a recipe.
fn object(name: &str, text: &str) -> Value {
    let description = text.lines().next().unwrap_or_default();
    let description = description.split_once(": ").map_or(description, |(_, description)| description);
    let (flags, on_cifar_10) = (flags(words_of_recipe(text)), flags(words_on_cifar_10(text)));
    json!({ "recipe": name, "description": description, "flags": flags, "on_cifar_10": on_cifar_10 })
}

/// Flags with their values.
fn flags(words: impl Iterator<Item = String>) -> Map<String, Value> {
    let mut flags = Map::new();
    for word in words {
        let (flag, value) = word.split_once('=').unwrap_or((&word, "true"));
        let value = match flags.get(flag).and_then(Value::as_str) {
            // Groups are given one by one.
            Some(before) => format!("{before}; {value}"),
            None => value.to_owned(),
        };
        flags.insert(flag.to_owned(), value.into());
    }
    flags
}

/// The flags of a recipe, parsed as from the command line.
///
/// # Panics
/// When there is no such recipe.
pub fn train_args(name: &str) -> TrainArgs {
    let line = ["descent", "train", "--recipe", name].map(OsString::from);
    match parse(line, |_| None).expect("there is no file to read").command() {
        Command::Train(args) => *args,
        _ => unreachable!("the line says train"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Settings};
    use crate::config_file::expanded;
    use crate::idle::idle_flags;
    use crate::recipe::{Length, Recipe, check};

    fn settings(line: &[&str]) -> Settings {
        let line = ["descent", "train"].iter().chain(line).map(OsString::from);
        let words = expanded(line).unwrap().words;
        let Command::Train(args) = Cli::parse_from(words).command() else { panic!() };
        args.settings
    }

    #[test]
    fn the_lectures_recipe_is_what_the_program_does_without_one() {
        let plain = settings(&[]);
        let mut lecture = settings(&["--recipe", "lecture"]);
        // On CIFAR-10 these are the defaults.
        assert_eq!((lecture.epochs.take(), lecture.lr.take()), (Some(50), Some(0.005)));
        assert_eq!(lecture.recipe.take().as_deref(), Some("lecture"));
        assert_eq!(lecture, plain);
        // What it has on CIFAR-10 besides is what the data have.
        let text = recipe("lecture").unwrap();
        assert!(words_on_cifar_10(text).eq(["--val=0", "--watch-test"]));
        let mut images = classifier::Images::open(None).unwrap();
        assert!(images.default_validation(50) == 5 && !images.watches_test());
        images.kind = classifier::Kind::Cifar10;
        assert!(images.default_validation(50) == 0 && images.watches_test());
        let others = RECIPES.iter().filter(|(name, _)| *name != "lecture");
        assert!(others.flat_map(|(_, text)| words_on_cifar_10(text)).next().is_none());
    }

    /// Compared with airbench94_muon.py, which has eight epochs.
    #[test]
    fn airbench94_has_the_numbers_of_its_program() {
        let recipe = settings(&["--recipe=airbench94"]);
        assert_eq!(
            (recipe.net.to_string().as_str(), recipe.epochs, recipe.batch_size),
            ("airbench94", Some(9), 2000)
        );
        assert!(recipe.drop_last && recipe.normalize == crate::flags::NormalizeFlag::Measured);
        assert_eq!((recipe.whiten, recipe.label_smoothing), (Some(5000), 0.2));
        assert_eq!((recipe.optimizer.as_str(), recipe.momentum, recipe.lr), ("sgd", Some(0.85), Some(0.053)));
        assert_eq!(recipe.schedule, "linear");
        // 2e-6 per image of a batch, divided by the learning rate.
        assert!((recipe.weight_decay * 0.053 - 2e-6 * 2000.0).abs() < 1e-15);
        let groups = crate::flags::GroupFlag::all(&recipe.group).unwrap();
        let group = |name: &str| groups.iter().find(|group| group.selector == name).unwrap();
        let decay = |name: &str| -> f64 {
            let (_, text) =
                group(name).hyperparameters.iter().find(|(name, _)| name == "weight_decay").unwrap();
            text.parse().unwrap()
        };
        assert!((decay("head") * group("head").lr.unwrap() - 0.004).abs() < 1e-15);
        assert_eq!((group("head").lr, group("filters").lr, decay("filters")), (Some(0.67), Some(0.24), 0.0));
        assert_eq!(
            (group("whiten.bias").schedule_epochs, group("whiten.bias").freeze_after),
            (Some(3.0), Some(3.0))
        );
    }

    /// Compared with airbench94.py and airbench95.py, whose `kilostep_scale` is 1024 · (1 + 1 / (1 −
    /// momentum)).
    #[test]
    fn the_recipes_of_sgd_have_the_numbers_of_their_programs() {
        let scale = 1024.0 * (1.0 + 1.0 / (1.0 - 0.85));
        for (name, net, epochs, n_steps, lr, width) in [
            ("airbench94-sgd", "airbench94", 9.9_f64, 476, 11.5, 256.0),
            ("airbench95", "airbench:128,384,384", 15.0, 720, 10.0, 384.0),
        ] {
            let recipe = settings(&["--recipe", name]);
            assert_eq!(
                (recipe.net.to_string().as_str(), recipe.epochs, recipe.batch_size),
                (net, Some(epochs.ceil() as u64), 1024)
            );
            // The 50,000 images make 48 full batches.
            let length = Length::of(&recipe, recipe.epochs.unwrap(), 50_000, None).unwrap();
            assert_eq!((length.n_steps, (48.0 * epochs).ceil()), (n_steps, n_steps as f64), "{name}");
            let close = |found: f64, expected: f64| (found / expected - 1.0).abs() < 1e-12;
            let (lr, decay) = (lr / scale, 0.0153 * 1024.0 / scale);
            assert!(close(recipe.lr.unwrap(), lr) && close(recipe.weight_decay, decay / lr), "{name}");
            let groups = crate::flags::GroupFlag::all(&recipe.group).unwrap();
            let head = lr * (width / 9.0_f64).powi(2);
            for (group, expected) in
                groups.iter().zip([("biases", 64.0 * lr), ("whiten.bias", lr), ("head", head)])
            {
                assert_eq!(group.selector, expected.0);
                let [(what, own_decay)] = &group.hyperparameters[..] else { panic!("{group}") };
                let own_decay: f64 = own_decay.parse().unwrap();
                assert!(
                    close(group.lr.unwrap(), expected.1) && close(own_decay, decay / expected.1),
                    "{group}"
                );
                assert_eq!(what, "weight_decay");
            }
            assert_eq!((groups.len(), groups[1].freeze_after), (3, Some(3.0)));
            // The peak is after 23 % of the steps.
            let warmup = (recipe.schedule_flags.warmup.unwrap() * 48.0).round();
            assert_eq!(warmup, (0.23 * n_steps as f64).floor(), "{name}");
        }
    }

    /// Compared with hiverge's cifar10_speedrun.py.
    #[test]
    fn the_recipe_of_2025_has_the_numbers_of_its_program() {
        let recipe = settings(&["--recipe=airbench94-2025"]);
        let length = Length::of(&recipe, recipe.epochs.unwrap(), 50_000, None).unwrap();
        assert_eq!((length.steps_per_epoch, length.n_steps), (32, (7.59_f64 * 32.0).ceil() as u64));
        assert_eq!(length.step_after(0.19), (0.19_f64 * 32.0).ceil() as u64);
        assert_eq!(
            (recipe.momentum, recipe.label_smoothing, recipe.views.tta_share),
            (Some(0.825), 0.09, Some(0.25))
        );
        let decay = 1.0418e-6 * 1536.0;
        assert!((recipe.weight_decay * recipe.lr.unwrap() - decay).abs() < 1e-12);
        let groups = crate::flags::GroupFlag::all(&recipe.group).unwrap();
        for (selector, lr, of_the_rate) in [("head", 0.5415, 0.5415), ("filters", 0.205, 1.0)] {
            let group = groups.iter().find(|group| group.selector == selector).unwrap();
            let (_, own) = group.hyperparameters.iter().find(|(name, _)| name == "weight_decay").unwrap();
            assert!((own.parse::<f64>().unwrap() * of_the_rate - decay).abs() < 1e-12, "{selector}");
            assert_eq!(group.lr, Some(lr));
        }
    }

    #[test]
    fn further_flags_change_a_recipe_wherever_they_stand() {
        for line in [
            &["--recipe", "airbench94", "--epochs", "3", "--group", "head: lr=0.5", "--drop-last=false"][..],
            &["--epochs", "3", "--group=head: lr=0.5", "--drop-last=false", "--recipe=airbench94"],
        ] {
            let changed = settings(line);
            assert_eq!((changed.epochs, changed.batch_size, changed.drop_last), (Some(3), 2000, false));
            let groups = crate::flags::GroupFlag::all(&changed.group).unwrap();
            let head = groups.iter().find(|group| group.selector == "head").unwrap();
            assert_eq!((head.lr, head.hyperparameters.len()), (Some(0.5), 1));
        }
        assert!(Cli::try_parse_from(["descent", "train", "--recipe", "airbench93"]).is_err());
    }

    #[test]
    fn every_recipe_is_one_that_trains() {
        for (name, _) in RECIPES {
            let args = train_args(name);
            check(&args).unwrap();
            assert_eq!(args.settings.recipe.as_deref(), Some(name));
            assert!(args.session.left_out.is_empty(), "{name} has flags without effect");
            assert!(args.settings.net.network(ImageShape::CIFAR, 10, 0.5).is_ok());
        }
    }

    fn left_out(line: &[&str]) -> String {
        let line = ["descent", "train"].iter().chain(line).map(OsString::from);
        let Command::Train(args) = parse(line, |_| None).unwrap().command() else { panic!() };
        check(&args).unwrap_or_else(|error| panic!("{:?}: {error:#}", args.settings.recipe));
        args.session.left_out.join("; ")
    }

    #[test]
    fn a_flag_that_wins_drops_those_of_the_recipe_that_it_leaves_without_effect() {
        for (recipe, flags, expected) in [
            ("airbench94-2025", &["--tta", "none"][..], "--tta-share"),
            ("airbench94-2025", &["--tta", "mirror"], ""),
            ("airbench94", &["--optimizer", "adam"], "--momentum; --nesterov"),
            ("airbench94", &["--optimizer", "rmsprop"], "--nesterov"),
            ("airbench94", &["--momentum", "0"], "--nesterov"),
            ("airbench94", &["--optimizer", "rprop"], "--group head: weight_decay; --momentum; --nesterov"),
            ("airbench94-sgd", &["--schedule", "constant"], "--end-factor"),
            ("airbench94-sgd", &["--schedule", "noam"], "--end-factor; --warmup-start"),
            ("airbench94-sgd", &["--warmup", "0"], "--warmup-start"),
            ("airbench95", &["--crop", "0"], "--crop-border"),
            ("airbench94", &["--net", "resnet20"], "--group head; --group whiten.bias; --whiten"),
            ("airbench94", &["--net", "airbench:8,16,16"], ""),
            ("airbench94", &["--freeze", "head"], "--group head"),
            ("airbench94", &["--epochs", "3", "--lr", "1"], ""),
        ] {
            assert_eq!(left_out(&[&["--recipe", recipe], flags].concat()), expected, "{recipe} {flags:?}");
        }
        // What the line itself says is not left out.
        for flags in [
            &["--recipe=airbench94-2025", "--tta=none", "--tta-share=0.5"][..],
            &["--recipe=airbench94", "--optimizer=adam", "--momentum=0.5"],
            &["--recipe=airbench94", "--net=resnet20", "--whiten=5"],
            &["--recipe=airbench94", "--crop-border=reflect", "--crop=0"],
        ] {
            assert!(
                Recipe::check(&settings(flags)).is_err() || !idle_flags(&settings(flags)).is_empty(),
                "{flags:?}"
            );
        }
    }

    #[test]
    fn every_recipe_goes_with_every_rule_and_schedule() {
        for (name, _) in RECIPES {
            for rule in optim::RULE_NAMES {
                left_out(&["--recipe", name, "--optimizer", rule]);
            }
            for schedule in optim::schedule::SCHEDULE_NAMES {
                left_out(&["--recipe", name, "--schedule", schedule]);
            }
        }
    }
}
