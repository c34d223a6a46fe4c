//! Tests payment channels as a payer and a receiver use them: with a token of `OpenZeppelin`, by
//! signatures of typed data that the contracts have no part in.

use alloy_primitives::{Address, B256, Bytes, U256, address, b256, keccak256};
use alloy_sol_types::{Eip712Domain, SolCall, SolEvent, SolStruct, SolValue, eip712_domain, sol};
use cotrain_bindings::channels::{
    ChannelSettlement::{self, ChannelConfig},
    Erc3009Token, collector_code, settlement_code, settlement_runtime_code, token_code,
};
use cotrain_chain::{Chain, ChainError, Config, Embedded, Receipt, Transaction, keys::Key};

use crate::START;

sol! {
    struct Voucher { bytes32 channelId; uint128 maxClaimableAmount; }
    struct Refund { bytes32 channelId; uint256 nonce; uint128 amount; }
    struct ClaimEntry { bytes32 channelId; uint128 maxClaimableAmount; uint128 totalClaimed; }
    struct ClaimBatch { ClaimEntry[] claims; }
    struct ReceiveWithAuthorization {
        address from;
        address to;
        uint256 value;
        uint256 validAfter;
        uint256 validBefore;
        bytes32 nonce;
    }
}

/// Address of x402's own contract.
const CANONICAL: Address = address!("4020074e9dF2ce1deE5A9C1b5c3f541D02a10003");
const ANYONE: Address = Address::repeat_byte(9);
const DELAY: u32 = 900;

fn domain(settlement: Address) -> Eip712Domain {
    eip712_domain! {
        name: "x402 Batch Settlement",
        version: "1",
        chain_id: Embedded::CHAIN_ID,
        verifying_contract: settlement,
    }
}

/// Returns terms of a channel between the development accounts 0 (payer) and 2 (receiver); 1 is the
/// receiver's authorizer.
fn terms(token: Address, salt: u64) -> ChannelConfig {
    let account = |index| Key::development(index).address();
    ChannelConfig {
        payer: account(0),
        payerAuthorizer: account(0),
        receiver: account(2),
        receiverAuthorizer: account(1),
        token,
        withdrawDelay: DELAY.try_into().expect("40 bits"),
        salt: U256::from(salt).into(),
    }
}

/// Channels on a chain, with the digests computed here.
struct Channels {
    chain: Embedded,
    settlement: Address,
    collector: Address,
    token: Address,
}

impl Channels {
    fn found() -> Self {
        let config = Config {
            start: START,
            gas_price: 0,
        };
        let mut chain = Embedded::new(config);
        let mut create = |code| {
            let receipt = chain.send(Transaction::create(ANYONE, code));
            receipt.expect("code").created.expect("an address")
        };
        let settlement = create(settlement_code());
        let collector = create(collector_code(settlement));
        let token = create(token_code());
        Self {
            chain,
            settlement,
            collector,
            token,
        }
    }

    fn send(&mut self, from: Address, call: &impl SolCall) -> Result<Receipt, ChainError> {
        let transaction = Transaction::call(from, self.settlement, call.abi_encode());
        self.chain.send(transaction)
    }

    fn read<C: SolCall>(&mut self, to: Address, call: &C) -> C::Return {
        let transaction = Transaction::call(ANYONE, to, call.abi_encode());
        let receipt = self.chain.call(transaction).expect("an answer");
        C::abi_decode_returns(&receipt.output).expect("an answer of its type")
    }

    fn balance(&mut self, account: Address) -> u64 {
        let token = self.token;
        let balance = self.read(token, &Erc3009Token::balanceOfCall { account });
        balance.try_into().expect("a small balance")
    }

    /// Returns the channel's balance and its claims.
    fn channel(&mut self, id: B256) -> (u128, u128) {
        let settlement = self.settlement;
        let call = ChannelSettlement::channelsCall { channelId: id };
        let channel = self.read(settlement, &call);
        (channel.balance, channel.totalClaimed)
    }

    fn id(&self, config: &ChannelConfig) -> B256 {
        config.eip712_signing_hash(&domain(self.settlement))
    }

    fn digest(&self, data: &impl SolStruct) -> B256 {
        data.eip712_signing_hash(&domain(self.settlement))
    }

