//! The two streams: stdout has the result, stderr everything else. All output passes through this
//! module, which escapes what a terminal would obey in texts of strangers.

use std::{
    env,
    fmt::Display,
    io::{self, ErrorKind, Write},
};

use anyhow::{Context, anyhow};
use cotrain_learning::text::{escaped_json, escaped_lines, escaped_to};
use cotrain_simulator::{Progress, tables::days};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};
use tracing_subscriber::{filter::Targets, fmt, prelude::*};

use crate::error::CommandError;

/// Writes the result as text. It escapes what a terminal would obey, except line breaks.
pub(crate) fn print(result: &str) -> Result<(), CommandError> {
    print_raw(&escaped_lines(result))
}

/// Writes the result as JSON. Its escapes do not change the meaning, and make it harmless to
/// terminals.
pub(crate) fn print_json(result: &str) -> Result<(), CommandError> {
    print_raw(&escaped_json(result))
}

/// Writes the result unchanged, such as a script or text with this program's own styles. It must
/// not contain texts of strangers. A reader that closes the pipe needs no more output, so that is
/// no failure.
pub(crate) fn print_raw(result: &str) -> Result<(), CommandError> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(result.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written.context("cannot write to stdout")?),
    }
}

/// Output on stderr while the program works. Lines, logs and the progress bar pass through here, or
/// they would overwrite each other.
#[derive(Debug, Clone)]
pub(crate) struct Narrator {
    bars: MultiProgress,
    quiet: bool,
}

impl Narrator {
    /// Creates a narrator, which is silent if `quiet`. The variable `RUST_LOG` filters the logs;
    /// without it, only warnings are shown.
    pub(crate) fn start(quiet: bool) -> Result<Self, CommandError> {
        Self::start_with(quiet, "warn")
    }

    /// Creates a narrator; if `verbose`, it also shows the program's logs.
    pub(crate) fn verbose(verbose: bool) -> Result<Self, CommandError> {
        Self::start_with(false, if verbose { "cotrain=info,warn" } else { "warn" })
    }

    fn start_with(quiet: bool, default: &str) -> Result<Self, CommandError> {
        let target = if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let narrator = Self {
            bars: MultiProgress::with_draw_target(target),
            quiet,
        };
        let writer = narrator.clone();
        tracing_subscriber::registry()
            .with(
                fmt::layer()
                    .with_ansi(false)
                    .with_writer(move || OneLine(writer.clone())),
            )
            .with(filter(env::var("RUST_LOG").ok(), default)?)
            .init();
        Ok(narrator)
    }

    /// Shows a line.
    pub(crate) fn say(&self, line: impl Display) {
        let line = format!("{line}\n");
        // Nothing depends on stderr: if it is closed, the work continues.
        let _ = self.clone().write_all(escaped_lines(&line).as_bytes());
    }

    /// Returns a bar for the progress of a simulation. Only a terminal shows it.
    pub(crate) fn bar(&self) -> Bar {
        let style = ProgressStyle::with_template(
            "{bar:24} {human_pos} of {human_len} contributions, {wide_msg}",
        )
        .expect("a template that a test renders")
        .progress_chars("━╸─");
        Bar(self.bars.add(ProgressBar::new(0).with_style(style)))
    }

    /// Returns a bar for the read part of a file. Only a terminal shows it.
    pub(crate) fn reading(&self) -> ProgressBar {
        let style = ProgressStyle::with_template("{bar:24} {percent} % replayed, {eta} to go")
            .expect("a template that every replay parses")
            .progress_chars("━╸─");
        let bar = ProgressBar::new(0).with_style(style);
        self.bars.add(bar.with_finish(ProgressFinish::AndClear))
    }

    /// Returns a bar for the rounds of federated training. Only a terminal shows it.
    pub(crate) fn rounds(&self, of: u64) -> ProgressBar {
        let style =
            ProgressStyle::with_template("{bar:24} {human_pos} of {human_len} rounds, {eta} to go")
                .expect("a template that every run of federated rounds parses")
                .progress_chars("━╸─");
        self.bars.add(ProgressBar::new(of).with_style(style))
    }

