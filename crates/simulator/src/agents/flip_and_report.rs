use std::collections::BTreeSet;

use cotrain_protocol::sample::encode_sparse;

use crate::{
    SimulateError,
    agent::{Agent, Habits, Profile, Stance},
    context::{AgentContext, Foreign, Piece, Sample},
    mechanism::{ClaimKind, ReportStage},
};

/// Index of the address with the good contributions, which reports.
const REPORTER: usize = 0;
/// Index of the address that lies.
const LIAR: usize = 1;
/// Maximum number of features in a lie: fewer than a prediction can read.
const MAX_FEATURES: usize = 500;

/// Turns the model for a moment, in one second, before anyone else can act. It sends one lie made
/// of the features of others' contributions. Then it reports (or announces) those that the model
/// now disagrees with. At last it sends the truth, to undo the lie.
#[derive(Debug, Clone, PartialEq)]
pub struct FlipAndReport {
    /// Pace of its turns, and deposits that it is willing to pay for the contributions that earn
    /// its marks.
    pub habits: Habits,
}

impl FlipAndReport {
    /// Description of this kind of agents.
    pub const PROFILE: Profile = Profile {
        kind: "flip-and-report",
        stance: Stance::Hostile,
        goal: "shares of true contributions, by a model that is wrong for a second",
        knowledge: "the true labels; all open contributions; that nobody can act between its own transactions",
        budget: "its money, half of it at a second address; it contributes the truth, for the marks",
    };

    /// Attacks contributions of one label and one stage, if it expects a gain.
    fn strike(
        context: &mut AgentContext<'_>,
        targets: &[Foreign],
        flips: u128,
    ) -> Result<(), SimulateError> {
        let Some(truth) = targets.first().map(|target| target.label) else {
            return Ok(());
        };
        let mut features = BTreeSet::new();
        let mut chosen = BTreeSet::new();
        let mut gain = 0_u128;
        for target in targets {
            let of_target = target.sample.chunks_exact(2);
            let mut more = features.clone();
            more.extend(of_target.map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]])));
            if more.len() > MAX_FEATURES {
                break;
            }
            features = more;
            chosen.insert(target.position);
            gain = gain.saturating_add(target.deposit);
        }
        let features: Vec<u16> = features.into_iter().collect();
        let sample = Sample::copied(&encode_sparse(&features));
        let lie = context.flipped(truth);
        let (good, all) = context.good(REPORTER);
        let (price, all) = (context.price(1), u128::from(all.max(1)));
        // Compares its share of the targets' deposits with the others' share of its lie.
        let gain = gain.saturating_mul(good.into()) / all;
        let loss = price.saturating_mul(all.saturating_sub(good.into())) / all;
        if gain <= loss.saturating_mul(flips) || context.predict(&sample) != truth {
            return Ok(());
        }
        let piece = |label| Piece {
            sample: sample.clone(),
            label,
        };
        if !context.contribute(LIAR, &[piece(lie)], price)? {
            return Ok(());
        }
        context.claim(REPORTER, &mut |found| {
            chosen.contains(&found.position)
                && matches!(found.kind, ClaimKind::Report | ClaimKind::Announcement)
        })?;
        // The second contribution in a second is the most expensive. It is true, so its deposit
        // comes back.
        let price = context.price(1);
        context.contribute(REPORTER, &[piece(truth)], price)?;
        Ok(())
    }
}

impl Agent for FlipAndReport {
    fn profile(&self) -> Profile {
        Self::PROFILE
    }

    fn habits(&self) -> &Habits {
        &self.habits
    }

    fn identities(&self) -> usize {
        2
    }

    fn act(&mut self, context: &mut AgentContext<'_>) -> Result<(), SimulateError> {
        context.claim_all()?;
        for (stage, flips) in [(ReportStage::Report, 1), (ReportStage::Announce, 2)] {
            for label in 0..context.classes() {
                let mut targets = context.foreign();
                targets.retain(|one| one.agrees && one.label == label && one.stage == stage);
                Self::strike(context, &targets, flips)?;
            }
        }
        if let Some((sample, truth)) = context.next_sample()
            && self.may_contribute(context.funds(REPORTER)?)
        {
            self.habits.contribute(context, REPORTER, sample, truth)?;
        }
        Ok(())
    }
}
