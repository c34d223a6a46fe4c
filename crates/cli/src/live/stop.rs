//! Being told to stop.

use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// Is cancelled by Ctrl-C, and by what else asks a process to end.
pub(crate) fn stopped() -> Result<CancellationToken, Failure> {
    let token = CancellationToken::new();
    let told = token.clone();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            told.cancel();
        });
    }
    #[cfg(not(unix))]
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        told.cancel();
    });
    Ok(token)
}
