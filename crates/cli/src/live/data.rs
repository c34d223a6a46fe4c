//! Labeled data from the command line, and the choices for reading tables.

use std::path::{Path, PathBuf};

use clap::Args;
use cotrain_learning::data::{
    self, Charset, ColumnType, DEFAULT_LABEL, FolderError, LeftOut, MissingRule, Reading,
    Separator, Source,
};
use cotrain_learning::pictures::{Form, Size};
use cotrain_learning::text::escaped;

use crate::error::CommandError;

/// Choices for reading a table, for what its file does not tell.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct ReadingOptions {
    /// Character between the fields of a table: comma, semicolon, tab or pipe [default: the one in
    /// the header]
    #[arg(long, value_name = "NAME", value_parser = str::parse::<Separator>)]
    separator: Option<Separator>,
    /// Numbers of a table have a decimal comma, as in `1,5`
    #[arg(long)]
    decimal_comma: bool,
    /// Encoding of a table that is no UTF-8, such as windows-1252; UTF-16 with a byte order mark is
    /// recognized
    #[arg(long, value_name = "NAME", value_parser = str::parse::<Charset>)]
    encoding: Option<Charset>,
    /// Columns of a table to leave out, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) drop: Vec<String>,
}

impl ReadingOptions {
    /// Returns the choices for reading a file.
    pub(crate) fn reading(&self) -> Reading {
        Reading {
            separator: self.separator,
            decimal_comma: self.decimal_comma,
            encoding: self.encoding,
        }
    }
}

/// Names of the columns of a table.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct Columns {
    /// Column of a table that contains the class
    #[arg(long, value_name = "NAME", default_value = DEFAULT_LABEL)]
    pub(crate) label_column: String,
    /// Column of a table that contains the text; without it, the other columns are features
    #[arg(long, value_name = "NAME")]
    pub(crate) text_column: Option<String>,
    /// Columns of a table that are features, separated by commas [default: all but the class]
    #[arg(long = "columns", value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    #[command(flatten)]
    pub(crate) reading: ReadingOptions,
}

impl Columns {
    /// Returns the data at a path, or the data of that name that comes with cotrain.
    pub(crate) fn source(&self, data: &str) -> Result<Source, CommandError> {
        self.founding(data, None, &TypeOptions::default())
    }

    /// Returns the data that a model is founded on. `test` is further data to measure on.
    pub(crate) fn founding(
        &self,
        data: &str,
        test: Option<&Path>,
        types: &TypeOptions,
    ) -> Result<Source, CommandError> {
        let texts = self.text_column.as_deref();
        let (reading, columns) = (self.reading.reading(), self.chosen(types));
        let source = Source::chosen(data, test, &self.label_column, texts, reading, columns);
        let source = source.map_err(CommandError::mistake)?;
        types.pictures(source).map_err(CommandError::mistake)
    }

    /// Returns the settings with which a coordinator reads the same columns of a table. It takes
    /// their types from the model's card.
    pub(crate) fn settings(&self, types: &TypeOptions) -> Vec<(&'static str, String)> {
        let toml = |text: &str| toml::Value::from(text).to_string();
        let list = |names: &[String]| toml::Value::from(names.to_vec()).to_string();
        let reading = self.reading.reading();
        let ignored = types
            .types
            .iter()
            .filter(|(_, it)| *it == ColumnType::Ignored);
        let mut drop = self.reading.drop.clone();
        drop.extend(ignored.map(|(name, _)| name.clone()));
        let text = types.types.iter().find(|(_, it)| *it == ColumnType::Text);
        let mut settings = Vec::new();
        if let (Some((name, _)), None) = (text, &self.text_column) {
            settings.push(("evaluate.text", toml(name)));
        }
        if !self.only.is_empty() {
            settings.push(("evaluate.columns", list(&self.only)));
        }
        if !drop.is_empty() {
            settings.push(("evaluate.drop", list(&drop)));
        }
        if let Some(separator) = reading.separator {
            settings.push(("evaluate.separator", toml(separator.name())));
        }
        if reading.decimal_comma {
            settings.push(("evaluate.decimal_comma", true.to_string()));
        }
        if let Some(encoding) = reading.encoding {
            settings.push(("evaluate.encoding", toml(&encoding.to_string())));
        }
        settings
    }

    /// Returns the choices of columns.
    pub(crate) fn chosen(&self, types: &TypeOptions) -> data::Columns {
        let mut chosen = data::Columns {
            only: self.only.clone(),
            drop: self.reading.drop.clone(),
            types: types.types.clone(),
            ..data::Columns::default()
        };
        for (column, rule) in &types.missing {
            match column {
                Some(column) => chosen.missing.push((column.clone(), *rule)),
                None => chosen.missing_everywhere = *rule,
            }
        }
        chosen
    }
}