    /// Mints tokens to the payer and deposits them by the collector.
    fn deposit(&mut self, config: &ChannelConfig, amount: u64) -> Receipt {
        let payer = Key::development(0);
        let call = Erc3009Token::mintCall {
            to: payer.address(),
            amount: U256::from(amount),
        };
        let mint = Transaction::call(ANYONE, self.token, call.abi_encode());
        self.chain.send(mint).expect("tokens");
        let salt = U256::from(3);
        let valid_before = U256::from(START + 60);
        let authorization = ReceiveWithAuthorization {
            from: payer.address(),
            to: self.collector,
            value: U256::from(amount),
            validAfter: U256::ZERO,
            validBefore: valid_before,
            nonce: keccak256((self.id(config), salt).abi_encode()),
        };
        let token_domain = eip712_domain! {
            name: "Test Dollar",
            version: "1",
            chain_id: Embedded::CHAIN_ID,
            verifying_contract: self.token,
        };
        let signature = payer.sign_hash(&authorization.eip712_signing_hash(&token_domain));
        let data = (U256::ZERO, valid_before, salt, Bytes::from(signature)).abi_encode_params();
        let call = ChannelSettlement::depositCall {
            config: config.clone(),
            amount: amount.into(),
            collector: self.collector,
            collectorData: data.into(),
        };
        self.send(ANYONE, &call).expect("a deposit")
    }

    /// Returns a claim of a total, by the payer's voucher of a maximum.
    fn claim(
        &self,
        config: &ChannelConfig,
        maximum: u128,
        total: u128,
    ) -> ChannelSettlement::VoucherClaim {
        let voucher = Voucher {
            channelId: self.id(config),
            maxClaimableAmount: maximum,
        };
        let signature = Key::development(0).sign_hash(&self.digest(&voucher));
        ChannelSettlement::VoucherClaim {
            voucher: ChannelSettlement::Voucher {
                channel: config.clone(),
                maxClaimableAmount: maximum,
            },
            signature: signature.into(),
            totalClaimed: total,
        }
    }

    fn batch(&self, claims: &[ChannelSettlement::VoucherClaim]) -> ClaimBatch {
        let entries = claims.iter().map(|claim| ClaimEntry {
            channelId: self.id(&claim.voucher.channel),
            maxClaimableAmount: claim.voucher.maxClaimableAmount,
            totalClaimed: claim.totalClaimed,
        });
        ClaimBatch {
            claims: entries.collect(),
        }
    }
}

#[test]
fn channel_settlement_has_the_digests_of_x402() {
    let domain = domain(CANONICAL);
    assert_eq!(
        domain.separator(),
        b256!("bf720f8d28a5c76a2f7743512598984fa4b90dd1efdb19af73f64cc6587d68af")
    );
    let token = address!("5FbDB2315678afecb367f032d93F642f64180aa3");
    let id = terms(token, 0).eip712_signing_hash(&domain);
    assert_eq!(
        id,
        b256!("5799a4bdc936d9df5ef9f14b674f7a79ca22f7db2287f707b220311ee3d08e25")
    );
    let voucher = Voucher {
        channelId: id,
        maxClaimableAmount: 7,
    };
    assert_eq!(
        voucher.eip712_signing_hash(&domain),
        b256!("bec75c03f28b1ecdebeb7cb113ed6c7cb2e6225944249bbe9f264071566ce9cc")
    );
    let refund = Refund {
        channelId: id,
        nonce: U256::ZERO,
        amount: 5,
    };
    assert_eq!(
        refund.eip712_signing_hash(&domain),
        b256!("be60a1f3f7dbbf8d42de89140f173413dbf168ed9497b0c0029274e6f2d52ad0")
    );
    let entry = ClaimEntry {
        channelId: id,
        maxClaimableAmount: 7,
        totalClaimed: 7,
    };
    let batch = ClaimBatch {
        claims: vec![entry],
    };
    assert_eq!(
        batch.eip712_signing_hash(&domain),
        b256!("cb79ee67a22e1b33ae6cbc311e287783db234258ae135adf3deb861aa93c806d")
    );
}

#[test]
fn channel_settlement_computes_the_digests_of_this_test() {
    let mut channels = Channels::found();
    let settlement = channels.settlement;
    for salt in 0..20 {
        let config = terms(Address::repeat_byte(7), salt);
        let id = channels.id(&config);
        let call = ChannelSettlement::getChannelIdCall {
            config: config.clone(),
        };
        assert_eq!(channels.read(settlement, &call), id);
        let amount = u128::MAX - u128::from(salt);
        let voucher = Voucher {
            channelId: id,
            maxClaimableAmount: amount,
        };
        let call = ChannelSettlement::getVoucherDigestCall {
            channelId: id,
            maxClaimableAmount: amount,
        };
        assert_eq!(channels.read(settlement, &call), channels.digest(&voucher));
        let refund = Refund {
            channelId: id,
            nonce: U256::from(salt),
            amount,
        };
        let call = ChannelSettlement::getRefundDigestCall {
            channelId: id,
            nonce: U256::from(salt),
            amount,
        };
        assert_eq!(channels.read(settlement, &call), channels.digest(&refund));
        let claims = vec![channels.claim(&config, amount, 1); usize::try_from(salt).expect("few")];
        let expected = channels.digest(&channels.batch(&claims));
        let call = ChannelSettlement::getClaimBatchDigestCall {
            voucherClaims: claims,
        };
        assert_eq!(channels.read(settlement, &call), expected);
    }
}

