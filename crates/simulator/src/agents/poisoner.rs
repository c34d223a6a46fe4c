use std::collections::VecDeque;

use crate::{
    SimulateError,
    agent::{Agent, Habits, Profile, Stance},
    context::AgentContext,
};

/// Samples that a targeted poisoner lies about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Samples with this true label.
    Class(u16),
    /// Samples of a sparse encoding that contain this feature.
    Feature(u16),
}

impl Target {
    /// Returns `true` if a sample belongs to the target.
    fn holds(self, sample: &[u8], truth: u16) -> bool {
        match self {
            Self::Class(class) => truth == class,
            Self::Feature(feature) => sample
                .chunks_exact(2)
                .any(|index| u16::from_be_bytes([index[0], index[1]]) == feature),
        }
    }
}

/// Number of its latest lies that it considers.
const REMEMBERED: usize = 20;

/// Lie that was sent, and the model's latest agreement with it.
#[derive(Debug, Clone, PartialEq)]
struct Lie {
    sample: Vec<u8>,
    label: u16,
    agreed: bool,
}

/// Lies about one class or one region only, and no faster than the model comes to agree. In between
/// it tells the truth about the rest, for good contributions.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetedPoisoner {
    /// Pace of its turns, and deposits that it is willing to pay.
    pub habits: Habits,
    /// Samples that it lies about.
    pub target: Target,
    /// Minimum share of its last 20 lies that the model must agree with before it lies again, in
    /// [0, 1]. A settled lie keeps the model's last answer.
    pub agreement: f64,
    lies: VecDeque<Lie>,
}

impl TargetedPoisoner {
    /// Description of this kind of agents.
    pub const PROFILE: Profile = Profile {
        kind: "targeted-poisoner",
        stance: Stance::Hostile,
        goal: "a model that is wrong about one class or region and right elsewhere, at little cost",
        knowledge: "the true labels; what the model predicts for what it has sent",
        budget: "its money and its patience: it lies only while its lies can be expected back",
    };

    /// Returns an agent that has not lied yet.
    #[must_use]
    pub fn new(habits: Habits, target: Target, agreement: f64) -> Self {
        Self {
            habits,
            target,
            agreement,
            lies: VecDeque::new(),
        }
    }

    /// Returns `true` if the model agrees with enough of its lies.
    fn dares(&mut self, context: &mut AgentContext<'_>) -> bool {
        for own in context.own() {
            let known = |lie: &&mut Lie| lie.label == own.label && *lie.sample == *own.sample;
            if let Some(lie) = self.lies.iter_mut().find(known) {
                lie.agreed = own.agrees;
            }
        }
        let agreed = self.lies.iter().filter(|lie| lie.agreed).count();
        // Both counts are at most 20.
        #[allow(clippy::cast_precision_loss)]
        let (agreed, of) = (agreed as f64, self.lies.len() as f64);
        agreed >= self.agreement * of
    }

    fn remember(&mut self, sample: Vec<u8>, label: u16) {
        if self.lies.len() == REMEMBERED {
            self.lies.pop_front();
        }
        self.lies.push_back(Lie {
            sample,
            label,
            agreed: true,
        });
    }
}

impl Agent for TargetedPoisoner {
    fn profile(&self) -> Profile {
        Self::PROFILE
    }

    fn habits(&self) -> &Habits {
        &self.habits
    }

    fn act(&mut self, context: &mut AgentContext<'_>) -> Result<(), SimulateError> {
        if self.may_contribute(context.funds(0)?) {
            let lie = self.dares(context);
            let found =
                context.find_sample(|sample, truth| self.target.holds(sample, truth) == lie);
            if let Some((sample, truth)) = found {
                let label = if lie { context.flipped(truth) } else { truth };
                let bytes = context.bytes(&sample).to_vec();
                if self.habits.contribute(context, 0, sample, label)? && lie {
                    self.remember(bytes, label);
                }
            }
        }
        context.claim_all()
    }
}
