//! Answers to questions: from a column, from the lines of stdin, or from the keys of a terminal.

use std::{
    collections::HashMap,
    io::{self, BufRead, IsTerminal},
};

use anyhow::anyhow;
use console::{Key, Term};
use cotrain_learning::text::escaped;

use super::table::{Pool, class};
use crate::{error::CommandError, output::Narrator};

/// Maximum number of classes that have a key.
const KEYS: usize = 9;

/// Answer of a person or a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    Class(usize),
    Skip,
    Undo,
    /// The labels so far are enough for now.
    Quit,
    /// The answers have ended.
    End,
}

/// Source of answers.
pub(super) enum Answers {
    /// Column of the pool.
    Column,
    /// Lines `row,class` of stdin, of which some were read ahead.
    Lines(HashMap<usize, usize>),
    /// Person at a terminal.
    Terminal(Term),
}

impl Answers {
    /// Returns the column of answers if the pool has one, else a terminal if there is one.
    pub(super) fn of(pool: &Pool) -> Self {
        if pool.answers.is_some() {
            return Self::Column;
        }
        if io::stdin().is_terminal() && io::stderr().is_terminal() {
            return Self::Terminal(Term::stderr());
        }
        Self::Lines(HashMap::new())
    }

    /// Returns `true` if a person answers.
    pub(super) fn are_typed(&self) -> bool {
        matches!(self, Self::Terminal(_))
    }

    /// Returns the answer for a row.
    pub(super) fn next(
        &mut self,
        row: usize,
        pool: &Pool,
        narrator: &Narrator,
    ) -> Result<Reply, CommandError> {
        match self {
            Self::Column => {
                let answers = pool.answers.as_ref();
                let known = answers.and_then(|answers| answers[row]);
                Ok(known.map_or(Reply::Skip, Reply::Class))
            }
            Self::Lines(ahead) => line(ahead, row, pool),
            Self::Terminal(terminal) => loop {
                let reply = if pool.classes.len() <= KEYS {
                    key(terminal, pool)?
                } else {
                    word(terminal, pool)?
                };
                match reply {
                    Some(reply) => return Ok(reply),
                    None => narrator.say(keys(pool)),
                }
            },
        }
    }

    /// Asks a person whether to go on; a program does not.
    pub(super) fn goes_on(&self, narrator: &Narrator) -> Result<bool, CommandError> {
        let Self::Terminal(terminal) = self else {
            return Ok(false);
        };
        narrator.say("Go on? [y/N]");
        loop {
            match terminal.read_key()? {
                Key::Char('y' | 'Y') => return Ok(true),
                Key::Char(_) | Key::Escape => return Ok(false),
                _ => {}
            }
        }
    }
}

/// Returns the keys in words.
pub(super) fn keys(pool: &Pool) -> String {
    let classes = pool.classes.iter().enumerate();
    let classes = classes.map(|(index, name)| format!("{} {}", index + 1, escaped(name)));
    let classes: Vec<String> = classes.collect();
    let end = if pool.classes.len() > KEYS {
        " (number or name, and Enter)"
    } else {
        ""
    };
    format!(
        "{}   u undo   s skip   q save and quit{end}",
        classes.join("   ")
    )
}

/// Reads one key; `None` if it means nothing.
fn key(terminal: &Term, pool: &Pool) -> Result<Option<Reply>, CommandError> {
    loop {
        return Ok(match terminal.read_key()? {
            Key::Char(letter) => reply(&letter.to_string(), pool),
            Key::Enter => continue,
            _ => None,
        });
    }
}

/// Reads one line; `None` if it means nothing.
fn word(terminal: &Term, pool: &Pool) -> Result<Option<Reply>, CommandError> {
    let line = terminal.read_line()?;
    Ok(reply(line.trim(), pool))
}

/// Returns the meaning of a typed text.
fn reply(text: &str, pool: &Pool) -> Option<Reply> {
    let number = text.parse::<usize>().ok();
    let number = number.and_then(|it| it.checked_sub(1));
    let number = number.filter(|&it| it < pool.classes.len());
    let name = || pool.classes.iter().position(|it| it == text);
    match text {
        "u" => Some(Reply::Undo),
        "s" => Some(Reply::Skip),
        "q" => Some(Reply::Quit),
        _ => number.or_else(name).map(Reply::Class),
    }
}

/// Reads lines until one answers for a row.
fn line(ahead: &mut HashMap<usize, usize>, row: usize, pool: &Pool) -> Result<Reply, CommandError> {
    loop {
        if let Some(class) = ahead.remove(&row) {
            return Ok(Reply::Class(class));
        }
        let mut text = String::new();
        if io::stdin().lock().read_line(&mut text)? == 0 {
            return Ok(Reply::End);
        }
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        let mistake = || {
            CommandError::Mistake(anyhow!(
                "`{}` is no answer; expected the number of a row, a comma and a class, such as 17,{}",
                escaped(text),
                escaped(&pool.classes[0])
            ))
        };
        let (number, name) = text.split_once(',').ok_or_else(mistake)?;
        let number: Option<usize> = number.trim().parse().ok();
        let number = number.and_then(|it| it.checked_sub(1));
        let number = number.filter(|&it| it < pool.len()).ok_or_else(mistake)?;
        let class = class(&pool.classes, name.trim())?.ok_or_else(mistake)?;
        ahead.insert(number, class);
    }
}
