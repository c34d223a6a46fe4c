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
