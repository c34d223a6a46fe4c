//! Calls about the node, its peers, channels and balances.

use std::{collections::HashMap, str::FromStr as _, time::Duration};

use ldk_node::{
    ChannelDetails, LightningBalance, NodeError,
    bitcoin::{Network, hashes::Hash as _, secp256k1::PublicKey},
    lightning::ln::{msgs::SocketAddress, types::ChannelId},
};
use serde_json::{Value, json};
use tokio::{sync::broadcast::error::RecvError, time::timeout};

use super::{
    Answer, Code, Rest, Status,
    message::{self, ConnectPeer, OpenChannel},
};
use crate::node::{Funding, Lightning};

/// Maximum time until the peer has accepted a channel and the funding transaction is out.
const OPEN_PATIENCE: Duration = Duration::from_secs(30);
/// Age of the last synchronization that still counts as synchronized, in seconds.
const SYNC_AGE: u64 = 60;

/// Returns what we could take out of each channel now, and the fee of that, both in satoshi.
fn claimable(lightning: &Lightning) -> HashMap<ChannelId, (u64, u64)> {
    let balances = lightning.node.list_balances().lightning_balances;
    let found = balances.iter().filter_map(|balance| match balance {
        LightningBalance::ClaimableOnChannelClose {
            channel_id,
            amount_satoshis,
            transaction_fee_satoshis,
            ..
        } => Some((*channel_id, (*amount_satoshis, *transaction_fee_satoshis))),
        _ => None,
    });
    found.collect()
}

/// Returns the peer's balance in millisatoshi, 0 if it is below its reserve.
fn remote_msat(channel: &ChannelDetails) -> u64 {
    match channel.inbound_capacity_msat {
        0 => 0,
        free => free + channel.counterparty_unspendable_punishment_reserve * 1000,
    }
}

/// Answers `GET /v1/getinfo`.
pub(super) fn info(lightning: &Lightning) -> Value {
    let node = &lightning.node;
    let (status, channels) = (node.status(), node.list_channels());
    let count = |what: fn(&ChannelDetails) -> bool| channels.iter().filter(|c| what(c)).count();
    let synced = status.latest_lightning_wallet_sync_timestamp.unwrap_or(0);
    let fresh = crate::node::now().saturating_sub(synced) < SYNC_AGE;
    let uris: Vec<_> = node
        .listening_addresses()
        .unwrap_or_default()
        .iter()
        .map(|address| format!("{}@{address}", node.node_id()))
        .collect();
    let network = match lightning.network {
        Network::Bitcoin => "mainnet",
        Network::Signet => "signet",
        _ => "regtest",
    };
    json!({
        "version": concat!("lnnode ", env!("CARGO_PKG_VERSION")),
        "commit_hash": "",
        "identity_pubkey": node.node_id().to_string(),
        "alias": node.node_alias().map(|alias| alias.to_string()).unwrap_or_default(),
        "color": "#000000",
        "num_pending_channels": count(|channel| !channel.is_channel_ready),
        "num_active_channels": count(|channel| channel.is_usable),
        "num_inactive_channels": count(|channel| channel.is_channel_ready && !channel.is_usable),
        "num_peers": node.list_peers().iter().filter(|peer| peer.is_connected).count(),
        "block_height": status.current_best_block.height,
        "block_hash": status.current_best_block.block_hash.to_string(),
        "best_header_timestamp": synced.to_string(),
        "synced_to_chain": fresh,
        "synced_to_graph": fresh,
        "testnet": false,
        "chains": [{ "chain": "bitcoin", "network": network }],
        "uris": uris,
        "features": {},
        "require_htlc_interceptor": false,
        "store_final_htlc_resolutions": false,
        "wallet_synced": fresh,
        "graph_cache_status": "GRAPH_CACHE_STATUS_LOADED",
    })
}

/// Answers `GET /v1/balance/channels`.
pub(super) fn channel_balance(lightning: &Lightning) -> Value {
    let amount = |sat: u64, msat: u64| json!({ "sat": sat.to_string(), "msat": msat.to_string() });
    let claimable = claimable(lightning);
    let local = |channel: &ChannelDetails| {
        claimable
            .get(&channel.channel_id)
            .map_or(0, |(amount, _)| *amount)
    };
    let channels = lightning.node.list_channels();
    let sum = |ready: bool, part: &dyn Fn(&ChannelDetails) -> u64| -> u64 {
        channels
            .iter()
            .filter(|channel| channel.is_channel_ready == ready)
            .map(part)
            .sum()
    };
    let (own, pending) = (sum(true, &local), sum(false, &local));
    let (remote, remote_pending) = (sum(true, &remote_msat), sum(false, &remote_msat));
    json!({
        "balance": own.to_string(),
        "pending_open_balance": pending.to_string(),
        "local_balance": amount(own, own * 1000),
        "remote_balance": amount(remote / 1000, remote),
        "unsettled_local_balance": amount(0, 0),
        "unsettled_remote_balance": amount(0, 0),
        "pending_open_local_balance": amount(pending, pending * 1000),
        "pending_open_remote_balance": amount(remote_pending / 1000, remote_pending),
        "custom_channel_data": "",
    })
}

