//! Sets of named fields: in memory, from NumPy's files, mapped.

#[path = "common/npy.rs"]
mod npy;

use data::{Batch, Dataset, Error, Field, ImageShape, InMemory, Kind, Loader, Normalize, Records, Subset};
use npy::{head, raw_head, write};
use proptest::prelude::*;

/// All fields of one kind each, of three examples.
fn small_set() -> Records {
    Records::new()
        .with_f32("x", &[2], vec![0.0, 0.5, 1.0, 1.5, 2.0, 2.5])
        .with_i64("tokens", &[2, 2], (0..12).collect())
        .with_u8("byte", &[], vec![7, 8, 9])
}

fn first_batch(set: &dyn Dataset, batch_size: usize) -> Batch {
    let mut batch = Batch::new();
    assert!(Loader::new(set, batch_size).next_into(&mut batch).unwrap());
    batch
}

#[test]
fn a_batch_has_every_field_of_its_examples() {
    let set = small_set().with_labels(vec![0, 1, 0], ["a", "b"]);
    let batch = first_batch(&Subset::new(&set, vec![2, 0]), 2);
    assert_eq!((batch.len(), batch.labels(), batch.images().len()), (2, &[0, 0][..], 0));
    assert_eq!((batch.f32("x"), batch.shape_of("x")), (&[2.0, 2.5, 0.0, 0.5][..], &[2, 2][..]));
    assert_eq!(
        (batch.i64("tokens"), batch.shape_of("tokens")),
        (&[8, 9, 10, 11, 0, 1, 2, 3][..], &[2, 2, 2][..])
    );
    assert_eq!((batch.u8("byte"), batch.shape_of("byte")), (&[9, 7][..], &[2][..]));
}

#[test]
fn without_classes_there_are_no_labels() {
    let set = small_set();
    let batch = first_batch(&set, 2);
    assert_eq!((batch.len(), batch.labels(), batch.shape()), (2, &[][..], [2, 0, 0, 0]));
    let mut loader = Loader::new(&set, 2);
    let (mut batch, mut sizes) = (Batch::new(), Vec::new());
    while loader.next_into(&mut batch).unwrap() {
        sizes.push(batch.shape_of("x")[0]);
    }
    assert_eq!(sizes, [2, 1]);
}

#[test]
fn one_batch_serves_sets_of_other_fields() {
    let other = Records::new().with_f32("x", &[], vec![4.0]);
    let (first, second) = (small_set(), other);
    let mut batch = Batch::new();
    for (set, shape) in [(&first, &[3, 2][..]), (&second, &[1]), (&first, &[3, 2])] {
        Loader::new(set, 3).next_into(&mut batch).unwrap();
        assert_eq!(batch.shape_of("x"), shape);
    }
}

#[test]
fn a_field_is_normalised_by_its_last_axis() {
    let set = Records::new().with_f32("x", &[2, 2], vec![1.0, 0.1, 3.0, 0.1, 5.0, 0.1, 7.0, 0.1]).with_f32(
        "y",
        &[],
        vec![10.0, 30.0],
    );
    let (x, y) = (Normalize::measure_field(&set, "x"), Normalize::measure_field(&set, "y"));
    assert_eq!((x.mean[0], x.std[0], x.std[1]), (4.0, 5_f64.sqrt(), 1.0), "the second column is constant");
    assert_eq!((y.mean, y.std), (vec![20.0], vec![10.0]));
    let mut batch = Batch::new();
    // The second call replaces the first.
    let mut loader = Loader::new(&set, 2).normalize_field("x", &x).normalize_field("x", &x);
    loader.next_into(&mut batch).unwrap();
    let expected = [-3.0, 0.0, -1.0, 0.0, 1.0, 0.0, 3.0, 0.0].map(|value: f64| (value / 5_f64.sqrt()) as f32);
    assert_eq!(batch.f32("x"), expected);
    assert_eq!(batch.f32("y"), [10.0, 30.0]);
}

#[test]
fn bytes_can_be_images() {
    let set = Records::new().with_u8("x", &[1, 2], vec![0, 51, 102, 255]).with_images_of("x");
    assert_eq!(set.image_shape(), ImageShape { height: 1, width: 2, channels: 1 });
    let batch = first_batch(&set, 2);
    assert_eq!((batch.images(), batch.shape()), (&[0.0, 0.2, 0.4, 1.0][..], [2, 1, 2, 1]));
    assert_eq!(set.fields(), []);
}

#[test]
#[should_panic(
    expected = "Records::with_images_of: x has the shape [32, 32, 3], which looks like height, width and \
                           channels; expected the channels first: save numpy.ascontiguousarray("
)]
fn images_with_the_channels_last_are_refused() {
    let _ = Records::new().with_u8("x", &[32, 32, 3], vec![0; 2 * 3072]).with_images_of("x");
}

