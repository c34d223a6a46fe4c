use cotrain_learning::data::{Columns, MissingRule, Reading, Table};
use std::path::Path;

const POOL: &str = "height,color,note,kind\n1,red,a,x\n,blue,b,\n3,red,c,y\n5,blue,d,\n";

fn table(text: &str) -> Table {
    let bytes = text.as_bytes().to_vec();
    Table::of_bytes(Path::new("pool.csv"), bytes, &Reading::default()).unwrap()
}

#[test]
fn learned_makes_numbers_of_all_rows_without_their_classes() {
    let columns = Columns {
        drop: vec!["note".to_owned()],
        missing_everywhere: MissingRule::Mean,
        ..Columns::default()
    };
    let pool = table(POOL).learned(&["kind"], &columns, false).unwrap();
    assert_eq!(
        pool.schema.features(),
        ["height", "color=blue", "color=red"]
    );
    let rows: Vec<Vec<f64>> = pool.rows.rows().into_iter().map(|it| it.to_vec()).collect();
    let expected = [
        [1.0, 0.0, 1.0],
        [3.0, 1.0, 0.0],
        [3.0, 0.0, 1.0],
        [5.0, 1.0, 0.0],
    ];
    assert_eq!(rows, expected);
}

#[test]
fn learned_refuses_unknown_columns_and_missing_values() {
    let told = |columns: &Columns, apart: &[&str]| {
        let learned = table(POOL).learned(apart, columns, false);
        learned.unwrap_err().to_string()
    };
    let dropped = Columns {
        drop: vec!["width".to_owned()],
        ..Columns::default()
    };
    assert!(told(&dropped, &[]).contains("width"));
    let refused = told(&Columns::default(), &["kind", "note"]);
    assert!(refused.contains("height"), "{refused}");
    let nothing = told(&Columns::default(), &["height", "color", "note", "kind"]);
    assert!(nothing.contains("has nothing to learn from"), "{nothing}");
}
