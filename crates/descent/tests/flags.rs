//! Invalid flag values are rejected with their range, before any work.

use clap::{Args, CommandFactory, Parser};
use descent::cli::{Cli, Command, Session};
use descent::flags::{AugmentFlags, RuleFlags, ScheduleFlags};

/// Command, flag, an invalid value, and the valid ones.
const REFUSED: &[(&str, &str, &[&str], &str)] = &[
    ("train", "--recipe", &["airbench93", ""], "expected one of the recipes lecture, airbench94"),
    ("train", "--net", &["resnet50", "mlp:0", ""], "mlp:512,256"),
    ("train", "--group", &["filters", "filters: lr", ": lr=1"], "expected a path, filters"),
    ("train", "--beta1", &["x", "nan", "inf"], "that is finite"),
    ("train", "--beta2", &["x", "nan", "inf"], "that is finite"),
    ("train", "--beta3", &["x", "nan", "inf"], "that is finite"),
    ("train", "--eps", &["x", "nan", "inf"], "that is finite"),
    ("train", "--dampening", &["x", "nan", "inf"], "that is finite"),
    ("train", "--alpha", &["x", "nan", "inf"], "that is finite"),
    ("train", "--rho", &["x", "nan", "inf"], "that is finite"),
    ("train", "--lr-decay", &["x", "nan", "inf"], "that is finite"),
    ("train", "--initial-accumulator-value", &["x", "nan", "inf"], "that is finite"),
    ("train", "--momentum-decay", &["x", "nan", "inf"], "that is finite"),
    ("train", "--eta-minus", &["x", "nan", "inf"], "that is finite"),
    ("train", "--eta-plus", &["x", "nan", "inf"], "that is finite"),
    ("train", "--step-size-min", &["x", "nan", "inf"], "that is finite"),
    ("train", "--step-size-max", &["x", "nan", "inf"], "that is finite"),
    ("train", "--lambd", &["x", "nan", "inf"], "that is finite"),
    ("train", "--t0", &["x", "nan", "inf"], "that is finite"),
    ("train", "--eps2", &["x", "nan", "inf"], "that is finite"),
    ("train", "--d", &["x", "nan", "inf"], "that is finite"),
    ("train", "--beta2-decay", &["x", "nan", "inf"], "that is finite"),
    ("train", "--norm-min", &["x", "nan", "inf"], "that is finite"),
    ("train", "--norm-max", &["x", "nan", "inf"], "that is finite"),
    ("train", "--trust-coefficient", &["x", "nan", "inf"], "that is finite"),
    ("train", "--ns-coefficient-a", &["x", "nan", "inf"], "that is finite"),
    ("train", "--ns-coefficient-b", &["x", "nan", "inf"], "that is finite"),
    ("train", "--ns-coefficient-c", &["x", "nan", "inf"], "that is finite"),
    ("train", "--nesterov", &["maybe", "1"], "true, false"),
    ("train", "--averaged", &["maybe", "1"], "true, false"),
    ("train", "--centered", &["maybe", "1"], "true, false"),
    ("train", "--amsgrad", &["maybe", "1"], "true, false"),
    ("train", "--decoupled-weight-decay", &["maybe", "1"], "true, false"),
    ("train", "--bias-correction", &["maybe", "1"], "true, false"),
    ("train", "--ns-steps", &["100", "-1", "x"], "from 0 to 99"),
    ("train", "--adjust-lr", &["up"], "original, match_rms_adamw"),
    ("train", "--rescale-every", &["-1", "x"], "a whole number from 0"),
    ("train", "--warmup", &["-1", "nan", "x"], "from 0 to 3.4e38"),
    ("train", "--warmup-start", &["-1", "nan", "x"], "from 0 to 3.4e38"),
    ("train", "--gamma", &["-1", "nan", "x"], "from 0 to 3.4e38"),
    ("train", "--step-size", &["-1", "nan", "x"], "from 0 to 3.4e38"),
    ("train", "--power", &["-1", "nan", "x"], "from 0 to 3.4e38"),
    ("train", "--t-max", &["-1", "nan", "x"], "from 0 to 3.4e38"),
    ("train", "--t-0", &["-1", "nan", "x"], "from 0 to 3.4e38"),
    ("train", "--t-mult", &["-1", "nan", "x"], "from 0 to 3.4e38"),
    ("train", "--eta-min", &["-1", "nan", "x"], "from 0 to 3.4e38"),
    ("train", "--start-factor", &["-1", "nan", "x"], "from 0 to 3.4e38"),
    ("train", "--end-factor", &["-1", "nan", "x"], "from 0 to 3.4e38"),
    ("train", "--base-lr", &["-1", "nan", "x"], "from 0 to 3.4e38"),
    ("train", "--step-size-up", &["-1", "nan", "x"], "from 0 to 3.4e38"),
    ("train", "--step-size-down", &["-1", "nan", "x"], "from 0 to 3.4e38"),
    ("train", "--pct-start", &["-1", "nan", "x"], "from 0 to 3.4e38"),
    ("train", "--div-factor", &["-1", "nan", "x"], "from 0 to 3.4e38"),
    ("train", "--final-div-factor", &["-1", "nan", "x"], "from 0 to 3.4e38"),
    ("train", "--decay", &["-1", "nan", "x"], "from 0 to 3.4e38"),
    ("train", "--final-lr", &["-1", "nan", "x"], "from 0 to 3.4e38"),
    ("train", "--milestones", &["", "3,", "a,b", "-1"], "epochs separated by commas"),
    ("train", "--lookahead", &["0", "-1", "x"], "at least 1"),
    ("train", "--lookahead-decay", &["-0.1", "1.1"], "from 0 to 1"),
    ("train", "--flip", &["always"], "never, random, alternating"),
    ("train", "--crop", &["-1", "x", "65537"], "from 0 to 65536"),
    ("train", "--crop-border", &["white"], "zero, reflect"),
    ("train", "--brightness", &["-0.1", "nan"], "from 0 to 3.4e38"),
    ("train", "--contrast", &["-0.1", "nan"], "from 0 to 3.4e38"),
    ("train", "--saturation", &["-0.1", "nan"], "from 0 to 3.4e38"),
    ("train", "--rotate", &["-1", "181", "nan"], "from 0 to 180"),
    ("train", "--cutout", &["-1", "1.5"], "a whole number from 0"),
    ("train", "--erase", &["-0.1", "1.1"], "from 0 to 1"),
    ("train", "--normalize", &["maybe", "cifar"], "true, false or imagenet"),
    ("train", "--augment", &["maybe", "1"], "true, false"),
    ("train", "--gray", &["maybe", "1"], "true, false"),
    ("train", "--skip-broken", &["maybe", "1"], "true, false"),
    ("train", "--no-fusion", &["maybe", "1"], "true, false"),
    ("train", "--detect-anomaly", &["maybe", "1"], "true, false"),
    ("train", "--drop-last", &["maybe"], "true, false"),
    ("train", "--whiten", &["0", "-1"], "at least 1"),
    ("train", "--label-smoothing", &["1", "-0.1"], "at least 0 and below 1"),
    ("train", "--reduction", &["none"], "mean, sum"),
    ("train", "--tta", &["all"], "none, mirror, mirror-shift"),
    ("train", "--tta-share", &["1.1", "-0.1"], "from 0 to 1"),
    ("train", "--epochs", &["0", "1000001", "-1", "x"], "from 1 to 1000000"),
    ("train", "--max-steps", &["0", "-1", "1.5"], "at least 1"),
    ("train", "--batch-size", &["0", "-1", "1.5", ""], "at least 1"),
    (
        "train",
        "--freeze-after",
        &["whiten", "6=", "x=whiten", "0=whiten", "6=a,,b"],
        "as in 6=whiten,layers.0",
    ),
    ("train", "--resize-until", &["16", "3=0", "0=16", "3=x", "3=16,3=24"], "as in 3=16,6=24"),
    ("train", "--hardest", &["0", "1.1", "-1", "nan"], "above 0 and at most 1"),
    ("train", "--hardest-by", &["loss", ""], "now, last"),
    ("train", "--hardest-until", &["0", "-1", "nan", "x"], "above 0"),
    ("train", "--optimizer", &["adm", "", "Adam"], "expected one of sgd, asgd"),
    ("train", "--optimizer", &["adm", "Adam"], "; did you mean adam?"),
    ("train", "--schedule", &["stairs", ""], "expected one of constant"),
    ("train", "--schedule", &["cosin", "COSINE"], "; did you mean cosine?"),
    ("train", "--recipe", &["airbench"], "; did you mean airbench94?"),
    ("train", "--net", &["restnet18", "ResNet18"], "; did you mean resnet18?"),
    ("train", "--momentum", &["1", "-0.1", "nan", "inf"], "at least 0 and below 1"),
    ("train", "--lr", &["-1", "nan", "inf", "1e39", "fast"], "from 0 to 3.4e38"),
    ("train", "--weight-decay", &["-1e-9", "nan", "1e39"], "from 0 to 3.4e38"),
    ("train", "--dropout", &["-0.1", "1.1", "nan"], "from 0 to 1"),
    ("train", "--val", &["-1", "1.5", "all", "100%"], "a number of images, such as 500, or a share of them"),
    ("train", "--patience", &["0", "-1"], "at least 1"),
    ("train", "--ema", &["1", "-0.1", "nan"], "at least 0 and below 1"),
    ("train", "--shards", &["0", "65", "x"], "from 1 to 64"),
    ("train", "--rank-timeout", &["0", "86401", "x"], "from 1 to 86400"),
    ("train", "--seed", &["-1", "18446744073709551616", "x"], "from 0 to 18446744073709551615"),
    (
        "train",
        "--class-weights",
        &["", "1,x", "1,-1", "fair"],
        "expected `balanced`, or non-negative numbers",
    ),
    ("train", "--mixup", &["1.1", "-1", "nan", "no"], "above 0 and at most 1, or 0 for none"),
    ("train", "--cutmix", &["1.1", ""], "above 0 and at most 1, or 0 for none"),
    ("train", "--accumulate", &["0", "-1"], "at least 1"),
    ("train", "--clip-norm", &["0", "-1", "inf"], "above 0"),
    ("find-lr", "--from", &["0", "-1"], "above 0"),
    ("find-lr", "--to", &["0", "x"], "above 0"),
    ("find-lr", "--steps", &["9", "100001"], "from 10 to 100000"),
    ("train", "--watch-test", &["maybe"], "true, false"),
    ("train", "--labels", &["medium", ""], "fine, coarse"),
    ("train", "--image-size", &["7", "1025", "x"], "from 8 to 1024"),
    ("train", "--threads", &["0", "1025", "-1"], "from 1 to 1024"),
    ("train", "--limit", &["0", "-1"], "at least 1"),
    ("train", "--limit-by", &["last"], "first, class"),
    ("train", "--checkpoint-every", &["0", "0m", "-1", "soon", "1.5h"], "a number of steps (at least 1)"),
    ("train", "--keep", &["0", "-1"], "at least 1"),
    ("train", "--resume-with", &["mine"], "saved, flags"),
    ("train", "--on-nan", &["panic"], "stop, skip, continue"),
    ("eval", "--labels", &["medium"], "fine, coarse"),
    ("eval", "--skip-broken", &["maybe", "1"], "true, false"),
    ("eval", "--part", &["all"], "train, val, test"),
    ("data", "--labels", &["medium"], "fine, coarse"),
    ("data", "--image-size", &["7", "1025"], "from 8 to 1024"),
    ("data", "--gray", &["maybe", "1"], "true, false"),
    ("eval", "--batch-size", &["0"], "at least 1"),
    ("eval", "--threads", &["0", "1025"], "from 1 to 1024"),
    ("eval", "--tta", &["all"], "none, mirror, mirror-shift"),
    ("eval", "--tta-share", &["1.1", "-0.1"], "from 0 to 1"),
    ("predict", "--tta", &["all"], "none, mirror, mirror-shift"),
    ("predict", "--top", &["0", "-1"], "at least 1"),
];

