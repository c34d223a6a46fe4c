//! Columns of a table of contributions, and the lines of libsvm.

use std::io::{self, Write};

use cotrain_client::decode::{Decoded, DecodedForm, Decoder};
use cotrain_indexer::contributed::Contributed;
use cotrain_learning::{
    Encoder,
    data::{ColumnKind, Schema},
};
use cotrain_protocol::{record::Contribution, sample::Encoding};
use cotrain_simulator::tables::column::{Column, Values};

use super::{super::time::when, judged::Judged, source::Source};

/// Contribution with its judgment, if there is one.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) contributed: Contributed,
    pub(crate) judged: Option<Judged>,
}

/// Columns that say of each contribution if it is a lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marks {
    /// Neither.
    None,
    /// Marks by a rule.
    Judged,
    /// Marks by a rule, and what really is a lie, as in a simulated run.
    Known,
}

/// Form of a table.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) form: DecodedForm,
    /// Types of the model's columns; `None` if all have plain numbers, or there are no columns.
    schema: Option<Schema>,
    classes: Vec<String>,
    encoding: Encoding,
    /// First index of the model's libsvm data.
    first_index: u32,
    /// `true` for class and sample alone.
    bare: bool,
    /// Columns about lies.
    marks: Marks,
    /// `true` if labels of libsvm are the names of the classes, which are integers.
    integers: bool,
}

impl Layout {
    /// Returns the form of a source's table. `bare` leaves only class and sample.
    pub(super) fn of(source: &Source, bare: bool, marks: Marks) -> Self {
        let is_integer = |name: &String| name.parse::<i64>().is_ok();
        let encoder = source.encoder.as_ref();
        let columns = encoder.and_then(Encoder::columns);
        let schema = columns.map(|it| it.schema).filter(|it| !it.is_plain());
        let form = match (Decoder::new(source.encoding, encoder).form(), schema) {
            (DecodedForm::Columns(_), Some(schema)) => DecodedForm::Columns(schema.names()),
            (form, _) => form,
        };
        Self {
            form,
            schema: schema.cloned(),
            encoding: source.encoding,
            first_index: encoder.map_or(1, Encoder::first_index),
            bare,
            marks,
            integers: source.classes.iter().all(is_integer),
            classes: source.classes.clone(),
        }
    }

    fn class(&self, label: u16) -> String {
        let name = self.classes.get(usize::from(label));
        name.cloned().unwrap_or_else(|| label.to_string())
    }

    /// Returns the name of a column that is no feature. If a feature has the name too, it gets a
    /// prefix.
    fn name(&self, name: &str) -> String {
        let mut name = name.to_owned();
        if let DecodedForm::Columns(features) = &self.form {
            while features.contains(&name) {
                name.insert_str(0, "cotrain_");
            }
        }
        name
    }
}

/// Texts of rows, which columns borrow.
pub(super) struct Texts {
    utc: Vec<String>,
    author: Vec<String>,
    claimed_by: Vec<String>,
    class: Vec<String>,
    reason: Vec<String>,
    /// Samples, unless they are rows of numbers.
    sample: Vec<String>,
    /// Fields of each column of a table with types; none of other samples.
    fields: Vec<Vec<String>>,
}

impl Texts {
    pub(super) fn of(layout: &Layout, rows: &[Row], decoded: &[Decoded]) -> Self {
        let of = |text: fn(&Row) -> String| rows.iter().map(text).collect();
        Self {
            utc: of(|row| when(row.contributed.contribution.time)),
            author: of(|row| row.contributed.contribution.author.to_string()),
            claimed_by: of(|row| {
                let mut accounts: Vec<String> = Vec::new();
                for claim in &row.contributed.claims {
                    let account = claim.account.to_string();
                    if !accounts.contains(&account) {
                        accounts.push(account);
                    }
                }
                accounts.join(" ")
            }),
            reason: of(|row| row.judged.as_ref().map_or_else(String::new, Judged::reason)),
            class: rows
                .iter()
                .map(|row| layout.class(row.contributed.contribution.label))
                .collect(),
            sample: decoded
                .iter()
                .map(|sample| sample_text(sample, layout.first_index))
                .collect(),
            fields: layout
                .schema
                .as_ref()
                .map(|schema| fields(schema, decoded))
                .unwrap_or_default(),
        }
    }
}

