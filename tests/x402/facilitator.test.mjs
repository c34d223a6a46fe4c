// Official servers and clients that use the coordinator's facilitator.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import express from 'express';
import { parseSignature } from 'viem';
import { HTTPFacilitatorClient, x402ResourceServer } from '@x402/core/server';
import { paymentMiddleware } from '@x402/express';
import { BatchSettlementEvmScheme as BatchServer } from '@x402/evm/batch-settlement/server';
import { ExactEvmScheme as ExactServer } from '@x402/evm/exact/server';
import { HOST, NETWORK, Stage, TOKEN_DOMAIN, accounts, end, header } from './support.mjs';

const SELLER = accounts[2];
const AUTHORIZER = accounts[3];
const PRICE = 1_000n;

let stage, api, facilitator, sections;

before(async () => {
    stage = await Stage.open();
    // Strangers come by other addresses, which a proxy would name.
    sections = `trust_forwarded_for = true\n[x402]\nfacilitator = true\ndevelopment = ${HOST}\npatience = "1 s"\n`;
    api = await stage.serve(sections);
    facilitator = new HTTPFacilitatorClient({ url: `${api.url}/x402` });
});

after(() => stage?.close());

/** Serves `GET /paid` of the official server for a scheme. */
async function sell(context, scheme, server) {
    const offer = {
        scheme,
        network: NETWORK,
        payTo: SELLER.address,
        price: { amount: String(PRICE), asset: stage.token.address, extra: TOKEN_DOMAIN },
        maxTimeoutSeconds: 60,
    };
    const resources = new x402ResourceServer(facilitator).register(NETWORK, server);
    const app = express();
    app.use(paymentMiddleware({ 'GET /paid': { accepts: offer } }, resources));
    app.get('/paid', (_, response) => response.json({ is: 'paid' }));
    const listening = await new Promise((resolve) => {
        const one = app.listen(0, '127.0.0.1', () => resolve(one));
    });
    context.after(() => {
        listening.closeAllConnections();
        listening.close();
    });
    return `http://127.0.0.1:${listening.address().port}/paid`;
}

test('supported names both schemes and the account that pays gas', async () => {
    const supported = await facilitator.getSupported();
    const kinds = supported.kinds.map((kind) => [kind.x402Version, kind.scheme, kind.network]);
    assert.deepEqual(kinds, [
        [2, 'exact', NETWORK],
        [2, 'batch-settlement', NETWORK],
    ]);
    assert.deepEqual(supported.signers, { 'eip155:*': [accounts[HOST].address] });
});

test('settle pays an official server by exact, and pays once', async (context) => {
    const url = await sell(context, 'exact', new ExactServer());
    const payer = stage.payer(accounts[0]);
    const before = await stage.balance(SELLER.address);
    let sent;
    payer.client.onAfterPaymentCreation(async ({ paymentPayload }) => {
        sent = paymentPayload;
    });
    for (let times = 1n; times <= 3n; times++) {
        const answer = await payer.fetch(url);
        assert.equal(answer.status, 200);
        assert.deepEqual(await answer.json(), { is: 'paid' });
        const settled = header(answer, 'PAYMENT-RESPONSE');
        assert.equal(settled.success, true);
        const receipt = await stage.reader.getTransactionReceipt({ hash: settled.transaction });
        assert.equal(receipt.from.toLowerCase(), accounts[HOST].address.toLowerCase());
        assert.equal(await stage.balance(SELLER.address), before + times * PRICE);
    }
    // The same signed payment again buys nothing.
    const requirements = sent.accepted;
    const verified = await facilitator.verify(sent, requirements);
    assert.equal(verified.isValid, false);
    assert.equal(verified.invalidReason, 'invalid_exact_evm_nonce_already_used');
    const settled = await facilitator.settle(sent, requirements);
    assert.equal(settled.success, false);
    assert.equal(settled.errorReason, 'invalid_exact_evm_nonce_already_used');
    assert.equal(await stage.balance(SELLER.address), before + 3n * PRICE);
});

test('settle takes one of many requests for the same payment', async (context) => {
    const url = await sell(context, 'exact', new ExactServer());
    const payer = stage.payer(accounts[1]);
    let sent;
    payer.client.onAfterPaymentCreation(async ({ paymentPayload }) => {
        sent = paymentPayload;
    });
    assert.equal((await payer.fetch(url)).status, 200);
    const fresh = await payer.client.createPaymentPayload({
        x402Version: 2,
        accepts: [sent.accepted],
        resource: sent.resource,
    });
    const before = await stage.balance(SELLER.address);
    const all = await Promise.all(Array.from({ length: 8 }, () => facilitator.settle(fresh, fresh.accepted)));
    assert.equal(all.filter((one) => one.success).length, 1, JSON.stringify(all));
    assert.equal(await stage.balance(SELLER.address), before + PRICE);
});

