//! Session of a pool between two runs.

use std::{fs, io, path::Path};

use anyhow::anyhow;
use cotrain_client::label::Access;
use serde::{Deserialize, Serialize};

use crate::{error::CommandError, live::context::write_whole};

/// Version of the file.
const VERSION: &str = "cotrain-label/1";

/// Open session of a pool. The file has the session's token, so only its owner may read it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    version: String,
    /// Address of the coordinator, without its secrets.
    pub(super) url: String,
    /// Session; `None` if it is closed, and nothing is left of its money.
    pub(super) access: Option<Access>,
    /// `true` if it is closed, and units are left.
    pub(super) closed: bool,
    /// Hash of what the session was opened with.
    pub(super) opened_with: String,
}

impl Stored {
    /// Reads the session of a pool; there is none at first.
    pub(super) fn read(path: &Path) -> Result<Self, CommandError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => {
                let failed = anyhow!(error).context(format!("cannot read {}", path.display()));
                return Err(CommandError::Mistake(failed));
            }
        };
        let stored: Option<Self> = serde_json::from_slice(&bytes).ok();
        stored.filter(|it| it.version == VERSION).ok_or_else(|| {
            CommandError::Mistake(anyhow!(
                "{} is no session of this release; remove it, and the labels are taught to a new one",
                path.display()
            ))
        })
    }

    /// Writes the session of a pool.
    pub(super) fn write(&mut self, path: &Path) -> Result<(), CommandError> {
        VERSION.clone_into(&mut self.version);
        write_whole(path, &serde_json::to_vec(self)?)
    }
}
