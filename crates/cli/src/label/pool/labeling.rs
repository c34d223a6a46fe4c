//! The way from a pool to labels: questions, answers, trainings, and the model at the end.

use std::{collections::HashSet, path::Path};

use anyhow::{Context, anyhow};
use cotrain_client::label::{
    Access, Form, HeldPool, LabelError, Predicted, Purse, Row, RowOf, Service, Stop, Teaching,
    Units,
};
use cotrain_learning::{
    evaluation::wilson,
    text::{escaped, escaped_to},
};
use serde_json::{Value, json};

use super::{
    answers::{Answers, Reply, keys},
    draws::shuffled,
    plan::{Plan, fingerprint, is_held, rows_of_a_call},
    record::{Answer, CONTROL, Record},
    report::{Counts, Money, Report},
    stored::Stored,
    table::Pool,
};
use crate::{error::CommandError, live::context::write_whole, output::Narrator};

/// Maximum length of a coordinator's words, in characters.
const MAX_TEXT: usize = 500;

/// Run of a pool.
pub(super) struct Labeling<'a> {
    pub(super) pool: &'a Pool,
    pub(super) plan: &'a Plan,
    pub(super) answers: Answers,
    pub(super) record: Record,
    pub(super) stored: Stored,
    /// File of the session.
    pub(super) state: &'a Path,
    /// Address of the coordinator, without its secrets.
    pub(super) url: String,
    pub(super) service: Service,
    pub(super) narrator: &'a Narrator,
}

/// Session as the coordinator's last answer told it.
struct Session {
    access: Access,
    /// Number of rows that it has learned.
    taught: usize,
    stop: Option<Stop>,
    units: Units,
    pool: Held,
}

/// Pool of a session, as its coordinator holds it.
enum Held {
    /// No row was sent yet.
    Unsent,
    There(HeldPool),
    /// It is too large or refused, so rows are sent with each call.
    Refused,
}

/// Question about a row.
struct Question {
    row: usize,
    control: bool,
    /// Guess of the model; `None` if it knows nothing yet.
    guess: Option<Predicted>,
}

