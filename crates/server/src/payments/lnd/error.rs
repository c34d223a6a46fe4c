//! Reasons for which a call of the Lightning node fails.

use std::{error::Error, path::PathBuf, time::Duration};

use cotrain_payments::lnd::Status;
use thiserror::Error;

/// Code of gRPC for a caller whose proof is missing or wrong.
const UNAUTHENTICATED: i32 = 16;
/// Code of gRPC for a caller who may not do this.
const PERMISSION_DENIED: i32 = 7;
/// Message of LND about an invoice that it does not know. Old versions give no code of their own.
const NO_INVOICE: &str = "unable to locate invoice";
/// Parts of LND's messages about macaroons. They come with the code 2, which says nothing.
const NO_RIGHT: [&str; 3] = ["macaroon", "verification failed", "permission denied"];

/// Reason for which a call of the Lightning node fails.
#[derive(Debug, Error)]
pub enum LndError {
    /// The certificate cannot be read.
    #[error(
        "cannot read the Lightning node's certificate `{}`: {reason}; set `lightning.certificate` to the node's tls.cert", path.display()
    )]
    Certificate {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        reason: String,
    },
    /// The macaroon cannot be read.
    #[error(
        "cannot read the Lightning node's macaroon `{}`: {reason}; set `lightning.macaroon` to the node's invoice.macaroon", path.display()
    )]
    MacaroonFile {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        reason: String,
    },
    /// TLS cannot be set up.
    #[error("cannot set up TLS for the Lightning node: {0}")]
    Tls(String),
    /// The node shows another certificate.
    #[error(
        "cannot trust {url}: it shows another certificate than `lightning.certificate`; take the node's present tls.cert, or correct `lightning.url`"
    )]
    OtherCertificate {
        /// URL of the node.
        url: String,
    },
    /// The node cannot be reached.
    #[error(
        "cannot reach the Lightning node at {url} for {path}: {reason}; start it, or correct `lightning.url`"
    )]
    Unreachable {
        /// URL of the node.
        url: String,
        /// Path of the call.
        path: String,
        /// Cause.
        reason: String,
    },
    /// The node is slow.
    #[error(
        "the Lightning node at {url} has not answered within {after:?}; look at it, or raise `lightning.timeout`"
    )]
    TimedOut {
        /// URL of the node.
        url: String,
        /// Time that it had.
        after: Duration,
    },
    /// The macaroon does not permit the call.
    #[error(
        "the Lightning node refuses the macaroon for {path}: HTTP status {status}, {answer}; give it one that makes, finds and follows invoices in `lightning.macaroon`"
    )]
    Macaroon {
        /// Path of the call.
        path: String,
        /// Status of the answer.
        status: u16,
        /// Answer.
        answer: Status,
    },
    /// The node answers with an error.
    #[error(
        "the Lightning node refuses {path}: HTTP status {status}, {answer}; see the node's log"
    )]
    Refused {
        /// Path of the call.
        path: String,
        /// Status of the answer.
        status: u16,
        /// Answer.
        answer: Status,
    },
    /// The answer has another form.
    #[error(
        "cannot read the Lightning node's answer to {path}: {reason}; expected a message of LND's REST interface: correct `lightning.url`"
    )]
    Malformed {
        /// Path of the call.
        path: String,
        /// Cause.
        reason: String,
    },
    /// The stream broke.
    #[error("the stream of the Lightning node's invoices broke: {reason}")]
    Broken {
        /// Cause.
        reason: String,
    },
}

impl LndError {
    /// Returns the error of a request that was not answered.
    pub(super) fn unreachable(url: String, path: String, error: &reqwest::Error) -> Self {
        let reason = innermost(error);
        if reason.contains("another certificate") {
            return Self::OtherCertificate { url };
        }
        Self::Unreachable { url, path, reason }
    }

    /// Returns the error of an answer with an error.
    pub(super) fn refused(path: String, status: u16, answer: Status) -> Self {
        let about_rights = matches!(answer.code, UNAUTHENTICATED | PERMISSION_DENIED)
            || matches!(status, 401 | 403)
            || NO_RIGHT.iter().any(|part| answer.message.contains(part));
        if about_rights {
            return Self::Macaroon {
                path,
                status,
                answer,
            };
        }
        Self::Refused {
            path,
            status,
            answer,
        }
    }

    /// `true` if the node says that it has no such invoice.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { answer, .. }
            if answer.code == Status::NOT_FOUND || answer.message.contains(NO_INVOICE))
    }

    /// `true` if the same call may succeed soon without anybody's help.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Broken { .. } => true,
            // LND answers so while it starts.
            Self::Refused { status, .. } => *status >= 500 || *status == 200,
            _ => false,
        }
    }
}

/// Returns the operating system's message: outer errors repeat the address.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if cause.is::<reqwest::Error>() {
        return "the connection was cut".to_owned();
    }
    cause.to_string()
}