#[test]
fn small_and_narrow_images_have_the_channels_first() {
    for [channels, height, width] in [[3, 32, 1], [4, 1, 3], [1, 5, 4], [3, 3, 3]] {
        let bytes = vec![0; channels * height * width];
        let set = Records::new().with_u8("x", &[channels, height, width], bytes).with_images_of("x");
        assert_eq!(set.image_shape(), ImageShape { height, width, channels });
    }
}

#[test]
fn interleaved_images_are_those_of_planes() {
    let shape = ImageShape { height: 2, width: 3, channels: 4 };
    // Each value says where it is: image, row, column, channel.
    let value = |i: usize, y: usize, x: usize, c: usize| (24 * i + 12 * y + 4 * x + c) as u8;
    let images: Vec<u8> = (0..48).collect();
    let set = InMemory::from_interleaved(shape, &images, vec![0, 1], ["a", "b"]);
    for i in 0..2 {
        let planes = (0..4).flat_map(|c| (0..2).flat_map(move |y| (0..3).map(move |x| value(i, y, x, c))));
        assert_eq!(set.image(i), planes.collect::<Vec<_>>());
    }
}

#[test]
fn integers_are_tokens_or_an_error_that_says_where() {
    let tokens = vec![0, 1, 2, 3, -100, 5, 6, 7, i64::from(u32::MAX), 9, 10, -1];
    let set = Records::new().with_i64("t", &[2, 2], tokens).with_u8("b", &[2], vec![1, 2, 3, 4, 5, 255]);
    let of = |examples: Vec<usize>, ignored| {
        let n = examples.len();
        let batch = first_batch(&Subset::new(&set, examples), n);
        batch.tokens("t", ignored).map_err(|error| error.to_string())
    };
    assert_eq!(of(vec![0], None), Ok(vec![0, 1, 2, 3]));
    assert_eq!(of(vec![1, 0], Some(-100)), Ok(vec![u32::MAX, 5, 6, 7, 0, 1, 2, 3]));
    let expected = "field t: expected whole numbers from 0 to 4294967294";
    assert_eq!(
        of(vec![0, 1], None).unwrap_err(),
        format!("{expected}, found -100 at [1, 0, 0] of the batch (example 1 of the data set)")
    );
    // The loader's data set is the subset.
    assert_eq!(
        of(vec![2], Some(-100)).unwrap_err(),
        format!("{expected} or -100, found 4294967295 at [0, 0, 0] of the batch (example 0 of the data set)")
    );
    assert_eq!(of(vec![0], Some(2)), Ok(vec![0, 1, u32::MAX, 3]));
    let batch = first_batch(&set, 3);
    assert_eq!(batch.tokens("b", None).unwrap(), [1, 2, 3, 4, 5, 255]);
    assert_eq!(batch.tokens("b", Some(255)).unwrap(), [1, 2, 3, 4, 5, u32::MAX]);
}

#[test]
#[should_panic(expected = "Batch::tokens: the field x is F32")]
fn floats_are_no_tokens() {
    let _ = first_batch(&small_set(), 1).tokens("x", None);
}

/// Recorded with numpy 2: `format.write_array(file, array, version)`.
#[test]
fn what_numpy_wrote_is_read() {
    let floats = b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }                                                          \n\x00\x00\x00\x00\x00\x00\x00?\x00\x00\x80?\x00\x00\xc0?\x00\x00\x00@\x00\x00 @";
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "x.npy", Vec::new(), floats);
    assert!(floats.starts_with(&head(1, "<f4", false, "(2, 3)")), "the helper writes what NumPy does");
    let set = Records::new().with_npy("x", path).unwrap();
    assert_eq!(set.fields(), [Field { name: "x".into(), kind: Kind::F32, shape: vec![3] }]);
    assert_eq!(first_batch(&set, 2).f32("x"), [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]);
}

