//! Signals that ask the program to end. The first one lets it end cleanly, a second one ends it
//! immediately.

use std::{io, process, thread};

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::error::CommandError;

/// Exit status of an interrupted program, by the rule of shells: 128 and the number of SIGINT.
const INTERRUPTED: i32 = 130;

/// The signals that end a program.
struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    /// Signal of a closed terminal; `None` if it ends the program immediately.
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    /// Begins to receive signals, in place of the system's default reaction. It needs a tokio
    /// runtime.
    #[cfg(unix)]
    fn listen(hangup: bool) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: hangup.then(|| signal(SignalKind::hangup())).transpose()?,
        })
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }

    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
    fn listen(_hangup: bool) -> io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}

/// Returns a token that Ctrl-C, or another signal to end, cancels. A second signal ends the
/// process.
pub(crate) fn stopped() -> Result<CancellationToken, CommandError> {
    let token = CancellationToken::new();
    let stopped = token.clone();
    let mut signals = Signals::listen(false)?;
    tokio::spawn(async move {
        signals.next().await;
        stopped.cancel();
        signals.next().await;
        process::exit(INTERRUPTED);
    });
    Ok(token)
}

/// Calls `last` at a signal to end, and then ends the program. A second signal ends it immediately.
pub(crate) fn end_on_signal(last: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot wait for signals")?;
    let mut signals = {
        let _entered = runtime.enter();
        Signals::listen(true).context("cannot wait for signals")?
    };
    thread::spawn(move || {
        runtime.block_on(signals.next());
        thread::spawn(move || {
            last();
            process::exit(INTERRUPTED);
        });
        runtime.block_on(signals.next());
        process::exit(INTERRUPTED);
    });
    Ok(())
}
