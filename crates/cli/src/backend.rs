//! The chains to simulate on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use cotrain_chain::{
    Remote,
    anvil::{Anvil, AnvilConfig},
};
use cotrain_simulator::{
    Options, Progress, SimulateError, beginning, run::Run, scenario::Scenario, simulate_on,
};
use reqwest::Url;

use crate::{args::Backend, failure::Failure};

/// The exit status of a program that an interrupt has ended, as shells know it.
const INTERRUPTED: i32 = 130;

/// Runs a scenario on the chain that is wanted.
pub(crate) fn simulate(
    backend: &Backend,
    scenario: &Scenario,
    options: &Options,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Run, Failure> {
    let beginning = beginning(scenario);
    let run = match backend {
        Backend::Embedded => cotrain_simulator::simulate(scenario, options, progress),
        Backend::Anvil => {
            let anvil = Guarded::start(&AnvilConfig::for_simulation(beginning.start))?;
            let chain = Remote::connect(&anvil.url, beginning)?;
            simulate_on(chain, scenario, options, progress)
        }
        Backend::Node(url) => {
            let chain = Remote::connect(url, beginning).map_err(Failure::mistake)?;
            simulate_on(chain, scenario, options, progress)
        }
    };
    run.map_err(classify)
}

fn classify(error: SimulateError) -> Failure {
    if error.is_users_mistake() {
        Failure::Mistake(error.into())
    } else {
        Failure::Fault(error.into())
    }
}

/// An anvil that ends with this program, even where the program is interrupted.
struct Guarded {
    anvil: Arc<Mutex<Option<Anvil>>>,
    url: Url,
}

impl Guarded {
    fn start(config: &AnvilConfig) -> Result<Self, Failure> {
        Anvil::find().map_err(Failure::mistake)?;
        let place = Arc::new(Mutex::new(None));
        // While it starts, an interrupt waits: there would be nothing to end yet.
        let mut anvil = held(&place);
        let guarded = Arc::clone(&place);
        end_on_signal(move || drop(held(&guarded).take()))?;
        let started = Anvil::spawn(config)?;
        let url = started.url().clone();
        tracing::debug!(%url, "anvil started");
        *anvil = Some(started);
        drop(anvil);
        Ok(Self { anvil: place, url })
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        held(&self.anvil).take();
    }
}

fn held(place: &Mutex<Option<Anvil>>) -> MutexGuard<'_, Option<Anvil>> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on, a signal to end does `last` first.
pub(crate) fn end_on_signal(last: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot wait for signals")?;
    let signal = {
        let _entered = runtime.enter();
        signal().context("cannot wait for signals")?
    };
    std::thread::spawn(move || {
        runtime.block_on(signal);
        last();
        std::process::exit(INTERRUPTED);
    });
    Ok(())
}

/// Ends with the first signal that asks the program to end.
#[cfg(unix)]
fn signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

/// Ends with Ctrl-C.
#[cfg(not(unix))]
fn signal() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
