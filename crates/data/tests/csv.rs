//! Tables of text: what is read, and what is said of damaged ones.

use data::{Batch, Csv, Dataset, Error, Loader, Records};
use proptest::prelude::*;

const FLOWERS: &str = "width,length,kind,petals\n1.5,2, rose ,5\n\n 3 ,-1e2,lily,6\r\n\"0.25\",4,rose,5";

fn read(options: Csv, text: &str) -> Result<Records, Error> {
    options.read_from("t.csv", text.as_bytes())
}

fn values(set: &Records, field: &str) -> Vec<f32> {
    let mut batch = Batch::new();
    Loader::new(set, set.len()).next_into(&mut batch).unwrap();
    batch.f32(field).to_vec()
}

fn labels(set: &Records) -> Vec<u32> {
    (0..set.len()).map(|idx| set.label(idx)).collect()
}

#[test]
fn features_targets_and_classes() {
    let set = read(Csv::new().label("kind").targets(["petals"]), FLOWERS).unwrap();
    assert_eq!(set.class_names(), ["lily", "rose"]);
    assert_eq!(labels(&set), [1, 0, 1]);
    assert_eq!(values(&set, "features"), [1.5, 2.0, 3.0, -100.0, 0.25, 4.0]);
    assert_eq!(values(&set, "targets"), [5.0, 6.0, 5.0]);
    assert_eq!(set.fields()[1].shape, [1]);
}

#[test]
fn a_file_without_a_header_goes_by_index() {
    let options = Csv::new().without_header().delimiter(b';').label(1).leave_out([0]);
    let set = read(options, "1;10;0.5\n2;9;1.5\n3;100;2.5\n").unwrap();
    assert_eq!(set.class_names(), ["9", "10", "100"], "numbers in their order");
    assert_eq!(labels(&set), [1, 0, 2]);
    assert_eq!(values(&set, "features"), [0.5, 1.5, 2.5]);
}

#[test]
fn a_value_can_stand_for_what_is_missing() {
    let text = "a,b\n1,\nNA,2\n?,NaN\n";
    assert_eq!(
        values(&read(Csv::new().missing(-1.0), text).unwrap(), "features"),
        [1.0, -1.0, -1.0, 2.0, -1.0, -1.0]
    );
}

/// Times in seconds, and numbers too small for f32; but nothing is said of decimals, whole numbers, one number or
/// the usual missing ones.
#[test]
fn columns_that_lose_their_differences_are_named() {
    let rows = (0..40).map(|i| {
        let kind = if i < 20 { "x" } else { "y" };
        let (time, small, tenth) = (1_700_000_000 + i, format!("{i}e-48"), f64::from(i) / 10.0);
        format!("{time},{small},{tenth},{},1700000001,{kind}\n", 16_000_000 + i)
    });
    let text = ["time,small,tenth,count,same,kind\n".to_owned()].into_iter().chain(rows).collect::<String>();
    let set = read(Csv::new().label("kind").missing(1.7e9), &format!("{text}NaN,?,,NA,null,x\n")).unwrap();
    assert!(
        set.warnings()[0].contains("column 1 (time): the numbers from 1700000000 to 1700000039"),
        "{set:?}"
    );
    let set = read(Csv::new().label("kind"), &text).unwrap();
    assert_eq!(set.columns(), ["time", "small", "tenth", "count", "same"]);
    let expected = [
        "column 1 (time): the numbers from 1700000000 to 1700000039 are so close together that f32 can hardly tell them \
         apart; subtract 1700000000 from all of them",
        "column 2 (small): the numbers from 0e0 to 3.9e-47 are too small for f32; multiply all of them by a large number",
    ];
    assert_eq!(set.warnings(), expected);
    let days = "time\n1700000000\n1700086400\n1700172800\n";
    assert!(read(Csv::new(), days).unwrap().warnings().is_empty());
}

