//! Weights that are loaded in part or under other names.

use std::fs;

use autograd::{Params, Role};
use nn::weights::{self, Archive, WeightsError};
use nn::{BatchNorm1d, Linear, Sequential, sequential};

fn net(n_classes: usize, seed: u64) -> Params {
    let net: Sequential = sequential![Linear::new(3, 4), BatchNorm1d::new(4), Linear::new(4, n_classes)];
    nn::build(net, seed).1
}

/// A file in memory with the tensors of these parameters under other names.
fn archive(params: &Params, name: impl Fn(&str) -> String) -> Archive {
    let names: Vec<String> = params.entries().iter().map(|entry| name(&entry.name)).collect();
    let tensors = names.iter().zip(params.entries());
    let tensors =
        tensors.map(|(name, entry)| (name.as_str(), entry.shape, &params.values()[entry.range.clone()]));
    Archive::from_bytes("theirs", weights::encode(tensors, &[])).unwrap()
}

#[test]
fn the_body_is_loaded_and_the_head_stays() {
    let (theirs, mut ours) = (net(10, 0), net(2, 1));
    let head = ours.value(ours.find("2.weight").unwrap()).to_vec();
    let matched = archive(&theirs, str::to_owned).load_matching(&mut ours).unwrap();
    let loaded = ["0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"];
    assert_eq!(matched.loaded, loaded);
    for name in loaded {
        let value = |params: &Params| params.value(params.find(name).unwrap()).to_vec();
        assert_eq!(value(&ours), value(&theirs), "{name}");
    }
    assert_eq!(ours.value(ours.find("2.weight").unwrap()), head);
    assert_eq!(
        matched.to_string(),
        "6 of the network's 8 tensors loaded\n  with a different shape: 2.weight [10, 4], in the network \
         [2, 4]; 2.bias [10], in the network [2]"
    );
}

/// How the tensors of a file are named, and what is said of a prefix.
type Case = (fn(&str) -> String, Option<(String, usize)>);

#[test]
fn a_prefix_is_diagnosed_and_can_be_taken_off() {
    let (theirs, mut ours) = (net(2, 0), net(2, 1));
    let wrapped = archive(&theirs, |name| format!("module.{name}"));
    let before = ours.values().to_vec();
    let error = wrapped.load_into(&mut ours).unwrap_err();
    let WeightsError::Mismatch { differences, .. } = &error else { panic!("{error}") };
    assert_eq!(differences.prefix.as_ref(), Some(&("module.".to_owned(), 8)));
    let hint = "the file has 8 of the 8 missing names under the prefix module.: open it as an Archive";
    assert!(error.to_string().contains(hint), "{error}");
    assert_eq!(ours.values(), before);

    let unwrapped = wrapped.renamed(|name| name.replacen("module.", "", 1)).unwrap();
    unwrapped.load_into(&mut ours).unwrap();
    assert_eq!(ours.values(), theirs.values());

    // Names that are missing for another reason, such as those of another head.
    let renamed = |name: fn(&str) -> String| archive(&theirs, name).load_matching(&mut net(2, 1)).unwrap();
    let table: [Case; 5] = [
        (|name: &str| name.replace("0.", "module.0."), Some(("module.".to_owned(), 2))),
        (|name| format!("module.{name}").replace("2.", "head."), Some(("module.".to_owned(), 6))),
        (
            |name| name.replace("0.weight", "a.b.0.weight").replace("0.bias", "b"),
            Some(("a.b.".to_owned(), 1)),
        ),
        (|name| name.replace("1.w", "a.1.w").replace("1.b", "b.1.b").replace("g_", "g"), None),
        (|name| name.replace("0.", "module0."), None),
    ];
    for (name, prefix) in table {
        let matched = renamed(name);
        assert_eq!(matched.left.prefix, prefix, "{matched}");
        assert_eq!(matched.to_string().contains("prefix"), prefix.is_some(), "{matched}");
    }
}

#[test]
fn an_f64_beyond_f32_is_an_error_that_names_it() {
    let header = r#"{"w":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}}"#;
    let file = |numbers: [f64; 2]| {
        let len = (header.len() as u64).to_le_bytes();
        let numbers = numbers.map(f64::to_le_bytes).concat();
        Archive::from_bytes("theirs", [&len, header.as_bytes(), &numbers].concat()).unwrap()
    };
    let mut params = Params::new();
    let w = params.add("w", [2], Role::Trainable);
    file([f64::INFINITY, f64::from(f32::MIN)]).load_into(&mut params).unwrap();
    let before = [f32::INFINITY, f32::MIN];
    assert_eq!(params.value(w), before);
    let file = file([0.0, -1e300]);
    for error in [file.load_into(&mut params).unwrap_err(), file.load_matching(&mut params).unwrap_err()] {
        assert_eq!(
            error.to_string(),
            "theirs is not a valid safetensors file: w [2] F64 has the number -1e300, which f32 cannot hold"
        );
    }
    assert_eq!(params.value(w), before);
}