/// Flags that mean true without a value, and take one after an equals sign.
const SWITCHES: &[&str] = &[
    "--nesterov",
    "--averaged",
    "--centered",
    "--amsgrad",
    "--decoupled-weight-decay",
    "--bias-correction",
    "--normalize",
    "--drop-last",
    "--watch-test",
    "--augment",
    "--gray",
    "--skip-broken",
    "--no-fusion",
    "--detect-anomaly",
];

/// Names and paths: they are checked when they are looked up.
const LOOKED_UP: &[&str] =
    &["--data", "--out", "--model", "--label-column", "--config", "--weights", "--freeze"];

#[test]
fn values_out_of_range_are_refused_with_their_range() {
    for (command, flag, values, range) in REFUSED {
        for value in *values {
            let joined = format!("{flag}={value}");
            let mut lines = vec![vec!["descent", command, &joined]];
            let needs_equals = SWITCHES.contains(flag);
            // clap takes a value that begins with a hyphen for a number, or else for a flag; -1e-9 is a flag
            // to it.
            if !value.contains("e-") && !needs_equals {
                lines.push(vec!["descent", command, flag, value]);
            }
            for line in lines {
                let message = Cli::try_parse_from(&line).unwrap_err().to_string();
                assert!(message.contains(flag) && message.contains(range), "{line:?}: {message}");
            }
        }
    }
}