#[test]
fn channel_settlement_runs_code_without_immutables() {
    let mut channels = Channels::found();
    let code = settlement_code();
    let created = channels.chain.call(Transaction::create(ANYONE, code));
    assert_eq!(created.expect("code").output, settlement_runtime_code());
}

/// Runs the life of ten channels, to the last unit of the token.
#[test]
fn channel_settlement_pays_to_the_unit() {
    let mut channels = Channels::found();
    let account = |index| Key::development(index).address();
    let (payer, authorizer, receiver) = (account(0), account(1), account(2));
    let configs: Vec<_> = (0..10).map(|salt| terms(channels.token, salt)).collect();
    let ids: Vec<_> = configs.iter().map(|config| channels.id(config)).collect();
    for (config, id) in configs.iter().zip(&ids) {
        let logs = channels.deposit(config, 1_000).logs;
        let created = ChannelSettlement::ChannelCreated::SIGNATURE_HASH;
        assert_eq!(
            logs.iter().filter(|log| log.topics()[0] == created).count(),
            1
        );
        assert_eq!(channels.channel(*id), (1_000, 0));
    }
    assert_eq!(channels.balance(channels.settlement), 10_000);

    // Ten claims in one transaction, by the authorizer's signature: of channel i, 100 + i.
    let claims: Vec<_> = configs
        .iter()
        .zip(100..)
        .map(|(config, total)| channels.claim(config, 500, total))
        .collect();
    let digest = channels.digest(&channels.batch(&claims));
    let call = ChannelSettlement::claimWithSignatureCall {
        voucherClaims: claims,
        authorizerSignature: Key::development(1).sign_hash(&digest).into(),
    };
    let logs = channels.send(ANYONE, &call).expect("claims").logs;
    assert_eq!(logs.len(), 10);
    // The same again changes nothing.
    assert!(
        channels
            .send(ANYONE, &call)
            .expect("nothing")
            .logs
            .is_empty()
    );
    let settle = ChannelSettlement::settleCall {
        receiver,
        token: channels.token,
    };
    channels.send(ANYONE, &settle).expect("a payment");
    assert_eq!(channels.balance(receiver), 1_045);
    assert_eq!(channels.balance(channels.settlement), 8_955);

    // Channel 0 is refunded by a signature, in the transaction of its last claim.
    let claims = vec![channels.claim(&configs[0], 600, 600)];
    let claim = ChannelSettlement::claimWithSignatureCall {
        authorizerSignature: Key::development(1)
            .sign_hash(&channels.digest(&channels.batch(&claims)))
            .into(),
        voucherClaims: claims,
    };
    let refund = Refund {
        channelId: ids[0],
        nonce: U256::ZERO,
        amount: 400,
    };
    let refund = ChannelSettlement::refundWithSignatureCall {
        config: configs[0].clone(),
        amount: 400,
        nonce: U256::ZERO,
        receiverAuthorizerSignature: Key::development(1)
            .sign_hash(&channels.digest(&refund))
            .into(),
    };
    let both = ChannelSettlement::multicallCall {
        data: vec![claim.abi_encode().into(), refund.abi_encode().into()],
    };
    channels.send(ANYONE, &both).expect("both");
    assert_eq!(channels.channel(ids[0]), (600, 600));
    assert_eq!(channels.balance(payer), 400);

    // The payer withdraws from channel 1. A claim comes in time.
    let withdraw = ChannelSettlement::initiateWithdrawCall {
        config: configs[1].clone(),
        amount: 899,
    };
    channels.send(payer, &withdraw).expect("a withdrawal");
    let finalize = ChannelSettlement::finalizeWithdrawCall {
        config: configs[1].clone(),
    };
    assert!(channels.send(payer, &finalize).is_err(), "too early");
    let late = ChannelSettlement::claimCall {
        voucherClaims: vec![channels.claim(&configs[1], 501, 501)],
    };
    channels.send(authorizer, &late).expect("a claim");
    let end = channels.chain.now() + u64::from(DELAY);
    channels.chain.set_time(end).expect("later");
    channels.send(payer, &finalize).expect("its end");
    assert_eq!(channels.channel(ids[1]), (501, 501));
    assert_eq!(channels.balance(payer), 899);

    // The receiver returns all others.
    for config in &configs[2..] {
        let refund = ChannelSettlement::refundCall {
            config: config.clone(),
            amount: u128::MAX,
        };
        channels.send(receiver, &refund).expect("a refund");
    }
    channels.send(ANYONE, &settle).expect("the rest");
    assert_eq!(channels.balance(receiver), 1_045 + 500 + 400);
    assert_eq!(channels.balance(payer), 10_000 - 1_945);
    assert_eq!(channels.balance(channels.settlement), 0);
    assert_eq!(channels.balance(channels.collector), 0);
}
