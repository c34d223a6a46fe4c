//! Settings of federated rounds, and the behavior of hostile clients.

use std::str::FromStr;

use cotrain_learning::federated::{Split, Training, attack::Client};
use cotrain_protocol::federated::{Rule, Width};

/// Clients and terms of federated rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Rule that joins the updates.
    pub rule: Rule,
    /// Behavior of the hostile clients.
    pub attack: Attack,
    /// Strength of the attack; `None` for its usual one.
    pub strength: Option<f64>,
    /// Number of clients.
    pub clients: u8,
    /// Number of hostile clients: the last ones.
    pub hostile: u8,
    /// Number of updates that the rule takes to be hostile.
    pub assumed_hostile: u8,
    /// Number of rounds.
    pub rounds: u32,
    /// Split of the digits among the clients.
    pub split: Split,
    /// Width of the updates' lanes.
    pub width: Width,
    /// Units of weights are `2^-scale`.
    pub scale: u32,
    /// Terms of training; the laboratory draws the seeds.
    pub training: Training,
    /// Number of digits that a round scores on.
    pub samples: usize,
    /// Loss that an update may cause, in 1/256 bit over the digits of a round.
    pub margin: u32,
    /// Tokens that a commitment locks.
    pub stake: u128,
    /// Part of the stake that an update below the margin loses.
    pub slash: u128,
    /// Tokens that a round with a better model mints.
    pub emission: u128,
}

impl Settings {
    /// Returns the kind of each client. The last ones are hostile.
    #[must_use]
    pub fn kinds(&self) -> Vec<Client> {
        let honest = self.clients.saturating_sub(self.hostile);
        let hostile = self.attack.client(self.strength, self.scale);
        let kind = |index| {
            if index < honest {
                Client::Honest
            } else {
                hostile
            }
        };
        (0..self.clients).map(kind).collect()
    }

    /// Returns the name of each client's kind: `honest`, or that of the attack.
    #[must_use]
    pub fn kind_names(&self) -> Vec<&'static str> {
        let kinds = self.kinds().into_iter();
        kinds
            .map(|kind| match kind {
                Client::Honest => HONEST,
                _ => self.attack.name(),
            })
            .collect()
    }
}

/// Name of honest clients in results.
pub const HONEST: &str = "honest";

/// Behavior of hostile clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    /// Honesty: they do as all others.
    None,
    /// Noise with 9 times the length of the mean honest update.
    Gauss,
    /// Own change times a negative number.
    Sign,
    /// Training with each label replaced by 9 minus it.
    Label,
    /// "A little is enough" (Baruch et al., 2019).
    Alie,
    /// Inner product manipulation (Xie et al., 2019).
    Ipm,
    /// Min-Max (Shejwalkar and Houmansadr, 2021).
    MinMax,
    /// Zeros.
    FreeRider,
    /// Update of the first honest client.
    Copycat,
    /// Update of the first honest client in the round before.
    OldCopy,
    /// Change of the first of them, slightly different in each account.
    Sybil,
    /// Own change times a random number, kept secret unless it helps on their own digits.
    Selective,
    /// Training on digits whose first pixel is set, all labeled 7.
    Backdoor,
}

impl Attack {
    /// All attacks.
    pub const ALL: [Self; 13] = [
        Self::None,
        Self::Gauss,
        Self::Sign,
        Self::Label,
        Self::Alie,
        Self::Ipm,
        Self::MinMax,
        Self::FreeRider,
        Self::Copycat,
        Self::OldCopy,
        Self::Sybil,
        Self::Selective,
        Self::Backdoor,
    ];

    /// Returns the name in settings and results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gauss => "gauss",
            Self::Sign => "sign",
            Self::Label => "label",
            Self::Alie => "alie",
            Self::Ipm => "ipm",
            Self::MinMax => "min-max",
            Self::FreeRider => "free-rider",
            Self::Copycat => "copycat",
            Self::OldCopy => "old-copy",
            Self::Sybil => "sybil",
            Self::Selective => "selective",
            Self::Backdoor => "backdoor",
        }
    }

    /// Returns the usual strength; `None` if the attack has none.
    ///
    /// It is the factor of `sign` and `ipm`, the smallest `z` of `alie`, and the noise of `sybil` in
    /// units of weights.
    #[must_use]
    pub fn usual_strength(self) -> Option<f64> {
        match self {
            Self::Sign => Some(4.0),
            Self::Ipm => Some(10.0),
            Self::Alie => Some(0.3),
            Self::Sybil => Some(0.5),
            _ => None,
        }
    }

    fn client(self, strength: Option<f64>, scale: u32) -> Client {
        let strength = strength.or(self.usual_strength()).unwrap_or_default();
        match self {
            Self::None => Client::Honest,
            Self::Gauss => Client::Noise,
            Self::Sign => Client::Sign(-strength),
            Self::Label => Client::LabelFlip,
            Self::Alie => Client::LittleIsEnough(strength),
            Self::Ipm => Client::InnerProduct(strength),
            Self::MinMax => Client::MinMax,
            Self::FreeRider => Client::FreeRider,
            Self::Copycat => Client::Copycat,
            Self::OldCopy => Client::OldCopy,
            Self::Sybil => Client::Sybil(strength / f64::from(1_u32 << scale.min(30))),
            Self::Selective => Client::Selective,
            Self::Backdoor => Client::Backdoor,
        }
    }
}

impl FromStr for Attack {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|attack| attack.name() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("unknown attack `{name}`, expected one of {names}")
        })
    }
}