/// Values of the experiments' flags just outside their ranges, and those ranges.
const LECTURE: &[(&str, &str, &[&str], &str)] = &[
    ("linear-data", "--test", &["-0.1", "1.1"], "from 0 to 1"),
    ("linear-data", "--features", &["0", "10001"], "from 1 to 10000"),
    ("weight-decay", "--samples", &["1"], "from 2 to 10000"),
    ("weight-decay", "--lambda", &["0,-1", "1,nan", "1,"], "from 0 to 3.4e38"),
    ("dropout", "--p", &["1.5"], "from 0 to 1"),
    ("normal-draws", "--bins", &["0", "1001"], "from 1 to 1000"),
    ("activations", "--range", &["0", "-1", "inf"], "above 0"),
    ("output-variance", "--n-out", &["1"], "from 2 to 1000"),
    ("momentum", "--momenta", &["1", "0.5,1"], "at least 0 and below 1"),
    ("momentum", "--start", &["1001", "-1001"], "from -1000 to 1000"),
    ("adam", "--beta2", &["1"], "at least 0 and below 1"),
    ("range-test", "--from", &["0"], "above 0"),
    ("range-test", "--steps", &["1"], "from 2 to 100000"),
    ("cnn-inside", "--image", &["10000"], "from 0 to 9999"),
    ("mc-dropout", "--class", &["10", "-1"], "from 0 to 9"),
    ("tuning", "--images", &["50001"], "from 1 to 50000"),
];