#[test]
fn a_quoted_cell_may_hold_anything() {
    let text = "\"a\",\"na\"\"me\"\r\n1,\"x, \"\"y\"\"\r\n\"\r\n\r\n\"2\",\"\"\n3,5\" \"wide\"\n4,\"\"\"\"";
    let set = read(Csv::new().leave_out([1]), text).unwrap();
    assert_eq!(values(&set, "features"), [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn classes_can_be_given() {
    let options = Csv::new().label("kind").classes(["rose", "tulip", "lily"]);
    assert_eq!(labels(&read(options, FLOWERS).unwrap()), [0, 2, 0]);
}

/// What is read how, and what is said after the file's name.
#[test]
fn damage_is_named_with_line_and_column() {
    let all = Csv::new;
    let flowers = || Csv::new().label("kind");
    let left_out = || Csv::new().leave_out(["name"]);
    let table = [
        (
            all(),
            "a,b\n1,2\n3,x\n",
            "line 3, column 2 (b): expected a number, found \"x\"; a column of text is left out with \
             Csv::leave_out",
        ),
        (
            all(),
            "a,b\r\n1,2\r\n\r\n3,x\r\n",
            "line 4, column 2 (b): expected a number, found \"x\"; a column of text is left out with \
             Csv::leave_out",
        ),
        (
            all(),
            "\n\na,b\n1,2\n\"3\n\",x",
            "line 5, column 2 (b): expected a number, found \"x\"; a column of text is left out with \
             Csv::leave_out",
        ),
        (
            all().without_header(),
            "1,2\n,4\n",
            "line 2, column 1: expected a number, found nothing; set a value for missing numbers with \
             Csv::missing",
        ),
        (
            all(),
            "a,b\n1,NA\n",
            "line 2, column 2 (b): expected a number, found NA, which marks a missing value; set a value for \
             missing numbers with Csv::missing",
        ),
        (
            all(),
            "a,b,c\n1,2,3\n3\n",
            "line 3, column 2 (b): expected 3 cells, found 1: the row ends before this column",
        ),
        (all(), "a,b\n1,2,3,4\n", "line 2, column 3: expected 2 cells, found 4: the surplus begins here"),
        (
            all().without_header(),
            "1\n2\n3,\n",
            "line 3, column 2: expected 1 cell, found 2: the surplus begins here",
        ),
        (
            all(),
            "a,b\n1,\"2\n3\n4,5\"\n6\n",
            "line 2, column 2 (b): expected a number, found \"2\\n3\\n4,5\"; a column of text is left out with \
             Csv::leave_out",
        ),
        (
            left_out(),
            "a,name\n1,\"x\ny\"\n2\n",
            "line 4, column 2 (name): expected 2 cells, found 1: the row ends before this column",
        ),
        (all(), "a,b\n1,1e40\n", "line 2, column 2 (b): expected a number that f32 can hold, found \"1e40\""),
        (all(), "a,b\n1,inf\n", "line 2, column 2 (b): expected a number that f32 can hold, found \"inf\""),
        (
            all(),
            "\u{feff}\n\na,b\n1,x\n",
            "line 4, column 2 (b): expected a number, found \"x\"; a column of text is left out with \
             Csv::leave_out",
        ),
        (
            all(),
            "a,b\n1,\"2\n3,4\n",
            "line 2, column 2 (b): expected a closing quote, found the end of the file",
        ),
        (
            all(),
            "a,b\n1,\"2\n3\"\n",
            "line 2, column 2 (b): expected a number, found \"2\\n3\"; a column of text is left out with \
             Csv::leave_out",
        ),
        (
            all(),
            "a,b\n\"1\"2,3\n",
            "line 2, column 1 (a): expected the end of the cell after its closing quote, found \"2\": double a \
             quote within a cell",
        ),
        (
            left_out(),
            "a,name\n1,\"x\n2,y\n3,z\n",
            "line 2, column 2 (name): expected a closing quote, found the end of the file",
        ),
        (
            left_out(),
            "a,name\r\n1,\"x\"\r\n2,\"",
            "line 3, column 2 (name): expected a closing quote, found the end of the file",
        ),
        (
            left_out(),
            "a,name\n1,\"a\n2,\"b\n",
            "line 2, column 2 (name): expected the end of the cell after its closing quote, found \"b\": double \
             a quote within a cell",
        ),
        (
            left_out(),
            "\u{feff}\"a,name\n1,x\n",
            "line 1, column 1: expected a closing quote, found the end of the file",
        ),
        (
            left_out().delimiter(b'\t'),
            "\"a\"\t\"name\"s\n1\tx\n",
            "line 1, column 2: expected the end of the cell after its closing quote, found \"s\": double a \
             quote within a cell",
        ),
        (
            all(),
            "a,b\n1,\u{1b}[2J\n",
            "line 2, column 2 (b): expected a number, found \"\\u{1b}[2J\"; a column of text is left out \
             with Csv::leave_out",
        ),
        (flowers(), "a,b\n1,2\n", "line 1: expected a column kind, found a, b"),
        (
            flowers(),
            "a,kind,kind\n1,2,3\n",
            "line 1, column 3 (kind): column 2 has the same name; expected one of them",
        ),
        (all().label(2), "a,b\n1,2\n", "line 1: expected a column with index 2, found 2 columns"),
        (
            flowers().leave_out(["kind"]),
            "a,kind\n1,2\n",
            "line 1, column 2 (kind): a column cannot have two roles",
        ),
        (flowers(), "a,kind\n1,x\n2, \n", "line 3, column 2 (kind): expected a class, found nothing"),
        (
            flowers(),
            "a,kind\n1,x\n2,?\n",
            "line 3, column 2 (kind): expected a class, found ?, which marks a missing value",
        ),
        (
            flowers(),
            "a,kind\n1,\"x\n2,y\"\n",
            "line 2, column 2 (kind): the name \"x\\n2,y\" contains a control character",
        ),
        (
            flowers().classes(["x"]),
            "a,kind\n1,x\n2,y\n",
            "line 3, column 2 (kind): expected one of x, found \"y\"",
        ),
        (
            flowers(),
            "a,kind\n1,1\n2,2\n3,1.0\n4,01\n",
            "line 5, column 2 (kind): the classes \"01\" and \"1\" are the same number: write a class in one way",
        ),
        (flowers().classes(["x", "y", "x"]), "a,kind\n1,x\n", "two classes are named \"x\""),
        (
            all().leave_out([0]),
            "a\n1\n",
            "line 1: every column is left out: keep one as a feature, a target or the class",
        ),
        (all(), "a,b\n", "line 1: expected rows, found none"),
        (all(), "", "line 1: expected rows, found none"),
    ];
    for (options, text, problem) in table {
        let message = read(options, text).map(|set| set.len()).unwrap_err().to_string();
        assert_eq!(message, format!("t.csv: {problem}"), "{text:?}");
    }
    let error = Csv::new().read_from("t.csv", b"a,b\n1,\xff\n".as_slice()).unwrap_err();
    assert_eq!(error.to_string(), "t.csv: line 2, column 2 (b): expected text in UTF-8");
}

proptest! {
    /// Whatever a quoted cell of a column that is left out holds, no row is lost.
    #[test]
    fn no_row_is_lost(cells in prop::collection::vec("[a\",\n\r ]{0,6}", 1..8), ends in "\n|\r\n|\r") {
        let quoted = |cell: &String| format!("\"{}\",1{ends}", cell.replace('"', "\"\""));
        let text: String = cells.iter().map(quoted).collect();
        let options = Csv::new().without_header().leave_out([0]);
        prop_assert_eq!(read(options.clone(), &text).unwrap().len(), cells.len());
        let (closing, _) = text.rmatch_indices('"').next().unwrap();
        let open = [&text[..closing], &text[closing + 1..]].concat();
        prop_assert!(read(options, &open).is_err(), "{open:?}");
    }

    /// Whatever it is, a text is rows as long as the first, or an error in a line that it has.
    #[test]
    fn any_text_is_a_set_or_an_error(text in "[a0-9,\"\n\r .eN-]{0,40}", has_header: bool, labelled: bool) {
        let options = if has_header { Csv::new() } else { Csv::new().without_header() };
        let options = if labelled { options.label(0) } else { options.missing(0.0) };
        match read(options, &text) {
            Ok(set) => {
                prop_assert!(!set.is_empty());
                prop_assert!(set.fields().is_empty() || !values(&set, "features").is_empty());
            }
            Err(Error::Csv { place, .. }) => {
                let line: usize = place[5..].split(',').next().unwrap().parse().unwrap();
                prop_assert!((1..=text.split(['\n', '\r']).count()).contains(&line), "{}", place);
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}

#[test]
fn a_file_is_read_and_a_folder_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.csv");
    std::fs::write(&path, FLOWERS).unwrap();
    assert_eq!(Csv::new().label("kind").read(&path).unwrap().len(), 3);
    assert!(matches!(Csv::new().read(&dir), Err(Error::NotAFile { .. })));
}