    /// Returns a bar for the finished runs of a sweep. Only a terminal shows it.
    pub(crate) fn runs(&self, done: usize, to_do: usize) -> ProgressBar {
        let style =
            ProgressStyle::with_template("{bar:24} {human_pos} of {human_len} runs, {eta} to go")
                .expect("a template that a test renders")
                .progress_chars("━╸─");
        let bar = ProgressBar::new((done + to_do) as u64)
            .with_position(done as u64)
            .with_style(style);
        let bar = self.bars.add(bar);
        // Earlier progress says nothing about the current speed.
        bar.reset_eta();
        bar
    }
}

/// Writes the logs of a service to stderr, as one JSON object per line or as text.
pub(crate) fn log(json: bool) -> Result<(), CommandError> {
    let filter = filter(env::var("RUST_LOG").ok(), "info")?;
    let layer = fmt::layer().with_ansi(false);
    let registry = tracing_subscriber::registry();
    if json {
        let layer = layer.json().with_writer(|| OneLine(io::stderr()));
        registry.with(layer).with(filter).init();
    } else {
        let layer = layer.with_writer(|| OneLine(io::stderr()));
        registry.with(layer).with(filter).init();
    }
    Ok(())
}

/// Returns the filter of logs: `wanted`, or `default` if it is unset or empty.
fn filter(wanted: Option<String>, default: &str) -> Result<Targets, CommandError> {
    let wanted = wanted
        .filter(|wanted| !wanted.is_empty())
        .unwrap_or_else(|| default.to_owned());
    wanted.parse().map_err(|_| {
        CommandError::Mistake(anyhow!(
            "RUST_LOG is `{wanted}`; expected a level from `error` to `trace`, \
             or `cotrain=debug` for one part"
        ))
    })
}

impl Write for Narrator {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.quiet {
            return Ok(bytes.len());
        }
        self.bars.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Writer of log events, each in one write. No event can begin a second line or control a terminal.
/// JSON events stay valid, because their escapes are those of JSON.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let event = text.strip_suffix('\n').unwrap_or(&text);
        let mut line = if event.starts_with('{') {
            escaped_json(event).into_owned()
        } else {
            escaped_to(event, usize::MAX).to_string()
        };
        line.push('\n');
        self.0.write_all(line.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The progress bar of a simulation.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// Shows the progress.
    pub(crate) fn show(&self, progress: &Progress) {
        self.0.set_length(progress.of);
        self.0.set_position(progress.contributions);
        self.0.set_message(state(progress));
    }

    /// Removes the bar.
    pub(crate) fn finish(self) {
        self.0.finish_and_clear();
    }
}

fn state(progress: &Progress) -> String {
    let day = days(progress.seconds).floor();
    let accuracy = 100.0 * progress.accuracy;
    format!(
        "{} unclaimed, day {day}, accuracy {accuracy:.1} % of {}",
        progress.unclaimed, progress.samples
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn write_makes_a_log_event_one_line_that_no_terminal_obeys() {
        let written = |event: &str| {
            let mut writer = OneLine(Vec::new());
            let length = writer.write(event.as_bytes()).expect("written");
            assert_eq!(length, event.len());
            String::from_utf8(writer.0).expect("UTF-8")
        };
        assert_eq!(
            written("WARN the name is a\nERROR b\u{1b}[2J\u{202e}\n"),
            "WARN the name is a\\nERROR b\\u{1b}[2J\\u{202e}\n"
        );
        assert_eq!(
            written("{\"name\":\"a\\nb\u{9b}2J\"}\n"),
            "{\"name\":\"a\\nb\\u009b2J\"}\n"
        );
    }

    #[test]
    fn bar_shows_how_far_a_simulation_is() {
        let progress = Progress {
            contributions: 1_200,
            of: 7_000,
            seconds: 4 * 86_400 - 5,
            unclaimed: 250,
            accuracy: 0.7128,
            samples: 2_075,
        };
        let hidden = ProgressDrawTarget::hidden();
        let narrator = Narrator {
            bars: MultiProgress::with_draw_target(hidden),
            quiet: true,
        };
        assert_eq!(
            state(&progress),
            "250 unclaimed, day 3, accuracy 71.3 % of 2075"
        );
        let bar = narrator.bar();
        bar.show(&progress);
        assert_eq!((bar.0.position(), bar.0.length()), (1_200, Some(7_000)));
        bar.finish();
        let runs = narrator.runs(3, 7);
        runs.inc(1);
        assert_eq!((runs.position(), runs.length()), (4, Some(10)));
    }
}