test('verify refuses a changed amount, recipient, chain and signature', async (context) => {
    const url = await sell(context, 'exact', new ExactServer());
    const required = header(await fetch(url), 'PAYMENT-REQUIRED');
    const payer = stage.payer(accounts[0]);
    const payment = await payer.client.createPaymentPayload(required);
    const asked = async (change, offer = payment.accepted) => {
        const changed = structuredClone(payment);
        change(changed);
        return (await facilitator.verify(changed, offer)).invalidReason;
    };
    assert.equal(await asked(() => {}), undefined);
    const { authorization } = payment.payload;
    const other = { ...payment.accepted, amount: String(PRICE + 1n) };
    assert.equal(await asked((it) => (it.accepted = other), other), 'invalid_exact_evm_payload_authorization_value_mismatch');
    const away = { ...payment.accepted, payTo: accounts[5].address };
    assert.equal(await asked((it) => (it.accepted = away), away), 'invalid_exact_evm_recipient_mismatch');
    const elsewhere = { ...payment.accepted, network: 'eip155:1' };
    assert.equal(await asked((it) => (it.accepted = elsewhere), elsewhere), 'invalid_network');
    assert.equal(await asked((it) => (it.payload.authorization.value = '1')), 'invalid_exact_evm_signature');
    assert.equal(
        await asked((it) => (it.payload.authorization = { ...authorization, nonce: `0x${'11'.repeat(32)}` })),
        'invalid_exact_evm_signature',
    );
});

/** Returns a payment of the seller's price that a payer has signed, and its parts for the token. */
async function signed(context, account) {
    const url = await sell(context, 'exact', new ExactServer());
    const required = header(await fetch(url), 'PAYMENT-REQUIRED');
    // The chain's time may be ahead.
    const { timestamp } = await stage.reader.getBlock();
    context.mock.timers.enable({ apis: ['Date'], now: Math.max(Date.now(), Number(timestamp) * 1000) });
    const payment = await stage.payer(account).client.createPaymentPayload(required);
    context.mock.timers.reset();
    const { authorization: it, signature } = payment.payload;
    const { r, s, v } = parseSignature(signature);
    const terms = [it.from, it.to, BigInt(it.value), BigInt(it.validAfter), BigInt(it.validBefore), it.nonce];
    return { payment, offer: payment.accepted, args: [...terms, Number(v), r, s] };
}

test('settle counts a payment that somebody else sent after it was verified, once', async (context) => {
    const { payment, offer, args } = await signed(context, accounts[6]);
    const before = await stage.balance(SELLER.address);
    assert.equal((await facilitator.verify(payment, offer)).isValid, true);
    const receipt = await stage.write(accounts[7], stage.token, 'transferWithAuthorization', args);
    const settled = await facilitator.settle(payment, offer);
    assert.equal(settled.success, true, JSON.stringify(settled));
    assert.equal(settled.transaction, receipt.transactionHash);
    const again = await facilitator.settle(payment, offer);
    assert.equal(again.errorReason, 'invalid_exact_evm_nonce_already_used');
    assert.equal(await stage.balance(SELLER.address), before + PRICE);
});

test('settle takes no payment that was sent before it was verified', async (context) => {
    const { payment, offer, args } = await signed(context, accounts[6]);
    await stage.write(accounts[7], stage.token, 'transferWithAuthorization', args);
    assert.equal((await facilitator.verify(payment, offer)).isValid, false);
    assert.equal((await facilitator.settle(payment, offer)).success, false);
});

test('settle calls an unknown outcome pending, and the same request ends it', async (context) => {
    const { payment, offer } = await signed(context, accounts[6]);
    const before = await stage.balance(SELLER.address);
    await stage.test.setAutomine(false);
    let pending;
    try {
        pending = await facilitator.settle(payment, offer);
    } finally {
        await stage.test.mine({ blocks: 1 });
        await stage.test.setAutomine(true);
    }
    assert.equal(pending.success, false);
    assert.equal(pending.errorReason, 'settlement_pending');
    const settled = await facilitator.settle(payment, offer);
    assert.equal(settled.success, true, JSON.stringify(settled));
    assert.equal(settled.transaction, pending.transaction);
    assert.equal(await stage.balance(SELLER.address), before + PRICE);
    assert.equal((await facilitator.settle(payment, offer)).success, false);
});