/// Returns the fields of each column, as a table of the model has them.
fn fields(schema: &Schema, decoded: &[Decoded]) -> Vec<Vec<String>> {
    let mut columns = vec![Vec::new(); schema.columns().len()];
    for sample in decoded {
        let mut row = match sample {
            Decoded::Numbers(numbers) => schema.fields(numbers).into_iter(),
            _ => Vec::new().into_iter(),
        };
        for column in &mut columns {
            column.push(row.next().unwrap_or_default());
        }
    }
    columns
}

/// Returns a sample as one field. Its indices count from `first`.
fn sample_text(sample: &Decoded, first: u32) -> String {
    match sample {
        Decoded::Text(text) => text.clone(),
        Decoded::Numbers(_) => String::new(),
        Decoded::Bytes(bytes) => format!("0x{bytes}"),
        Decoded::Indexed { indices, values } => {
            let entries = indices.iter().zip(values);
            let entries = entries.map(|(index, value)| format!("{}:{value}", index + first));
            entries.collect::<Vec<_>>().join(" ")
        }
    }
}

/// Returns the columns of a table with these rows, which may be none.
pub(super) fn columns<'a>(
    layout: &Layout,
    rows: &'a [Row],
    decoded: &[Decoded],
    texts: &'a Texts,
) -> Vec<Column<'a>> {
    let whole = |number: fn(&Row) -> u64| Values::Whole(rows.iter().map(number).collect());
    let text = |texts: &'a [String]| Values::Text(texts.iter().map(String::as_str).collect());
    let mut all = Vec::new();
    let mut add = |name: &str, values| all.push(Column::new(layout.name(name), values));
    if !layout.bare {
        add(
            "position",
            whole(|row| row.contributed.contribution.position),
        );
        add("time", whole(|row| row.contributed.contribution.time));
        add("utc", text(&texts.utc));
        let blocks = rows.iter().map(|row| row.contributed.block);
        add("block", Values::MaybeWhole(blocks.collect()));
        add("author", text(&texts.author));
        let deposits = rows.iter().map(|row| row.contributed.contribution.deposit);
        add("deposit_wei", Values::Wei(deposits.collect()));
        let settled = rows.iter().map(|row| row.contributed.settled().name());
        add("settled", Values::Text(settled.collect()));
        let paid = rows.iter().map(|row| row.contributed.paid());
        add("paid_wei", Values::Wei(paid.collect()));
        add("claimed_by", text(&texts.claimed_by));
        let judged = || rows.iter().filter_map(|row| row.judged.as_ref());
        if layout.marks != Marks::None {
            let marks = judged().map(|it| u64::from(it.marked));
            add("marked", Values::Whole(marks.collect()));
            // Further digits would only show how floats are added.
            let scores = judged().map(|it| (it.judgment.score * 1e6).round() / 1e6);
            add("score", Values::Real(scores.collect()));
            add("reason", text(&texts.reason));
        }
        if layout.marks == Marks::Known {
            let lies = judged().map(|it| u64::from(it.lie == Some(true)));
            add("lie", Values::Whole(lies.collect()));
        }
        add(
            "label_number",
            whole(|row| row.contributed.contribution.label.into()),
        );
    }
    add("label", text(&texts.class));
    match &layout.form {
        DecodedForm::Text => add("text", text(&texts.sample)),
        DecodedForm::Indexed => add("features", text(&texts.sample)),
        DecodedForm::Bytes => add("sample", text(&texts.sample)),
        DecodedForm::Columns(_) if layout.schema.is_some() => {
            let columns = layout.schema.iter().flat_map(Schema::columns);
            for (column, fields) in columns.zip(&texts.fields) {
                let values = match column.kind {
                    // A number that is missing has no text.
                    ColumnKind::Numeric => {
                        Values::MaybeReal(fields.iter().map(|it| it.parse().ok()).collect())
                    }
                    ColumnKind::Boolean | ColumnKind::Categorical { .. } => text(fields),
                };
                all.push(Column::new(column.name.clone(), values));
            }
        }
        DecodedForm::Columns(names) => {
            for (column, name) in names.iter().enumerate() {
                let value = |sample: &Decoded| match sample {
                    Decoded::Numbers(numbers) => numbers.get(column).copied().unwrap_or(0.0),
                    _ => 0.0,
                };
                let values = Values::Real(decoded.iter().map(value).collect());
                all.push(Column::new(name.clone(), values));
            }
        }
    }
    all
}

