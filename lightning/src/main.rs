//! A small Lightning node with the REST face of LND, for tests and for hosts without LND.

mod args;
mod http;
mod macaroon;
mod node;
mod rest;
mod secrets;
mod store;
mod toy;

use std::{
    error::Error,
    io::{self, Write as _},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use ldk_node::bitcoin::Network;
use tokio::{
    net::TcpListener,
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};

use crate::{
    args::{Args, Chain, Request, Rpc},
    node::Lightning,
    toy::Toy,
};

/// Maximum time to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let done = match args::read(std::env::args_os().skip(1)) {
        Ok(Request::Help) => print(args::HELP),
        Ok(Request::Version) => print(concat!("lnnode ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Request::Run(args)) => run(&args),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            node::report(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn print(text: &str) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Runs a node until a signal ends it.
fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    secrets::directory(&args.dir)?;
    let root = secrets::macaroons(&args.dir)?;
    let tls = secrets::tls(&args.dir, args::certificate_names(args))?;
    let runtime = Runtime::new()?;
    let listen = |address| {
        runtime
            .block_on(TcpListener::bind(address))
            .map_err(|error| format!("cannot listen at {address}: {error}"))
    };
    let rest = listen(args.rest)?;
    let rest_address = rest.local_addr()?;
    let mut chain = "bitcoind".to_owned();
    let rpc = match &args.chain {
        Chain::Bitcoind(rpc) => rpc.clone(),
        Chain::Toy(address) => {
            let listener = listen(*address)?;
            let address = listener.local_addr()?;
            let toy = Toy::open(&args.dir.join("toy-chain.blocks"))?;
            runtime.spawn(toy::serve(toy, listener));
            chain = format!("http://toy:toy@{address}");
            Rpc {
                host: address.ip().to_string(),
                port: address.port(),
                user: "toy".to_owned(),
                password: "toy".to_owned(),
            }
        }
    };
    let lightning = Arc::new(Lightning::build(
        &args.dir,
        args.network,
        &args.alias,
        args.listen,
        rpc,
    )?);
    lightning.start()?;
    runtime.spawn(rest::serve(Arc::clone(&lightning), root, tls.into(), rest));
    let lines = [
        ("network", network(args.network)),
        ("chain", chain),
        (
            "node",
            format!("{}@{}", lightning.node.node_id(), args.listen),
        ),
        ("rest", format!("https://{rest_address}")),
    ];
    let lines = lines.map(|(name, value)| {
        format!(
            "{name:<8} {value}
"
        )
    });
    print(&lines.concat())?;
    runtime.block_on(async {
        let (mut end, mut interrupt) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        );
        tokio::select! {
            _ = end.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok::<_, io::Error>(())
    })?;
    lightning.stop(STOP_PATIENCE);
    runtime.shutdown_background();
    Ok(())
}

fn network(network: Network) -> String {
    match network {
        Network::Bitcoin => "mainnet: its coins are real".to_owned(),
        other => format!("{other}: its coins are worth nothing"),
    }
}