/** Asks the facilitator as another server, which has another address. */
async function stranger(call, payment, offer) {
    const body = JSON.stringify({ x402Version: 2, paymentPayload: payment, paymentRequirements: offer });
    const headers = { 'content-type': 'application/json', 'x-forwarded-for': '198.51.100.7' };
    return (await fetch(`${api.url}/x402/${call}`, { method: 'POST', headers, body })).json();
}

/** Settles a payment while no block is made, runs a step, and makes the block. */
async function pendingSettlement(payment, offer, meanwhile = async () => {}) {
    await stage.test.setAutomine(false);
    try {
        const pending = await facilitator.settle(payment, offer);
        assert.equal(pending.errorReason, 'settlement_pending', JSON.stringify(pending));
        await meanwhile();
        return pending;
    } finally {
        await stage.test.mine({ blocks: 1 });
        await stage.test.setAutomine(true);
    }
}

test('settle tells the outcome of what it sent before it was killed, to the same server', async (context) => {
    const name = 'killed';
    const options = { name };
    const own = sections.replace(`development = ${HOST}`, 'development = 8');
    let other = await stage.serve(own, options);
    const client = () => new HTTPFacilitatorClient({ url: `${other.url}/x402` });
    const { payment, offer } = await signed(context, accounts[6]);
    const before = await stage.balance(SELLER.address);
    await stage.test.setAutomine(false);
    let pending;
    try {
        pending = await client().settle(payment, offer);
        await end(other.child, 'SIGKILL');
    } finally {
        await stage.test.mine({ blocks: 1 });
        await stage.test.setAutomine(true);
    }
    assert.equal(pending.errorReason, 'settlement_pending', JSON.stringify(pending));
    other = await stage.serve(own, options);
    const settled = await client().settle(payment, offer);
    assert.equal(settled.success, true, JSON.stringify(settled));
    assert.equal(settled.transaction, pending.transaction);
    await end(other.child, 'SIGKILL');
    other = await stage.serve(own, options);
    assert.equal((await client().settle(payment, offer)).success, false);
    assert.equal(await stage.balance(SELLER.address), before + PRICE);
});

test('settle finds a transfer of others on a node that gives few blocks of events at once', async (context) => {
    const refused = [];
    const node = await stage.proxy(({ method, params }) => {
        if (method !== 'eth_getLogs') return undefined;
        const blocks = Number(params[0].toBlock) - Number(params[0].fromBlock) + 1;
        if (blocks <= 10) return undefined;
        refused.push(blocks);
        return `query exceeds max block range 10, got ${blocks}`;
    });
    const sections = '[x402]\nfacilitator = true\ndevelopment = 8\npatience = "1 s"\n';
    const other = await stage.serve(sections, { node, name: 'bounded' });
    const bounded = new HTTPFacilitatorClient({ url: `${other.url}/x402` });
    const { payment, offer, args } = await signed(context, accounts[6]);
    assert.equal((await bounded.verify(payment, offer)).isValid, true);
    const receipt = await stage.write(accounts[7], stage.token, 'transferWithAuthorization', args);
    await stage.test.mine({ blocks: 1_000 });
    let settled = await bounded.settle(payment, offer);
    let looks = 1;
    for (; settled.errorReason === 'settlement_pending'; looks++) {
        assert.ok(looks < 20, `${JSON.stringify(settled)} ${other.log().slice(-2000)}`);
        settled = await bounded.settle(payment, offer);
    }
    assert.equal(settled.success, true, `${JSON.stringify(settled)} ${other.log().slice(-2000)}`);
    assert.equal(settled.transaction, receipt.transactionHash);
    assert.ok(refused.length > 0 && refused.length < 20, `${refused}`);
    assert.ok(looks > 1, 'the search goes on with the next look');
});