/// Reason for the end of a run.
enum End {
    /// No row is left, or no further label is wanted, or a rule says to stop.
    Done(String),
    /// The run can go on.
    Paused(&'static str),
}

impl Labeling<'_> {
    /// Labels until the answers end, a rule says to stop, or nothing is left.
    pub(super) async fn run<'b>(
        mut self,
        file: &Path,
        labels: &Path,
    ) -> Result<Report<'b>, CommandError>
    where
        Self: 'b,
    {
        let is_idle = self.stored.closed || self.stored.access.is_none();
        let outcome = if is_idle && self.plan.out.is_none() && !self.wants_labels() {
            let end = "all wanted labels were there".to_owned();
            Ok((None, End::Done(end)))
        } else {
            let labeled = self.label().await;
            labeled.map(|(session, end)| (Some(session), end))
        };
        let (session, end) = outcome.map_err(|failure| {
            let given = self.record.answers().len();
            if given == 0 {
                return failure;
            }
            failure.context(format!(
                "{given} answers are saved in {}; run the same command to go on",
                labels.display()
            ))
        })?;
        let model = match &session {
            Some(session) => self.export(session).await?,
            None => None,
        };
        let mut units = session.map(|session| session.units).unwrap_or_default();
        let mut refunds = Vec::new();
        let end = match end {
            End::Paused(reason) => reason.to_owned(),
            End::Done(reason) => {
                if let Some(access) = self.stored.access.clone() {
                    match self.service.close(&access).await {
                        Ok(closed) => (units, refunds) = (closed.units, closed.refunds),
                        // The coordinator knows nothing of it any more.
                        Err(error) if matches!(error.status(), Some(401 | 404)) => units.left = 0,
                        Err(error) => return Err(failed(error)),
                    }
                }
                // Money goes back once its payment is final. Until then, the units are there.
                self.stored.closed = self.service.purse().left().is_some() && units.left > 0;
                if !self.stored.closed {
                    self.stored.access = None;
                }
                self.stored.write(self.state)?;
                refunds.extend(self.service.refund().await.map_err(failed)?);
                reason
            }
        };
        if self.stored.closed {
            let comes = match self.service.purse() {
                Purse::Tokens(_) => {
                    "; what the coordinator pays for them comes by itself once your payment is final"
                }
                _ => "",
            };
            self.narrator.say(format_args!(
                "{} units are left, and more labels of this pool use them{comes}",
                units.left
            ));
        }
        let counts = Counts::of(self.pool, self.record.answers());
        let purse = self.service.purse();
        let names = self.pool.classes.iter().map(String::as_str);
        Ok(Report {
            pool: file.display().to_string(),
            rows: self.pool.len(),
            labels: counts.labels,
            skipped: counts.skipped,
            classes: names.zip(counts.by_class).collect(),
            learner: self.plan.learner,
            strategy: self.plan.strategy,
            chosen: counts.chosen,
            control: counts.control,
            accuracy: counts.control.accuracy(),
            interval: wilson(counts.control.right, counts.control.guessed),
            end,
            units,
            money: purse.left().map(|left| Money {
                unit: purse.unit(),
                spent: purse.spent().to_string(),
                left: left.to_string(),
            }),
            refunds,
            labels_file: labels.display().to_string(),
            model,
        })
    }

    /// Returns `true` if there are rows to ask about.
    fn wants_labels(&self) -> bool {
        let labels = self.labeled().count();
        let given = self.record.answers().iter();
        let skipped = given.filter(|answer| answer.class.is_none()).count();
        labels < self.plan.max_labels.unwrap_or(usize::MAX) && labels + skipped < self.pool.len()
    }

    async fn label(&mut self) -> Result<(Session, End), CommandError> {
        let mut session = self.session().await?;
        self.teach(&mut session).await?;
        let mut ignores_stop = false;
        loop {
            if let Some(stop) = &session.stop
                && !ignores_stop
            {
                let reason = escaped_to(&stop.reason, MAX_TEXT).to_string();
                self.narrator
                    .say(format_args!("a rule says to stop: {reason}"));
                if !self.answers.goes_on(self.narrator)? {
                    return Ok((session, End::Done(format!("a rule said to stop: {reason}"))));
                }
                ignores_stop = true;
            }
            let labels = self.labeled().count();
            let wanted = self.plan.max_labels.unwrap_or(usize::MAX);
            let batch = self.plan.batch.min(wanted.saturating_sub(labels));
            if batch == 0 {
                return Ok((session, End::Done(format!("{labels} labels were wanted"))));
            }
            let questions = self.questions(&mut session, batch).await?;
            if questions.is_empty() {
                return Ok((session, End::Done("no row is left".to_owned())));
            }
            let end = self.ask(&questions, session.units)?;
            self.teach(&mut session).await?;
            if let Some(reason) = end {
                return Ok((session, End::Paused(reason)));
            }
        }
    }

    /// Returns the session of the last run if it goes on, or a new one.
    async fn session(&mut self) -> Result<Session, CommandError> {
        let new = self.plan.session(self.pool);
        let opened_with = fingerprint(&new, self.pool);
        let before = self.stored.access.clone();
        let finished = self.service.finish(before.as_ref()).await;
        if let Some((access, _)) = finished.map_err(failed)? {
            self.store(access, &opened_with)?;
        }
        let is_there = self.stored.url == self.url;
        let before = self.stored.access.clone().filter(|_| is_there);
        let is_same = self.stored.opened_with == opened_with && !self.stored.closed;
        if let Some(access) = before.clone().filter(|_| is_same) {
            match self.service.state(&access).await {
                // Its rows are those of the record's first labels, unless some were taken back.
                Ok(state) if state.rows <= self.labeled().count() as u64 => {
                    self.narrator.say(format_args!(
                        "the session of the last run goes on: it has learned {} labels",
                        state.rows
                    ));
                    return Ok(Session {
                        access,
                        taught: usize::try_from(state.rows).unwrap_or(usize::MAX),
                        stop: state.stop,
                        units: state.units,
                        pool: Held::Unsent,
                    });
                }
                Ok(_) => {}
                // It has expired, or the coordinator began anew.
                Err(error) if matches!(error.status(), Some(401 | 404)) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        let opened = self.service.open(&new, before.as_ref()).await;
        let (access, units) = opened.map_err(failed)?;
        self.store(access.clone(), &opened_with)?;
        Ok(Session {
            access,
            taught: 0,
            stop: None,
            units,
            pool: Held::Unsent,
        })
    }

    /// Gives the session the pool if it is to be held, unless it was tried before.
    async fn hold(&mut self, session: &mut Session) -> Result<(), CommandError> {
        if !matches!(session.pool, Held::Unsent) {
            return Ok(());
        }
        let prices = self.service.quotes(&self.plan.first_batch(self.pool)).await;
        if !is_held(self.pool, &prices.map_err(failed)?.bounds) {
            session.pool = Held::Refused;
            return Ok(());
        }
        let rows: Vec<&[f64]> = (0..self.pool.len()).map(|row| self.pool.row(row)).collect();
        let held = self.service.hold(&session.access, &rows).await;
        session.pool = match held.map_err(failed)? {
            Some(held) => {
                session.units = held.units;
                Held::There(held)
            }
            None => Held::Refused,
        };
        Ok(())
    }

    fn store(&mut self, access: Access, opened_with: &str) -> Result<(), CommandError> {
        self.stored.url.clone_from(&self.url);
        self.stored.access = Some(access);
        self.stored.closed = false;
        opened_with.clone_into(&mut self.stored.opened_with);
        self.stored.write(self.state)
    }

    /// Returns rows with their labels: first those of the pool, then those of the record.
    fn labeled(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let known = self.pool.known.iter().enumerate();
        let known = known.filter_map(|(row, class)| Some((row, (*class)?)));
        let given = self.record.answers().iter();
        known.chain(given.filter_map(|answer| Some((answer.row, answer.class?))))
    }

    /// Teaches the session all labels that it does not have.
    async fn teach(&mut self, session: &mut Session) -> Result<(), CommandError> {
        let new: Vec<_> = self.labeled().skip(session.taught).collect();
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let held = match &session.pool {
            Held::There(held) => Some(held.pool.clone()),
            Held::Unsent | Held::Refused => None,
        };
        for part in new.chunks(rows_of_a_call(self.pool)) {
            let rows = part.iter().map(|&(row, class)| Row {
                of: match held {
                    Some(_) => RowOf::Row(number(row)),
                    None => RowOf::X(self.pool.row(row).to_vec()),
                },
                y: number(class),
            });
            let rows = Teaching {
                pool: held.clone(),
                rows: rows.collect(),
            };
            let taught = self.service.teach(&session.access, &rows).await;
            let taught = taught.map_err(failed)?;
            session.taught += part.len();
            session.stop = taught.stop;
            session.units = taught.units;
        }
        Ok(())
    }

    /// Returns the next questions, with the model's guesses.
    async fn questions(
        &mut self,
        session: &mut Session,
        count: usize,
    ) -> Result<Vec<Question>, CommandError> {
        let done: HashSet<usize> = {
            let known = self.pool.known.iter().enumerate();
            let known = known.filter_map(|(row, class)| class.map(|_| row));
            let given = self.record.answers().iter().map(|answer| answer.row);
            known.chain(given).collect()
        };
        let mut open: Vec<usize> = (0..self.pool.len())
            .filter(|row| !done.contains(row))
            .collect();
        let count = count.min(open.len());
        let before = self.record.answers().len();
        // The control is drawn first, so that it is a random row of all that are left.
        let is_control: Vec<bool> = (before..before + count)
            .map(|before| self.plan.is_control(before))
            .collect();
        let controls = is_control.iter().filter(|it| **it).count();
        let mut drawn = shuffled(&open, self.plan.seed, "control");
        drawn.truncate(controls);
        open.retain(|row| !drawn.contains(row));
        let wanted = count - controls;
        let mut chosen = Vec::new();
        if wanted > 0 {
            chosen = self.chosen(session, open, wanted).await?;
        }
        let (mut chosen, mut drawn) = (chosen.into_iter(), drawn.into_iter());
        let next = |&control: &bool| {
            let row = if control { drawn.next() } else { chosen.next() };
            row.map(|row| (row, control))
        };
        // A strategy may choose fewer rows, since it asks no two equal ones.
        let rows: Vec<(usize, bool)> = is_control.iter().filter_map(next).collect();
        let guesses = self.guesses(session, &rows).await?;
        let questions = rows.into_iter().zip(guesses);
        Ok(questions
            .map(|((row, control), guess)| Question {
                row,
                control,
                guess,
            })
            .collect())
    }

    /// Returns up to `count` of the open rows, which the strategy chooses.
    async fn chosen(
        &mut self,
        session: &mut Session,
        open: Vec<usize>,
        count: usize,
    ) -> Result<Vec<usize>, CommandError> {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        self.hold(session).await?;
        let access = &session.access;
        // The session knows labeled rows, but neither skipped ones nor those of the control. As many more
        // rows are asked for, but no more than a batch: a query pays for each, and to send rows is free.
        let others = self.pool.len().saturating_sub(session.taught + open.len());
        let held = match &session.pool {
            Held::There(held) if others <= self.plan.batch => Some(held),
            _ => None,
        };
        let (asked, rows) = if let Some(held) = held {
            let picks = number(count + others);
            (self.service.query_held(access, held, picks).await, None)
        } else {
            let before = self.record.answers().len();
            let searched = self.plan.searched(open.clone(), self.pool, before);
            let rows: Vec<&[f64]> = searched.iter().map(|&row| self.pool.row(row)).collect();
            let asked = self.service.query(access, &rows, number(count)).await;
            (asked, Some(searched))
        };
        let asked = asked.map_err(failed)?;
        session.units = asked.units;
        let indices = asked.rows.iter().filter_map(|&it| usize::try_from(it).ok());
        let chosen = indices.map(|index| match &rows {
            Some(rows) => rows[index],
            None => index,
        });
        let open: HashSet<usize> = open.into_iter().collect();
        let chosen = chosen.filter(|row| open.contains(row)).take(count);
        Ok(chosen.collect())
    }

    /// Returns the model's guesses about rows; it has none before its first label.
    async fn guesses(
        &mut self,
        session: &mut Session,
        rows: &[(usize, bool)],
    ) -> Result<Vec<Option<Predicted>>, CommandError> {
        if session.taught == 0 || rows.is_empty() {
            return Ok(rows.iter().map(|_| None).collect());
        }
        let numbers: Vec<&[f64]> = rows.iter().map(|&(row, _)| self.pool.row(row)).collect();
        let predicted = self.service.predict(&session.access, &numbers).await;
        let predicted = predicted.map_err(failed)?;
        session.units = predicted.units;
        let classes = self.pool.classes.len();
        let is_sound =
            |it: &Predicted| it.label < classes as u64 && it.probabilities.len() <= classes;
        Ok(predicted
            .rows
            .into_iter()
            .map(|it| Some(it).filter(is_sound))
            .collect())
    }

    /// Asks the questions of a batch, and saves each answer. Returns why the answers end before.
    fn ask(
        &mut self,
        questions: &[Question],
        units: Units,
    ) -> Result<Option<&'static str>, CommandError> {
        let typed = self.answers.are_typed();
        let mut index = 0;
        while let Some(question) = questions.get(index) {
            if typed {
                self.show(question, units);
            }
            let (pool, narrator) = (self.pool, self.narrator);
            let class = match self.answers.next(question.row, pool, narrator)? {
                Reply::Class(class) => Some(class),
                Reply::Skip => None,
                Reply::Undo if index == 0 => {
                    narrator.say(
                        "the answers before are taught already; correct one in the file of labels, and \
                         run again",
                    );
                    continue;
                }
                Reply::Undo => {
                    self.record.undo(pool)?;
                    index -= 1;
                    continue;
                }
                Reply::Quit => return Ok(Some("you quit")),
                Reply::End => return Ok(Some("the answers ended")),
            };
            let guess = question.guess.as_ref();
            let guess = guess.and_then(|it| usize::try_from(it.label).ok());
            if typed && question.control {
                self.narrator.say(self.guessed(question));
            }
            let answer = Answer {
                row: question.row,
                class,
                asked_by: if question.control {
                    CONTROL.to_owned()
                } else {
                    self.plan.strategy.to_owned()
                },
                guess,
            };
            self.record.add(answer, pool)?;
            index += 1;
        }
        Ok(None)
    }

    /// Shows a question to a person.
    fn show(&self, question: &Question, units: Units) {
        let counts = Counts::of(self.pool, self.record.answers());
        let mut spent = format!("{} units spent, {} left", units.spent, units.left);
        let purse = self.service.purse();
        if let Some(left) = purse.left() {
            let (paid, unit) = (purse.spent(), purse.unit());
            spent = format!("{spent}; {paid} {unit} spent, {left} left");
        }
        self.narrator
            .say(format_args!("\n{}; {spent}", counts.line()));
        self.narrator.say(format_args!("row {}", question.row + 1));
        for (name, field) in self.pool.describe(question.row) {
            self.narrator
                .say(format_args!("  {}: {}", escaped(name), escaped(&field)));
        }
        if question.control {
            // A person who sees the guess would follow it, and the accuracy would look too good.
            self.narrator
                .say("a random row: the model's guess is shown after your answer");
        } else {
            self.narrator.say(self.guessed(question));
        }
        self.narrator.say(keys(self.pool));
    }

    /// Returns the model's guess in words.
    fn guessed(&self, question: &Question) -> String {
        let Some(guess) = &question.guess else {
            return "the model knows nothing yet".to_owned();
        };
        let mut all: Vec<(f64, &String)> = guess
            .probabilities
            .iter()
            .copied()
            .zip(&self.pool.classes)
            .collect();
        all.sort_by(|one, other| other.0.total_cmp(&one.0));
        let shown = all.iter().take(3);
        let shown = shown.map(|(share, name)| format!("{} {:.0} %", escaped(name), share * 100.0));
        format!(
            "the model guesses: {}",
            shown.collect::<Vec<_>>().join(", ")
        )
    }

    /// Writes the model to its file, if one is wanted. Returns the file's name.
    async fn export(&mut self, session: &Session) -> Result<Option<String>, CommandError> {
        let Some(out) = &self.plan.out else {
            return Ok(None);
        };
        if session.taught == 0 {
            self.narrator
                .say("no model is written: it has learned nothing yet");
            return Ok(None);
        }
        let path = std::path::absolute(out)?;
        let is_onnx = out.extension().is_some_and(|ending| ending == "onnx");
        let form = if is_onnx { Form::Onnx } else { Form::Json };
        let model = self.service.model(&session.access, form).await;
        let model = model.map_err(failed)?;
        // A model needs its classes, and the numbers that it was taught.
        let mut about = json!({
            "classes": self.pool.classes,
            "features": self.pool.features,
        });
        if is_onnx {
            write_whole(&path, &model)?;
            let about = serde_json::to_vec_pretty(&about)?;
            write_whole(&path.with_extension("onnx.json"), &about)?;
        } else {
            let model: Value = serde_json::from_slice(&model)
                .context("the coordinator's model is no JSON; ask its host")?;
            about["model"] = model;
            write_whole(&path, &serde_json::to_vec(&about)?)?;
        }
        Ok(Some(out.display().to_string()))
    }
}

/// Returns the failure of a call.
pub(super) fn failed(error: LabelError) -> CommandError {
    match &error {
        LabelError::NotPaid(_) => CommandError::Mistake(
            anyhow!(error).context("nothing was paid; see --budget, --token and --lnd"),
        ),
        LabelError::Api(api) if api.is_mistake() => CommandError::mistake(error),
        _ => error.into(),
    }
}
