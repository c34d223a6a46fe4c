// The labeling service, paid by the official client's channels.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { HOST, Stage, accounts, end, header } from './support.mjs';

const SELLER = accounts[2];
const OPENING = { features: 2, classes: 2 };
/** Units of an opening; a unit costs 7 atomic units of the token. */
const OPENED = 10n;
const UNIT = 7n;

let stage, api, sections;

before(async () => {
    stage = await Stage.open();
    sections = [
        '[labels]',
        'enabled = true',
        '[x402]',
        `development = ${HOST}`,
        `pay_to = "${SELLER.address}"`,
        `assets = ["${stage.token.address}; Test Dollar; 1; 6; ${UNIT}/1; 0"]`,
        'withdraw_delay = "15 min"',
        'claim_after = "1 h"',
        'claim_above = 1000000',
    ].join('\n');
    api = await stage.serve(sections);
});

after(() => stage?.close());

const path = (rest) => `${api.url}/v1/label/${rest}`;

/** Posts a body as a payer does: its client pays what the answer 402 asks for. */
function post(payer, url, body, headers = {}) {
    const init = { method: 'POST', body: JSON.stringify(body) };
    return payer.fetch(url, { ...init, headers: { 'content-type': 'application/json', ...headers } });
}

async function ok(answer, status = 200) {
    assert.equal(answer.status, status, `${await answer.clone().text()}\n${api.log().slice(-3000)}`);
    return answer;
}

/** Opens a session, and teaches it two rows. Returns the path of its calls and what was charged. */
async function open(payer) {
    const opened = await ok(await post(payer, path('sessions'), OPENING), 201);
    const { session, token } = await opened.clone().json();
    const rows = [
        { x: [0, 1], y: 0 },
        { x: [1, 0], y: 1 },
    ];
    const authorization = { authorization: `Bearer ${token}` };
    const taught = await ok(await post(payer, path(`sessions/${session}/examples`), { rows }, authorization));
    const settled = header(taught, 'PAYMENT-RESPONSE');
    return {
        id: session,
        token,
        authorization,
        opened,
        url: path(`sessions/${session}/predictions`),
        charged: BigInt(settled.extra.channelState.chargedCumulativeAmount),
        channel: settled.extra.channelState.channelId,
    };
}

const predict = (payer, session, rows = [[0.2, 0.9]]) =>
    post(payer, session.url, { rows }, session.authorization);

/** Has the contract pay out what the seller has claimed. */
async function settleAll() {
    const payee = [SELLER.address, stage.token.address];
    const [claimed, settled] = await stage.read(stage.settlement, 'receivers', payee);
    if (claimed !== settled) await stage.write(accounts[8], stage.settlement, 'settle', payee);
}

test('labels offer the channel first, at the price of the call', async () => {
    const answer = await post({ fetch }, path('sessions'), OPENING);
    assert.equal(answer.status, 402);
    const required = header(answer, 'PAYMENT-REQUIRED');
    assert.deepEqual(required.accepts.map((offer) => offer.scheme), ['batch-settlement', 'exact']);
    const [channel] = required.accepts;
    assert.equal(channel.amount, String(OPENED * UNIT));
    assert.equal(channel.payTo, SELLER.address);
    assert.equal(channel.extra.receiverAuthorizer, accounts[HOST].address);
    assert.equal(channel.extra.withdrawDelay, 900);
    assert.equal(channel.extra.minDeposit, String(1000n * UNIT));
});

test('labels are sold for a token that is younger than the final blocks', async () => {
    const blocks = await stage.reader.getBlockNumber();
    const own = sections.replace(`development = ${HOST}`, `development = 8\nfinal_after = ${blocks}`);
    const other = await stage.serve(own, { name: 'young' });
    const payer = stage.payer(accounts[0], 'batch-settlement');
    await ok(await post(payer, `${other.url}/v1/label/sessions`, OPENING), 201);
    await end(other.child);
});

