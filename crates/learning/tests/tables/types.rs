use cotrain_learning::data::{Example, load_for, load_more};
use cotrain_learning::encode::{Encoder, Options, encode, encode_with, suited};
use cotrain_learning::input::{encode_row, row_of};
use cotrain_protocol::classifier::Kind;

use super::{Table, numbers};

/// Passengers of a ship, in the form of a well-known table.
const SHIP: &str = "\
id,class,age,sex,port,paid,name
1,no,22,male,S,true,Braund
2,yes,38,female,C,false,Cumings
3,yes,26,female,S,true,Heikkinen
4,yes,35,female,S,yes,Futrelle
5,no,35,male,S,true,Allen
6,no,54,male,Q,false,Moran
7,no,2,male,S,true,McCarthy
8,yes,27,female,S,false,Palsson
9,yes,14,female,C,true,Johnson
10,yes,4,female,S,false,Nasser
11,no,31,male,S,true,Sandstrom
12,no,40,male,C,true,Bonnell
";

#[test]
fn load_guesses_the_types_of_columns() {
    let ship = SHIP.replace("35,female,S,yes", "35,female,S,true");
    let table = Table::csv(&ship).with_test(&ship);
    assert_eq!(
        table.told(),
        "the column `name` of `t.csv` has 12 different texts in 12 rows, such as `Allen`; leave it \
         out with --drop (in a scenario, data.drop), learn from the words in it with --text-column \
         (in a scenario, data.text), or say --type 'name=categorical' (in a scenario, data.types)"
    );
    let table = table.choosing(&[], &["name"]);
    let dataset = table.load().unwrap();
    assert_eq!(dataset.row_numbers(), ["id"]);
    let table = table.choosing(&[], &["name", "id"]);
    let dataset = table.load().unwrap();
    // `Q` occurs once, so it is a rare text.
    assert_eq!(
        dataset.columns,
        [
            "age",
            "sex=female",
            "sex=male",
            "port=C",
            "port=S",
            "port=(other)",
            "paid"
        ]
    );
    let rows = numbers(&dataset);
    assert_eq!(rows[0], [22.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
    assert_eq!(rows[5], [54.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
    assert_eq!(suited(&dataset), Kind::DenseNearestCentroid);
    let described = dataset.schema.describe();
    assert_eq!(described[0], ("age".to_owned(), "numeric".to_owned()));
    assert_eq!(described[2].1, "categorical (C, S, rare ones together)");
    // Without numbers, presence suffices.
    let present = table
        .choosing(&["sex", "port", "paid"], &[])
        .load()
        .unwrap();
    assert_eq!(suited(&present), Kind::NaiveBayes);
}

#[test]
fn load_takes_types_that_are_given() {
    let table = Table::csv(SHIP)
        .with_test(SHIP)
        .choosing(&["id", "age", "paid"], &[])
        .typed("paid=boolean age=categorical id=ignored");
    let dataset = table.load().unwrap();
    // Only 35 occurs twice.
    assert_eq!(dataset.columns, ["age=35", "age=(other)", "paid"]);
    assert_eq!(numbers(&dataset)[3], [1.0, 0.0, 1.0]);
    let text = Table::csv(SHIP)
        .with_test(SHIP)
        .typed("name=text")
        .load()
        .unwrap();
    assert_eq!(text.train.examples().next(), Some(Example::Text("Braund")));
    for (table, wanted) in [
        (
            Table::csv(SHIP)
                .typed("sex=numeric")
                .choosing(&["sex"], &[]),
            "line 2: column `sex` has `male`, expected a number",
        ),
        (
            Table::csv(SHIP)
                .typed("sex=boolean")
                .choosing(&["sex"], &[]),
            "line 2: column `sex` has `male`, expected true or false, yes or no, 1 or 0",
        ),
        (
            Table::csv(SHIP)
                .typed("name=categorical")
                .choosing(&["name"], &[]),
            "each text in the column `name` of `t.csv` occurs once, so nothing can be learned from it",
        ),
        (
            Table::csv(SHIP).choosing(&[], &["nmae"]),
            "--drop names the column `nmae`, which is none of the table's; the columns of `t.csv` are \
             id, age, sex, port, paid, name",
        ),
        (
            Table::csv(SHIP).choosing(&["class"], &[]),
            "--columns names the column `class`, which has the classes",
        ),
        (
            Table::csv(SHIP).choosing(&["age"], &["age"]),
            "--columns and --drop contradict each other for the column `age`",
        ),
        (
            Table::csv(SHIP).typed("age=numeric age=boolean"),
            "two of --type contradict each other for the column `age`",
        ),
        (
            Table::csv(SHIP).typed("name=text age=numeric"),
            "--type is for tables of numbers, categories and truth values; leave it out for `",
        ),
        (
            Table::csv(SHIP).typed("name=text").missing("mean"),
            "--missing is for tables of numbers",
        ),
    ] {
        assert!(
            table.told().contains(wanted),
            "{}\nwanted {wanted}",
            table.told()
        );
    }
}

#[test]
fn load_replaces_missing_values_by_the_rule_of_their_column() {
    let text =
        "class,age,port,paid\n0,,S,yes\n1,20,?,no\n0,30,S,NA\n1,40,C,no\n0,50,C,yes\n1,NaN,-,yes\n";
    let table = || Table::csv(text).with_test(text);
    assert_eq!(
        table().told(),
        "`t.csv` has 5 missing values, the first in line 2: 2 in `age`, 2 in `port`, 1 in `paid`; \
         replace them with --missing, such as --missing mean, median or own (in a scenario, \
         data.missing), or leave the columns out with --drop (in a scenario, data.drop)"
    );
    let mean = table().missing("mean").load().unwrap();
    assert_eq!(
        mean.columns,
        ["age", "port=C", "port=S", "port=(missing)", "paid"]
    );
    let rows = numbers(&mean);
    assert_eq!(rows[0], [35.0, 0.0, 1.0, 0.0, 1.0]);
    assert_eq!(rows[1], [20.0, 0.0, 0.0, 1.0, 0.0]);
    assert_eq!(rows[2], [30.0, 0.0, 1.0, 0.0, 0.6]);
    let own = table().missing("own").load().unwrap();
    assert_eq!(
        own.columns,
        [
            "age",
            "age (missing)",
            "port=C",
            "port=S",
            "port=(missing)",
            "paid",
            "paid (missing)"
        ]
    );
    let rows = numbers(&own);
    assert_eq!(rows[5], [35.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
    assert_eq!(rows[2], [30.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    let each = table()
        .missing("age=median port=own paid=own")
        .load()
        .unwrap();
    assert_eq!(numbers(&each)[0][..2], [35.0, 0.0]);
    assert!(
        table()
            .missing("port=mean")
            .told()
            .starts_with("the column `port` is categorical")
    );
    let some = table().missing("age=mean").told();
    assert!(
        some.starts_with("`t.csv` has 3 missing values, the first in line 3: 2 in `port`, 1 in"),
        "{some}"
    );
    let none = Table::csv("class,x,y\n0,,1\n1,,2\n").told();
    assert!(
        none.starts_with("no row to learn from has a value in the column `x`"),
        "{none}"
    );
    // Spreadsheets write a column without a name if lines end with a separator.
    let unnamed = Table::csv("class,x,\n0,1,\n1,2,\n").told();
    assert!(
        unnamed.ends_with("leave it out with --drop '' (in a scenario, data.drop)"),
        "{unnamed}"
    );
    for value in ["N/A", "nan", "null", "NULL", "None", "."] {
        let text = format!("class,x\n0,1\n1,{value}\n0,2\n");
        let rows = Table::csv(&text).with_test(&text).missing("mean").rows();
        assert_eq!(rows[1], [1.5], "{value}");
    }
    let infinite = Table::csv("class,x\n0,1\n1,inf\n").missing("mean").told();
    assert!(
        infinite.contains("column `x` has `inf`, expected a number between"),
        "{infinite}"
    );
}

#[test]
fn load_finds_the_columns_of_test_data_by_their_names() {
    let table = Table::csv("class,x,y,z\n0,1,2,9\n1,3,4,9\n")
        .with_test("y,class,x\n4,1,3\n")
        .choosing(&[], &["z"]);
    let dataset = table.load().unwrap();
    assert_eq!(
        dataset.test.examples().next(),
        Some(Example::Numbers(&[3.0, 4.0]))
    );
}

#[test]
fn encode_with_reserves_columns_but_no_categories() {
    let rows = "no,C,1\nyes,S,0\nno,C,0\nyes,S,1\n".repeat(10);
    let text = format!("class,port,paid\n{rows}");
    let dataset = Table::csv(&text).typed("paid=boolean").load().unwrap();
    let reserving = |name: &str| {
        let options = Options {
            reserved: vec![name.to_owned()],
            ..Options::default()
        };
        encode_with(&dataset, Kind::NaiveBayes, &options).map(|encoded| encoded.encoder)
    };
    let told = |name: &str| reserving(name).unwrap_err().to_string();
    assert_eq!(
        told("port=Q"),
        "cannot reserve the feature `port=Q`: the categories of the column `port` are those of the \
         data; add an example with `Q` to the data, or leave it out"
    );
    let known = "the data or another reserved feature has that name already; leave it out";
    for name in ["port", "port=C", "paid"] {
        assert_eq!(
            told(name),
            format!("cannot reserve the feature `{name}`: {known}")
        );
    }
    // Only columns of categories have such features.
    for name in ["paid=1", "harbor=Q"] {
        let encoder = reserving(name).unwrap();
        assert_eq!((encoder.reserved(), encoder.features()), (1, 4));
    }
}

#[test]
fn encoder_of_typed_columns_comes_back_from_its_card() {
    let text = SHIP
        .replace("26,female", ",female")
        .replace("40,male", "NA,male");
    let table = Table::csv(&text)
        .with_test(&text)
        .choosing(&[], &["id", "name"])
        .typed("paid=boolean")
        .missing("own");
    let dataset = table.load().unwrap();
    let encoded = encode(&dataset, Kind::DenseNearestCentroid, None).unwrap();
    let card = serde_json::to_string(&encoded.encoder).unwrap();
    assert!(
        card.contains(
            r#""features":{"table":[{"name":"age","type":"numeric","missing":{"own":"#
        ) && card.contains(
            r#"{"name":"port","type":"categorical","values":["C","S"],"other":true},{"name":"paid","type":"boolean"}]}"#
        ),
        "{card}"
    );
    let read: Encoder = serde_json::from_str(&card).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), card);
    for example in dataset.train.examples() {
        let sample = encoded.encoder.encode(example).unwrap();
        assert_eq!(read.encode(example).unwrap(), sample);
        // The fields of a row, as `cotrain predict --row` takes them.
        let row = row_of(&read, example).unwrap();
        assert_eq!(encode_row(&read, &row).unwrap().sample, sample, "{row}");
    }
    // The model's types decide for further data, in any order of columns.
    let more = Table::csv("paid,port,class,age,sex\n1,X,no,,male\n0,S,yes,7,female\n");
    let part = load_more(&more.source(), &encoded.classes, read.inputs()).unwrap();
    let rows: Vec<_> = part.examples().collect();
    let Example::Numbers(first) = rows[0] else {
        panic!("no row")
    };
    assert_eq!(first[1..], [1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
    let again = load_for(&table.source(), 0.5, 7, read.inputs()).unwrap();
    assert_eq!(numbers(&again), numbers(&dataset));
    assert_eq!(
        again.test_for(read.columns()).unwrap().labels(),
        again.test.labels()
    );
    for (text, wanted) in [
        ("class,age,sex,port\nno,1,male,S\n", "unknown"),
        ("class,age,sex,port,paid,x\nno,1,male,S,1,1\n", "unknown x"),
        (
            "class,age,sex,port,paid\nno,1,male,,1\n",
            "1 in `port`; the model takes no missing values there",
        ),
        (
            "class,age,sex,port,paid\nno,old,male,S,1\n",
            "column `age` has `old`, expected a number",
        ),
    ] {
        let more = Table::csv(text);
        let told = load_more(&more.source(), &encoded.classes, read.inputs())
            .unwrap_err()
            .to_string();
        let wanted = if wanted == "unknown" {
            "missing paid"
        } else {
            wanted
        };
        assert!(told.contains(wanted), "{told}");
    }
    assert!(
        encode_row(&read, "1,male")
            .unwrap_err()
            .to_string()
            .contains("has 2 fields, expected 4")
    );
}

#[test]
fn encoder_counts_texts_that_no_feature_stands_for() {
    let text = "class,port\n0,S\n1,C\n0,S\n1,C\n";
    let dataset = Table::csv(text).with_test(text).load().unwrap();
    let encoder = encode(&dataset, Kind::NaiveBayes, None).unwrap().encoder;
    let seen = encode_row(&encoder, "S").unwrap();
    assert_eq!((seen.unseen, seen.known), (0, Some(1)));
    let unseen = encode_row(&encoder, "Q").unwrap();
    assert_eq!(
        (unseen.unseen, unseen.known, unseen.sample),
        (1, Some(0), Vec::new())
    );
}

#[test]
fn encoder_refuses_cards_of_impossible_columns() {
    let refused = |table: &str| {
        let card = format!(r#"{{"classifier":"naive-bayes","features":{{"table":[{table}]}}}}"#);
        serde_json::from_str::<Encoder>(&card)
            .unwrap_err()
            .to_string()
    };
    for (table, wanted) in [
        ("", "there are 0 features"),
        (r#"{"name":"a","type":"number"}"#, "unknown variant"),
        (r#"{"name":"a","type":"numeric","x":1}"#, "unknown field"),
        (
            r#"{"name":"a","type":"numeric","values":["x"]}"#,
            "the column `a` has values",
        ),
        (
            r#"{"name":"a","type":"categorical"}"#,
            "there are 0 features",
        ),
        (
            r#"{"name":"a","type":"categorical","values":["y","x"]}"#,
            "not in increasing order",
        ),
        (
            r#"{"name":"a","type":"categorical","values":["x","x"]}"#,
            "not in increasing order",
        ),
        (
            r#"{"name":"a","type":"numeric"},{"name":"a","type":"boolean"}"#,
            "are called `a`",
        ),
        (
            r#"{"name":"a=x","type":"numeric"},{"name":"a","type":"categorical","values":["x"]}"#,
            "are called `a=x`",
        ),
        (
            r#"{"name":"a","type":"boolean","missing":{"mean":2}}"#,
            "missing values of `a` become 2",
        ),
        (
            r#"{"name":"a","type":"numeric","missing":{"own":1e101}}"#,
            "expected a number between",
        ),
        (
            r#"{"name":"a","type":"categorical","values":["x"],"missing":{"mean":0}}"#,
            "expected a feature of their own",
        ),
    ] {
        let told = refused(table);
        assert!(told.contains(wanted), "{table}: {told}");
    }
    let many: Vec<String> = (0..70_000).map(|at| format!("\"{at:05}\"")).collect();
    let many = format!(
        r#"{{"name":"a","type":"categorical","values":[{}]}}"#,
        many.join(",")
    );
    assert!(refused(&many).contains("there are 70000 features"));
}

#[test]
fn load_takes_the_markers_of_usual_programs_for_missing_values() {
    let rows = ["3,n/a", "#N/A,a", "-nan,b", "4,<NA>", "5,a", "6,b"];
    let rows = rows.iter().enumerate();
    let rows: Vec<String> = rows
        .map(|(at, row)| format!("{row},{}\n", at % 2))
        .collect();
    let rows = rows.concat();
    let text = format!("age,port,class\n{rows}");
    let told = Table::csv(&text).told();
    assert!(
        told.contains("4 missing values, the first in line 2: 2 in `age`, 2 in `port`"),
        "{told}"
    );
    let dataset = Table::csv(&text)
        .with_test(&text)
        .missing("age=mean port=own")
        .load()
        .unwrap();
    let names = ["age", "port=a", "port=b", "port=(missing)"];
    assert_eq!(dataset.columns, names);
    let rows = numbers(&dataset);
    assert_eq!(rows[0], [3.0, 0.0, 0.0, 1.0]);
    assert_eq!(rows[1], [4.5, 1.0, 0.0, 0.0]);
    let encoder = encode(&dataset, Kind::DenseNearestCentroid, None)
        .unwrap()
        .encoder;
    let card = serde_json::to_value(&encoder).unwrap();
    let columns = &card["features"]["table"];
    assert_eq!(columns[1]["markers"], serde_json::json!(["<NA>", "n/a"]));
    assert!(columns[0].get("markers").is_none());
    let read: Encoder = serde_json::from_value(card.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), card);
    let sample = |row| encode_row(&read, row).unwrap().sample;
    assert_eq!(sample("3,n/a"), sample("3,"));
    // The training data did not have this one, so it is a text like any other.
    let other = encode_row(&read, "3,#N/A").unwrap();
    assert_eq!(other.unseen, 1);
    assert_ne!(other.sample, sample("3,"));
}

/// A card of before says nothing about markers.
#[test]
fn encoder_of_an_old_card_keeps_its_categories() {
    let card = r#"{"classifier":"naive-bayes","features":{"table":[{"name":"port","type":"categorical","values":["S","n/a"],"other":true,"missing":{"own":0.0}}]}}"#;
    let old: Encoder = serde_json::from_str(card).unwrap();
    assert_eq!(serde_json::to_string(&old).unwrap(), card);
    let sample = |row| encode_row(&old, row).unwrap().sample;
    assert_eq!(sample("n/a"), [0, 1]);
    assert_eq!(sample("#N/A"), [0, 2]);
    assert_eq!(sample("NA"), [0, 3]);
    for (markers, values) in [
        (r#"["x"]"#, r#"["S"]"#),
        (r#"["n/a"]"#, r#"["S","n/a"]"#),
        (r#"["n/a","<NA>"]"#, r#"["S"]"#),
        (r#"["NA"]"#, r#"["S"]"#),
    ] {
        let card = format!(
            r#"{{"classifier":"naive-bayes","features":{{"table":[{{"name":"port","type":"categorical","values":{values},"markers":{markers}}}]}}}}"#
        );
        let refused = serde_json::from_str::<Encoder>(&card)
            .unwrap_err()
            .to_string();
        assert!(refused.contains("markers of `port`"), "{refused}");
    }
}
