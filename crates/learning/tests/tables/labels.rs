use cotrain_learning::data::{ModelInputs, load_more};

use super::Table;

const HOLES: &str = "a,class\n1,NA\n2,x\n3,?\n4,y\n";

#[test]
fn load_refuses_classes_that_are_missing() {
    assert_eq!(
        Table::csv(HOLES).told(),
        "`t.csv` has 2 malformed lines; correct or remove them:\n  \
         line 2: column `class` has `NA`, which stands for a missing class; remove the line, or say \
         --missing 'class=own' (in a scenario, data.missing) if `NA` is a class\n  \
         line 4: column `class` has `?`, which stands for a missing class; remove the line, or say \
         --missing 'class=own' (in a scenario, data.missing) if `?` is a class"
    );
    // The rule of the other columns says nothing about the class.
    assert_eq!(
        Table::csv(HOLES).missing("own").told(),
        Table::csv(HOLES).told()
    );
    let empty = Table::csv("a,class\n1,x\n2,\n3,y\n")
        .missing("class=own")
        .told();
    assert!(empty.contains("line 3: column `class` is empty"), "{empty}");
    // Many tables call their classes so.
    let signs = Table::csv("a,class\n1,+\n2,-\n3,+\n4,-\n").load().unwrap();
    assert_eq!(signs.classes, ["+", "-"]);
}

#[test]
fn load_keeps_classes_that_are_called_like_missing_values_if_asked() {
    let kept = Table::csv(HOLES).missing("class=own");
    let classes = kept.load().unwrap().classes;
    assert_eq!(classes, ["?", "NA", "x", "y"]);
    // So it is with chosen columns, and with texts.
    let chosen = Table::csv(HOLES).missing("class=own").choosing(&["a"], &[]);
    assert_eq!(chosen.load().unwrap().classes, classes);
    let texts = Table::csv(HOLES).missing("class=own").typed("a=text");
    assert_eq!(texts.load().unwrap().classes, classes);
    let told = Table::csv(HOLES).typed("a=text").told();
    assert!(told.contains("2 malformed lines"), "{told}");
    let told = Table::csv(HOLES).missing("class=mean").told();
    assert!(
        told.starts_with("--missing names the column `class`, which has the classes"),
        "{told}"
    );
    // Further data of the model has such classes, too, and no others.
    let source = Table::csv(HOLES);
    let more = |classes: &[String]| load_more(&source.source(), classes, ModelInputs::default());
    assert_eq!(more(&classes).unwrap().labels(), [1, 2, 0, 3]);
    let told = more(&classes[1..]).unwrap_err().to_string();
    assert!(
        told.contains("has the class `?`, which the model does not have"),
        "{told}"
    );
}

#[test]
fn load_more_takes_integers_that_were_written_as_floats() {
    let source = Table::csv("a,class\n1,1.0\n2,2.0\n3,-1\n");
    let classes = |names: &[&str]| names.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
    let more =
        |names: &[&str]| load_more(&source.source(), &classes(names), ModelInputs::default());
    assert_eq!(more(&["-1", "1", "2"]).unwrap().labels(), [1, 2, 0]);
    // A fraction is another class, and so is a name beside names.
    let refused = |text: &str, names: &[&str]| {
        let table = Table::csv(text);
        load_more(&table.source(), &classes(names), ModelInputs::default())
            .unwrap_err()
            .to_string()
    };
    let told = refused("a,class\n1,1.5\n", &["1", "2"]);
    assert!(told.contains("has the class `1.5`"), "{told}");
    let told = refused("a,class\n1,1.0\n", &["1", "x"]);
    assert!(told.contains("has the class `1.0`"), "{told}");
    // So it is with test data.
    let table = Table::csv("a,class\n1,0\n2,1\n").with_test("a,class\n1,0.0\n2,1.0\n");
    assert_eq!(table.load().unwrap().test.labels(), [0, 1]);
}

#[test]
fn doubts_names_classes_that_are_numbers_to_estimate() {
    let rows = |step: f64| -> String {
        let rows = (0..24).map(|row| format!("{row},{}\n", f64::from(row / 2) * step));
        std::iter::once("a,class\n".to_owned())
            .chain(rows)
            .collect()
    };
    let doubts = |step| {
        let text = rows(step);
        let dataset = Table::csv(&text).with_test(&text).load().unwrap();
        dataset
            .doubts()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    let told = doubts(0.25);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("the classes are 12 different numbers, such as `0.25`; a model tells"),
        "{told:?}"
    );
    assert!(doubts(1.0).is_empty());
}
