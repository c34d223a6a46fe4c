//! A program that answers a line with a line, within a bounded time and in bounded memory.

use std::{
    ffi::OsStr,
    fmt,
    io::{self, BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use cotrain_learning::text::escaped;

/// Largest size of a line, in bytes: more than 1,024 numbers take.
const MAX_LINE: u64 = 1 << 20;

/// Number of bytes that are kept of what the program wrote to stderr: the last ones.
const KEPT: usize = 4_096;

/// Wait for the status of a program that closed its stdout.
const ENDING: Duration = Duration::from_secs(2);

/// A running program. It is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Lines for stdin. A thread writes them: a program that reads nothing must not block this one.
    questions: Sender<String>,
    answers: Receiver<Line>,
    said: Arc<Mutex<Vec<u8>>>,
}

/// Line of the program.
enum Line {
    Whole(String),
    TooLong,
    NotText,
}

/// Reason why there is no answer.
#[derive(Debug)]
pub(super) enum Ended {
    /// The program ended.
    Exited {
        /// Its status, if it is known.
        status: Option<ExitStatus>,
        /// Last line on stderr; empty if there is none.
        said: String,
    },
    /// There was no line for so long.
    Late(Duration),
    /// A line was longer than [`MAX_LINE`].
    TooLong,
    /// A line was not UTF-8.
    NotText,
}

impl fmt::Display for Ended {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { status, said } => {
                write!(formatter, "ended without an answer")?;
                if let Some(status) = status {
                    write!(formatter, " ({status})")?;
                }
                if !said.is_empty() {
                    write!(formatter, ": {}", escaped(said))?;
                }
                Ok(())
            }
            Self::Late(wait) => {
                write!(formatter, "did not answer within {} s", wait.as_secs_f64())
            }
            Self::TooLong => write!(formatter, "wrote a line longer than {MAX_LINE} bytes"),
            Self::NotText => write!(formatter, "wrote a line that is not UTF-8"),
        }
    }
}

impl Process {
    /// Starts a program with its three streams connected.
    pub(super) fn start(program: &OsStr, arguments: &[&str]) -> io::Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (questions, to_write) = channel();
        // The program is at most one line ahead of its reader.
        let (to_read, answers) = sync_channel(1);
        let said = Arc::default();
        // Each of the threads ends with the program, whose death closes the streams.
        if let Some(stdin) = child.stdin.take() {
            thread::spawn(move || write(stdin, &to_write));
        }
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || read(stdout, &to_read));
        }
        if let Some(stderr) = child.stderr.take() {
            let said = Arc::clone(&said);
            thread::spawn(move || keep_last(stderr, &said));
        }
        Ok(Self {
            child,
            questions,
            answers,
            said,
        })
    }

    /// Writes a line, and waits for the next one of the program.
    pub(super) fn ask(&mut self, mut line: String, wait: Duration) -> Result<String, Ended> {
        line.push('\n');
        // If nobody can write it any more, the program ended, which the wait for its answer finds.
        let _ = self.questions.send(line);
        self.next(wait)
    }

    /// Waits for the next line of the program.
    pub(super) fn next(&mut self, wait: Duration) -> Result<String, Ended> {
        match self.answers.recv_timeout(wait) {
            Ok(Line::Whole(line)) => Ok(line),
            Ok(Line::TooLong) => Err(Ended::TooLong),
            Ok(Line::NotText) => Err(Ended::NotText),
            Err(RecvTimeoutError::Timeout) => Err(Ended::Late(wait)),
            Err(RecvTimeoutError::Disconnected) => Err(Ended::Exited {
                status: self.status(),
                said: self.last_words(),
            }),
        }
    }

    /// Returns the status of a program that closed its stdout; `None` if it does not end soon.
    fn status(&mut self) -> Option<ExitStatus> {
        let until = Instant::now() + ENDING;
        loop {
            match self.child.try_wait() {
                Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(10)),
                ended => return ended.ok().flatten(),
            }
        }
    }

    /// Returns the last line that the program wrote to stderr. What a dying program writes arrives
    /// a moment later than its end.
    fn last_words(&self) -> String {
        thread::sleep(Duration::from_millis(50));
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&said);
        let last = text.lines().rev().find(|line| !line.trim().is_empty());
        last.unwrap_or_default().trim().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It fails for a program that ended, and then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write(mut stdin: ChildStdin, lines: &Receiver<String>) {
    while let Ok(line) = lines.recv() {
        if stdin
            .write_all(line.as_bytes())
            .and_then(|()| stdin.flush())
            .is_err()
        {
            return;
        }
    }
}

fn read(stdout: impl Read, lines: &SyncSender<Line>) {
    let mut stdout = BufReader::new(stdout);
    loop {
        let mut bytes = Vec::new();
        let read = stdout.by_ref().take(MAX_LINE).read_until(b'\n', &mut bytes);
        let line = match read {
            Ok(0) | Err(_) => return,
            Ok(_) if bytes.last() == Some(&b'\n') => {
                bytes.pop();
                String::from_utf8(bytes).map_or(Line::NotText, Line::Whole)
            }
            Ok(size) if size as u64 == MAX_LINE => Line::TooLong,
            // The program ended within a line, which is no answer.
            Ok(_) => return,
        };
        let last = !matches!(line, Line::Whole(_));
        if lines.send(line).is_err() || last {
            return;
        }
    }
}

fn keep_last(mut stderr: impl Read, said: &Mutex<Vec<u8>>) {
    let mut bytes = [0; 1_024];
    loop {
        let Ok(size @ 1..) = stderr.read(&mut bytes) else {
            return;
        };
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(&bytes[..size]);
        let old = said.len().saturating_sub(KEPT);
        said.drain(..old);
    }
}