#[test]
#[allow(unsafe_code)]
fn every_type_and_version_is_read_and_mapped_alike() {
    let dir = tempfile::tempdir().unwrap();
    let f4: Vec<u8> = [1.5_f32, -2.0].into_iter().flat_map(f32::to_le_bytes).collect();
    let f8: Vec<u8> = [0.1_f64, 1e-60].into_iter().flat_map(f64::to_le_bytes).collect();
    let i4: Vec<u8> = [-3_i32, i32::MAX].into_iter().flat_map(i32::to_le_bytes).collect();
    let i8: Vec<u8> = [i64::MIN, 5].into_iter().flat_map(i64::to_le_bytes).collect();
    for version in 1..=3 {
        let path = |descr: &str, values: &[u8]| {
            write(dir.path(), &descr.replace(['<', '|'], ""), head(version, descr, false, "(2,)"), values)
        };
        let files =
            [path("<f4", &f4), path("<f8", &f8), path("<i4", &i4), path("<i8", &i8), path("|u1", &[0, 255])];
        let names = ["f4", "f8", "i4", "i8", "u1"];
        let open = names.iter().zip(&files);
        let held = open.clone().try_fold(Records::new(), |set, (name, path)| set.with_npy(name, path));
        // SAFETY: nobody else knows the files.
        let mapped = open
            .clone()
            .try_fold(Records::new(), |set, (name, path)| unsafe { set.with_npy_mapped(name, path) });
        for set in [held.unwrap(), mapped.unwrap()] {
            let batch = first_batch(&set, 2);
            assert_eq!(batch.f32("f4"), [1.5, -2.0]);
            assert_eq!(batch.f32("f8"), [0.1, 0.0]);
            assert_eq!(batch.i64("i4"), [-3, i64::from(i32::MAX)]);
            assert_eq!(batch.i64("i8"), [i64::MIN, 5]);
            assert_eq!(batch.u8("u1"), [0, 255]);
        }
    }
}

/// Longer than the piece that is read at a time.
#[test]
#[allow(unsafe_code)]
fn a_number_beyond_f32_is_an_error_unless_mapped() {
    let dir = tempfile::tempdir().unwrap();
    let mut values = vec![f64::from(f32::MAX); 3 * 10_000];
    (values[0], values[1]) = (f64::INFINITY, f64::NAN);
    let file = |values: &[f64]| {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        write(dir.path(), "x.npy", head(1, "<f8", false, "(10000, 3)"), &bytes)
    };
    let path = file(&values);
    assert_eq!(first_batch(&Records::new().with_npy("x", &path).unwrap(), 2).f32("x")[5], f32::MAX);
    values[3 * 9000 + 2] = -1e300;
    file(&values);
    let message = Records::new().with_npy("x", &path).unwrap_err().to_string();
    let expected = "expected values that f32 can hold, found -1e300 at [9000, 2]";
    assert_eq!(message, format!("{}: {expected}", path.display()));
    // SAFETY: nobody else knows the file.
    let mapped = unsafe { Records::new().with_npy_mapped("x", &path) }.unwrap();
    assert_eq!(first_batch(&Subset::new(&mapped, vec![9000]), 1).f32("x")[2], f32::NEG_INFINITY);
}

#[test]
#[allow(unsafe_code)]
fn a_mapped_file_that_was_cut_short_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "x.npy", head(1, "|u1", false, "(4,)"), &[1, 2, 3, 4]);
    // SAFETY: nothing is read of it after it is cut short.
    let set = unsafe { Records::new().with_npy_mapped("x", &path) }.unwrap();
    let mut loader = Loader::new(&set, 2);
    let mut batch = Batch::new();
    assert!(loader.next_into(&mut batch).unwrap());
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(130).unwrap();
    assert!(matches!(loader.next_into(&mut batch), Err(Error::CutShort { .. })));
}

/// A file, and what is said of it after its path.
#[test]
fn another_order_type_or_length_is_an_error() {
    let values = [0; 24];
    let order = "expected values in C order, found Fortran order: save numpy.ascontiguousarray(x)";
    let kinds = "expected values of type <f4, <f8, <i4, <i8 or |u1, found";
    let dictionary = |text: &str| raw_head(1, text);
    let table: Vec<(Vec<u8>, usize, String)> = vec![
        (head(1, "<f4", true, "(2, 3)"), 24, order.into()),
        (head(1, ">f4", false, "(2, 3)"), 24, format!("{kinds} big-endian >f4: save x.astype('<f4')")),
        (head(1, "<f2", false, "(2, 3)"), 12, format!("{kinds} <f2")),
        (head(1, "|b1", false, "(2,)"), 2, format!("{kinds} |b1")),
        (head(1, "|O", false, "(2,)"), 16, format!("{kinds} |O")),
        (
            dictionary("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }"),
            8,
            format!("{kinds} a structured type: save each field separately"),
        ),
        (head(1, "<f4", false, "(2, 3)"), 20, "the shape [2, 3] needs 24 bytes of values, found 20".into()),
        (head(1, "<f4", false, "(1, 3)"), 24, "the shape [1, 3] needs 12 bytes of values, found 24".into()),
        (
            head(1, "<f8", false, "(9223372036854775807, 9)"),
            24,
            "the shape [9223372036854775807, 9] needs impossibly many bytes of values, found 24".into(),
        ),
        (
            head(1, "<f4", false, "(99999999999999999999,)"),
            24,
            "expected a length in its header's shape, found \"99999999999999999999,), }\"".into(),
        ),
        (
            head(1, "<f4", false, "(0, 4294967296, 4294967296)"),
            0,
            "the shape [0, 4294967296, 4294967296] needs impossibly many bytes of values, found 0".into(),
        ),
        (
            head(1, "<f4", false, "()"),
            4,
            "expected an array with an axis of examples, found a single number".into(),
        ),
        (head(1, "<f4", false, "(6, 0)"), 0, "expected examples with values, found the shape [6, 0]".into()),
        (head(4, "<f4", false, "(2, 3)"), 24, "expected the format's version 1, 2 or 3, found 4".into()),
        (
            head(1, "<f4", false, "(2, 3)")[..40].to_vec(),
            0,
            "the file ends inside its header, after 40 bytes".into(),
        ),
        (b"PK\x03\x04 an npz".to_vec(), 24, "expected a NumPy file (.npy), found something else".into()),
        (dictionary("{'descr': '<f4', 'shape': (2, 3), }"), 24, "its header has no 'fortran_order'".into()),
        (dictionary("{'descr': '<f4"), 24, "unterminated string in its header".into()),
        (
            [b"\x93NUMPY\x02\x00".as_slice(), &u32::MAX.to_le_bytes()].concat(),
            24,
            "expected a header of at most 10000 bytes, found 4294967295".into(),
        ),
    ];
    let dir = tempfile::tempdir().unwrap();
    for (head, n_bytes, problem) in table {
        let path = write(dir.path(), "x.npy", head, &values[..n_bytes]);
        let message = Records::new().with_npy("x", &path).unwrap_err().to_string();
        assert_eq!(message, format!("{}: {problem}", path.display()));
    }
}

