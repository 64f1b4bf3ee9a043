//! The reader of CIFAR's files: what it reads, and what it refuses.

mod common;

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::process::Command;

use common::{cifar_records, write_cifar};
use data::{Batch, Cifar, CifarKind, Dataset, Error, Loader, Part, PublishedFile, class_names};
use proptest::prelude::*;

const RECORD_LEN: usize = 3073;

fn open_train(dir: &tempfile::TempDir) -> Result<Cifar, Error> {
    Cifar::open(dir, CifarKind::Cifar10, Part::Train)
}

/// As [`open_train`], behind a map that the tests do change: what a map helps to find, and no more.
fn open_train_mapped(dir: &tempfile::TempDir) -> Cifar {
    // SAFETY: it is not kept: where a test changes a file, it does so between two reads on the same thread, and
    // reads nothing behind the new end.
    unsafe { Cifar::open_mapped(dir, CifarKind::Cifar10, Part::Train) }.unwrap()
}

fn folder(n_records: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write_cifar(dir.path(), CifarKind::Cifar10, n_records);
    dir
}

#[test]
fn images_and_labels_come_from_the_right_place() {
    let dir = folder(13);
    for set in [open_train(&dir).unwrap(), open_train_mapped(&dir)] {
        assert_eq!(set.len(), 5 * 13);
        assert_eq!(set.class_names(), class_names::CIFAR10);
        for image_idx in 0..set.len() {
            let record_idx = image_idx % 13;
            assert_eq!(set.label(image_idx), record_idx as u32 % 10);
            assert_eq!(set.image(image_idx).len(), 3072);
            assert!(set.image(image_idx).iter().zip(0..).all(|(&byte, i)| byte == (record_idx + i) as u8));
        }
    }
}

#[test]
fn what_happens_to_the_files_after_they_were_read_is_no_matter() {
    let dir = folder(4);
    let set = open_train(&dir).unwrap();
    let mut loader = Loader::new(&set, 64);
    let (mut before, mut after) = (Batch::new(), Batch::new());
    assert!(loader.next_into(&mut before).unwrap() && !loader.next_into(&mut after).unwrap());
    fs::write(dir.path().join("data_batch_1.bin"), [200; 2 * RECORD_LEN]).unwrap();
    File::options().write(true).open(dir.path().join("data_batch_5.bin")).unwrap().set_len(1).unwrap();
    assert!(loader.next_into(&mut after).unwrap());
    assert_eq!(before, after);
}

#[test]
fn cifar_100_has_two_labels() {
    let dir = tempfile::tempdir().unwrap();
    write_cifar(dir.path(), CifarKind::Cifar100Fine, 101);
    let fine = Cifar::open(&dir, CifarKind::Cifar100Fine, Part::Test).unwrap();
    let coarse = Cifar::open(&dir, CifarKind::Cifar100Coarse, Part::Test).unwrap();
    assert_eq!((fine.len(), fine.label(99), fine.label(100)), (101, 99, 0));
    assert_eq!((coarse.label(19), coarse.label(20)), (19, 0));
    assert_eq!(fine.class_names()[99], "worm");
    assert_eq!(coarse.class_names()[19], "vehicles_2");
    assert_eq!(fine.image(5), coarse.image(5));
    assert_eq!(fine.image(5)[..3], [5, 6, 7]);
}

#[test]
fn every_cut_within_a_record_is_refused() {
    let whole = cifar_records(CifarKind::Cifar10, 2);
    for len in (0..RECORD_LEN).chain(RECORD_LEN + 1..2 * RECORD_LEN) {
        let error = Cifar::from_bytes(CifarKind::Cifar10, whole[..len].to_vec()).unwrap_err();
        assert!(matches!(error, Error::Length { len: found, .. } if found == len as u64), "{len}: {error}");
    }
    assert_eq!(Cifar::from_bytes(CifarKind::Cifar10, whole[..RECORD_LEN].to_vec()).unwrap().len(), 1);
}

#[test]
fn a_cut_file_is_named() {
    let dir = folder(3);
    File::options().write(true).open(dir.path().join("data_batch_4.bin")).unwrap().set_len(9_000).unwrap();
    let message = open_train(&dir).unwrap_err().to_string();
    assert!(message.ends_with("data_batch_4.bin: expected records of 3073 bytes, found 9000 bytes in all"));
}

#[test]
fn every_label_that_stands_for_no_class_is_refused() {
    let refused = |kind: CifarKind, label_idx: usize| {
        let label_is_refused = |label: &u8| {
            let mut bytes = cifar_records(kind, 3);
            bytes[kind.record_len() + label_idx] = *label;
            match Cifar::from_bytes(kind, bytes) {
                Ok(_) => false,
                Err(Error::Label { record_idx: 1, label: found, .. }) => found == u32::from(*label),
                Err(error) => panic!("{error}"),
            }
        };
        (0..=255).filter(label_is_refused).collect::<Vec<u8>>()
    };
    assert!(refused(CifarKind::Cifar10, 0).into_iter().eq(10..=255));
    assert!(refused(CifarKind::Cifar100Fine, 0).into_iter().eq(20..=255));
    assert!(refused(CifarKind::Cifar100Fine, 1).into_iter().eq(100..=255));
    assert!(refused(CifarKind::Cifar100Coarse, 1).into_iter().eq(100..=255));
}

