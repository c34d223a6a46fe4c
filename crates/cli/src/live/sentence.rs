//! The sentence encoder: a program of its own that turns texts into numbers, for models whose card
//! names it (`docs/extending.md` has its lines).

mod process;

use std::{
    env,
    ffi::OsString,
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::anyhow;
use cotrain_learning::{
    Encoder,
    sentences::{SentenceEncoder, SentenceFault, SentenceId, SentenceVector, Sentences},
    text::escaped,
};
use serde::{Deserialize, Serialize};

use crate::{error::CommandError, output::Narrator};

use process::{Ended, Process};

/// Name of the encoder in options.
pub(crate) const NAME: &str = "sentence";

/// Number of texts that all-MiniLM-L6-v2 encodes in a second, on one core of 2026.
const SPEED: u32 = 40;

/// Name of the program that is searched for, unless [`VARIABLE`] is set.
const PROGRAM: &str = "cotrain-sentence";

/// Variable with the file of the program.
const VARIABLE: &str = "COTRAIN_SENTENCE";

/// Variable with the folder of the encoder's files, which the program reads itself.
const MODEL: &str = "COTRAIN_SENTENCE_MODEL";

/// Name and version of the exchange of lines.
const PROTOCOL: &str = "cotrain-sentence/1";

/// Number of dimensions of a model if none is chosen. More cost more gas and add little accuracy
/// (`docs/experiments.md`).
const DIMENSIONS: usize = 64;

/// Longest waits for the program.
#[derive(Debug, Clone, Copy)]
struct Waits {
    /// For its first line: it reads some hundred megabytes first.
    start: Duration,
    /// For the numbers of a text.
    answer: Duration,
}

const WAITS: Waits = Waits {
    start: Duration::from_mins(2),
    answer: Duration::from_mins(1),
};

/// Starts the sentence encoder for a new model with so many dimensions.
pub(crate) fn chosen(dimensions: Option<usize>) -> Result<Sentences, CommandError> {
    let program = Program::new(None);
    let fault =
        |fault: SentenceFault| CommandError::Mistake(anyhow!("--encoder sentence: {fault}"));
    let id = program.identity().map_err(fault)?;
    let dimensions = dimensions.unwrap_or(DIMENSIONS.min(id.width()));
    Sentences::new(id, dimensions, Arc::new(program))
        .map_err(|error| CommandError::Mistake(anyhow!("--dimensions: {error}")))
}

/// Says how long texts take.
pub(crate) fn announce(narrator: &Narrator) {
    narrator.say(format_args!(
        "the sentence encoder reads each text of the data once, some {SPEED} a second"
    ));
}

/// Gives an encoder its sentence encoder, and returns `true` if it needs one. The program starts with
/// the first text.
pub(crate) fn complete(encoder: &mut Encoder) -> bool {
    let Some(id) = encoder.missing_sentences() else {
        return false;
    };
    let program: Arc<dyn SentenceEncoder> = Arc::new(Program::new(Some(id.clone())));
    encoder.set_sentences(&program);
    true
}

/// The program, which is started when it is needed.
#[derive(Debug)]
struct Program {
    path: OsString,
    /// Encoder that a model's card names; `None` takes any.
    expected: Option<SentenceId>,
    waits: Waits,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    New,
    Running(Running),
    /// Nothing is started again: a program that failed fails again, or costs another wait.
    Failed(SentenceFault),
}

#[derive(Debug)]
struct Running {
    process: Process,
    id: SentenceId,
    /// Number of texts that were sent.
    sent: u64,
}

/// First line of the program.
#[derive(Debug, Deserialize)]
struct Identity {
    protocol: String,
    name: String,
    sha256: String,
    width: usize,
}

/// Line for a text.
#[derive(Debug, Serialize)]
struct Question<'a> {
    id: u64,
    text: &'a str,
}

/// Line of the program for a text.
#[derive(Debug, Deserialize)]
struct Answer {
    id: u64,
    #[serde(default)]
    numbers: Vec<f32>,
    #[serde(default)]
    pieces: usize,
    error: Option<String>,
}

impl Program {
    fn new(expected: Option<SentenceId>) -> Self {
        let path = env::var_os(VARIABLE).filter(|path| !path.is_empty());
        Self::at(path.unwrap_or_else(|| PROGRAM.into()), expected, WAITS)
    }

    fn at(path: OsString, expected: Option<SentenceId>, waits: Waits) -> Self {
        Self {
            path,
            expected,
            waits,
            state: Mutex::new(State::New),
        }
    }

    /// Returns the identity that the program states.
    fn identity(&self) -> Result<SentenceId, SentenceFault> {
        self.with(|running| Ok(running.id.clone()))
    }

