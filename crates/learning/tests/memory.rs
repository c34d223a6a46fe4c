//! Tests of data sets of rows in memory.

use cotrain_learning::data::{Dataset, Example};
use cotrain_learning::encode::encode;
use cotrain_protocol::classifier::Kind;
use ndarray::array;

#[test]
fn of_numbers_keeps_rows_and_labels() {
    let rows = array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
    let classes = || vec!["no".to_owned(), "yes".to_owned()];
    // Columns may stand one after the other in memory.
    let turned = rows.t().as_standard_layout().into_owned();
    for rows in [rows.clone(), turned.reversed_axes()] {
        let found = Dataset::of_numbers(&rows, vec![1, 0, 1], classes()).expect("labels that fit");
        assert_eq!(found.train.labels(), [1, 0, 1]);
        let second = found.train.examples().nth(1);
        assert_eq!(second, Some(Example::Numbers(&[3.0, 4.0])));
        assert_eq!(found.test.examples().len(), 0);
        assert_eq!(found.columns, ["0", "1"]);
        let encoded = encode(&found, Kind::DensePerceptron, None).expect("samples");
        assert_eq!((encoded.train.len(), encoded.test.len()), (3, 0));
    }
    assert!(Dataset::of_numbers(&rows, vec![1, 0], classes()).is_none());
    assert!(Dataset::of_numbers(&rows, vec![1, 0, 2], classes()).is_none());
}
