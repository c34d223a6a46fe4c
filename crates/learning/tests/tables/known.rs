//! Accuracies of well-known tables, which `data/NOTICE.md` names.

use std::path::{Path, PathBuf};

use cotrain_learning::accuracy;
use cotrain_learning::data::{Columns, Reading, Source, load};
use cotrain_learning::encode::encode;
use cotrain_learning::train::{Options, train};
use cotrain_protocol::classifier::Kind;

const SEEDS: u64 = 10;

fn known(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tables")
        .join(name)
}

fn table(path: &Path, label: &str) -> Source {
    let path = path.to_str().unwrap();
    let columns = Columns::default();
    Source::chosen(path, None, label, None, Reading::default(), columns).unwrap()
}

/// Returns the mean accuracy over some splits, in percent, and the columns that seem to number rows.
fn mean(source: &Source, kind: Kind) -> (f64, Vec<String>) {
    let mut sum = 0.0;
    let mut row_numbers = Vec::new();
    for seed in 0..SEEDS {
        let dataset = load(source, 0.2, seed).unwrap();
        row_numbers = dataset.row_numbers();
        let encoded = encode(&dataset, kind, None).unwrap();
        let options = Options {
            seed,
            ..Options::default()
        };
        let trained = train(kind, &encoded.train, &options, &encoded.test).unwrap();
        sum += accuracy(&trained.classifier, &encoded.test);
    }
    #[allow(clippy::cast_precision_loss, reason = "the number of seeds is small")]
    let mean = 100.0 * sum / SEEDS as f64;
    (mean, row_numbers)
}

#[test]
fn train_reaches_what_is_known_of_small_tables() {
    let iris = table(&known("iris.csv"), "species");
    let wine = table(&known("wine.csv"), "cultivar");
    let cells = table(&known("breast-cancer.csv.gz"), "diagnosis");
    for (source, kind, wanted) in [
        (&iris, Kind::DenseNearestCentroid, 87.0),
        (&wine, Kind::DenseNearestCentroid, 98.0),
        (&cells, Kind::DenseNearestCentroid, 93.0),
        (&cells, Kind::DensePerceptron, 96.0),
        (&Source::Digits, Kind::DenseNearestCentroid, 90.0),
    ] {
        let (reached, row_numbers) = mean(source, kind);
        assert!(row_numbers.is_empty(), "{source:?}");
        assert!(
            (reached - wanted).abs() < 2.0,
            "{source:?}, {kind}: {reached}"
        );
    }
}

/// The classes of the file follow each other, so the number of the row tells the class.
#[test]
fn row_numbers_names_the_column_that_tells_the_class_of_iris() {
    let text = std::fs::read_to_string(known("iris.csv")).unwrap();
    let numbered = |(row, line): (usize, &str)| format!("{row},{line}\n");
    let text: String = text.lines().enumerate().map(numbered).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbered.csv");
    // As pandas writes it, the column has no name.
    std::fs::write(&path, text.replacen('0', "", 1)).unwrap();
    let kind = Kind::DenseNearestCentroid;
    let (plain, _) = mean(&table(&known("iris.csv"), "species"), kind);
    let (numbered, row_numbers) = mean(&table(&path, "species"), kind);
    assert_eq!(row_numbers, [""]);
    assert!(numbered > plain + 5.0, "{plain}, then {numbered}");
}