test('settle goes on if its caller goes away, and the same request gets its answer', async (context) => {
    const { payment, offer } = await signed(context, accounts[6]);
    const before = await stage.balance(SELLER.address);
    await stage.test.setAutomine(false);
    try {
        const body = JSON.stringify({ x402Version: 2, paymentPayload: payment, paymentRequirements: offer });
        const headers = { 'content-type': 'application/json' };
        const signal = AbortSignal.timeout(500);
        const asking = fetch(`${api.url}/x402/settle`, { method: 'POST', headers, body, signal });
        await assert.rejects(asking, { name: 'TimeoutError' });
    } finally {
        await stage.test.mine({ blocks: 1 });
        await stage.test.setAutomine(true);
    }
    assert.equal(await stage.balance(SELLER.address), before + PRICE);
    let settled = await facilitator.settle(payment, offer);
    for (let tries = 100; settled.errorReason === 'settlement_pending'; tries--) {
        assert.ok(tries > 0, JSON.stringify(settled));
        await new Promise((done) => setTimeout(done, 50));
        settled = await facilitator.settle(payment, offer);
    }
    assert.equal(settled.success, true, JSON.stringify(settled));
    assert.equal((await facilitator.settle(payment, offer)).success, false);
    assert.equal(await stage.balance(SELLER.address), before + PRICE);
});

test('settle serves a channel of an official server: deposit, vouchers, claim, settlement, refund', async (context) => {
    const server = new BatchServer(SELLER.address, {
        receiverAuthorizerSigner: AUTHORIZER,
        withdrawDelay: 900,
    });
    const url = await sell(context, 'batch-settlement', server);
    const payer = stage.payer(accounts[4], 'batch-settlement');
    const before = { seller: await stage.balance(SELLER.address), payer: await stage.balance(payer.account.address) };
    for (let times = 1; times <= 10; times++) {
        const answer = await payer.fetch(url);
        assert.equal(answer.status, 200, `request ${times}: ${await answer.clone().text()} ${api.log()}`);
        const { extra, transaction } = header(answer, 'PAYMENT-RESPONSE');
        assert.equal(extra.channelState.chargedCumulativeAmount, String(BigInt(times) * PRICE));
        if (times === 1) assert.match(transaction, /^0x/, 'the first request deposits');
    }
    const manager = server.createChannelManager(facilitator, NETWORK, stage.token.address);
    const done = await manager.claimAndSettle();
    assert.equal(done.claims.length, 1);
    assert.equal(await stage.balance(SELLER.address), before.seller + 10n * PRICE);
    assert.equal(await stage.balance(payer.account.address), before.payer - 10n * PRICE);

    // One more request deposits again; the refund brings back what is left.
    assert.equal((await payer.fetch(url)).status, 200);
    const refund = await payer.scheme.refund(url);
    assert.equal(refund.success, true, JSON.stringify(refund));
    // The refund has claimed the last voucher.
    await manager.settle();
    assert.equal(await stage.balance(SELLER.address), before.seller + 11n * PRICE);
    assert.equal(await stage.balance(payer.account.address), before.payer - 11n * PRICE);
});

test('settle asks the code of a payer about its vouchers', async (context) => {
    // `isValidSignature` of this code takes every signature until slot 0 is set.
    const account = accounts[5];
    await stage.test.setCode({ address: account.address, bytecode: '0x600054601157631626ba7e60e01b6000525b60206000f3' });
    const server = new BatchServer(SELLER.address, { receiverAuthorizerSigner: AUTHORIZER, withdrawDelay: 900 });
    const url = await sell(context, 'batch-settlement', server);
    const signTypedData = (data) => (data.primaryType === 'Voucher' ? accounts[2] : account).signTypedData(data);
    const options = { payerAuthorizer: `0x${'00'.repeat(20)}` };
    const payer = stage.payer({ ...account, signTypedData }, 'batch-settlement', options);
    const before = await stage.balance(SELLER.address);
    for (let times = 1; times <= 5; times++) {
        const answer = await payer.fetch(url);
        assert.equal(answer.status, 200, `request ${times}: ${await answer.clone().text()} ${api.log()}`);
    }
    const index = `0x${'00'.repeat(32)}`;
    const sets = (value) => stage.test.setStorageAt({ address: account.address, index, value: `0x${value.padStart(64, '0')}` });
    await sets('1');
    const refused = await payer.fetch(url);
    assert.equal(refused.status, 402);
    await sets('0');
    const manager = server.createChannelManager(facilitator, NETWORK, stage.token.address);
    await manager.claimAndSettle();
    assert.equal(await stage.balance(SELLER.address), before + 5n * PRICE);
});

