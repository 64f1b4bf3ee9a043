//! Weights that are loaded in part or under other names.

use autograd::Params;
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
        "6 of the network's 8 tensors loaded\n  of another shape: 2.weight [10, 4], in the network [2, 4]; \
         2.bias [10], in the network [2]"
    );
}

#[test]
fn a_prefix_is_diagnosed_and_can_be_taken_off() {
    let (theirs, mut ours) = (net(2, 0), net(2, 1));
    let wrapped = archive(&theirs, |name| format!("module.{name}"));
    let before = ours.values().to_vec();
    let error = wrapped.load_into(&mut ours).unwrap_err();
    let WeightsError::Mismatch { differences, .. } = &error else { panic!("{error}") };
    assert_eq!(differences.prefix.as_deref(), Some("module."));
    assert!(error.to_string().contains("under the prefix module.: open it as an Archive"), "{error}");
    assert_eq!(ours.values(), before);

    let unwrapped = wrapped.renamed(|name| name.replacen("module.", "", 1)).unwrap();
    unwrapped.load_into(&mut ours).unwrap();
    assert_eq!(ours.values(), theirs.values());

    // Nothing is said of a prefix where something else is missing, too.
    let other = archive(&theirs, |name| name.replace("0.", "module.0."));
    let text = other.load_into(&mut ours).unwrap_err().to_string();
    assert!(text.contains("under the prefix module."), "{text}");
    let other = archive(&theirs, |name| name.replace("0.weight", "module.0.weight").replace("0.bias", "b"));
    let text = other.load_into(&mut ours).unwrap_err().to_string();
    assert!(!text.contains("prefix"), "{text}");
}

#[test]
fn two_tensors_cannot_get_one_name() {
    let error = archive(&net(2, 0), str::to_owned).renamed(|_| "w".to_owned()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "theirs is not a valid safetensors file: once renamed, it has two tensors named \"w\""
    );
}