/// Writes a line of libsvm. Unless the layout is bare, a comment has what became of the contribution.
pub(super) fn libsvm(
    to: &mut impl Write,
    layout: &Layout,
    row: &Row,
    sample: &Decoded,
) -> io::Result<()> {
    let contribution = &row.contributed.contribution;
    let label = contribution.label;
    if layout.integers {
        write!(to, "{}", layout.class(label))?;
    } else {
        write!(to, "{label}")?;
    }
    match sample {
        Decoded::Indexed { indices, values } => {
            for (index, value) in indices.iter().zip(values) {
                write!(to, " {}:{value}", index + layout.first_index)?;
            }
        }
        Decoded::Numbers(numbers) => {
            for (index, value) in (1..).zip(numbers).filter(|(_, value)| **value != 0.0) {
                write!(to, " {index}:{value}")?;
            }
        }
        // Features have no values of their own, so their numbers stand for them.
        Decoded::Text(_) | Decoded::Bytes(_) => match layout.encoding {
            Encoding::Sparse => {
                for feature in contribution.sample.as_chunks().0 {
                    write!(to, " {}:1", u32::from(u16::from_be_bytes(*feature)) + 1)?;
                }
            }
            dense => {
                let numbers = (1..).zip(dense.numbers(&contribution.sample));
                for (index, number) in numbers.filter(|(_, number)| *number != 0) {
                    write!(to, " {index}:{number}")?;
                }
            }
        },
    }
    if !layout.bare {
        comment(to, layout, row)?;
    }
    writeln!(to)
}