/// Answers `GET /v1/balance/blockchain`.
pub(super) fn wallet_balance(lightning: &Lightning) -> Value {
    let balances = lightning.node.list_balances();
    let reserve = balances.total_anchor_channels_reserve_sats;
    let total = balances.total_onchain_balance_sats;
    // LDK tells confirmed coins only after the reserve is taken off.
    let confirmed = (balances.spendable_onchain_balance_sats + reserve).min(total);
    json!({
        "total_balance": total.to_string(),
        "confirmed_balance": confirmed.to_string(),
        "unconfirmed_balance": (total - confirmed).to_string(),
        "locked_balance": "0",
        "reserved_balance_anchor_chan": reserve.to_string(),
        "account_balance": { "default": {
            "confirmed_balance": confirmed.to_string(),
            "unconfirmed_balance": (total - confirmed).to_string(),
        } },
    })
}

/// Answers `GET /v1/newaddress`.
pub(super) fn new_address(lightning: &Lightning, kind: Option<&str>) -> Answer<Value> {
    if !matches!(kind, None | Some("0" | "WITNESS_PUBKEY_HASH")) {
        return Err(Status::invalid(
            "expected type WITNESS_PUBKEY_HASH; there are no others here",
        ));
    }
    let address = lightning.node.onchain_payment().new_address()?;
    Ok(json!({ "address": address.to_string() }))
}

/// Answers `GET /v1/channels`. What LDK does not tell is 0 or empty.
pub(super) fn list(lightning: &Lightning) -> Value {
    let claimable = claimable(lightning);
    let channels = lightning.node.list_channels();
    // A channel without confirmed funding is pending, and LND lists those elsewhere.
    let ready = channels.iter().filter(|channel| channel.is_channel_ready);
    let listed: Vec<_> = ready
        .map(|channel| {
            let (local, fee) = claimable
                .get(&channel.channel_id)
                .copied()
                .unwrap_or_default();
            message_of(channel, local, fee)
        })
        .collect();
    json!({ "channels": listed })
}

fn message_of(channel: &ChannelDetails, local: u64, fee: u64) -> Value {
    let point = channel
        .funding_txo
        .map(|point| point.to_string())
        .unwrap_or_default();
    let own_reserve = channel.unspendable_punishment_reserve.unwrap_or(0);
    let reserve = channel.counterparty_unspendable_punishment_reserve;
    let delay = channel.force_close_spend_delay.unwrap_or(0);
    let constraints = |delay: u16, reserve: u64, least: u64, most: u64| {
        json!({
            "csv_delay": delay,
            "chan_reserve_sat": reserve.to_string(),
            "dust_limit_sat": "0",
            "max_pending_amt_msat": most.to_string(),
            "min_htlc_msat": least.to_string(),
            "max_accepted_htlcs": 0,
        })
    };
    json!({
        "active": channel.is_usable,
        "remote_pubkey": channel.counterparty_node_id.to_string(),
        "channel_point": point,
        "chan_id": channel.short_channel_id.unwrap_or(0).to_string(),
        "capacity": channel.channel_value_sats.to_string(),
        "local_balance": local.to_string(),
        "remote_balance": (remote_msat(channel) / 1000).to_string(),
        "commit_fee": fee.to_string(),
        "commit_weight": "0",
        "fee_per_kw": channel.feerate_sat_per_1000_weight.to_string(),
        "unsettled_balance": "0",
        "total_satoshis_sent": "0",
        "total_satoshis_received": "0",
        "num_updates": "0",
        "pending_htlcs": [],
        "csv_delay": delay,
        "private": !channel.is_announced,
        "initiator": channel.is_outbound,
        "chan_status_flags": "ChanStatusDefault",
        "local_chan_reserve_sat": own_reserve.to_string(),
        "remote_chan_reserve_sat": reserve.to_string(),
        "static_remote_key": true,
        "commitment_type": "UNKNOWN_COMMITMENT_TYPE",
        "lifetime": "0",
        "uptime": "0",
        "close_address": "",
        "push_amount_sat": "0",
        "thaw_height": 0,
        "local_constraints": constraints(
            delay,
            own_reserve,
            channel.next_outbound_htlc_minimum_msat,
            channel.counterparty_outbound_htlc_maximum_msat.unwrap_or(0),
        ),
        "remote_constraints": constraints(
            0,
            reserve,
            channel.inbound_htlc_minimum_msat,
            channel.inbound_htlc_maximum_msat.unwrap_or(0),
        ),
        "alias_scids": channel.outbound_scid_alias.map(|alias| alias.to_string()).into_iter()
            .collect::<Vec<_>>(),
        "zero_conf": false,
        "zero_conf_confirmed_scid": "0",
        "peer_alias": "",
        "peer_scid_alias": channel.inbound_scid_alias.unwrap_or(0).to_string(),
        "memo": "",
        "custom_channel_data": "",
    })
}

