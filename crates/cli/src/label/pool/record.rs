//! Labels of a pool in a file, written one by one, so that an interruption loses none.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use cotrain_learning::text::escaped;

use super::table::{Pool, class};
use crate::{error::CommandError, live::context::write_whole};

const HEADER: [&str; 5] = ["row", "digest", "label", "asked_by", "guess"];

/// Name of the control in the column `asked_by`.
pub(super) const CONTROL: &str = "random";

/// Answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// Index of the row in the pool.
    pub(super) row: usize,
    /// Class; `None` if the row was skipped.
    pub(super) class: Option<usize>,
    /// Strategy that asked, or [`CONTROL`].
    pub(super) asked_by: String,
    /// Class that the model held for the most probable before; `None` if there was no model.
    pub(super) guess: Option<usize>,
}

/// Answers in their file, in the order in which they were given.
pub(super) struct Record {
    path: PathBuf,
    answers: Vec<Answer>,
}

impl Record {
    /// Reads the answers of a file; there are none if it does not exist.
    pub(super) fn open(path: &Path, pool: &Pool) -> Result<Self, CommandError> {
        let mut record = Self {
            path: path.to_owned(),
            answers: Vec::new(),
        };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(record),
            Err(error) => {
                let failed = anyhow!(error).context(format!("cannot read {}", path.display()));
                return Err(CommandError::Mistake(failed));
            }
        };
        // A program that was killed while it wrote leaves a part of a line.
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        let mistake = |what: String| {
            CommandError::Mistake(anyhow!(
                "cannot go on with the labels in {}: {what}; name another file with --labels",
                path.display()
            ))
        };
        let mut reader = csv::Reader::from_reader(whole.as_bytes());
        let header = reader
            .headers()
            .map_err(|error| mistake(error.to_string()))?;
        if !whole.is_empty() && header != HEADER[..] {
            let expected = HEADER.join(",");
            return Err(mistake(format!("expected the columns {expected}")));
        }
        let mut labeled: Vec<bool> = pool.known.iter().map(Option::is_some).collect();
        for line in reader.records() {
            let line = line.map_err(|error| mistake(error.to_string()))?;
            let field = |column: usize| line.get(column).unwrap_or_default();
            let row: Option<usize> = field(0).parse().ok();
            let row = row.and_then(|row| row.checked_sub(1));
            let row = row.filter(|&row| row < pool.len());
            let Some(row) = row.filter(|&row| pool.digest(row) == field(1)) else {
                let told = format!("its row {} is another one in the pool", escaped(field(0)));
                return Err(mistake(told));
            };
            if std::mem::replace(&mut labeled[row], true) {
                return Err(mistake(format!("row {} has two labels", row + 1)));
            }
            record.answers.push(Answer {
                row,
                class: class(&pool.classes, field(2))?,
                asked_by: field(3).to_owned(),
                guess: class(&pool.classes, field(4))?,
            });
        }
        if whole.len() < text.len() {
            write_whole(path, whole.as_bytes())?;
        }
        Ok(record)
    }

    /// Returns the answers.
    pub(super) fn answers(&self) -> &[Answer] {
        &self.answers
    }

    /// Adds an answer. It is on the disk when this returns.
    pub(super) fn add(&mut self, answer: Answer, pool: &Pool) -> Result<(), CommandError> {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        let is_new = file.metadata()?.len() == 0;
        let lines = written(std::slice::from_ref(&answer), pool, is_new)?;
        file.write_all(&lines)
            .and_then(|()| file.sync_data())
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        self.answers.push(answer);
        Ok(())
    }

    /// Takes the last answer back.
    pub(super) fn undo(&mut self, pool: &Pool) -> Result<(), CommandError> {
        let mut answers = self.answers.clone();
        answers.pop();
        write_whole(&self.path, &written(&answers, pool, true)?)?;
        self.answers = answers;
        Ok(())
    }
}

/// Returns answers as lines of the file, with or without its header.
fn written(answers: &[Answer], pool: &Pool, header: bool) -> Result<Vec<u8>, CommandError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    if header {
        writer.write_record(HEADER)?;
    }
    let name = |class: Option<usize>| class.map_or("", |class| pool.classes[class].as_str());
    for answer in answers {
        let row = (answer.row + 1).to_string();
        let digest = pool.digest(answer.row);
        let (label, guess) = (name(answer.class), name(answer.guess));
        writer.write_record([&row, &digest, label, &answer.asked_by, guess])?;
    }
    writer
        .into_inner()
        .map_err(|error| CommandError::Fault(anyhow!(error.to_string())))
}
