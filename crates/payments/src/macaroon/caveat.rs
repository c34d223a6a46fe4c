//! Caveats of L402: services, capabilities, times, and the session.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use alloy_primitives::{B256, hex};
use thiserror::Error;

/// Condition of a macaroon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caveat {
    /// The macaroon is for this service, at this tier.
    Service {
        /// Name.
        name: String,
        /// Tier, from 0.
        tier: u32,
    },
    /// The macaroon permits only these capabilities of a service.
    Capabilities {
        /// Name of the service.
        service: String,
        /// Names of the capabilities.
        names: Vec<String>,
    },
    /// The macaroon is valid until a time.
    ValidUntil {
        /// Name of the service.
        service: String,
        /// Time in seconds since 1970, from which it is void.
        time: u64,
    },
    /// The macaroon is for one session.
    Session {
        /// Name of the service.
        service: String,
        /// Hash of the session's id.
        session: B256,
    },
}

impl fmt::Display for Caveat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service { name, tier } => write!(formatter, "services={name}:{tier}"),
            Self::Capabilities { service, names } => {
                write!(formatter, "{service}_capabilities={}", names.join(","))
            }
            Self::ValidUntil { service, time } => {
                write!(formatter, "{service}_valid_until={time}")
            }
            Self::Session { service, session } => {
                write!(formatter, "{service}_session={}", hex::encode(session))
            }
        }
    }
}

/// Use of a macaroon that its caveats must permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Name of the service.
    pub service: &'a str,
    /// Name of the capability.
    pub capability: &'a str,
    /// Hash of the session's id.
    pub session: B256,
    /// Time now, in seconds since 1970.
    pub now: u64,
}

/// Reason for which a macaroon does not permit a use.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CaveatError {
    /// The caveats name no service, or others.
    #[error("cannot use the macaroon: it is not for the service `{0}`; buy one that is")]
    Service(String),
    /// The capability is not among those permitted.
    #[error("cannot use the macaroon: it does not permit `{0}`; buy one that does")]
    Capability(String),
    /// The time has passed.
    #[error(
        "cannot use the macaroon: it was valid until {until} and it is {now} (seconds since 1970); buy a new one"
    )]
    Expired {
        /// End of the validity.
        until: u64,
        /// Time now.
        now: u64,
    },
    /// It is for another session.
    #[error("cannot use the macaroon: it is for another session; use the one of this session")]
    Session,
    /// A repeated caveat permits more than the one before.
    #[error(
        "cannot use the macaroon: its second `{0}` permits more than the first; add only caveats that narrow"
    )]
    Widened(String),
    /// A known caveat has no meaning.
    #[error(
        "cannot use the macaroon: its caveat `{0}` has a value without a meaning; add none such"
    )]
    Malformed(String),
}

/// Checks all caveats against a use.
pub(super) fn permit(caveats: &[Vec<u8>], wanted: &Wanted<'_>) -> Result<(), CaveatError> {
    let service = wanted.service;
    let mut services: Option<BTreeMap<&str, u32>> = None;
    let mut capabilities: Option<BTreeSet<&str>> = None;
    let mut until: Option<u64> = None;
    for caveat in caveats {
        // What is no text, or has no `=`, is unknown.
        let Some((key, value)) = str::from_utf8(caveat)
            .ok()
            .and_then(|it| it.split_once('='))
        else {
            continue;
        };
        let widened = || CaveatError::Widened(key.to_owned());
        let malformed = || CaveatError::Malformed(key.to_owned());
        if key == "services" {
            let next = tiers(value).ok_or_else(malformed)?;
            if let Some(before) = &services {
                let narrows = |(name, tier)| before.get(name).is_some_and(|before| tier <= before);
                if !next.iter().all(narrows) {
                    return Err(widened());
                }
            }
            services = Some(next);
            continue;
        }
        match key
            .strip_prefix(service)
            .and_then(|key| key.strip_prefix('_'))
        {
            Some("capabilities") => {
                let next: BTreeSet<_> = value.split(',').map(str::trim).collect();
                if capabilities
                    .as_ref()
                    .is_some_and(|before| !next.is_subset(before))
                {
                    return Err(widened());
                }
                capabilities = Some(next);
            }
            Some("valid_until" | "timeout") => {
                let next = value.parse().map_err(|_| malformed())?;
                if until.is_some_and(|before| next > before) {
                    return Err(widened());
                }
                until = Some(next);
            }
            Some("session") => {
                let session: B256 = value.parse().map_err(|_| malformed())?;
                if session != wanted.session {
                    return Err(CaveatError::Session);
                }
            }
            _ => {}
        }
    }
    if !services.is_some_and(|services| services.contains_key(service)) {
        return Err(CaveatError::Service(service.to_owned()));
    }
    if capabilities.is_some_and(|names| !names.contains(wanted.capability)) {
        return Err(CaveatError::Capability(wanted.capability.to_owned()));
    }
    let now = wanted.now;
    match until {
        Some(until) if until <= now => Err(CaveatError::Expired { until, now }),
        _ => Ok(()),
    }
}

