//! A terminal for the program, as people have one: what it asks and says is seen, and it can be answered.

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
}

impl Terminal {
    /// Starts a program. Its stdout is not the terminal.
    pub(crate) fn start(mut command: Command) -> Self {
        let terminal = openpty(None, None).expect("a terminal");
        let stdin = terminal.slave.try_clone().expect("a handle");
        let child = command
            .stdin(stdin)
            .stderr(terminal.slave)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        // Only the program holds the terminal from now on, so that it ends with it.
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
        Self {
            child,
            keyboard,
            screen,
            reading,
        }
    }

    /// Waits until the program has written a text.
    pub(crate) fn until(&self, text: &str) {
        let start = Instant::now();
        loop {
            let screen = self.screen.lock().expect("a lock").clone();
            if screen.contains(text) {
                return;
            }
            let waited = start.elapsed();
            assert!(waited < Duration::from_secs(60), "no {text}: {screen}");
            sleep(Duration::from_millis(20));
        }
    }

    /// Types a line.
    pub(crate) fn answer(&mut self, text: &str) {
        writeln!(self.keyboard, "{text}").expect("typed");
    }

    /// Waits for the program's end; its status, its stdout, and all that was on the terminal.
    pub(crate) fn end(self) -> (Option<i32>, String, String) {
        let output = self.child.wait_with_output().expect("it ends");
        self.reading.join().expect("read");
        let stdout = String::from_utf8(output.stdout).expect("UTF-8");
        let screen = self.screen.lock().expect("a lock").clone();
        (output.status.code(), stdout, screen)
    }
}
