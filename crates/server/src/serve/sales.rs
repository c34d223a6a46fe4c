//! Payments of a coordinator: its chain, its ledger and its rails.

use std::sync::Arc;

use cotrain_chain::node::Node;
use cotrain_indexer::ChainStore;
use cotrain_payments::x402::{Token, batch::Deployment};
use cotrain_protocol::Amount;
use cotrain_relayer::wait::pause;
use tokio_util::sync::CancellationToken;

use super::{SELDOM, ServeError, read_key};
use crate::{
    config::{AssetSection, Config, X402Section},
    labels::Labels,
    payments::{
        Books, Payments, Rail,
        chain::{Chain, ChainOptions},
        channels::{ChannelTerms, Channels},
        exact::{Asset, Exact, Terms},
        facilitator::Facilitator,
        lightning::Lightning,
    },
};

/// Opens the chain for payments, if a key pays its gas.
pub(super) fn chain(section: &X402Section, node: &Node) -> Result<Option<Chain>, ServeError> {
    let Some(source) = &section.key else {
        return Ok(None);
    };
    let chain_id = node.chain_id();
    let options = ChainOptions {
        deployment: Deployment::new(chain_id, section.settlement, section.collector),
        confirmations: section.confirmations,
        final_after: section.final_after,
        patience: section.patience,
        max_gas_price: section.max_gas_price,
        max_daily_gas: section.max_daily_gas,
    };
    let key = read_key(source, chain_id)?;
    Ok(Some(Chain::new(node.clone(), key, options)))
}

/// Opens the ledger and the rails, and logs what is sold. Without a rail, nothing is.
///
/// The rail of Lightning is also returned, since its node's settlements are followed.
pub(super) async fn open(
    config: &Config,
    chain: Option<Chain>,
    store: ChainStore,
) -> Result<(Payments, Option<Lightning>), ServeError> {
    let chain = chain.filter(|_| !config.x402.assets.is_empty());
    let chain = chain.filter(|_| config.labels.enabled);
    if chain.is_none() && config.lightning.is_none() {
        return Ok((Payments::default(), None));
    }
    let books = Books::open(&store).await?;
    let mut rails: Vec<Arc<dyn Rail>> = Vec::new();
    let mut terms_of = None;
    if let Some(chain) = chain {
        terms_of = terms(&config.x402, &chain)
            .await?
            .map(|terms| (chain, terms));
    }
    if terms_of.is_none() && config.lightning.is_none() {
        // Without a rail, the labels would be free.
        return Err(ServeError::NothingToSell);
    }
    if let Some((chain, terms)) = terms_of {
        if has_channels(&chain).await? {
            let by_channel = channel_terms(&config.x402, &terms);
            let channels = Channels::open(books.clone(), chain.clone(), by_channel).await?;
            rails.push(Arc::new(channels));
        }
        rails.push(Arc::new(Exact::open(books.clone(), chain, terms).await?));
    }
    let mut lightning = None;
    if let Some(section) = &config.lightning {
        let rail = Lightning::open(section.clone(), books.clone()).await?;
        rails.push(Arc::new(rail.clone()));
        lightning = Some(rail);
    }
    let sales = Payments::new(books, rails);
    for line in sales.prices() {
        let (amount, units) = (line.price.amount, line.price.units);
        tracing::info!(
            rail = ?line.rail,
            network = line.network,
            asset = line.asset,
            name = line.name,
            amount,
            units,
            minimum = line.minimum,
            pay_to = line.pay_to,
            "selling labeling work"
        );
    }
    Ok((sales, lightning))
}