/// Returns the tiers by service, or `None` if the text has another form.
fn tiers(text: &str) -> Option<BTreeMap<&str, u32>> {
    let mut tiers = BTreeMap::new();
    for part in text.split(',') {
        let (name, tier) = part.trim().split_once(':')?;
        let is_new = tiers.insert(name, tier.parse().ok()?).is_none();
        if name.is_empty() || !is_new {
            return None;
        }
    }
    Some(tiers)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted<'_> = Wanted {
        service: "label",
        capability: "decide",
        session: B256::repeat_byte(0xab),
        now: 1_000,
    };

    fn checked(caveats: &[&str]) -> Result<(), CaveatError> {
        let caveats: Vec<_> = caveats.iter().map(|it| it.as_bytes().to_vec()).collect();
        permit(&caveats, &WANTED)
    }

    #[test]
    fn permit_needs_the_service() {
        let service = || Err(CaveatError::Service("label".into()));
        assert_eq!(checked(&[]), service());
        assert_eq!(checked(&["services=other:0"]), service());
        assert_eq!(checked(&["services=other:0,label:1"]), Ok(()));
        assert_eq!(
            checked(&["services=other:0,label:1", "services=label:0"]),
            Ok(())
        );
        let widened = Err(CaveatError::Widened("services".into()));
        assert_eq!(checked(&["services=label:0", "services=label:1"]), widened);
        assert_eq!(
            checked(&["services=label:0", "services=label:0,b:0"]),
            widened
        );
        // Whoever adds another service takes this one away.
        assert_eq!(
            checked(&["services=a:0,label:0", "services=a:0"]),
            service()
        );
        for malformed in [
            "label",
            "label:",
            "label:x",
            ":1",
            "label:0,",
            "label:0,label:1",
        ] {
            let expected = Err(CaveatError::Malformed("services".into()));
            assert_eq!(checked(&[&format!("services={malformed}")]), expected);
        }
    }

    #[test]
    fn permit_narrows_capabilities() {
        let with = |rest: &[&str]| checked(&[&["services=label:0"], rest].concat());
        assert_eq!(with(&["label_capabilities=train,decide"]), Ok(()));
        assert_eq!(
            with(&[
                "label_capabilities=train,decide",
                "label_capabilities=decide"
            ]),
            Ok(())
        );
        let none = Err(CaveatError::Capability("decide".into()));
        assert_eq!(with(&["label_capabilities=train"]), none);
        assert_eq!(with(&["label_capabilities="]), none);
        let widened = Err(CaveatError::Widened("label_capabilities".into()));
        assert_eq!(
            with(&["label_capabilities=train", "label_capabilities=decide"]),
            widened
        );
        // Those of other services, and unknown caveats, are skipped.
        assert_eq!(
            with(&["other_capabilities=train", "label_color=red", "\u{ff}"]),
            Ok(())
        );
    }

    #[test]
    fn permit_ends_at_the_earliest_time_under_both_names() {
        let with = |rest: &[&str]| checked(&[&["services=label:0"], rest].concat());
        assert_eq!(with(&["label_valid_until=1001"]), Ok(()));
        let expired = |until| Err(CaveatError::Expired { until, now: 1_000 });
        assert_eq!(with(&["label_valid_until=1000"]), expired(1_000));
        assert_eq!(with(&["label_timeout=999"]), expired(999));
        assert_eq!(
            with(&["label_valid_until=2000", "label_timeout=5"]),
            expired(5)
        );
        let widened = Err(CaveatError::Widened("label_timeout".into()));
        assert_eq!(
            with(&["label_valid_until=2000", "label_timeout=2001"]),
            widened
        );
        let malformed = Err(CaveatError::Malformed("label_timeout".into()));
        assert_eq!(with(&["label_timeout=-1"]), malformed);
    }

    #[test]
    fn permit_binds_to_the_session() {
        let bound = |session: B256| {
            let caveat = Caveat::Session {
                service: "label".into(),
                session,
            };
            checked(&["services=label:0", &caveat.to_string()])
        };
        assert_eq!(bound(WANTED.session), Ok(()));
        assert_eq!(bound(B256::ZERO), Err(CaveatError::Session));
        let malformed = Err(CaveatError::Malformed("label_session".into()));
        assert_eq!(
            checked(&["services=label:0", "label_session=ab"]),
            malformed
        );
    }
}