fn public_key(text: &str) -> Answer<PublicKey> {
    PublicKey::from_str(text).map_err(|_| {
        Status::invalid(format!(
            "expected a public key of 66 digits, found {text:?}"
        ))
    })
}

/// Answers `POST /v1/peers`.
pub(super) fn connect(lightning: &Lightning, request: &ConnectPeer) -> Answer<Value> {
    let id = public_key(&request.addr.pubkey)?;
    let address = SocketAddress::from_str(&request.addr.host).map_err(|_| {
        Status::invalid(format!(
            "expected a host and a port, found {:?}",
            request.addr.host
        ))
    })?;
    if lightning
        .node
        .list_peers()
        .iter()
        .any(|peer| peer.node_id == id && peer.is_connected)
    {
        return Err(Status::new(
            Code::Unknown,
            format!("already connected to peer: {id}@{address}"),
        ));
    }
    lightning.node.connect(id, address.clone(), request.perm)?;
    Ok(json!({ "status": format!("connection to {id}@{address} initiated") }))
}

/// Answers `POST /v1/channels`, once the funding transaction is out.
pub(super) async fn open(rest: &Rest, request: OpenChannel) -> Answer<Value> {
    let key = match (
        request.node_pubkey.is_empty(),
        request.node_pubkey_string.is_empty(),
    ) {
        (false, true) => message::hex(&request.node_pubkey),
        (true, false) => request.node_pubkey_string.clone(),
        _ => {
            return Err(Status::invalid(
                "expected node_pubkey or node_pubkey_string",
            ));
        }
    };
    let id = public_key(&key)?;
    let satoshi = |number: i64, name: &str| {
        u64::try_from(number)
            .map_err(|_| Status::invalid(format!("expected a {name} that is not negative")))
    };
    let amount = satoshi(request.local_funding_amount, "local_funding_amount")?;
    let push = satoshi(request.push_sat, "push_sat")?
        .checked_mul(1000)
        .filter(|_| amount > 0);
    let push = push.ok_or_else(|| Status::invalid("expected a positive local_funding_amount"))?;
    let mut news = rest.lightning.funding();
    let opened = rest
        .blocking(move |lightning| {
            let node = &lightning.node;
            let peers = node.list_peers();
            let peer = peers
                .iter()
                .find(|peer| peer.node_id == id && peer.is_connected);
            let address = peer
                .map(|peer| peer.address.clone())
                .ok_or_else(|| Status::new(Code::Unknown, format!("peer {id} is not online")))?;
            let push = (push > 0).then_some(push);
            let made: Result<_, NodeError> = if request.private {
                node.open_channel(id, address, amount, push, None)
            } else {
                node.open_announced_channel(id, address, amount, push, None)
            };
            Ok(made?)
        })
        .await?;
    let outcome = async {
        loop {
            match news.recv().await {
                Ok(Funding::Pending(channel, point)) if channel == opened => {
                    // The bytes are in the order of the hash, which is the reverse of its text.
                    return Ok(json!({
                        "funding_txid_bytes": message::base64(point.txid.as_byte_array()),
                        "output_index": point.vout,
                    }));
                }
                Ok(Funding::Closed(channel, reason)) if channel == opened => {
                    let message = format!("cannot open the channel: {reason}");
                    return Err(Status::new(Code::Unknown, message));
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => {
                    return Err(Status::new(Code::Unavailable, "the node is stopping"));
                }
            }
        }
    };
    timeout(OPEN_PATIENCE, outcome).await.unwrap_or_else(|_| {
        Err(Status::new(
            Code::Unavailable,
            "no answer of the peer yet; see GET /v1/channels",
        ))
    })
}