/// Writes the comment of a line of libsvm: the columns besides label and sample, as `name=value`.
fn comment(to: &mut impl Write, layout: &Layout, row: &Row) -> io::Result<()> {
    let contributed = &row.contributed;
    let Contribution {
        position,
        time,
        author,
        deposit,
        ..
    } = &contributed.contribution;
    let (settled, paid) = (contributed.settled().name(), contributed.paid());
    write!(
        to,
        " # position={position} time={time} author={author} deposit_wei={deposit} settled={settled} paid_wei={paid}"
    )?;
    let Some(judged) = row.judged.as_ref().filter(|_| layout.marks != Marks::None) else {
        return Ok(());
    };
    write!(
        to,
        " marked={} score={:.6}",
        u64::from(judged.marked),
        judged.judgment.score
    )?;
    if layout.marks == Marks::Known {
        write!(to, " lie={}", u64::from(judged.lie == Some(true)))?;
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use alloy_primitives::Address;
    use cotrain_learning::{
        agreement::Judgment,
        data::{Source, load},
    };
    use cotrain_protocol::sample::encode_sparse;

    use super::*;

    pub(in super::super) fn layout() -> Layout {
        Layout {
            form: DecodedForm::Bytes,
            schema: None,
            classes: vec!["-1".to_owned(), "1".to_owned()],
            encoding: Encoding::Sparse,
            first_index: 1,
            bare: true,
            marks: Marks::None,
            integers: true,
        }
    }

    pub(in super::super) fn row(label: u16) -> Row {
        Row {
            contributed: Contributed {
                contribution: Contribution {
                    author: Address::ZERO,
                    label,
                    deposit: 1,
                    time: 0,
                    position: 0,
                    sample: encode_sparse(&[0, 7]),
                },
                block: None,
                claims: Vec::new(),
            },
            judged: None,
        }
    }

    #[test]
    fn fields_are_those_of_a_table_with_types() {
        let columns = r#"[{"name":"age","type":"numeric","missing":{"own":2.5}},
            {"name":"port","type":"categorical","values":["C","S"]},
            {"name":"paid","type":"boolean"}]"#;
        let columns = serde_json::from_str(columns).expect("columns");
        let schema = Schema::new(columns).expect("a schema");
        let rows = [
            Decoded::Numbers(vec![1.5, 0.0, 0.0, 1.0, 1.0]),
            Decoded::Numbers(vec![2.5, 1.0, 1.0, 0.0, 0.0]),
        ];
        let expected = [["1.5", ""], ["S", "C"], ["true", "false"]];
        assert_eq!(fields(&schema, &rows), expected);
    }

    #[test]
    fn sample_text_counts_indices_as_the_data_of_the_model_did() {
        let sample = Decoded::Indexed {
            indices: vec![0, 3],
            values: vec![1.0, 0.5],
        };
        assert_eq!(sample_text(&sample, 0), "0:1 3:0.5");
        assert_eq!(sample_text(&sample, 1), "1:1 4:0.5");
    }

    #[test]
    fn columns_are_the_same_without_rows() {
        let layout = Layout {
            bare: false,
            marks: Marks::Known,
            ..layout()
        };
        let judged = Row {
            judged: Some(Judged {
                judgment: Judgment {
                    neighbors: 0,
                    contradicting: 0,
                    verdict: None,
                    predicted: None,
                    author: 0.0,
                    score: 0.5,
                },
                marked: true,
                lie: Some(true),
            }),
            ..row(0)
        };
        let names = |rows: &[Row]| -> Vec<String> {
            let samples = vec![Decoded::Bytes(String::new()); rows.len()];
            let texts = Texts::of(&layout, rows, &samples);
            let columns = columns(&layout, rows, &samples, &texts);
            columns.into_iter().map(|it| it.name).collect()
        };
        assert_eq!(names(&[]), names(&[judged]));
        assert!(names(&[]).contains(&"lie".to_owned()));
    }

    #[test]
    fn libsvm_has_what_became_of_a_contribution_in_a_comment() {
        let line = |layout: &Layout, row: &Row| {
            let mut line = Vec::new();
            let sample = Decoded::Bytes(String::new());
            libsvm(&mut line, layout, row, &sample).expect("written");
            String::from_utf8(line).expect("UTF-8")
        };
        let bare = layout();
        assert_eq!(line(&bare, &row(1)), "1 1:1 8:1\n");
        let whole = Layout {
            bare: false,
            ..layout()
        };
        let told = "1 1:1 8:1 # position=0 time=0 author=0x0000000000000000000000000000000000000000 \
                    deposit_wei=1 settled=open paid_wei=0\n";
        assert_eq!(line(&whole, &row(1)), told);
        // Readers of libsvm skip the comment.
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.libsvm");
        let text = line(&whole, &row(0)) + &line(&whole, &row(1));
        std::fs::write(&path, text).expect("written");
        let name = path.to_str().expect("UTF-8");
        let source = Source::named(name, None, "label", None).expect("a source");
        let data = load(&source, 0.5, 1).expect("data");
        assert_eq!(data.classes, ["-1", "1"]);
    }

    #[test]
    fn name_gets_a_prefix_if_a_feature_has_it() {
        let names = ["author", "cotrain_author"].map(ToOwned::to_owned);
        let layout = Layout {
            form: DecodedForm::Columns(names.to_vec()),
            ..layout()
        };
        assert_eq!(layout.name("author"), "cotrain_cotrain_author");
        assert_eq!(layout.name("time"), "time");
    }
}
