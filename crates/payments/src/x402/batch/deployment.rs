//! The settlement contract, and the hashes that are signed for it.

use alloy_primitives::{Address, B256, U256, address, aliases::U40, keccak256};
use alloy_sol_types::{Eip712Domain, SolStruct, SolValue, eip712_domain, sol};
use serde::{Deserialize, Serialize};

use super::{super::token::typed_hash, abi};

/// Shortest time from the request of a withdrawal to its end, in seconds.
pub const MIN_DELAY: u64 = 900;
/// Longest time from the request of a withdrawal to its end, in seconds.
pub const MAX_DELAY: u64 = 2_592_000;

sol! {
    struct Voucher {
        bytes32 channelId;
        uint128 maxClaimableAmount;
    }

    struct Refund {
        bytes32 channelId;
        uint256 nonce;
        uint128 amount;
    }

    /// Row of a batch of claims.
    #[derive(Debug, PartialEq, Eq)]
    struct ClaimEntry {
        /// Channel that the row claims from.
        bytes32 channelId;
        /// Total that the payer promised.
        uint128 maxClaimableAmount;
        /// Total that the receiver takes.
        uint128 totalClaimed;
    }

    struct ClaimBatch {
        ClaimEntry[] claims;
    }
}

/// Parties and terms of a channel. They never change.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelConfig {
    /// Account that deposits, and gets the rest back.
    pub payer: Address,
    /// Account whose key signs vouchers; zero if the payer signs, which may be a contract.
    pub payer_authorizer: Address,
    /// Account that is paid.
    pub receiver: Address,
    /// Account whose key signs claims and refunds.
    pub receiver_authorizer: Address,
    /// Token of the channel.
    pub token: Address,
    /// Time from the request of a withdrawal to its end, in seconds.
    pub withdraw_delay: u64,
    /// Number that tells channels of the same parties apart.
    pub salt: B256,
}

impl ChannelConfig {
    /// Returns the configuration as the contract reads it.
    ///
    /// A delay that the contract's type cannot hold becomes the largest that it can.
    #[must_use]
    pub fn to_abi(&self) -> abi::ChannelConfig {
        abi::ChannelConfig {
            payer: self.payer,
            payerAuthorizer: self.payer_authorizer,
            receiver: self.receiver,
            receiverAuthorizer: self.receiver_authorizer,
            token: self.token,
            withdrawDelay: U40::saturating_from(self.withdraw_delay),
            salt: self.salt,
        }
    }
}

/// Settlement contract and collector on a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    chain_id: u64,
    settlement: Address,
    collector: Address,
    separator: B256,
}

impl Deployment {
    /// Address of the standard's settlement contract. Clients of the npm package pay only to it.
    pub const SETTLEMENT: Address = address!("0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003");
    /// Address of the standard's collector of deposits by EIP-3009.
    pub const COLLECTOR: Address = address!("0x4020806089470a89826cB9fB1f4059150b550004");

    /// Creates the deployment of a chain.
    #[must_use]
    pub fn new(chain_id: u64, settlement: Address, collector: Address) -> Self {
        let domain = domain(chain_id, settlement);
        Self {
            chain_id,
            settlement,
            collector,
            separator: domain.separator(),
        }
    }

    /// Creates the deployment at the standard's addresses.
    #[must_use]
    pub fn standard(chain_id: u64) -> Self {
        Self::new(chain_id, Self::SETTLEMENT, Self::COLLECTOR)
    }

    /// Returns the number of the chain.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Returns the address of the settlement contract.
    #[must_use]
    pub fn settlement(&self) -> Address {
        self.settlement
    }

    /// Returns the address of the collector of deposits by EIP-3009.
    #[must_use]
    pub fn collector(&self) -> Address {
        self.collector
    }

    /// Returns the separator of the contract's EIP-712 domain.
    #[must_use]
    pub fn separator(&self) -> B256 {
        self.separator
    }

    /// Returns the id of a channel.
    #[must_use]
    pub fn channel_id(&self, config: &ChannelConfig) -> B256 {
        self.hash(&config.to_abi())
    }

    /// Returns the hash of a voucher: the payer promises `total` of the channel.
    #[must_use]
    pub fn voucher_hash(&self, channel: B256, total: u128) -> B256 {
        self.hash(&Voucher {
            channelId: channel,
            maxClaimableAmount: total,
        })
    }

    /// Returns the hash of a refund by the receiver.
    #[must_use]
    pub fn refund_hash(&self, channel: B256, nonce: U256, amount: u128) -> B256 {
        self.hash(&Refund {
            channelId: channel,
            nonce,
            amount,
        })
    }

    /// Returns the hash of a batch of claims by the receiver.
    #[must_use]
    pub fn claims_hash(&self, claims: Vec<ClaimEntry>) -> B256 {
        self.hash(&ClaimBatch { claims })
    }

    fn hash(&self, typed: &impl SolStruct) -> B256 {
        typed_hash(self.separator, typed.eip712_hash_struct())
    }
}

/// Returns the nonce by which the collector binds a deposit's authorization to a channel.
#[must_use]
pub fn deposit_nonce(channel: B256, salt: B256) -> B256 {
    keccak256((channel, U256::from_be_bytes(salt.0)).abi_encode())
}

fn domain(chain_id: u64, settlement: Address) -> Eip712Domain {
    eip712_domain! {
        name: "x402 Batch Settlement",
        version: "1",
        chain_id: chain_id,
        verifying_contract: settlement,
    }
}
