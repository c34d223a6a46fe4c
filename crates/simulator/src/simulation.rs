use std::{thread, time::Instant};

use alloy_primitives::U256;
use cotrain_chain::{Chain, Embedded};
use cotrain_protocol::classifier::Classifier;

use crate::{
    agent::Agent,
    beside::Second,
    bounds::Bounds,
    engine::{Engine, Options, Progress, beginning},
    error::SimulateError,
    mechanism::{MarketMechanism, Mechanism, OWNER, TrainerMechanism},
    prepared::Prepared,
    run::{Accuracy, Run},
    scenario::{Incentive, Scenario},
};

/// Runs `scenario` on the embedded chain. The same scenario, data and seed give the same run on
/// every machine but for its wall time. `progress` is called now and then.
///
/// # Errors
/// Where the data cannot be read or does not fit the model, where the chain refuses what the rules
/// allow, or where it computes something else than the rules do ([`SimulateError::Diverged`]).
pub fn simulate(
    scenario: &Scenario,
    options: &Options,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Run, SimulateError> {
    let chain = Embedded::new(beginning(scenario));
    simulate_on(chain, scenario, options, progress)
}

/// The same on another chain, which is empty and begins as [`beginning`] says. The run is the same but for
/// its wall time and the name of the chain.
///
/// # Errors
/// As [`simulate`], and where the chain fails.
pub fn simulate_on<C: Chain>(
    chain: C,
    scenario: &Scenario,
    options: &Options,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Run, SimulateError> {
    Simulation::new(scenario, options).run(chain, progress)
}

/// Deploys a mechanism on a chain, with the initial model.
type Deploy<'s> = Box<
    dyn for<'c> FnOnce(
            Box<dyn Chain + 'c>,
            Classifier,
        ) -> Result<Box<dyn Mechanism + 'c>, SimulateError>
        + 's,
>;

/// Puts a layer around a mechanism.
type Layer<'s> = Box<
    dyn for<'m> FnOnce(Box<dyn Mechanism + 'm>) -> Result<Box<dyn Mechanism + 'm>, SimulateError>
        + 's,
>;

/// A scenario with what is not in its file: agents and mechanisms of one's own.
pub struct Simulation<'s> {
    scenario: &'s Scenario,
    options: &'s Options,
    participants: Vec<(String, u128, Box<dyn Agent>)>,
    mechanism: Option<Deploy<'s>>,
    layers: Vec<Layer<'s>>,
    bounds: Option<&'s Bounds>,
}

impl<'s> Simulation<'s> {
    /// The scenario as it is.
    #[must_use]
    pub fn new(scenario: &'s Scenario, options: &'s Options) -> Self {
        let participants = scenario.agents.iter().map(|agent| {
            let built = agent.strategy.agent(agent.habits);
            (agent.name.clone(), agent.start_balance, built)
        });
        Self {
            scenario,
            options,
            participants: participants.collect(),
            mechanism: None,
            layers: Vec::new(),
            bounds: None,
        }
    }

    /// One more agent, after those of the scenario, with so much wei to start with.
    #[must_use]
    pub fn with_agent(mut self, name: &str, start_balance: u128, agent: Box<dyn Agent>) -> Self {
        self.participants
            .push((name.to_owned(), start_balance, agent));
        self
    }

    /// Another mechanism in place of the scenario's: `deploy` deploys it with the initial model, by
    /// [`OWNER`], who has all the money it needs.
    #[must_use]
    pub fn with_mechanism<F>(mut self, deploy: F) -> Self
    where
        F: for<'c> FnOnce(
                Box<dyn Chain + 'c>,
                Classifier,
            ) -> Result<Box<dyn Mechanism + 'c>, SimulateError>
            + 's,
    {
        self.mechanism = Some(Box::new(deploy));
        self
    }

    /// Puts a layer around the mechanism, after it has been deployed.
    #[must_use]
    pub fn with_layer<F>(mut self, layer: F) -> Self
    where
        F: for<'m> FnOnce(
                Box<dyn Mechanism + 'm>,
            ) -> Result<Box<dyn Mechanism + 'm>, SimulateError>
            + 's,
    {
        self.layers.push(Box::new(layer));
        self
    }

    /// Ends the run with [`SimulateError::Stopped`] once it goes beyond bounds.
    #[must_use]
    pub fn with_bounds(mut self, bounds: &'s Bounds) -> Self {
        self.bounds = Some(bounds);
        self
    }

    /// Runs it on a chain, which is empty and begins as [`beginning`] says.
    ///
    /// # Errors
    /// As [`simulate_on`].
    pub fn run<C: Chain>(
        self,
        chain: C,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<Run, SimulateError> {
        let started = Instant::now();
        let (scenario, seed) = (self.scenario, self.options.seed);
        let check = || self.bounds.map_or(Ok(()), |bounds| bounds.check(0));
        check()?;
        let data = Prepared::load(scenario, seed, self.options.data_dir.as_deref())?;
        check()?;
        scenario.check_targets(data.class_count())?;
        // The baseline needs nothing of the run and the run nothing of it: they go side by side.
        thread::scope(|scope| {
            let train_on_all = || data.train(scenario, data.train.len(), seed);
            let second = Second::new(self.options.threads);
            let baseline = second.begin(scope, train_on_all);
            let initial = data.train(scenario, data.initial, seed)?;
            check()?;
            let initial_float = initial.quantization.accuracy_float;
            let mut chain: Box<dyn Chain + '_> = Box::new(chain);
            // Nobody counts the owner's money: enough for any gas price.
            chain.fund(OWNER, U256::from(u128::MAX))?;
            let mut mechanism = match self.mechanism {
                Some(deploy) => deploy(chain, initial.classifier)?,
                None => deploy(chain, scenario, &data, initial.classifier, second)?,
            };
            for layer in self.layers {
                mechanism = layer(mechanism)?;
            }
            let mut engine =
                Engine::new(scenario, &data, mechanism, self.participants, self.options)?;
            engine.bounds = self.bounds;
            let end = engine.run(progress)?;
            let baseline = baseline.finish()?;
            let accuracy = Accuracy {
                initial_float,
                baseline: baseline.quantization.accuracy_quantized,
                ..engine.accuracies()
            };
            engine.finish(seed, end, accuracy, started)
        })
    }
}

/// Deploys the scenario's mechanism with a trained model.
fn deploy<'c>(
    chain: Box<dyn Chain + 'c>,
    scenario: &Scenario,
    data: &Prepared,
    classifier: Classifier,
    second: Second,
) -> Result<Box<dyn Mechanism + 'c>, SimulateError> {
    Ok(match scenario.incentive {
        Incentive::Trainer {
            mechanism,
            waits,
            prediction_price,
        } => Box::new(TrainerMechanism::deploy(
            chain,
            mechanism,
            waits,
            prediction_price,
            classifier,
            second,
        )?),
        Incentive::Market { terms, offer } => {
            let test = &data.test;
            Box::new(MarketMechanism::deploy(
                chain, terms, offer, classifier, test,
            )?)
        }
    })
}