    /// Starts the program unless it runs, and does something with it. Its first failure stays.
    fn with<T>(
        &self,
        work: impl FnOnce(&mut Running) -> Result<T, SentenceFault>,
    ) -> Result<T, SentenceFault> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::New = *state {
            *state = match self.start() {
                Ok(running) => State::Running(running),
                Err(fault) => State::Failed(fault),
            };
        }
        let done = match &mut *state {
            State::Running(running) => work(running),
            State::Failed(fault) => return Err(fault.clone()),
            State::New => return Err(self.fault("did not start; run the command again")),
        };
        if let Err(fault) = &done {
            *state = State::Failed(fault.clone());
        }
        done
    }

    fn start(&self) -> Result<Running, SentenceFault> {
        let started = Process::start(&self.path, &["serve"]);
        let mut process = started.map_err(|error| {
            self.fault(format_args!(
                "cannot be started: {error}; in a checkout of cotrain, build it with \
                 `cargo install --locked --path tools/sentence`, or name its file with {VARIABLE}"
            ))
        })?;
        let line = process.next(self.waits.start);
        let line = line.map_err(|ended| self.ended(&ended))?;
        Ok(Running {
            process,
            id: self.identified(&line)?,
            sent: 0,
        })
    }

    /// Reads the first line of the program.
    fn identified(&self, line: &str) -> Result<SentenceId, SentenceFault> {
        let identity: Identity = serde_json::from_str(line).map_err(|error| {
            self.fault(format_args!(
                "began with `{}`, expected a line of JSON with `protocol`, `name`, `sha256` and `width` ({error}); \
                 name another program with {VARIABLE}",
                escaped(line)
            ))
        })?;
        if identity.protocol != PROTOCOL {
            return Err(self.fault(format_args!(
                "speaks `{}`, expected `{PROTOCOL}`; use the program of this release",
                escaped(&identity.protocol)
            )));
        }
        let id = SentenceId::new(&identity.name, &identity.sha256, identity.width)
            .map_err(|error| self.fault(format_args!("names no encoder: {error}")))?;
        if let Some(expected) = self.expected.as_ref().filter(|it| !it.is_same(&id)) {
            return Err(self.fault(format_args!(
                "runs {id}, and the model needs {expected}; name the folder of the model's encoder with {MODEL}"
            )));
        }
        Ok(id)
    }

    fn ended(&self, ended: &Ended) -> SentenceFault {
        self.fault(format_args!(
            "{ended}; try it with `{} serve`",
            self.shown()
        ))
    }

    fn fault(&self, what: impl fmt::Display) -> SentenceFault {
        SentenceFault(format!("the sentence encoder `{}` {what}", self.shown()))
    }

    fn shown(&self) -> String {
        escaped(&Path::new(&self.path).to_string_lossy()).to_string()
    }

    /// Reads an answer to the question of this number.
    fn answer(&self, line: &str, number: u64) -> Result<SentenceVector, SentenceFault> {
        let answer: Answer = serde_json::from_str(line).map_err(|error| {
            self.fault(format_args!(
                "answered `{}`, expected a line of JSON with `id`, `numbers` and `pieces` ({error}); \
                 name another program with {VARIABLE}",
                escaped(line)
            ))
        })?;
        if answer.id != number {
            return Err(self.fault(format_args!(
                "answered question {}, expected {number}: it wrote another line between; \
                 name another program with {VARIABLE}",
                answer.id
            )));
        }
        if let Some(error) = answer.error {
            return Err(self.fault(format_args!("refused the text: {}", escaped(&error))));
        }
        Ok(SentenceVector {
            numbers: answer.numbers,
            pieces: answer.pieces,
        })
    }
}

impl SentenceEncoder for Program {
    fn encode(&self, text: &str) -> Result<SentenceVector, SentenceFault> {
        self.with(|running| {
            running.sent += 1;
            let question = Question {
                id: running.sent,
                text,
            };
            let line = serde_json::to_string(&question)
                .map_err(|error| self.fault(format_args!("cannot be asked: {error}")))?;
            let answer = running.process.ask(line, self.waits.answer);
            let answer = answer.map_err(|ended| self.ended(&ended))?;
            self.answer(&answer, running.sent)
        })
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

    use proptest::prelude::*;

    use super::*;

    const IDENTITY: &str = r#"{"protocol":"cotrain-sentence/1","name":"tiny","sha256":"0101010101010101010101010101010101010101010101010101010101010101","width":2}"#;

    /// Writes a program that names itself and then runs a part of a shell script, with the line of
    /// the text in `$line`.
    fn script(folder: &Path, identity: &str, each: &str) -> PathBuf {
        let path = folder.join("program");
        let text =
            format!("#!/bin/sh\necho '{identity}'\nwhile IFS= read -r line; do\n{each}\ndone\n");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn program(path: PathBuf, expected: Option<SentenceId>) -> Program {
        let waits = Waits {
            start: Duration::from_secs(20),
            answer: Duration::from_millis(1_500),
        };
        Program::at(path.into(), expected, waits)
    }

    fn id(digits: &str, width: usize) -> SentenceId {
        SentenceId::new("wanted", &digits.repeat(32), width).unwrap()
    }

    #[test]
    fn program_answers_each_text_in_turn() {
        let folder = tempfile::tempdir().unwrap();
        let each = r#"id=${line#*:}; id=${id%%,*}
            case $line in *good*) n='[1,-0.5]';; *) n='[0,0.25]';; esac
            echo "{\"id\":$id,\"numbers\":$n,\"pieces\":3,\"more\":0}""#;
        let path = script(folder.path(), IDENTITY, each);
        let expected = id("01", 2);
        let program = program(path, Some(expected.clone()));
        let found = program.identity().unwrap();
        assert!(found.is_same(&expected) && found.name() == "tiny");
        let encode = |text| program.encode(text).unwrap();
        let long = "good ".repeat(100_000);
        for text in ["good\nlines", &long] {
            let vector = SentenceVector {
                numbers: vec![1.0, -0.5],
                pieces: 3,
            };
            assert_eq!(encode(text), vector);
        }
        assert_eq!(encode("").numbers, [0.0, 0.25]);
    }