test('labels take one deposit of a client that signs another after a lost answer', async () => {
    const own = sections.replace(`development = ${HOST}`, 'development = 8\npatience = "1 s"');
    const other = await stage.serve(own, { name: 'hasty' });
    const payer = stage.payer(accounts[3], 'batch-settlement');
    const deposits = [];
    payer.client.onAfterPaymentCreation(async ({ paymentPayload }) => {
        deposits.push(paymentPayload.payload.deposit?.amount);
    });
    const opens = () => post(payer, `${other.url}/v1/label/sessions`, OPENING);
    const before = await stage.balance(accounts[3].address);
    await stage.test.setAutomine(false);
    for (let count = 0; count < 2; count++) assert.equal((await opens()).status, 503);
    await stage.test.mine({ blocks: 1 });
    await stage.test.setAutomine(true);
    const opened = await ok(await opens(), 201);
    assert.deepEqual(deposits, [deposits[0], deposits[0], deposits[0]]);
    assert.equal(before - (await stage.balance(accounts[3].address)), BigInt(deposits[0]));
    const { channelState } = header(opened, 'PAYMENT-RESPONSE').extra;
    assert.equal(channelState.balance, deposits[0]);
    await end(other.child);
});

test('labels are paid by a deposit and 100 vouchers, to the unit, and a refund returns the rest', async () => {
    const payer = stage.payer(accounts[0], 'batch-settlement');
    const before = await stage.balance(payer.account.address);
    const seller = await stage.balance(SELLER.address);
    const session = await open(payer);
    const deposit = header(session.opened, 'PAYMENT-RESPONSE');
    assert.match(deposit.transaction, /^0x/);
    assert.equal(before - (await stage.balance(payer.account.address)), BigInt(deposit.amount));
    let { charged } = session;
    for (let count = 0; count < 100; count++) {
        const answer = await ok(await predict(payer, session));
        const { extra, transaction, amount } = header(answer, 'PAYMENT-RESPONSE');
        assert.equal(extra.chargedAmount, String(UNIT));
        charged += UNIT;
        assert.equal(extra.channelState.chargedCumulativeAmount, String(charged));
        assert.deepEqual([transaction, amount], ['', '']);
    }
    // A free call takes no money, and needs no voucher.
    const state = await fetch(path(`sessions/${session.id}`), { headers: session.authorization });
    assert.equal((await ok(state)).status, 200);

    const refund = await payer.scheme.refund(path('refund'));
    assert.equal(refund.success, true, JSON.stringify(refund));
    assert.equal(before - (await stage.balance(payer.account.address)), charged);
    // The refund claims first, so the contract owes the seller all that was charged.
    const [claimed] = await stage.read(stage.settlement, 'receivers', [SELLER.address, stage.token.address]);
    assert.equal(claimed, charged);
    await stage.write(accounts[8], stage.settlement, 'settle', [SELLER.address, stage.token.address]);
    assert.equal((await stage.balance(SELLER.address)) - seller, charged);
});

test('labels correct a client that has lost its state, and charge once', async () => {
    const session = await open(stage.payer(accounts[1], 'batch-settlement'));
    // A client with an empty memory reads the chain, where nothing is claimed.
    const lost = stage.payer(accounts[1], 'batch-settlement');
    let correction;
    lost.client.onPaymentResponse(async ({ paymentRequired }) => {
        correction ??= paymentRequired?.error;
    });
    const answer = await ok(await predict(lost, session));
    const { extra } = header(answer, 'PAYMENT-RESPONSE');
    assert.equal(extra.channelState.chargedCumulativeAmount, String(session.charged + UNIT));
    assert.equal(correction, 'invalid_batch_settlement_evm_cumulative_amount_mismatch');
});

test('labels charge each of two racing calls once, whatever their clients have signed', async () => {
    const payer = stage.payer(accounts[3], 'batch-settlement');
    const session = await open(payer);
    const both = await Promise.all([predict(payer, session), predict(payer, session)]);
    const paid = both.filter((answer) => answer.status === 200).length;
    assert.ok(paid >= 1, api.log().slice(-2000));
    for (const answer of both.filter((answer) => answer.status !== 200)) {
        assert.equal(answer.status, 402);
        assert.equal(header(answer, 'PAYMENT-RESPONSE'), null, 'a corrective answer has no receipt');
    }
    const next = await ok(await predict(payer, session));
    const { channelState } = header(next, 'PAYMENT-RESPONSE').extra;
    const expected = session.charged + BigInt(paid + 1) * UNIT;
    assert.equal(channelState.chargedCumulativeAmount, String(expected));
});