#[test]
fn what_is_no_file_is_refused() {
    let dir = folder(1);
    let path = dir.path().join("data_batch_2.bin");
    fs::remove_file(&path).unwrap();
    assert!(matches!(open_train(&dir), Err(Error::Io { path: found, .. }) if found == path));
    fs::create_dir(&path).unwrap();
    assert!(matches!(open_train(&dir), Err(Error::NotAFile { found: "a folder", .. })));
    fs::remove_dir(&path).unwrap();
    if Command::new("mkfifo").arg(&path).status().is_ok_and(|status| status.success()) {
        assert!(matches!(
            open_train(&dir),
            Err(Error::NotAFile { found: "a pipe, a socket or a device", .. })
        ));
    }
}

#[test]
fn a_file_cut_short_between_batches_is_an_error() {
    let dir = folder(4);
    let set = open_train_mapped(&dir);
    let mut loader = Loader::new(&set, 5);
    let mut batch = Batch::new();
    assert!(loader.next_into(&mut batch).unwrap());
    let before = loader.position();
    File::options().write(true).open(dir.path().join("data_batch_5.bin")).unwrap().set_len(3073).unwrap();
    let error = loader.next_into(&mut batch).unwrap_err();
    assert!(matches!(error, Error::CutShort { expected: 12_292, found: 3073, .. }), "{error}");
    assert_eq!(loader.position(), before);
}

#[test]
fn a_label_changed_after_opening_is_an_error() {
    let dir = folder(4);
    let set = open_train_mapped(&dir);
    let mut file = File::options().write(true).open(dir.path().join("data_batch_1.bin")).unwrap();
    file.seek(SeekFrom::Start(2 * 3073)).unwrap();
    file.write_all(&[77]).unwrap();
    let error = Loader::new(&set, 64).next_into(&mut Batch::new()).unwrap_err();
    assert!(matches!(error, Error::LabelInUse { image_idx: 2, label: 77, n_classes: 10 }), "{error}");
}

#[test]
fn names_of_classes_may_lie_beside_the_images() {
    let dir = folder(1);
    let names = dir.path().join("batches.meta.txt");
    fs::write(&names, "a\nb\r\nc\nd\n\ne\nf\ng\nh\ni\nj\n\n").unwrap();
    assert_eq!(open_train(&dir).unwrap().class_names(), ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]);
    let long = "é".repeat(30_000);
    fs::write(&names, format!("\u{feff}{long}\nb\nc\nd\ne\nf\ng\nh\ni\nj")).unwrap();
    assert_eq!(open_train(&dir).unwrap().class_names()[..2], [&*long, "b"]);
    for (bad, complaint) in [
        (
            format!("a\nb\nc\nd\ne\nf\ng\nh\ni\nj{}", " ".repeat(1 << 16)).as_bytes(),
            "at most 65536 bytes of class names, found more",
        ),
        (b"a\nb\n\nd\ne\nf\ng\nh\ni\nb\n", "line 10: two classes are named \"b\""),
        ("a\nb\n".as_bytes(), "expected the names of 10 classes, found 2"),
        (
            b"a\nb\nc\nd\ne\nf\ng\nh\ni\n\x1b[2Jj",
            "line 10: the name \"\\u{1b}[2Jj\" contains a control character",
        ),
        (b"\xff\xfe", "line 1: the class names are not UTF-8"),
        (b"a\nb\nc\xff\n", "line 3: the class names are not UTF-8"),
    ] {
        fs::write(&names, bad).unwrap();
        let message = open_train(&dir).unwrap_err().to_string();
        assert!(message.contains("batches.meta.txt") && message.contains(complaint), "{message}");
    }
}

/// SHA-256 of three records of [`cifar_records`], from `sha256sum`.
const THREE_RECORDS: PublishedFile = PublishedFile {
    name: "three.bin",
    len: 3 * RECORD_LEN as u64,
    sha256: "1a43a6b30dc3fe863a3971f12a3bd096786b77a92677191f391495efb1b202ed",
};

#[test]
fn a_thousand_flipped_bits_are_each_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(THREE_RECORDS.name);
    let mut bytes = cifar_records(CifarKind::Cifar10, 3);
    fs::write(&path, &bytes).unwrap();
    THREE_RECORDS.verify(&path).unwrap();
    let n_bits = bytes.len() * 8;
    // 7919 is prime to the number of bits: a thousand different ones, spread over the file.
    for bit in (0..1_000).map(|i| i * 7_919 % n_bits) {
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &bytes).unwrap();
        assert!(matches!(THREE_RECORDS.verify(&path), Err(Error::Checksum { .. })), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Whatever the bytes are: an error, or as many images as there are whole records, with sound labels.
    #[test]
    fn any_bytes_are_read_or_refused(
        n_bytes in 0..4 * RECORD_LEN,
        fill in 0..12_u8,
        whole_records: bool,
    ) {
        let n_bytes = if whole_records { n_bytes / RECORD_LEN * RECORD_LEN } else { n_bytes };
        match Cifar::from_bytes(CifarKind::Cifar10, vec![fill; n_bytes]) {
            Ok(set) => {
                prop_assert_eq!((set.len() * RECORD_LEN, n_bytes > 0), (n_bytes, true));
                prop_assert!((0..set.len()).all(|image_idx| set.label(image_idx) < 10));
            }
            Err(Error::Length { .. }) => prop_assert!(n_bytes == 0 || n_bytes % RECORD_LEN != 0),
            Err(Error::Label { .. }) => prop_assert!(fill >= 10),
            Err(error) => prop_assert!(false, "{error}"),
        }
    }
}