#[track_caller]
fn assert_refused(experiment: &str, flag: &str, value: &str, range: &str) {
    let joined = format!("{flag}={value}");
    for words in [&[joined.as_str()][..], &[flag, value]] {
        let line = [&["descent", "lecture", experiment], words].concat();
        let message = Cli::try_parse_from(&line).err().map(|error| error.to_string()).unwrap_or_default();
        let mut parts = [flag, range, value.split(',').next_back().unwrap()].into_iter();
        assert!(parts.all(|part| message.contains(part)), "{line:?}: {message:?}");
    }
}

#[test]
fn experiments_refuse_values_with_their_range() {
    for (experiment, flag, values, range) in LECTURE {
        values.iter().for_each(|value| assert_refused(experiment, flag, value, range));
    }
    let mut n_flags = 0;
    let cli = <Cli as CommandFactory>::command();
    for experiment in cli.find_subcommand("lecture").unwrap().get_subcommands() {
        for arg in experiment.get_arguments().filter(|arg| arg.get_action().takes_values()) {
            let flag = format!("--{}", arg.get_long().unwrap());
            if ["--data", "--model", "--run"].contains(&flag.as_str()) {
                continue;
            }
            for value in ["", "x", "nan", "1e999", "-1e99", "99999999999999999999"] {
                let is_a_number =
                    value.starts_with('9') && arg.get_value_names().unwrap()[0].starts_with('X');
                if !is_a_number {
                    assert_refused(experiment.get_name(), &flag, value, "expected a");
                }
            }
            n_flags += 1;
        }
    }
    assert!(n_flags > 80, "{n_flags}");
}