test('labels refuse a voucher that was used, one of another channel, and one below the sum', async () => {
    const payer = stage.payer(accounts[4], 'batch-settlement');
    const session = await open(payer);
    let sent;
    payer.client.onAfterPaymentCreation(async ({ paymentPayload }) => {
        sent = paymentPayload;
    });
    await ok(await predict(payer, session));
    const voucher = sent;
    const paying = (payment) => ({
        ...session.authorization,
        'PAYMENT-SIGNATURE': Buffer.from(JSON.stringify(payment)).toString('base64'),
    });
    const repeat = (payment) => post({ fetch }, session.url, { rows: [[0.2, 0.9]] }, paying(payment));
    const used = await repeat(voucher);
    assert.equal(used.status, 402);
    const required = header(used, 'PAYMENT-REQUIRED');
    assert.equal(required.error, 'invalid_batch_settlement_evm_cumulative_amount_mismatch');
    const state = required.accepts[0].extra.channelState;
    assert.equal(state.chargedCumulativeAmount, String(session.charged + UNIT));
    assert.equal(required.accepts[0].extra.voucherState.signedMaxClaimable, state.chargedCumulativeAmount);

    // One below the sum is refused alike, and charges nothing.
    await ok(await predict(payer, session));
    const smaller = await repeat(voucher);
    assert.equal(smaller.status, 402);
    const told = header(smaller, 'PAYMENT-REQUIRED');
    assert.equal(told.error, 'invalid_batch_settlement_evm_cumulative_amount_mismatch');
    assert.equal(told.accepts[0].extra.channelState.chargedCumulativeAmount, String(session.charged + 2n * UNIT));
    assert.ok(BigInt(voucher.payload.voucher.maxClaimableAmount) < session.charged + 2n * UNIT);

    // Claims publish used vouchers, so they prove nothing. The next one is the payer's alone.
    const proven = async (payment) => {
        const proof = paying(payment)['PAYMENT-SIGNATURE'];
        return (await fetch(path(`sessions/${session.id}`), { headers: { 'PAYMENT-SIGNATURE': proof } })).status;
    };
    assert.equal(await proven(voucher), 401);
    const next = await payer.client.createPaymentPayload(told);
    assert.equal(await proven(next), 200);

    const forged = structuredClone(voucher);
    forged.payload.voucher.maxClaimableAmount = String(session.charged + 3n * UNIT);
    const refused = await repeat(forged);
    assert.equal(header(refused, 'PAYMENT-REQUIRED').error, 'invalid_batch_settlement_evm_voucher_signature');

    const other = stage.payer(accounts[5], 'batch-settlement');
    let foreign;
    other.client.onAfterPaymentCreation(async ({ paymentPayload }) => {
        foreign = paymentPayload;
    });
    await open(other);
    const answer = await repeat(foreign);
    assert.equal(answer.status, 402, await answer.clone().text());
});

test('labels charge each session that a repeated opening opens, and give an open one back', async () => {
    const payer = stage.payer(accounts[7], 'batch-settlement');
    const key = { 'idempotency-key': 'opening_of_channel_1' };
    const opened = async () => {
        const answer = await ok(await post(payer, path('sessions'), OPENING, key), 201);
        return { ...(await answer.json()), settled: header(answer, 'PAYMENT-RESPONSE') };
    };
    const state = async ({ session, token }) =>
        (await fetch(path(`sessions/${session}`), { headers: { authorization: `Bearer ${token}` } })).status;
    const first = await opened();
    const price = String(OPENED * UNIT);
    assert.equal(first.settled.extra.channelState.chargedCumulativeAmount, price);
    // The answer was lost: a fresh voucher gets the same session, and it is not charged.
    const again = await opened();
    assert.equal(again.session, first.session);
    assert.equal(again.units.charged, 0);
    // A token that is no longer its own proves no channel, so a voucher is asked for.
    assert.deepEqual([await state(first), await state(again)], [402, 200]);
    // The session is gone, so another one is opened, and charged.
    const authorization = { authorization: `Bearer ${again.token}` };
    await ok(await post({ fetch }, path(`sessions/${again.session}/close`), {}, authorization));
    const third = await opened();
    assert.notEqual(third.session, first.session);
    assert.equal(third.units.charged, Number(OPENED));
    assert.equal(third.settled.extra.channelState.chargedCumulativeAmount, String(2n * OPENED * UNIT));
});