/// Types of the columns that a model is founded on, what replaces missing values, and the form of
/// pictures.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct TypeOptions {
    /// Type of a column of a table: numeric, categorical (each text a feature), boolean, text or
    /// ignored; several are separated by commas [default: guessed from the data]
    #[arg(
        long = "type",
        value_name = "NAME=TYPE",
        value_delimiter = ',',
        value_parser = typed_column
    )]
    types: Vec<(String, ColumnType)>,
    /// Replacement of missing values: mean, median, own (a feature that says that the value is
    /// missing) or refuse; for all columns, or for the named one [default: refuse]
    #[arg(
        long,
        value_name = "[NAME=]RULE",
        value_delimiter = ',',
        value_parser = missing_rule
    )]
    missing: Vec<(Option<String>, MissingRule)>,
    /// Width and height to which pictures are shrunk or enlarged, in pixels [default: 16x16]
    #[arg(long, value_name = "WxH", value_parser = str::parse::<Size>)]
    picture_size: Option<Size>,
    /// Number of levels of grey that a pixel has, 2 to 256; the learners of what is present take 2
    /// [default: 256]
    #[arg(long, value_name = "N")]
    picture_levels: Option<u32>,
    /// Black is the largest level and white is 0, as in scans; without it, white is the largest
    #[arg(long)]
    picture_ink: bool,
}

impl TypeOptions {
    /// Returns a source with pictures in the form that the options choose.
    fn pictures(&self, source: Source) -> Result<Source, FolderError> {
        let given = [
            ("--picture-size", self.picture_size.is_some()),
            ("--picture-levels", self.picture_levels.is_some()),
            ("--picture-ink", self.picture_ink),
        ];
        let Some((option, _)) = given.into_iter().find(|(_, given)| *given) else {
            return Ok(source);
        };
        let size = self.picture_size.unwrap_or_default();
        let form = Form::new(size, self.picture_levels, self.picture_ink)?;
        source.with_form(form, option)
    }
}

/// Returns the files and folders of pictures that are not read, in words.
pub(crate) fn left_out(source: &Source) -> Result<Vec<String>, CommandError> {
    let all = source.left_out().map_err(CommandError::mistake)?;
    let told = |(folder, left_out): (PathBuf, LeftOut)| {
        format!(
            "left out of `{}`: {left_out}",
            escaped(&folder.to_string_lossy())
        )
    };
    Ok(all.into_iter().map(told).collect())
}

/// Parses a column with its type. The name may contain `=`.
fn typed_column(text: &str) -> Result<(String, ColumnType), String> {
    let Some((name, kind)) = text.rsplit_once('=') else {
        return Err(
            "expected the name of a column, `=` and its type, as in age=numeric".to_owned(),
        );
    };
    let kind = kind.parse().map_err(|error| format!("{error}"))?;
    Ok((name.to_owned(), kind))
}

/// Parses a rule, perhaps after the name of a column.
fn missing_rule(text: &str) -> Result<(Option<String>, MissingRule), String> {
    let (name, rule) = match text.rsplit_once('=') {
        Some((name, rule)) => (Some(name.to_owned()), rule),
        None => (None, text),
    };
    let rule = rule.parse().map_err(|error| format!("{error}"))?;
    Ok((name, rule))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Given {
        #[command(flatten)]
        columns: Columns,
        #[command(flatten)]
        types: TypeOptions,
    }

    fn given(options: &[&str]) -> Given {
        let all = std::iter::once("cotrain").chain(options.iter().copied());
        Given::try_parse_from(all).expect("options")
    }

    #[test]
    fn chosen_has_types_and_rules_by_column() {
        let options = [
            "--type=a=numeric,b=c=ignored",
            "--missing=own",
            "--missing=a=mean",
            "--drop=x,y z",
            "--columns=a",
        ];
        let given = given(&options);
        let chosen = given.columns.chosen(&given.types);
        let owned = |name: &str| name.to_owned();
        assert_eq!(
            chosen,
            data::Columns {
                only: vec![owned("a")],
                drop: vec![owned("x"), owned("y z")],
                types: vec![
                    (owned("a"), ColumnType::Numeric),
                    (owned("b=c"), ColumnType::Ignored)
                ],
                missing: vec![(owned("a"), MissingRule::Mean)],
                missing_everywhere: MissingRule::Own,
            }
        );
        for wrong in [
            "--type=a",
            "--type=a=number",
            "--missing=zero",
            "--separator=colon",
        ] {
            assert!(
                Given::try_parse_from(["cotrain", wrong]).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn settings_read_the_same_columns_as_the_options() {
        assert!(
            given(&[])
                .columns
                .settings(&TypeOptions::default())
                .is_empty()
        );
        let options = [
            "--type=a=ignored,b=text",
            "--drop=x",
            "--separator=tab",
            "--decimal-comma",
            "--encoding=latin1",
        ];
        let given = given(&options);
        let owned = |text: &str| text.to_owned();
        assert_eq!(
            given.columns.settings(&given.types),
            [
                ("evaluate.text", owned("\"b\"")),
                ("evaluate.drop", owned("[\"x\", \"a\"]")),
                ("evaluate.separator", owned("\"tab\"")),
                ("evaluate.decimal_comma", owned("true")),
                ("evaluate.encoding", owned("\"windows-1252\"")),
            ]
        );
    }
}