/// Incompatible flags are also rejected before anything is computed.
#[test]
fn flags_that_do_not_fit_together_are_refused_by_name() {
    for (line, expected) in [
        ("linear-data --test 1", "--test 1: all 100 samples would be for testing"),
        ("weight-decay --lambda 5,0,5", "--lambda 5: expected every value once"),
        ("range-test --from 1 --to 0.1", "--to 0.1: expected a learning rate above that of --from, 1"),
        ("cnn-inside --image 2000 --epochs 1000", "--image 2000: expected a whole number from 0 to 1999"),
        ("minima --lr 1e10", "the table minima has numbers that are NaN"),
        ("cnn-training --run nowhere --epochs 1000", "cannot read nowhere/history.csv"),
        ("tuning --validation 4000", "--validation 4000: expected fewer than the 4000 images"),
        (
            "output-variance --n-in 10,100000 --n-out 1000",
            "--n-in 100000 --n-out 1000: expected a product of at most 10000000",
        ),
    ] {
        let error = run(line).err().map(|error| format!("{error:#}")).unwrap_or_default();
        let name = line.split(' ').next().unwrap();
        assert!(error.starts_with(name) && error.contains(expected), "lecture {line}: {error:?}");
    }
    for (line, flag) in [
        ("data x --clear-cache --labels coarse", "--labels"),
        ("data x --clear-cache --label-column y", "--label-column"),
        ("data x --clear-cache --image-size 16", "--image-size"),
        ("data x --clear-cache --gray", "--gray"),
        ("data x --clear-cache --out y", "--out"),
        ("data x --clear-cache --json", "--json"),
        ("lecture --list --data x", "--data"),
        ("lecture --list --model x", "--model"),
        ("lecture --list --out x", "--out"),
    ] {
        let line = ["descent"].into_iter().chain(line.split(' '));
        let message = Cli::try_parse_from(line).unwrap_err().to_string();
        assert!(message.contains("cannot be used with") && message.contains(flag), "{message}");
    }
    let line = ["descent", "lecture", "--list", "momentum"];
    let Command::Lecture(args) = Cli::parse_from(line).command() else { panic!() };
    let message = lecture::lecture(&args).unwrap_err().to_string();
    assert_eq!(message, "--list is of all experiments: leave out the name of one");
    for experiment in ["cnn-training", "cnn-inside", "cnn-mistakes", "mc-dropout"] {
        // The seed is also that of the masks of dropout.
        let seed = (experiment != "mc-dropout").then_some("--seed");
        for flag in ["--epochs", "--images"].into_iter().chain(seed) {
            let line = ["descent", "lecture", experiment, "--model", "x", flag, "2"];
            let message = Cli::try_parse_from(line).unwrap_err().to_string();
            let is_named = message.contains("--model") && message.contains(flag);
            assert!(is_named && message.contains("cannot be used with"), "{line:?}: {message}");
            let parsed = Cli::try_parse_from(&line[..5]);
            assert!(parsed.is_ok(), "the defaults go with --model: {parsed:?}");
        }
    }
}

/// What a file or a recipe turns on, a later flag turns off.
#[test]
fn what_was_switched_on_can_be_switched_off() {
    let settings = |line: &[&str]| {
        let words = ["descent", "train"].iter().chain(line);
        let Command::Train(args) = Cli::parse_from(words).command() else { panic!() };
        args
    };
    let on = ["--augment", "--gray", "--skip-broken", "--no-fusion", "--mixup=0.2", "--cutmix=1"];
    let off = [
        "--augment=false",
        "--gray=false",
        "--skip-broken=false",
        "--no-fusion=false",
        "--mixup=0",
        "--cutmix=none",
    ];
    let off = serde_json::to_value(settings(&[&on[..], &off].concat())).unwrap();
    assert_eq!(off, serde_json::to_value(settings(&[])).unwrap());
}