/// Returns `true` if the contracts of channels are on the chain. A payer that takes an offer of a
/// channel without them gets nothing.
async fn has_channels(chain: &Chain) -> Result<bool, ServeError> {
    let deployment = chain.deployment();
    let (settlement, collector) = (deployment.settlement(), deployment.collector());
    for (key, contract) in [("settlement", settlement), ("collector", collector)] {
        if !chain.has_code(contract).await? {
            tracing::warn!(%contract, chain = chain.id(), "no channels are offered: `x402.{key}` is no contract on this chain; deploy it, and set its address");
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns the terms of sales for the tokens that are on the chain; `None` if none is.
async fn terms(section: &X402Section, chain: &Chain) -> Result<Option<Terms>, ServeError> {
    let mut assets = Vec::new();
    for asset in &section.assets {
        if chain.has_code(asset.address).await? {
            assets.push(asset);
        } else {
            tracing::warn!(token = %asset.address, name = asset.name, chain = chain.id(), "nothing is sold for this token of `x402.assets`: it is no contract on this chain");
        }
    }
    if assets.is_empty() {
        return Ok(None);
    }

    let pay_to = section.pay_to.unwrap_or_else(|| chain.account());
    let asset = |asset: &AssetSection| Asset {
        token: Token {
            chain_id: chain.id(),
            address: asset.address,
            name: asset.name.clone(),
            version: asset.version.clone(),
        },
        decimals: asset.decimals,
        price: asset.price,
        refund_fee: asset.refund_fee,
    };
    if pay_to != chain.account() {
        tracing::warn!(%pay_to, account = %chain.account(), "no money goes back to payers: `x402.pay_to` is not the account of the key");
    }
    Ok(Some(Terms {
        assets: assets.into_iter().map(asset).collect(),
        pay_to,
        min_units: section.min_purchase,
        max_daily_failures: section.max_daily_failures,
        max_timeout: section.offer_time.as_secs(),
    }))
}

/// Returns the terms of sales by channels: the same tokens at the same prices.
fn channel_terms(section: &X402Section, terms: &Terms) -> ChannelTerms {
    ChannelTerms {
        assets: terms.assets.clone(),
        pay_to: terms.pay_to,
        max_timeout: terms.max_timeout,
        withdraw_delay: section.withdraw_delay.as_secs(),
        claim_after: section.claim_after.as_secs(),
        claim_above: section.claim_above,
    }
}

/// Opens the facilitator, if the configuration has one, and logs the account that pays its gas.
pub(super) async fn facilitator(
    section: &X402Section,
    chain: Option<Chain>,
    store: ChainStore,
) -> Result<Option<Facilitator>, ServeError> {
    let Some(chain) = chain.filter(|_| section.facilitator) else {
        return Ok(None);
    };
    let facilitator = Facilitator::open(chain, store).await?;
    let max_daily_gas = Amount(section.max_daily_gas);
    tracing::info!(account = %facilitator.account(), %max_daily_gas, "settling payments of x402 for others");
    Ok(Some(facilitator))
}

/// Logs the units that labeling work costs, whether they are sold or free.
pub(super) fn tell_of_units(labels: &Labels) {
    let Ok(prices) = labels.prices() else {
        return;
    };
    tracing::info!(units = prices.opening, "opening a labeling session");
    for (learner, rates) in &prices.learners {
        tracing::info!(
            learner,
            trained = %thousandths(rates.train.get()),
            decided = %thousandths(rates.decide.get()),
            looked_at = %thousandths(rates.look.get()),
            "units of labeling work a row of up to 64 features"
        );
    }
}

/// Writes thousandths of a unit as units.
fn thousandths(rate: u32) -> String {
    format!("{}.{:03}", rate / 1_000, rate % 1_000)
}

/// Follows the settlements of Lightning, and looks for evidence about all payments now and then.
pub(super) async fn settle(sales: Payments, lightning: Option<Lightning>, stop: CancellationToken) {
    let following = async {
        if let Some(lightning) = lightning {
            lightning.follow(stop.clone()).await;
        }
    };
    tokio::join!(following, reconcile(sales, stop.clone()));
}

/// Looks for evidence about payments, now and then.
async fn reconcile(sales: Payments, stop: CancellationToken) {
    while sales.is_on() && !stop.is_cancelled() {
        tokio::select! {
            () = sales.reconcile() => {}
            () = stop.cancelled() => return,
        }
        pause(SELDOM, &stop).await;
    }
}