#[test]
fn two_tensors_cannot_get_one_name() {
    let error = archive(&net(2, 0), str::to_owned).renamed(|_| "w".to_owned()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "theirs is not a valid safetensors file: after renaming, it has two tensors named \"w\""
    );
}

#[test]
fn several_files_with_an_index_are_read_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let (theirs, mut ours) = (net(2, 0), net(2, 1));
    let write = |file: &str, of: &[&str]| {
        let entries =
            theirs.entries().iter().filter(|entry| of.iter().any(|name| entry.name.starts_with(name)));
        let tensors = entries.map(|e| (e.name.as_str(), e.shape, &theirs.values()[e.range.clone()]));
        fs::write(dir.path().join(file), weights::encode(tensors, &[("part", file)])).unwrap();
    };
    write("a.safetensors", &["0.w", "2."]);
    write("b.safetensors", &["0.b", "1."]);
    let map: Vec<String> = theirs
        .entries()
        .iter()
        .map(|entry| {
            let file = if entry.name.starts_with("0.w") || entry.name.starts_with("2.") { "a" } else { "b" };
            format!("\"{}\":\"{file}.safetensors\"", entry.name)
        })
        .collect();
    let index = dir.path().join("model.safetensors.index.json");
    let write_index = |map: &str| {
        fs::write(&index, format!("{{\"metadata\":{{\"total_size\":8}},\"weight_map\":{{{map}}}}}")).unwrap();
    };
    write_index(&map.join(","));
    weights::load(&index, &mut ours).unwrap();
    assert_eq!(ours.values(), theirs.values());
    assert_eq!(Archive::open(&index).unwrap().metadata("part").unwrap().as_deref(), Some("a.safetensors"));

    let refused = |map: String| {
        write_index(&map);
        let error = Archive::open(&index).unwrap_err().to_string();
        error.split_once(": ").unwrap().1.to_owned()
    };
    for (map, expected) in [
        (map[1..].join(","), "its index does not map the tensor \"0.weight\" to a.safetensors"),
        (
            map.join(",") + ",\"more\":\"b.safetensors\"",
            "its index maps the tensor \"more\" to b.safetensors, which does not contain it",
        ),
        (
            "\"w\":\"../a.safetensors\"".into(),
            "its index is broken: \"../a.safetensors\" is not the name of a file in the same directory",
        ),
        ("\"w\":3".into(), "its index is broken: 3 is not a string"),
        (String::new(), "its index names no file"),
    ] {
        assert!(refused(map).starts_with(expected), "{expected}");
    }
    fs::write(&index, "{}").unwrap();
    assert!(Archive::open(&index).unwrap_err().to_string().ends_with("it has no \"weight_map\""));
    fs::write(&index, "[".repeat(1000)).unwrap();
    assert!(Archive::open(&index).is_err());
}

#[test]
fn what_is_saved_beside_the_weights_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("checkpoint.safetensors");
    let (theirs, mut ours) = (net(2, 0), net(2, 1));
    let slices = [("0.weight.exp_avg".to_owned(), &[1.0, 2.0][..]), ("b".to_owned(), &[])];
    weights::save_with(&path, &theirs, slices, &[("n_steps", "7"), ("note", "x")]).unwrap();
    let mut extra = weights::load_with(&path, &mut ours).unwrap();
    assert_eq!(ours.values(), theirs.values());
    assert_eq!(extra.slices().collect::<Vec<_>>(), [("0.weight.exp_avg", &[1.0, 2.0][..]), ("b", &[])]);
    assert_eq!((extra.take("c"), extra.take("b"), extra.take("b")), (None, Some(vec![]), None));
    assert_eq!(extra.slices().collect::<Vec<_>>(), [("0.weight.exp_avg", &[1.0, 2.0][..])]);
    assert_eq!(extra.number("n_steps").unwrap(), 7);
    for key in ["note", "epoch"] {
        let error = extra.number(key).unwrap_err().to_string();
        assert!(error.ends_with(&format!("its metadata have no integer \"{key}\"")), "{error}");
    }

    // A child named like the prefix of the slices.
    let net = |seed| nn::build(Sequential::new().add_named("extra", Linear::new(3, 2)), seed).1;
    let (theirs, mut ours) = (net(0), net(1));
    weights::save_with(&path, &theirs, [("a".to_owned(), &[1.0][..])], &[]).unwrap();
    let extra = weights::load_with(&path, &mut ours).unwrap();
    assert_eq!(ours.values(), theirs.values());
    assert_eq!(extra.slices().collect::<Vec<_>>(), [("a", &[1.0][..])]);
}