    #[test]
    fn program_says_what_it_saw_of_a_fault_and_does_not_start_again() {
        let folder = tempfile::tempdir().unwrap();
        let cases = [
            (
                IDENTITY,
                "echo broken weights >&2; exit 3",
                "exit status: 3",
                "broken weights",
            ),
            (
                IDENTITY,
                "echo nonsense",
                "answered `nonsense`",
                "`numbers`",
            ),
            (
                IDENTITY,
                r#"echo '{"id":1,"numbers":"x"}'"#,
                "answered `{",
                "`pieces`",
            ),
            (
                IDENTITY,
                r#"echo '{"id":7,"numbers":[1,2]}'"#,
                "question 7",
                "expected 1",
            ),
            (
                IDENTITY,
                r#"echo '{"id":1,"error":"too \u001b long"}'"#,
                "refused the text",
                "too ",
            ),
            (IDENTITY, "exec sleep 30", "1.5 s", "serve`"),
            (IDENTITY, "exec cat /dev/zero", "longer than", "bytes"),
            ("hello", "", "began with `hello`", "`sha256`"),
            (
                r#"{"protocol":"other/2","name":"","sha256":"","width":0}"#,
                "",
                "other/2",
                PROTOCOL,
            ),
            (
                r#"{"protocol":"cotrain-sentence/1","name":"x","sha256":"AB","width":2}"#,
                "",
                "names no encoder",
                "64 hexadecimal digits",
            ),
        ];
        for (identity, each, seen, wanted) in cases {
            let path = script(folder.path(), identity, each);
            let program = program(path.clone(), None);
            let fault = program.encode("a text").unwrap_err();
            assert!(
                fault.0.contains(seen) && fault.0.contains(wanted),
                "{fault}"
            );
            assert!(
                fault.0.contains("/program`") && !fault.0.contains('\u{1b}'),
                "{fault}"
            );
            fs::remove_file(path).unwrap();
            assert_eq!(program.encode("again"), Err(fault));
        }
    }

    proptest! {
        /// Each line of a program is read, or refused in words that no terminal obeys.
        #[test]
        fn answer_survives_any_line(
            noise in "\\PC{0,60}",
            is_first in any::<bool>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), "[0-9a-zE\"{}\\[\\]:,.\u{1b}-]{0,6}", 0_usize..8), 0..4),
        ) {
            const ANSWER: &str = r#"{"id":1,"numbers":[1,-0.5],"pieces":3}"#;
            let mut line = if is_first { IDENTITY } else { ANSWER }.to_owned();
            for (at, with, cut) in changes {
                let at = at.index(line.len() + 1);
                let end = (at + cut).min(line.len());
                line.replace_range(at..end, &with);
            }
            let program = Program::at("program".into(), None, WAITS);
            for line in [line, noise] {
                let told = [program.answer(&line, 1).err(), program.identified(&line).err()];
                for fault in told.into_iter().flatten() {
                    prop_assert!(!fault.0.chars().any(char::is_control), "{:?}", fault.0);
                }
            }
        }
    }

    #[test]
    fn program_must_be_the_one_that_the_model_names() {
        let folder = tempfile::tempdir().unwrap();
        let asked = folder.path().join("asked");
        let each = format!("touch {}", asked.display());
        let path = script(folder.path(), IDENTITY, &each);
        for expected in [id("22", 2), id("01", 3)] {
            let shown = expected.to_string();
            let fault = program(path.clone(), Some(expected)).encode("a text");
            let fault = fault.unwrap_err().0;
            assert!(
                fault.contains(&shown) && fault.contains("`tiny`"),
                "{fault}"
            );
            assert!(fault.contains("COTRAIN_SENTENCE_MODEL"), "{fault}");
        }
        assert!(!asked.exists(), "no text was sent");
    }

    #[test]
    fn program_that_is_missing_is_to_be_built() {
        let missing = program("/nowhere/cotrain-sentence".into(), None);
        let fault = missing.identity().unwrap_err().0;
        for part in [
            "`/nowhere/cotrain-sentence`",
            "cargo install --locked --path tools/sentence",
            "COTRAIN_SENTENCE",
        ] {
            assert!(fault.contains(part), "{fault}");
        }
    }
}