test('settle signs no claim and no refund for others', async () => {
    const requirements = {
        scheme: 'batch-settlement',
        network: NETWORK,
        amount: '0',
        asset: stage.token.address,
        payTo: SELLER.address,
        maxTimeoutSeconds: 60,
        extra: { ...TOKEN_DOMAIN, receiverAuthorizer: accounts[HOST].address, withdrawDelay: 900 },
    };
    const channel = {
        payer: accounts[0].address,
        payerAuthorizer: accounts[0].address,
        receiver: SELLER.address,
        receiverAuthorizer: accounts[HOST].address,
        token: stage.token.address,
        withdrawDelay: 900,
        salt: `0x${'00'.repeat(32)}`,
    };
    const voucher = { channel, maxClaimableAmount: '1' };
    const claims = [{ voucher, signature: `0x${'00'.repeat(65)}`, totalClaimed: '1' }];
    const payload = (payload) => ({ x402Version: 2, accepted: requirements, payload });
    const claim = await facilitator.settle(payload({ type: 'claim', claims }), requirements);
    assert.equal(claim.errorReason, 'invalid_batch_settlement_evm_authorizer_not_configured');
    const nothing = await facilitator.settle(
        payload({ type: 'settle', receiver: accounts[7].address, token: stage.token.address }),
        requirements,
    );
    assert.equal(nothing.errorReason, 'invalid_batch_settlement_evm_nothing_to_settle');
});

// The tests below move the time of the chain, so clients of others are late after them.

test('settle tells a transfer that was made in time after its time, whatever others asked', async (context) => {
    const { payment, offer } = await signed(context, accounts[6]);
    const before = await stage.balance(SELLER.address);
    const forged = structuredClone(payment);
    forged.payload.signature = `${payment.payload.signature.slice(0, -4)}001b`;
    const other = { ...offer, amount: String(PRICE + 1n) };
    const pending = await pendingSettlement(payment, offer, async () => {
        // Whoever sees the transaction knows payer, nonce and signature.
        const refused = await facilitator.settle(forged, offer);
        assert.equal(refused.errorReason, 'invalid_exact_evm_signature');
        const changed = await facilitator.settle({ ...payment, accepted: other }, other);
        assert.equal(changed.success, false);
        const copied = await stranger('settle', payment, offer);
        assert.equal(copied.errorReason, 'settlement_pending', JSON.stringify(copied));
    });
    assert.equal(await stage.balance(SELLER.address), before + PRICE);
    const copied = await stranger('settle', payment, offer);
    assert.equal(copied.errorReason, 'settlement_pending', JSON.stringify(copied));
    await stage.test.increaseTime({ seconds: 70 });
    await stage.test.mine({ blocks: 1 });
    const settled = await facilitator.settle(payment, offer);
    assert.equal(settled.success, true, JSON.stringify(settled));
    assert.equal(settled.transaction, pending.transaction);
    for (const again of [await facilitator.settle(payment, offer), await stranger('settle', payment, offer)]) {
        assert.equal(again.success, false);
        assert.notEqual(again.errorReason, 'settlement_pending');
    }
});

test('settle tells a transfer that others have sent to who verified it first, and after its time', async (context) => {
    const { payment, offer, args } = await signed(context, accounts[6]);
    assert.equal((await facilitator.verify(payment, offer)).isValid, true);
    assert.equal((await stranger('verify', payment, offer)).isValid, true);
    const receipt = await stage.write(accounts[7], stage.token, 'transferWithAuthorization', args);
    assert.equal((await stranger('settle', payment, offer)).errorReason, 'settlement_pending');
    await stage.test.increaseTime({ seconds: 70 });
    await stage.test.mine({ blocks: 1 });
    assert.equal((await stranger('settle', payment, offer)).errorReason, 'settlement_pending');
    const settled = await facilitator.settle(payment, offer);
    assert.equal(settled.success, true, JSON.stringify(settled));
    assert.equal(settled.transaction, receipt.transactionHash);
    assert.equal((await facilitator.settle(payment, offer)).success, false);
});

test('settle calls a payment late whose time was over before anybody sent it', async (context) => {
    const { payment, offer } = await signed(context, accounts[6]);
    const before = await stage.balance(SELLER.address);
    assert.equal((await facilitator.verify(payment, offer)).isValid, true);
    await stage.test.increaseTime({ seconds: 70 });
    await stage.test.mine({ blocks: 1 });
    const late = await facilitator.settle(payment, offer);
    assert.equal(late.errorReason, 'invalid_exact_evm_payload_authorization_valid_before', JSON.stringify(late));
    assert.equal(await stage.balance(SELLER.address), before);
});