/// At the ends of their ranges flags give pictures or an error, never a panic.
#[test]
fn the_ends_of_the_ranges_are_survived() {
    for line in [
        "linear-data --samples 1 --test 0 --scale 0",
        "linear-data --samples 2 --features 10000 --scale 3e38",
        "weight-decay --samples 2 --features 1 --epochs 1",
        "weight-decay --lambda 0,3e38 --lr 3e38 --epochs 3",
        "weight-decay --lambda 1e-300 --epochs 1",
        "dropout --p 1 --draws 1 --passes 1 --steps 1",
        "early-stopping --samples 1 --epochs 1 --noise 0",
        "early-stopping --epochs 50 --lr 3e38",
        "normal-draws --draws 1 --bins 1000",
        "exploding-product --size 1 --factors 1 --runs 1 --std 0",
        "exploding-product --factors 1000 --runs 2 --std 3e38",
        "activations --range 3e38 --points 1 --slope 1e-300",
        "output-variance --n-in 1 --n-out 2 --runs 1",
        "relu-stack --depth 1 --width 1 --runs 1 --gain 0",
        "relu-stack --depth 100 --width 4 --runs 1 --gain 3e38",
        "gradient-norms --depth 1 --width 1 --small 0 --large 3e38",
        "gradient-norms --depth 200 --width 2 --small 0 --large 3e38",
        "minima --lr 3e38 --steps 10",
        "learning-rate --start 1000 --lr 0,3e38 --steps 1000",
        "valleys --start -1000 --start2 1000 --lr 3e38 --lr2 0 --steps 1 --steps2 1000",
        "learning-rate-decay --gamma 3e38 --every 1 --steps 1 --start -1000",
        "momentum --start 1000 --steps 1 --lr 3e38 --momenta 0.9999999",
        "momentum --lr 1e10",
        "momentum --lr 1e10 --steps 1000",
        "learning-rate --lr 1e10,3e38 --steps 1000",
        "valleys --lr 1e10 --lr2 1e10",
        "learning-rate-decay --lr 1e10",
        "minima --lr 1e10",
        "rmsprop --lr 1e10",
        "adam --lr 1e10",
        "surfaces --speed 1e10",
        "rmsprop --steps 1 --gamma 0,0.5 --lr 0",
        "adam --steps 1 --lr 3e38 --beta1 0,0.1,0.2,0.3,0.4 --beta2 0",
        "surfaces --steps 1 --speed 0",
        "surfaces --steps 100 --speed 3e38",
        "samples --per-class 1 --batch-size 50000",
        "cnn --seed 18446744073709551615",
    ] {
        match run(line) {
            Ok(section) => {
                let too_long = section.files().find(|(name, _)| name.len() > 255).map(|(name, _)| name);
                assert_eq!(too_long, None, "lecture {line}");
            }
            Err(error) => {
                let name = line.split(' ').next().unwrap();
                assert!(format!("{error:#}").starts_with(name), "lecture {line}: {error:#}");
            }
        }
    }
}

/// Runs `lecture` with these words.
fn run(line: &str) -> anyhow::Result<lecture::Section> {
    let words = ["descent", "lecture"].into_iter().chain(line.split(' '));
    let Command::Lecture(args) = Cli::parse_from(words).command() else { panic!("{line}") };
    args.experiment.unwrap().run()
}

#[test]
fn no_flag_is_missing_from_the_table() {
    for command in ["train", "eval", "predict", "data"] {
        let cli = <Cli as CommandFactory>::command();
        for arg in cli.find_subcommand(command).unwrap().get_arguments() {
            let Some(long) = arg.get_long() else { continue };
            let flag = format!("--{long}");
            let is_known = REFUSED.iter().any(|row| row.0 == command && row.1 == flag)
                || LOOKED_UP.contains(&flag.as_str());
            assert!(is_known || !arg.get_action().takes_values(), "{command} {flag} is not in the table");
        }
    }
}

/// The structs of flags that have a heading, and its beginning.
type Heading = (&'static str, fn(clap::Command) -> clap::Command);
const HEADINGS: [Heading; 4] = [
    ("Hyperparameters of the update rule", RuleFlags::augment_args),
    ("Hyperparameters of the schedule", ScheduleFlags::augment_args),
    ("Changes to training images", AugmentFlags::augment_args),
    ("Where and how", Session::augment_args),
];

/// clap gives fields after a flattened struct the heading of that struct.
#[test]
fn every_flag_has_the_heading_of_its_own_struct() {
    let cli = <Cli as CommandFactory>::command();
    for command in ["train", "find-lr"] {
        for arg in cli.find_subcommand(command).unwrap().get_arguments() {
            let is_of = |add: fn(clap::Command) -> clap::Command| {
                add(clap::Command::new("")).get_arguments().any(|own| own.get_id() == arg.get_id())
            };
            let expected = HEADINGS.iter().find(|(_, add)| is_of(*add)).map(|(heading, _)| *heading);
            let found = arg.get_help_heading();
            let is_own = match (found, expected) {
                (Some(found), Some(expected)) => found.starts_with(expected),
                (found, expected) => found == expected,
            };
            assert!(
                is_own,
                "{command} --{}: found the heading {found:?}, expected {expected:?}",
                arg.get_id()
            );
        }
    }
}