test('labels refund what is worth the gas, and seldom to whom a stranger could be', async () => {
    const asks = (payer, options) => payer.scheme.refund(path('refund'), options);
    const payer = stage.payer(accounts[7], 'batch-settlement');
    const session = await open(payer);
    await assert.rejects(asks(payer, { amount: '1' }), /refund_amount_invalid/);
    const least = String(100n * UNIT);
    assert.equal((await asks(payer, { amount: least })).success, true);
    await ok(await predict(payer, session));
    await assert.rejects(asks(payer, { amount: least }), /channel_busy/);

    // Once all is claimed, the voucher that asks for a refund is on the chain for all to see.
    const former = api;
    const claiming = sections.replace('claim_above = 1000000', 'claim_above = 1');
    const serves = () => stage.serve(claiming.replace(`development = ${HOST}`, 'development = 8'), { name: 'claiming' });
    api = await serves();
    try {
        const other = stage.payer(accounts[7], 'batch-settlement', { salt: `0x${'00'.repeat(31)}07` });
        const { channel, charged } = await open(other);
        const claimed = async (sum) => {
            for (let tries = 300; (await stage.read(stage.settlement, 'channels', [channel]))[1] !== sum; tries--) {
                assert.ok(tries > 0, `no claim: ${api.log().slice(-3000)}`);
                await new Promise((done) => setTimeout(done, 50));
            }
        };
        await claimed(charged);
        await assert.rejects(asks(other, { amount: least }), /refund_amount_invalid/);
        assert.equal((await asks(other)).success, true);
        const again = await open(other);
        assert.equal(again.channel, channel);
        // After a start it claims at once.
        await end(api.child);
        api = await serves();
        await claimed(again.charged);
        await assert.rejects(asks(other), /channel_busy/);
    } finally {
        await end(api.child);
        api = former;
        await settleAll();
    }
});

test('labels take no deposit that is small, or signed for too long', async (context) => {
    const salt = `0x${'00'.repeat(31)}08`;
    const small = stage.payer(accounts[7], 'batch-settlement', {
        salt,
        depositStrategy: ({ minimumDepositAmount }) => minimumDepositAmount,
    });
    const before = await stage.balance(accounts[7].address);
    const refused = await post(small, path('sessions'), OPENING);
    assert.equal(refused.status, 402, await refused.clone().text());
    assert.equal(header(refused, 'PAYMENT-REQUIRED').error, 'invalid_batch_settlement_evm_deposit_below_min_deposit');

    const required = header(await post({ fetch }, path('sessions'), OPENING), 'PAYMENT-REQUIRED');
    const payer = stage.payer(accounts[7], 'batch-settlement', { salt });
    const pays = async () => {
        const payment = await payer.client.createPaymentPayload(required);
        const proof = Buffer.from(JSON.stringify(payment)).toString('base64');
        return post({ fetch }, path('sessions'), OPENING, { 'PAYMENT-SIGNATURE': proof });
    };
    context.mock.timers.enable({ apis: ['Date'], now: Date.now() + 600_000 });
    const signed = pays();
    // It signs before it asks anybody.
    const late = await signed.finally(() => context.mock.timers.reset());
    assert.equal(late.status, 402);
    const word = 'invalid_batch_settlement_evm_payload_authorization_valid_before';
    assert.equal(header(late, 'PAYMENT-REQUIRED').error, word);
    assert.equal(await stage.balance(accounts[7].address), before);
    await ok(await pays(), 201);
});

