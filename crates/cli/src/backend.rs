//! Chains for simulations and replays.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cotrain_chain::{
    Chain, ChainError, Config, Embedded, Remote, RemoteError,
    anvil::{Anvil, AnvilConfig},
};
use cotrain_simulator::{
    Options, Progress, SimulateError, run::Run, scenario::Scenario, simulate_on,
};
use url::Url;

use crate::{error::CommandError, stop::end_on_signal};

/// Chain that a simulation runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Backend {
    /// The EVM inside this process.
    Embedded,
    /// A node that this program starts for the simulation.
    Anvil,
    /// A node that runs already, at this address.
    Node(Url),
}

/// Parses the name of a chain.
pub(crate) fn read(text: &str) -> Result<Backend, String> {
    match text {
        "embedded" => return Ok(Backend::Embedded),
        "anvil" => return Ok(Backend::Anvil),
        _ => {}
    }
    let url = Url::parse(text).ok();
    url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .map(Backend::Node)
        .ok_or_else(|| {
            "expected embedded, anvil or the address of a node for development, such as \
             http://127.0.0.1:8545"
                .to_owned()
        })
}

/// A chain that exists as long as this value.
pub(crate) struct Open {
    chain: Box<dyn Chain>,
    /// Node of the chain if this process started it; it ends after the chain.
    _anvil: Option<Guarded>,
}

impl Open {
    pub(crate) fn chain(&mut self) -> &mut dyn Chain {
        &mut *self.chain
    }
}

/// Opens an empty chain of the requested kind.
pub(crate) fn open(backend: &Backend, beginning: Config) -> Result<Open, CommandError> {
    let (chain, anvil): (Box<dyn Chain>, _) = match backend {
        Backend::Embedded => (Box::new(Embedded::new(beginning)), None),
        Backend::Anvil => {
            let anvil = Guarded::start(&AnvilConfig::for_simulation(beginning.start))?;
            let chain = Remote::connect(&anvil.url, beginning)?;
            (Box::new(chain), Some(anvil))
        }
        Backend::Node(url) => {
            let chain = Remote::connect(url, beginning).map_err(|error| match error {
                // A node that does not answer is a fault, as in all other commands.
                RemoteError::Node(_) | RemoteError::Runtime(_) => CommandError::Fault(error.into()),
                error => CommandError::mistake(error),
            })?;
            (Box::new(chain), None)
        }
    };
    Ok(Open {
        chain,
        _anvil: anvil,
    })
}

/// Runs a scenario on a chain whose configuration fits the scenario.
pub(crate) fn simulate(
    chain: &mut dyn Chain,
    scenario: &Scenario,
    options: &Options,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Run, CommandError> {
    simulate_on(chain, scenario, options, progress).map_err(classify)
}

/// Tells a mistake of the user from a fault.
pub(crate) fn classify(error: SimulateError) -> CommandError {
    match error {
        // The chain rejected nothing: the recording failed.
        SimulateError::Chain(gap @ ChainError::Unrecorded { .. }) => {
            CommandError::Fault(gap.into())
        }
        error if error.is_users_mistake() => CommandError::Mistake(error.into()),
        error => CommandError::Fault(error.into()),
    }
}

/// An anvil that ends with this program, even if the program is interrupted.
struct Guarded {
    anvil: Arc<Mutex<Option<Anvil>>>,
    url: Url,
}

impl Guarded {
    fn start(config: &AnvilConfig) -> Result<Self, CommandError> {
        Anvil::find().map_err(CommandError::mistake)?;
        let slot = Arc::new(Mutex::new(None));
        // An interrupt waits for this lock while anvil starts, since there is nothing to end
        // before.
        let mut anvil = held(&slot);
        let guarded = Arc::clone(&slot);
        end_on_signal(move || drop(held(&guarded).take()))?;
        let started = Anvil::spawn(config)?;
        let url = started.url().clone();
        tracing::debug!(%url, "anvil started");
        *anvil = Some(started);
        drop(anvil);
        Ok(Self { anvil: slot, url })
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        held(&self.anvil).take();
    }
}

fn held(slot: &Mutex<Option<Anvil>>) -> MutexGuard<'_, Option<Anvil>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
