//! Node, registry and model of a command.

use alloy_primitives::Address;
use anyhow::{Context, anyhow};
use clap::Args;
use cotrain_chain::node::{Node, NodeOptions};
use cotrain_protocol::parse_address;
use url::Url;

use super::context::CommandContext;
use crate::{error::CommandError, output::Narrator};

const DEFAULT_RPC: &str = "http://127.0.0.1:8545";

/// Access to the chain.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Chain")]
pub(crate) struct Connection {
    /// JSON-RPC address of a node [default: the last one used, otherwise anvil's on this machine]
    #[arg(long, value_name = "URL", env = "COTRAIN_RPC", hide_env_values = true)]
    pub(crate) rpc: Option<Url>,
    /// Registry in which models are found by name [default: the last one used]
    #[arg(
        long,
        value_name = "ADDR",
        env = "COTRAIN_REGISTRY",
        hide_env_values = true,
        value_parser = parse_address
    )]
    pub(crate) registry: Option<Address>,
    /// Describe the steps and the values used on stderr
    #[arg(long, help_heading = None::<&str>)]
    pub(crate) verbose: bool,
}

/// Model of a command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Chain")]
pub(crate) struct ModelArg {
    /// Model: the address of its trainer, or its name in the registry [default: the last one
    /// deployed]
    #[arg(
        long,
        value_name = "ADDR|NAME",
        env = "COTRAIN_MODEL",
        hide_env_values = true
    )]
    pub(crate) model: Option<String>,
}

/// Coordinator that a command asks for what is not on this machine.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Chain")]
pub(crate) struct CoordinatorArg {
    /// Coordinator from which a missing table of word vectors is fetched [default: that of the last
    /// `cotrain up`]
    #[arg(
        long,
        value_name = "URL",
        env = "COTRAIN_COORDINATOR",
        hide_env_values = true
    )]
    pub(crate) coordinator: Option<Url>,
}

/// A node that answers, with the registry and the model that later commands use.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) node: Node,
    pub(crate) registry: Option<Address>,
    /// The source of the node's address, as text.
    pub(crate) node_from: &'static str,
    /// Model deployed last on this chain.
    pub(crate) last_model: Option<Address>,
    /// Trainer of federated rounds that was created or joined last on this chain.
    pub(crate) last_federated: Option<Address>,
    /// Coordinator that `cotrain up` started over this chain.
    pub(crate) coordinator: Option<Url>,
    pub(crate) narrator: Narrator,
}

impl Connection {
    /// Connects to the node.
    pub(crate) async fn open(&self) -> Result<Session, CommandError> {
        let narrator = Narrator::verbose(self.verbose)?;
        let context = CommandContext::load()?;
        let (url, node_from) = match (&self.rpc, &context.rpc) {
            (Some(url), _) => (url.clone(), "--rpc or COTRAIN_RPC"),
            (None, Some(url)) => (url.clone(), "the last one used, from context.toml"),
            (None, None) => (
                DEFAULT_RPC.parse().context("the default address")?,
                "the default",
            ),
        };
        let node = Node::connect(&url, NodeOptions::default()).await?;
        // Addresses of another chain have no meaning here.
        let here = context.chain_id == Some(node.chain_id()) && is_same(&context, &node).await?;
        if !here && context.chain_id == Some(node.chain_id()) && context.model.is_some() {
            narrator.say(format_args!(
                "the chain at {} is not the one that model and registry were remembered of: it was begun anew",
                node.display_url()
            ));
        }
        let registry = self.registry.or(context.registry.filter(|_| here));
        tracing::info!(
            node = node.display_url(),
            chain = node.chain_id(),
            registry = ?registry,
            "connected"
        );
        Ok(Session {
            node,
            registry,
            node_from,
            last_model: context.model.filter(|_| here),
            last_federated: context.federated.filter(|_| here),
            coordinator: context.coordinator.filter(|_| here),
            narrator,
        })
    }
}

/// Returns `true` if the node's chain is the remembered one, judged by its first block.
async fn is_same(context: &CommandContext, node: &Node) -> Result<bool, CommandError> {
    let Some(remembered) = context.genesis else {
        return Ok(true);
    };
    let first = node.block(0).await?;
    Ok(first.is_none_or(|first| first.hash == remembered))
}

impl Session {
    /// Returns the registry, or a mistake of the user if none is known.
    pub(crate) fn registry(&self) -> Result<Address, CommandError> {
        self.registry.ok_or_else(|| {
            CommandError::Mistake(anyhow!(
                "no registry is known on chain {}; name one with --registry, or a model by its address",
                self.node.chain_id()
            ))
        })
    }
}
