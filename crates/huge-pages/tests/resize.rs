//! The vector is the one that `Vec::resize` makes, and the system is asked.

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Lengths of nothing, of a few elements and of several huge pages, growing and shrinking.
    #[test]
    #[cfg_attr(miri, ignore = "takes hours")]
    fn resizes_like_vec(steps in prop::collection::vec((prop_oneof![0..9_usize, 0..3_000_000_usize], any::<u16>()), 1..6)) {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for (len, value) in steps {
            huge_pages::resize(&mut ours, len, value);
            theirs.resize(len, value);
            prop_assert!(ours == theirs, "differs at length {len}");
        }
    }
}

/// Few enough elements for Miri, and more than a huge page.
#[test]
fn long_elements_move_whole() {
    let mut pages = vec![[1_u8; 4096]; 2];
    huge_pages::resize(&mut pages, 1100, [2; 4096]);
    assert!(pages.len() == 1100 && pages[..2] == [[1; 4096]; 2] && pages[2..] == [[2; 4096]; 1098]);
}

/// `hg` among the flags of a mapping in `/proc/self/smaps` says that it was advised.
#[cfg(target_os = "linux")]
#[test]
#[cfg_attr(miri, ignore = "Miri has no madvise")]
fn long_vectors_are_advised() {
    if !std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
        return eprintln!("this kernel has no transparent huge pages");
    }
    let mut values = Vec::new();
    huge_pages::resize(&mut values, 4 << 20, 1.0_f64);
    assert!(flags_at((&raw const values[values.len() / 2]).addr()).contains(&"hg".into()));
    let plain = vec![1.0_f64; 4 << 20];
    assert!(!flags_at((&raw const plain[plain.len() / 2]).addr()).contains(&"hg".into()));
}

/// The flags of the mapping that `address` lies in.
#[cfg(target_os = "linux")]
fn flags_at(address: usize) -> Vec<String> {
    let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut is_in = false;
    for line in smaps.lines() {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        if let Some((Ok(start), Ok(end))) =
            range.map(|(a, b)| (usize::from_str_radix(a, 16), usize::from_str_radix(b, 16)))
        {
            is_in = (start..end).contains(&address);
        } else if let (true, Some(flags)) = (is_in, line.strip_prefix("VmFlags:")) {
            return flags.split_whitespace().map(String::from).collect();
        }
    }
    panic!("no mapping holds {address:#x}")
}