proptest! {
    /// A file of which one byte is another is a set or an error, and no panic.
    #[test]
    fn a_damaged_file_is_a_set_or_an_error(at in 0..152_usize, byte: u8) {
        let dir = tempfile::tempdir().unwrap();
        let mut bytes = [head(1, "<f4", false, "(2, 3)"), vec![1; 24]].concat();
        bytes[at] = byte;
        let path = write(dir.path(), "x.npy", bytes, &[]);
        if let Ok(set) = Records::new().with_npy("x", path) {
            prop_assert!(set.is_empty() || !first_batch(&set, 8).is_empty());
        }
    }
}

#[test]
fn files_that_do_not_fit_each_other_are_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let x = write(dir.path(), "x.npy", head(1, "|u1", false, "(4,)"), &[1, 2, 3, 4]);
    let y = write(dir.path(), "y.npy", head(1, "|u1", false, "(3,)"), &[0, 1, 2]);
    let message = Records::new().with_npy("x", x).unwrap().with_npy("y", &y).unwrap_err().to_string();
    assert_eq!(message, format!("{}: expected 4 examples, as in the other fields, found 3", y.display()));
    let set = Records::new().with_npy("y", &y).unwrap();
    let message = set.with_labels_of("y", ["a", "b"]).unwrap_err().to_string();
    assert_eq!(message, "example 2 has the label 2 in the field y, expected 0 to 1");
    let set = Records::new().with_npy("y", &y).unwrap().with_labels_of("y", ["a", "b", "c"]).unwrap();
    assert_eq!(first_batch(&set, 3).labels(), [0, 1, 2]);
}

#[test]
#[should_panic(expected = "field x has 5 values, expected 2 examples of the shape [2]")]
fn values_that_do_not_fill_the_shape_panic() {
    let _ = Records::new().with_f32("x", &[2], vec![0.0; 5]);
}

#[test]
#[should_panic(expected = "Batch: no field z among [\"x\", \"tokens\", \"byte\"]")]
fn a_field_that_is_not_there_panics() {
    first_batch(&small_set(), 1).f32("z");
}

#[test]
#[should_panic(expected = "Batch::f32: the field tokens is I64")]
fn a_field_of_another_kind_panics() {
    first_batch(&small_set(), 1).f32("tokens");
}

/// Far from 0, close to the largest f32 and to the smallest.
#[test]
fn a_field_of_any_size_is_normalised() {
    for (values, expected) in [
        (vec![1_700_000_000.0, 1_700_000_128.0], vec![-1.0, 1.0]),
        ([vec![3.4e38], vec![-3.4e38; 9]].concat(), [vec![3.0], vec![-1.0 / 3.0; 9]].concat()),
        (vec![0.0, 1e-45], vec![-1.0, 1.0]),
        (vec![16_777_216.0; 3], vec![0.0; 3]),
    ] {
        let (n, set) = (values.len(), Records::new().with_f32("x", &[], values));
        let mut loader = Loader::new(&set, n).normalize_field("x", &Normalize::measure_field(&set, "x"));
        let mut batch = Batch::new();
        loader.next_into(&mut batch).unwrap();
        let found = batch.f32("x");
        assert!(found.iter().zip(&expected).all(|(a, b): (&f32, &f32)| (a - b).abs() < 1e-6), "{found:?}");
    }
}
