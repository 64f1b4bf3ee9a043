//! The archive's filter: nothing but the published files comes out, nothing lands outside.

mod common;

use std::fs;
use std::io::Read;
use std::path::Path;

use common::{archive, contents, gzip, listing, member, published};
use flate2::read::MultiGzDecoder;
use proptest::prelude::*;
use tar::EntryType;
use xtask::fetch::archive::unpack;

fn good_members() -> Vec<u8> {
    let members =
        contents(0).map(|(name, bytes)| member(&format!("test-set/{name}"), EntryType::Regular, &bytes));
    members.concat()
}

/// Unpacks into a folder within an empty one; the error, if there is one. Nothing is ever written beside.
fn unpack_into(dest_parent: &Path, archive: impl Read) -> Result<(), String> {
    let dest = dest_parent.join("dest");
    fs::create_dir(&dest).unwrap();
    let result = unpack(archive, &published(), &dest).map_err(|error| format!("{error:#}"));
    assert_eq!(listing(dest_parent), ["dest"]);
    let names = ["test.bin", "train.bin"];
    assert!(listing(&dest).iter().all(|name| names.contains(&name.as_str())), "{:?}", listing(&dest));
    result
}

fn unpack_tar(tar: &[u8]) -> Result<(), String> {
    unpack_into(tempfile::tempdir().unwrap().path(), &gzip(tar)[..])
}

#[test]
fn the_published_files_come_out_and_no_others() {
    let parent = tempfile::tempdir().unwrap();
    unpack_into(parent.path(), &archive(0)[..]).unwrap();
    assert_eq!(listing(&parent.path().join("dest")), ["test.bin", "train.bin"]);
    published().verify(&parent.path().join("dest")).unwrap();
}

#[test]
fn names_that_archivers_write_otherwise_are_understood() {
    let [(_, train), (_, test)] = contents(0);
    let odd = [
        member("pax_global_header", EntryType::XGlobalHeader, b"30 comment=made by somebody\n"),
        member("./test-set/", EntryType::Directory, b""),
        member("././@LongLink", EntryType::GNULongName, &[b'x'; 300]),
        member("test-set/xxxxxxx", EntryType::Regular, b"the file with the long name"),
        member("./test-set/train.bin", EntryType::Regular, &train),
        member("other/train.bin", EntryType::Regular, b"of another folder"),
        member("test-set/sub/test.bin", EntryType::Regular, b"too deep"),
        member("test-set//test.bin", EntryType::Regular, &test),
    ];
    assert_eq!(unpack_tar(&odd.concat()), Ok(()));
}

#[test]
fn members_that_reach_outside_are_refused_by_name() {
    for name in
        ["../train.bin", "test-set/../../train.bin", "/etc/passwd", "/test-set/train.bin", "test-set/.."]
    {
        for kind in [EntryType::Regular, EntryType::Directory] {
            let error = unpack_tar(&[member(name, kind, b""), good_members()].concat()).unwrap_err();
            assert!(error.contains(&format!("{name:?} has a name that leads outside")), "{error}");
        }
    }
}

#[test]
fn links_and_devices_are_refused_by_name() {
    for kind in [EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Block, EntryType::Fifo] {
        for name in ["test-set/train.bin", "test-set/other"] {
            let error = unpack_tar(&[member(name, kind, b""), good_members()].concat()).unwrap_err();
            assert!(error.contains(&format!("{name:?} is neither a file nor a folder")), "{error}");
        }
    }
    let sparse = [member("test-set/train.bin", EntryType::GNUSparse, b""), good_members()].concat();
    assert!(unpack_tar(&sparse).unwrap_err().contains("neither a file nor a folder"));
}

#[test]
fn a_member_that_comes_twice_is_refused_by_name() {
    let error = unpack_tar(&[good_members(), good_members()].concat()).unwrap_err();
    assert!(error.contains("\"test-set/train.bin\" twice"), "{error}");
}

#[test]
fn members_of_another_length_or_missing_are_named() {
    let error = unpack_tar(&member("test-set/test.bin", EntryType::Regular, b"short")).unwrap_err();
    assert!(error.contains("\"test-set/test.bin\" has 5 bytes, expected 50000"), "{error}");
    let error = unpack_tar(&member("test-set/train.bin", EntryType::Regular, &contents(0)[0].1)).unwrap_err();
    assert!(error.contains("the archive lacks test.bin in test-set/"), "{error}");
}

#[test]
fn an_archive_that_ends_early_is_an_error() {
    let good = good_members();
    for n_bytes in [0, 100, 512, 100_000, good.len() - 60_000, good.len() - 10_000] {
        assert!(unpack_tar(&good[..n_bytes]).is_err(), "{n_bytes} bytes of the tar");
    }
    let compressed = archive(0);
    for n_bytes in [1, 2, 10, 1_000, compressed.len() - 1_000] {
        assert!(
            unpack_into(tempfile::tempdir().unwrap().path(), &compressed[..n_bytes]).is_err(),
            "{n_bytes} bytes"
        );
    }
}

#[test]
fn what_is_no_archive_is_shown() {
    let complaint = |bytes: &[u8]| unpack_into(tempfile::tempdir().unwrap().path(), bytes).unwrap_err();
    assert_eq!(complaint(b""), "the archive is empty");
    let expected = "expected a .tar.gz archive, found something that starts with \"PK\\u{3}\\u{4}\"";
    assert_eq!(complaint(b"PK\x03\x04"), expected);
}

#[test]
fn an_archive_of_countless_members_stops() {
    let many = member("test-set/other", EntryType::Regular, b"").repeat(1_001);
    assert!(unpack_tar(&many).unwrap_err().contains("more than 1000 members"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// An archive with a few bytes broken: an error, or the files as they were; nothing beside them.
    #[test]
    fn broken_archives_do_no_harm(
        changes in prop::collection::vec((0.0..1.0_f64, any::<u8>()), 1..6),
        in_headers: bool,
    ) {
        let mut tar = Vec::new();
        MultiGzDecoder::new(&archive(0)[..]).read_to_end(&mut tar).unwrap();
        for (at, byte) in changes {
            // The first 2,048 bytes are the headers of the first members.
            let within = if in_headers { 2_048 } else { tar.len() };
            tar[(at * within as f64) as usize] = byte;
        }
        let parent = tempfile::tempdir().unwrap();
        if unpack_into(parent.path(), &gzip(&tar)[..]).is_ok() {
            prop_assert_eq!(listing(&parent.path().join("dest")), ["test.bin", "train.bin"]);
        }
    }
}
