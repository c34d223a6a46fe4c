//! A terminal for the program. It shows questions and messages, and tests can answer them.

use std::{
    fs::File,
    io::{Read, Write},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle, sleep},
    time::{Duration, Instant},
};

use nix::pty::openpty;

/// A running program whose stdin and stderr are a terminal.
pub(crate) struct Terminal {
    pub(crate) child: Child,
    keyboard: File,
    screen: Arc<Mutex<String>>,
    reading: JoinHandle<()>,
    result: JoinHandle<String>,
}

/// The longest time that a program may take to ask, or to end.
const PATIENCE: Duration = Duration::from_mins(1);

impl Terminal {
    /// Starts a program. Its stdout is not the terminal.
    pub(crate) fn start(mut command: Command) -> Self {
        let terminal = openpty(None, None).expect("a terminal");
        let stdin = terminal.slave.try_clone().expect("a handle");
        let mut child = command
            .stdin(stdin)
            .stderr(terminal.slave)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        // From now on only the program holds the terminal, so that both end together.
        drop(command);
        let keyboard = File::from(terminal.master);
        let screen = Arc::new(Mutex::new(String::new()));
        let (mut seen, shown) = (keyboard.try_clone().expect("a handle"), screen.clone());
        let reading = thread::spawn(move || {
            let mut bytes = [0; 4_096];
            while let Ok(read @ 1..) = seen.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
                shown.lock().expect("a lock").push_str(&text);
            }
        });
        let mut stdout = child.stdout.take().expect("piped");
        let result = thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).expect("UTF-8");
            text
        });
        Self {
            child,
            keyboard,
            screen,
            reading,
            result,
        }
    }

    /// Waits until the program has written a text.
    pub(crate) fn until(&mut self, text: &str) {
        self.wait(text, |terminal| {
            terminal.screen().contains(text).then_some(())
        });
    }

    fn screen(&self) -> String {
        self.screen.lock().expect("a lock").clone()
    }

    /// Waits for an event, and kills the program if it does not happen in time.
    fn wait<T>(&mut self, what: &str, found: impl Fn(&mut Self) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = found(self) {
                return found;
            }
            if start.elapsed() > PATIENCE {
                let _ = self.child.kill();
                panic!("no {what}: {}", self.screen());
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Types a line.
    pub(crate) fn answer(&mut self, text: &str) {
        writeln!(self.keyboard, "{text}").expect("typed");
    }

    /// Waits for the program's end. Returns its status, its stdout, and the whole screen.
    pub(crate) fn end(mut self) -> (Option<i32>, String, String) {
        let status = self.wait("end", |terminal| {
            terminal.child.try_wait().expect("a status")
        });
        let stdout = self.result.join().expect("read");
        self.reading.join().expect("read");
        let screen = self.screen.lock().expect("a lock").clone();
        (status.code(), stdout, screen)
    }
}
