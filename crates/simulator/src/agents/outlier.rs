use cotrain_protocol::{
    classifier::{Kind, Parameters},
    sample::{Encoding, encode_dense16, encode_dense32, encode_sparse},
};

use crate::{
    SimulateError,
    agent::{Agent, Habits, Profile, Stance},
    chance::Chance,
    context::{AgentContext, Sample},
};

/// Sends the most extreme sample that the model learns from, with a class that the model does not
/// predict for it. If one lesson is enough, the model agrees afterwards and the deposit comes back.
///
/// It repeats one sample while that teaches the model something, and then takes another one.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlier {
    /// Pace of its turns, and deposits that it is willing to pay.
    pub habits: Habits,
    lie: Option<(Sample, u16)>,
}

impl Outlier {
    /// Description of this kind of agents.
    pub const PROFILE: Profile = Profile {
        kind: "outlier",
        stance: Stance::Hostile,
        goal: "a model that one extreme sample after the other pulls off, with the deposits back",
        knowledge: "the bounds of the samples that the model learns from; no data, no labels",
        budget: "its money and its pace",
    };

    /// Returns an agent that has not lied yet.
    #[must_use]
    pub fn new(habits: Habits) -> Self {
        Self { habits, lie: None }
    }

    /// Returns the sample and the label to send now.
    fn lie(&mut self, context: &mut AgentContext<'_>) -> (Sample, u16) {
        let parameters = context.parameters();
        // The perceptrons learn from mistakes only, the other models from every sample.
        let from_mistakes = matches!(
            parameters.kind(),
            Kind::SparsePerceptron | Kind::DensePerceptron
        );
        let teaches =
            |(sample, label): &&(Sample, u16)| !from_mistakes || context.predict(sample) != *label;
        if let Some(lie) = self.lie.as_ref().filter(teaches) {
            return lie.clone();
        }
        let sample = Sample::made(&extreme(&parameters, context.chance()));
        let label = context.flipped(context.predict(&sample));
        self.lie.insert((sample, label)).clone()
    }
}

impl Agent for Outlier {
    fn profile(&self) -> Profile {
        Self::PROFILE
    }

    fn habits(&self) -> &Habits {
        &self.habits
    }

    fn act(&mut self, context: &mut AgentContext<'_>) -> Result<(), SimulateError> {
        if self.may_contribute(context.funds(0)?) {
            let (sample, label) = self.lie(context);
            self.habits.contribute(context, 0, sample, label)?;
        }
        context.claim_all()
    }
}

/// Returns a sample at the bounds. A dense one has numbers as large as the length allows, with
/// random signs. A sparse one has the maximum number of features, spread over all.
fn extreme(parameters: &Parameters, chance: &mut Chance) -> Vec<u8> {
    let features = parameters.features();
    let Some(bounds) = parameters.bounds() else {
        let max = u64::from(parameters.max_present());
        let spread = |index| u16::try_from(index * u64::from(features) / max).unwrap_or(u16::MAX);
        return encode_sparse(&(0..max).map(spread).collect::<Vec<_>>());
    };
    // If the length allows less than 1 per number, only some of the numbers can be whole and not 0.
    let each = (bounds.max_squared_length / u128::from(features)).isqrt();
    let (each, numbers) = match i64::try_from(each) {
        Ok(each @ 1..) => (each.min(bounds.max_number.into()), features),
        _ => (
            1,
            u32::try_from(bounds.max_squared_length).unwrap_or(features),
        ),
    };
    let signed = (0..features).map(
        |feature| match (feature < numbers, chance.uniform() < 0.5) {
            (false, _) => 0,
            (true, false) => each,
            (true, true) => -each,
        },
    );
    if parameters.encoding() == Encoding::Dense16 {
        let fit = |number: i64| i16::try_from(number).unwrap_or(i16::MAX);
        encode_dense16(&signed.map(fit).collect::<Vec<_>>())
    } else {
        let fit = |number: i64| i32::try_from(number).unwrap_or(i32::MAX);
        encode_dense32(&signed.map(fit).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use cotrain_protocol::{
        classifier::{Bounds, Classifier},
        sample::Item,
    };

    use super::*;

    /// The model accepts the sample whatever the bounds are. Hardly any longer sample is accepted.
    #[test]
    fn extreme_is_accepted_and_at_the_bounds() {
        let mut chance = Chance::new(1, 1);
        for encoding in [Encoding::Dense16, Encoding::Dense32] {
            let widest = Bounds::widest(encoding, 10).expect("numbers");
            for (max_number, max_squared_length) in [
                (widest.max_number, widest.max_squared_length),
                (100, 1_000),
                (100, 100_000),
                (1, 3),
                (7, 1),
            ] {
                let bounds = Bounds {
                    max_number,
                    max_squared_length,
                };
                let parameters = if encoding == Encoding::Dense16 {
                    Parameters::DensePerceptron {
                        features: 10,
                        learning_rate: 1,
                        intercept: 0,
                        bounds,
                    }
                } else {
                    Parameters::DenseNearestCentroid {
                        classes: 2,
                        features: 10,
                        bounds,
                    }
                };
                let model = Classifier::new(parameters).expect("valid");
                let sample = extreme(&parameters, &mut chance);
                let items = [Item {
                    label: 0,
                    sample: &sample,
                }];
                assert_eq!(model.check(&items), Ok(()), "{bounds:?}");
                let numbers = encoding.numbers(&sample);
                let squares = numbers.map(|number| u128::from(number.unsigned_abs()).pow(2));
                let square: u128 = squares.sum();
                assert!(
                    square * 10 >= max_squared_length * 9,
                    "{bounds:?}: {square}"
                );
            }
        }
    }
}