test('labels take vouchers of a payer with code as its code does', async () => {
    // `isValidSignature` of this code takes every signature until slot 0 is set.
    const account = accounts[1];
    await stage.test.setCode({ address: account.address, bytecode: '0x600054601157631626ba7e60e01b6000525b60206000f3' });
    const sets = (index) => {
        const value = `0x${String(index).padStart(64, '0')}`;
        return stage.test.setStorageAt({ address: account.address, index: `0x${'00'.repeat(32)}`, value });
    };
    // The key signs deposits. Vouchers are signed by another, which only the code takes.
    const signTypedData = (data) => (data.primaryType === 'Voucher' ? accounts[2] : account).signTypedData(data);
    const salt = `0x${'00'.repeat(31)}09`;
    const options = { salt, payerAuthorizer: `0x${'00'.repeat(20)}` };
    const payer = stage.payer({ ...account, signTypedData }, 'batch-settlement', options);
    const before = await stage.balance(account.address);
    const session = await open(payer);
    let { charged } = session;
    for (let count = 0; count < 5; count++) {
        const answer = await ok(await predict(payer, session));
        charged += UNIT;
        const { channelState } = header(answer, 'PAYMENT-RESPONSE').extra;
        assert.equal(channelState.chargedCumulativeAmount, String(charged));
    }
    await sets(1);
    const refused = await predict(payer, session);
    assert.equal(refused.status, 402);
    assert.equal(header(refused, 'PAYMENT-REQUIRED').error, 'invalid_batch_settlement_evm_voucher_signature');
    await sets(0);
    const refund = await payer.scheme.refund(path('refund'));
    assert.equal(refund.success, true, JSON.stringify(refund));
    assert.equal(before - (await stage.balance(account.address)), charged);
    const [, claimed] = await stage.read(stage.settlement, 'channels', [session.channel]);
    assert.equal(claimed, charged, 'the contract asks the code, too');
    await settleAll();
});

test('labels keep channels over a kill, and claim before a withdrawal ends', async () => {
    const payer = stage.payer(accounts[6], 'batch-settlement');
    const session = await open(payer);
    await end(api.child, 'SIGKILL');
    api = await stage.serve(sections);
    // The session is gone with its memory. The channel and its charges are not.
    const again = await open(payer);
    assert.equal(again.channel, session.channel);
    assert.ok(again.charged > session.charged, `${again.charged} ${session.charged}`);

    const before = await stage.balance(SELLER.address);
    const id = again.channel;
    const config = [
        {
            payer: payer.account.address,
            payerAuthorizer: payer.account.address,
            receiver: SELLER.address,
            receiverAuthorizer: accounts[HOST].address,
            token: stage.token.address,
            withdrawDelay: 900,
            salt: `0x${'00'.repeat(32)}`,
        },
    ];
    const [balance] = await stage.read(stage.settlement, 'channels', [id]);
    await stage.write(payer.account, stage.settlement, 'initiateWithdraw', [...config, balance]);
    const claimed = async () => (await stage.read(stage.settlement, 'channels', [id]))[1];
    for (let tries = 200; (await claimed()) === 0n; tries--) {
        assert.ok(tries > 0, `no claim: ${api.log().slice(-3000)}`);
        await new Promise((done) => setTimeout(done, 50));
    }
    assert.equal(await claimed(), again.charged);
    await stage.test.increaseTime({ seconds: 901 });
    await stage.test.mine({ blocks: 1 });
    await stage.write(payer.account, stage.settlement, 'finalizeWithdraw', config);
    // The payer gets what was not charged, and the seller all that was.
    for (let tries = 200; (await stage.balance(SELLER.address)) === before; tries--) {
        assert.ok(tries > 0, `no settlement: ${api.log().slice(-3000)}`);
        await new Promise((done) => setTimeout(done, 50));
    }
    assert.equal(await stage.balance(SELLER.address), before + again.charged);
});
