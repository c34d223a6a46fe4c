//! Kinds of agents that a scenario can name.

use crate::{
    agent::{Agent, Habits, Profile},
    agents::{
        Caller, Copycat, FlipAndReport, Flipper, Honest, LastMinute, Lazy, Outlier, Rational,
        SelfReporter, Sybil, Takeover, Target, TargetedPoisoner,
    },
};

/// A kind of agent with its own settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Strategy {
    /// [`Honest`] agent, which is careless if `mistakes` is high.
    Honest {
        /// Probability of a mistake, from 0 to 1.
        mistakes: f64,
    },
    /// [`Flipper`] agent.
    Flipper {
        /// Probability of a mistake, from 0 to 1.
        mistakes: f64,
    },
    /// [`Caller`] agent.
    Caller {
        /// Number of predictions paid for at a time.
        predictions: usize,
    },
    /// [`Copycat`] agent.
    Copycat,
    /// [`Sybil`] agent.
    Sybil {
        /// Number of its addresses.
        identities: usize,
    },
    /// [`Takeover`] agent.
    Takeover {
        /// Number of contributions in one transaction.
        batch: usize,
    },
    /// [`TargetedPoisoner`] agent.
    TargetedPoisoner {
        /// Target of its false contributions.
        target: Target,
        /// Share of its open contributions that the model has to agree with, from 0 to 1.
        agreement: f64,
    },
    /// [`Lazy`] agent.
    Lazy,
    /// [`SelfReporter`] agent.
    SelfReporter,
    /// [`LastMinute`] agent.
    LastMinute,
    /// [`Rational`] agent.
    Rational,
    /// [`FlipAndReport`] agent.
    FlipAndReport,
    /// [`Outlier`] agent.
    Outlier,
}

impl Strategy {
    /// Agents of every kind, each with its default settings.
    pub const ALL: [Self; 13] = [
        Self::Honest { mistakes: 0.0 },
        Self::Flipper { mistakes: 0.0 },
        Self::Caller { predictions: 1 },
        Self::Copycat,
        Self::Sybil { identities: 10 },
        Self::Takeover { batch: 20 },
        Self::TargetedPoisoner {
            target: Target::Class(1),
            agreement: 0.5,
        },
        Self::Lazy,
        Self::SelfReporter,
        Self::LastMinute,
        Self::Rational,
        Self::FlipAndReport,
        Self::Outlier,
    ];

    /// Creates an agent of this kind.
    #[must_use]
    pub fn agent(self, habits: Habits) -> Box<dyn Agent> {
        match self {
            Self::Honest { mistakes } => Box::new(Honest { habits, mistakes }),
            Self::Flipper { mistakes } => Box::new(Flipper { habits, mistakes }),
            Self::Caller { predictions } => Box::new(Caller {
                habits,
                predictions,
            }),
            Self::Copycat => Box::new(Copycat { habits }),
            Self::Sybil { identities } => Box::new(Sybil::new(habits, identities)),
            Self::Takeover { batch } => Box::new(Takeover { habits, batch }),
            Self::TargetedPoisoner { target, agreement } => {
                Box::new(TargetedPoisoner::new(habits, target, agreement))
            }
            Self::Lazy => Box::new(Lazy { habits }),
            Self::SelfReporter => Box::new(SelfReporter::new(habits)),
            Self::LastMinute => Box::new(LastMinute::new(habits)),
            Self::Rational => Box::new(Rational { habits }),
            Self::FlipAndReport => Box::new(FlipAndReport { habits }),
            Self::Outlier => Box::new(Outlier::new(habits)),
        }
    }

    /// Returns `true` if the agent can act in a mechanism without claims and good contributions.
    #[must_use]
    pub fn lives_without_claims(self) -> bool {
        match self {
            Self::Honest { .. }
            | Self::Flipper { .. }
            | Self::Caller { .. }
            | Self::Sybil { .. }
            | Self::Takeover { .. }
            | Self::Lazy => true,
            Self::Copycat
            | Self::TargetedPoisoner { .. }
            | Self::SelfReporter
            | Self::LastMinute
            | Self::Rational
            | Self::FlipAndReport
            | Self::Outlier => false,
        }
    }

    /// Returns the description of the kind.
    #[must_use]
    pub fn profile(self) -> Profile {
        match self {
            Self::Honest { .. } => Honest::PROFILE,
            Self::Flipper { .. } => Flipper::PROFILE,
            Self::Caller { .. } => Caller::PROFILE,
            Self::Copycat => Copycat::PROFILE,
            Self::Sybil { .. } => Sybil::PROFILE,
            Self::Takeover { .. } => Takeover::PROFILE,
            Self::TargetedPoisoner { .. } => TargetedPoisoner::PROFILE,
            Self::Lazy => Lazy::PROFILE,
            Self::SelfReporter => SelfReporter::PROFILE,
            Self::LastMinute => LastMinute::PROFILE,
            Self::Rational => Rational::PROFILE,
            Self::FlipAndReport => FlipAndReport::PROFILE,
            Self::Outlier => Outlier::PROFILE,
        }
    }

    /// Returns the name of the kind in scenarios.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.profile().kind
    }
}
