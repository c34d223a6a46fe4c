use super::{Habits, habits::flipped};
use crate::{
    SimulateError,
    agent::{Agent, Profile, Stance},
    turn::Turn,
};

/// Which samples a targeted poisoner lies about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Those whose true label is this one.
    Class(u16),
    /// Those in which this feature is present, of a sparse encoding.
    Feature(u16),
}

impl Target {
    /// Whether a sample is one of them.
    fn holds(self, sample: &[u8], truth: u16) -> bool {
        match self {
            Self::Class(class) => truth == class,
            Self::Feature(feature) => sample
                .chunks_exact(2)
                .any(|index| u16::from_be_bytes([index[0], index[1]]) == feature),
        }
    }
}

/// Lies about one class or one region only, and no faster than the model comes to agree; in between it tells
/// the truth about the rest, for good marks.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetedPoisoner {
    /// How often it acts and how much it deposits.
    pub habits: Habits,
    /// What it lies about.
    pub target: Target,
    /// It lies while the model agrees with at least this share of its open contributions, in [0, 1].
    pub agreement: f64,
}

impl TargetedPoisoner {
    /// Whether enough of what it has sent can be expected back.
    fn dares(&self, turn: &mut Turn<'_>) -> bool {
        let own = turn.own();
        let agreed = own.iter().filter(|own| own.agrees).count();
        // Far below 2^52.
        #[allow(clippy::cast_precision_loss)]
        let (agreed, of) = (agreed as f64, own.len() as f64);
        agreed >= self.agreement * of
    }
}

impl Agent for TargetedPoisoner {
    fn kind(&self) -> &'static str {
        "targeted-poisoner"
    }

    fn profile(&self) -> Profile {
        Profile {
            goal: "a model that is wrong about one class or region and right elsewhere, at little cost",
            knowledge: "the true labels; what the model predicts for what it has sent",
            budget: "its money and its patience: it lies only while its lies can be expected back",
        }
    }

    fn stance(&self) -> Stance {
        Stance::Hostile
    }

    fn wait(&mut self, turn: &mut Turn<'_>) -> u64 {
        self.habits.next_wait(turn.chance())
    }

    fn longest_wait(&self) -> u64 {
        self.habits.longest_wait()
    }

    fn act(&mut self, turn: &mut Turn<'_>) -> Result<(), SimulateError> {
        if self.may_contribute(turn.funds(0)?) {
            let lie = self.dares(turn);
            let found = turn.find_sample(|sample, truth| self.target.holds(sample, truth) == lie);
            if let Some((sample, truth)) = found {
                let label = if lie { flipped(truth, turn) } else { truth };
                self.habits.contribute(turn, 0, sample, label)?;
            }
        }
        turn.claim_all()
    }

    fn may_contribute(&self, funds: u128) -> bool {
        !self.habits.is_broke(funds)
    }
}
