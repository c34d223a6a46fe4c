// Labeling sessions, paid by the official client with `exact`.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { parseSignature } from 'viem';
import { query } from './ledger.mjs';
import { HOST, NETWORK, Stage, TOKEN_DOMAIN, accounts, end, header } from './support.mjs';

/** Price of 1,000 units, in the token's smallest unit. */
const PRICE = 3_000n;
const FEE = 5n;
/** Price of the 10 units of an opening. */
const OPENING = 30n;
const FINAL = 4;
const RETRY = { headers: { 'content-type': 'application/json' } };

let stage, api, sections;

before(async () => {
    stage = await Stage.open();
    const asset = `${stage.token.address}; ${TOKEN_DOMAIN.name}; ${TOKEN_DOMAIN.version}; 6; 3/1; ${FEE}`;
    sections = [
        '[labels]',
        'enabled = true',
        '[x402]',
        `development = ${HOST}`,
        `assets = ["${asset}"]`,
        `final_after = ${FINAL}`,
        'min_purchase = 10',
        'patience = "2 s"',
    ].join('\n');
    api = await stage.serve(sections);
});

beforeEach(() => stage.test.setAutomine(true));

after(() => stage?.close());

async function restart(signal = 'SIGTERM') {
    await end(api.child, signal);
    api = await stage.serve(sections);
}

function send(fetcher, path, body, headers = {}) {
    const init = { method: 'POST', body: JSON.stringify(body), headers: { ...RETRY.headers, ...headers } };
    return fetcher(`${api.url}/v1/label${path}`, init);
}

const opening = { features: 2, classes: 2, units: 1_000 };

/** Returns a function that opens a session of a coordinator, by a request with headers. */
const opener = (server) => (headers) => {
    const init = { method: 'POST', body: JSON.stringify(opening) };
    return fetch(`${server.url}/v1/label/sessions`, { ...init, headers: { ...RETRY.headers, ...headers } });
};
const host = () => stage.balance(accounts[HOST].address);

async function open(payer, body = opening, headers = {}) {
    const response = await send(payer.fetch, '/sessions', body, headers);
    const text = await response.text();
    assert.equal(response.status, 201, text);
    const opened = JSON.parse(text);
    const bearer = { authorization: `Bearer ${opened.token}` };
    const call = (name, sent, more = {}) =>
        send(fetch, `/sessions/${opened.session}/${name}`, sent, { ...bearer, ...more });
    return { ...opened, bearer, call, response };
}

/** Returns the offer of a purchase. Channels are offered, too. */
const exact = (accepts) => accepts.find((offer) => offer.scheme === 'exact');

/** Returns a payment for a call as its header, and the answer to the call without it. */
async function sign(payer, path, body, headers = {}) {
    const asked = await send(fetch, path, body, headers);
    assert.equal(asked.status, 402);
    const required = header(asked, 'payment-required');
    const payload = await payer.client.createPaymentPayload(required);
    const value = Buffer.from(JSON.stringify(payload)).toString('base64');
    return { paid: { 'payment-signature': value }, required, asked };
}

const examples = { rows: [{ x: [0, 1], y: 0 }, { x: [1, 0], y: 1 }] };

test('a session is opened, taught, asked, topped up and closed with a refund', async () => {
    const payer = stage.payer(accounts[1]);
    const [before, had] = [await stage.balance(payer.account.address), await host()];

    const asked = await send(fetch, '/sessions', opening);
    assert.equal(asked.status, 402);
    const required = header(asked, 'payment-required');
    const { accepts, ...problem } = await asked.json();
    assert.deepEqual(accepts, required.accepts);
    assert.equal(problem.price, 10);
    const offer = exact(accepts);
    assert.deepEqual(
        [offer.scheme, offer.network, offer.amount, offer.payTo],
        ['exact', NETWORK, String(PRICE), accounts[HOST].address],
    );
    assert.equal(required.extensions['payment-identifier'].info.required, false);

    const session = await open(payer);
    const settled = header(session.response, 'payment-response');
    assert.equal(settled.success, true);
    assert.equal(settled.amount, String(PRICE));
    const receipt = await stage.reader.getTransactionReceipt({ hash: settled.transaction });
    assert.equal(receipt.status, 'success');
    assert.deepEqual(session.units, { charged: 10, spent: 10, left: 990 });
    assert.equal(session.response.headers.get('x-units-left'), '990');
    assert.equal(await host(), had + PRICE);

    const taught = await session.call('examples', examples);
    const { units } = await taught.json();
    assert.equal(taught.status, 200);
    const decided = await session.call('predictions', { rows: [[0, 1]] });
    assert.deepEqual((await decided.json()).units, {
        charged: 1,
        spent: 11 + units.charged,
        left: 989 - units.charged,
    });
    // A call that fails costs nothing.
    const wrong = await session.call('predictions', { rows: [[0, 1, 2]] });
    assert.equal(wrong.status, 422);
    const state = await fetch(`${api.url}/v1/label/sessions/${session.session}`, { headers: session.bearer });
    assert.equal((await state.json()).units.left, 989 - units.charged);

    // Anyone may pay for more.
    const other = stage.payer(accounts[2]);
    const more = await send(other.fetch, `/sessions/${session.session}/units`, { units: 2_000 });
    assert.equal(more.status, 200);
    const left = 2_989 - units.charged;
    assert.equal((await more.json()).units.left, left);
    assert.equal(await host(), had + 3n * PRICE);

    // Once the payments are final, each payer gets back what is left of its own.
    await stage.test.mine({ blocks: FINAL + 1 });
    const paid = await stage.balance(other.account.address);
    let closed;
    for (let tries = 0; tries < 50; tries++) {
        await pause(200);
        closed = await (await session.call('close', {})).json();
        if (closed.refunds?.length === 2) break;
        assert.ok(!closed.refunds?.length, JSON.stringify(closed));
    }
    assert.equal(closed.units.left, 0);
    const back = BigInt(989 - units.charged) * 3n - FEE;
    assert.equal(await stage.balance(payer.account.address), before - PRICE + back);
    assert.equal(await stage.balance(other.account.address), paid + 2n * PRICE - FEE);
    assert.equal(await host(), had + PRICE - back + FEE);
});

test('a coordinator that only sells labels becomes ready', async () => {
    let ready;
    for (let tries = 0; tries < 50 && ready?.status !== 200; tries++) {
        await pause(100);
        ready = await fetch(`${api.url}/health/ready`);
    }
    assert.equal(ready.status, 200, await ready.clone().text());
    assert.ok((await ready.json()).head > 0);
});

test('a call without enough units is paid for by itself', async () => {
    const payer = stage.payer(accounts[3]);
    const session = await open(payer, { ...opening, units: 10 });
    assert.equal(session.units.left, 0);
    const refused = await session.call('predictions', { rows: [[0, 1]] });
    assert.equal(refused.status, 402);
    const had = await host();
    const path = `/sessions/${session.session}/examples`;
    const taught = await send(payer.fetch, path, examples, session.bearer);
    assert.equal(taught.status, 200, await taught.clone().text());
    assert.equal(header(taught, 'payment-response').success, true);
    assert.equal(await host(), had + PRICE);
    const decided = await session.call('predictions', { rows: [[0, 1]] });
    assert.equal(decided.status, 200);
});

test('a payment buys once, and only its payer gets its session again', async () => {
    const payer = stage.payer(accounts[4]);
    const { paid } = await sign(payer, '/sessions', opening);
    const key = { 'idempotency-key': `pay_${randomBytes(8).toString('hex')}` };
    const had = await host();
    const first = await send(fetch, '/sessions', opening, { ...paid, ...key });
    assert.equal(first.status, 201);
    const opened = await first.json();
    // The transfer is on the chain for all to see, so it proves nothing by itself.
    for (const others of [{}, { 'idempotency-key': 'another_key_of_a_thief' }]) {
        const stolen = await send(fetch, '/sessions', opening, { ...paid, ...others });
        assert.equal(stolen.status, 409, await stolen.text());
        const topped = await send(fetch, `/sessions/${opened.session}/units`, { units: 1_000 }, { ...paid, ...others });
        assert.equal(topped.status, 409, await topped.text());
    }
    const again = await send(fetch, '/sessions', opening, { ...paid, ...key });
    assert.equal(again.status, 201);
    const repeated = await again.json();
    assert.equal(repeated.session, opened.session);
    // Each new token is stored for ever, so the next one takes a while.
    const soon = await send(fetch, '/sessions', opening, { ...paid, ...key });
    assert.equal(soon.status, 503, await soon.text());
    assert.ok(soon.headers.has('retry-after'));
    assert.notEqual(repeated.token, opened.token);
    assert.equal(header(again, 'payment-response').success, true);
    const state = (token) =>
        fetch(`${api.url}/v1/label/sessions/${opened.session}`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal((await state(opened.token)).status, 401);
    assert.equal((await state(repeated.token)).status, 200);
    assert.equal(await host(), had + PRICE);
});

test('payments with other terms, a wrong signature or no money are refused', async () => {
    const payer = stage.payer(accounts[5]);
    const had = await host();
    const { paid } = await sign(payer, '/sessions', opening);
    const payment = JSON.parse(Buffer.from(paid['payment-signature'], 'base64'));
    const pay = (changed, body = opening) => {
        const value = Buffer.from(JSON.stringify(changed)).toString('base64');
        return send(fetch, '/sessions', body, { 'payment-signature': value });
    };
    const refused = async (status, error, ...args) => {
        const answer = await pay(...args);
        const body = await answer.json();
        assert.deepEqual([answer.status, body.error], [status, error], JSON.stringify(body));
        assert.equal(status === 402, answer.headers.has('payment-required'));
    };
    const accepted = (change) => ({ ...payment, accepted: { ...payment.accepted, ...change } });
    await refused(402, 'invalid_payment_requirements', payment, { ...opening, units: 2_000 });
    await refused(402, 'invalid_payment_requirements', accepted({ amount: '1' }));
    await refused(402, 'invalid_network', accepted({ network: 'eip155:1' }));
    const { authorization, signature } = payment.payload;
    const forged = { authorization: { ...authorization, value: '1' }, signature };
    await refused(402, 'invalid_exact_evm_signature', { ...payment, payload: forged });
    await refused(400, 'invalid_payload', { ...payment, payload: {} });
    const balance = await stage.balance(payer.account.address);
    await stage.write(payer.account, stage.token, 'transfer', [accounts[0].address, balance]);
    await refused(402, 'invalid_exact_evm_insufficient_balance', payment);
    assert.equal(await host(), had);
});

test('a settlement that nobody sees is never asked for again, and counts once it is mined', async () => {
    const payer = stage.payer(accounts[6]);
    const { paid } = await sign(payer, '/sessions', opening);
    const key = { 'idempotency-key': `pay_${randomBytes(8).toString('hex')}` };
    const had = await host();
    await stage.test.setAutomine(false);
    for (let tries = 0; tries < 2; tries++) {
        const pending = await send(fetch, '/sessions', opening, { ...paid, ...key });
        assert.equal(pending.status, 503, await pending.clone().text());
        assert.ok(Number(pending.headers.get('retry-after')) > 0);
        assert.ok(!pending.headers.has('payment-required'));
    }
    // Nor is it forgotten by a kill.
    await restart('SIGKILL');
    await stage.test.setAutomine(true);
    await stage.test.mine({ blocks: 1 });
    let opened;
    for (let tries = 0; tries < 50 && opened?.status !== 201; tries++) {
        await pause(200);
        opened = await send(fetch, '/sessions', opening, { ...paid, ...key });
        assert.ok([201, 503].includes(opened.status), await opened.clone().text());
    }
    assert.equal(opened.status, 201);
    const first = await opened.json();
    assert.equal(first.units.left, 990);
    // The answer is lost, and with another kill the session, but neither units nor access.
    await restart('SIGKILL');
    const lost = await send(fetch, '/sessions', opening, { ...paid, ...key });
    assert.equal(lost.status, 201, await lost.clone().text());
    const again = await lost.json();
    assert.deepEqual(again.units, { charged: 0, spent: 10, left: 990 });
    assert.notEqual(again.token, first.token);
    assert.equal(await host(), had + PRICE);
});

test('units outlive a kill, and the token begins a new model', async () => {
    const payer = stage.payer(accounts[7]);
    const session = await open(payer);
    const key = { 'idempotency-key': `call_${randomBytes(8).toString('hex')}` };
    const taught = await (await session.call('examples', examples, key)).json();
    await restart('SIGKILL');
    const gone = await session.call('predictions', { rows: [[0, 1]] });
    assert.equal(gone.status, 404);
    const opened = await send(fetch, '/sessions', opening, session.bearer);
    assert.equal(opened.status, 201, await opened.clone().text());
    const again = await opened.json();
    assert.equal(again.token, null);
    assert.equal(again.units.left, taught.units.left - 10);
    const path = `/sessions/${again.session}/examples`;
    const other = await send(fetch, path, examples, session.bearer);
    assert.equal(other.status, 200);
});

/** Returns a call of the token with a signed transfer, which anyone may send. */
function moving(paid) {
    const payment = JSON.parse(Buffer.from(paid['payment-signature'], 'base64'));
    const { authorization: it, signature } = payment.payload;
    const { r, s, v } = parseSignature(signature);
    const terms = [it.from, it.to, it.value, it.validAfter, it.validBefore, it.nonce];
    return { ...stage.token, functionName: 'transferWithAuthorization', args: [...terms, Number(v), r, s] };
}

/** Sends a signed transfer as anyone may, and not the coordinator. */
async function move(paid) {
    const { functionName, args, ...token } = moving(paid);
    await stage.write(accounts[0], token, functionName, args);
}

const newKey = () => ({ 'idempotency-key': `pay_${randomBytes(8).toString('hex')}` });

test('an opening without a key whose answer is lost goes back to its payer', async () => {
    const payer = stage.payer(accounts[8]);
    const had = await stage.balance(payer.account.address);
    const { paid } = await sign(payer, '/sessions', opening);
    await stage.test.setAutomine(false);
    const pending = await send(fetch, '/sessions', opening, paid);
    assert.equal(pending.status, 503);
    await stage.test.setAutomine(true);
    await stage.test.mine({ blocks: 1 });
    // Whoever repeats it may have seen it on the chain.
    let again;
    for (let tries = 0; tries < 20 && again !== 409; tries++) {
        again = (await send(fetch, '/sessions', opening, paid)).status;
        assert.ok([409, 503].includes(again), again);
        await pause(200);
    }
    assert.equal(again, 409);
    assert.equal(await stage.balance(payer.account.address), had - PRICE);
    await stage.test.mine({ blocks: FINAL + 1 });
    let now;
    for (let tries = 0; tries < 75 && now !== had - FEE; tries++) {
        await pause(200);
        now = await stage.balance(payer.account.address);
    }
    assert.equal(now, had - FEE);
});

test('a purchase for a session is repeated without a key, and counts once', async () => {
    const payer = stage.payer(accounts[1]);
    const session = await open(payer);
    const path = `/sessions/${session.session}/units`;
    const { paid } = await sign(payer, path, { units: 500 });
    for (let tries = 0; tries < 2; tries++) {
        const bought = await send(fetch, path, { units: 500 }, paid);
        assert.equal(bought.status, 200, await bought.clone().text());
        assert.equal((await bought.json()).units.left, 1_490);
    }
    const elsewhere = await send(fetch, '/sessions', opening, paid);
    assert.equal(elsewhere.status, 409);
});

test('a token beside a payment buys for its own account, and a stale token is none', async () => {
    const payer = stage.payer(accounts[2]);
    const session = await open(payer);
    await session.call('close', {});
    const stale = await send(fetch, '/sessions', opening, { authorization: 'Bearer nobody' });
    assert.equal(stale.status, 402);
    assert.ok(stale.headers.has('payment-required'));
    const { paid } = await sign(payer, '/sessions', opening);
    const opened = await send(fetch, '/sessions', opening, { ...paid, ...session.bearer });
    assert.equal(opened.status, 201, await opened.clone().text());
    const again = await opened.json();
    assert.equal(again.token, null);
    assert.equal(again.units.spent, 20);
    assert.equal(again.units.left, 1_980);
});

test('a repeated opening is bound to its body, and a new session is charged', async () => {
    const payer = stage.payer(accounts[3]);
    const { paid } = await sign(payer, '/sessions', opening);
    const key = newKey();
    const first = await (await send(fetch, '/sessions', opening, { ...paid, ...key })).json();
    const other = await send(fetch, '/sessions', { ...opening, seed: 7 }, { ...paid, ...key });
    assert.equal(other.status, 409);
    const bearer = { authorization: `Bearer ${first.token}` };
    const taught = await send(fetch, `/sessions/${first.session}/examples`, examples, bearer);
    assert.equal(taught.status, 200);
    const { units } = await taught.json();
    assert.equal(units.left, 990 - units.charged);
    await restart('SIGKILL');
    const again = await send(fetch, '/sessions', opening, { ...paid, ...key });
    assert.equal(again.status, 201, await again.clone().text());
    const reopened = await again.json();
    assert.equal(reopened.units.left, units.left - 10);
    const state = (token) =>
        fetch(`${api.url}/v1/label/sessions/${reopened.session}`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal((await state(first.token)).status, 401);
    assert.equal((await state(reopened.token)).status, 200);
});

test('a transfer that its payer has sent, or signed for too long, is never taken', async () => {
    const payer = stage.payer(accounts[4]);
    const { paid, required } = await sign(payer, '/sessions', opening);
    await move(paid);
    const moved = await send(fetch, '/sessions', opening, { ...paid, ...newKey() });
    assert.equal(moved.status, 409, await moved.text());
    const offer = exact(required.accepts);
    const accepts = [{ ...offer, maxTimeoutSeconds: 100_000 }];
    const payload = await payer.client.createPaymentPayload({ ...required, accepts });
    const value = Buffer.from(JSON.stringify({ ...payload, accepted: offer })).toString('base64');
    const long = await send(fetch, '/sessions', opening, { 'payment-signature': value });
    assert.equal((await long.json()).error, 'invalid_exact_evm_payload_authorization_valid_before');
});

test('nobody pays again while a transfer that others sent is pending', async () => {
    const payer = stage.payer(accounts[8]);
    const key = newKey();
    const { paid } = await sign(payer, '/sessions', opening);
    const pay = () => send(fetch, '/sessions', opening, { ...paid, ...key });
    await stage.test.setAutomine(false);
    await stage.wallet(accounts[0]).writeContract({ ...moving(paid), gas: 200_000n });
    const pending = await pay();
    assert.equal(pending.status, 503, await pending.clone().text());
    assert.equal((await pending.json()).type, '/problems/payment-pending');
    assert.ok(!pending.headers.has('payment-required'));
    await stage.test.mine({ blocks: 1 });
    assert.equal((await pay()).status, 409);

    // Another pending transaction of the payer is no payment.
    const next = await sign(payer, '/sessions', opening);
    const rest = await stage.balance(payer.account.address);
    const call = { ...stage.token, functionName: 'transfer', args: [accounts[0].address, rest], gas: 100_000n };
    await stage.wallet(payer.account).writeContract(call);
    const refused = await send(fetch, '/sessions', opening, { ...next.paid, ...newKey() });
    assert.equal(refused.status, 402, await refused.clone().text());
    assert.equal((await refused.json()).error, 'invalid_exact_evm_transaction_simulation_failed');
    await stage.test.mine({ blocks: 1 });
    await stage.test.setAutomine(true);
    await stage.write(accounts[0], stage.token, 'transfer', [payer.account.address, rest]);
});

test('a payment that the database did not store is taken by a repetition', async () => {
    const payer = stage.payer(accounts[2]);
    const { paid } = await sign(payer, '/sessions', opening);
    const had = await host();
    stage.sql('ALTER TABLE payment_names RENAME TO elsewhere');
    const failed = await send(fetch, '/sessions', opening, { ...paid, ...newKey() });
    stage.sql('ALTER TABLE elsewhere RENAME TO payment_names');
    assert.equal(failed.status, 503, await failed.clone().text());
    assert.equal(await host(), had);
    const key = newKey();
    let opened;
    for (let tries = 0; tries < 3 && opened?.status !== 201; tries++) {
        opened = await send(fetch, '/sessions', opening, { ...paid, ...key });
        assert.ok([201, 503].includes(opened.status), await opened.clone().text());
    }
    assert.equal(opened.status, 201);
    assert.equal(await host(), had + PRICE);
});

test('a payment that is presented twice at once is sent once, and pending for both', async () => {
    let release;
    const gate = new Promise((resolve) => (release = resolve));
    let isSlow = false;
    const node = await stage.proxy(async ({ method, params }) => {
        if (isSlow && method === 'eth_getBlockByNumber' && params[0] === 'pending') await gate;
    });
    const other = await stage.serve(sections.replace(`= ${HOST}`, '= 8'), { node, name: 'gate' });
    const post = opener(other);
    const asked = await post({});
    const payload = await stage.payer(accounts[7]).client.createPaymentPayload(header(asked, 'payment-required'));
    const paid = { 'payment-signature': Buffer.from(JSON.stringify(payload)).toString('base64'), ...newKey() };
    await stage.test.setAutomine(false);
    // The first one has begun, and asks the node for the time as long as the other one takes.
    isSlow = true;
    const slow = post(paid);
    await pause(1_000);
    isSlow = false;
    const fast = await post(paid);
    assert.equal(fast.status, 503, await fast.text());
    release();
    const late = await slow;
    assert.equal(late.status, 503, await late.text());
    await stage.test.setAutomine(true);
    await stage.test.mine({ blocks: 1 });
    let opened;
    for (let tries = 0; tries < 50 && opened?.status !== 201; tries++) {
        await pause(200);
        opened = await post(paid);
        assert.ok([201, 503].includes(opened.status), await opened.clone().text());
    }
    assert.equal(opened.status, 201);
    await end(other.child);
});

test('a session that is restored keeps the units of its closed account', async () => {
    const payer = stage.payer(accounts[6]);
    const session = await open(payer);
    const secret = { 'snapshot-secret': randomBytes(32).toString('hex') };
    const sealed = await send(fetch, `/sessions/${session.session}/snapshots`, undefined, { ...session.bearer, ...secret });
    assert.equal(sealed.status, 200);
    const closed = await (await session.call('close', {})).json();
    assert.deepEqual([closed.units.left, closed.refunds], [990, []]);
    const path = `/v1/label/sessions/restore?session=${session.session}`;
    const body = await sealed.arrayBuffer();
    const restored = await fetch(`${api.url}${path}`, { method: 'POST', body, headers: { ...session.bearer, ...secret } });
    assert.equal(restored.status, 200, await restored.clone().text());
    assert.equal((await restored.json()).units.left, 980);
    await stage.test.mine({ blocks: FINAL + 1 });
    // The coordinator looks at closed accounts every five seconds.
    await pause(7_000);
    const state = await fetch(`${api.url}/v1/label/sessions/${session.session}`, { headers: session.bearer });
    assert.equal((await state.json()).units.left, 980);
});

test('an opening without a key that outlives its request goes back to its payer', async () => {
    const other = await stage.serve(`timeout = "1 s"\n${sections.replace(`= ${HOST}`, '= 8')}`, { name: 'hasty' });
    const payer = stage.payer(accounts[7]);
    const post = opener(other);
    const asked = await post({});
    const payload = await payer.client.createPaymentPayload(header(asked, 'payment-required'));
    const had = await stage.balance(payer.account.address);
    await stage.test.setAutomine(false);
    const paid = { 'payment-signature': Buffer.from(JSON.stringify(payload)).toString('base64') };
    const late = await post(paid);
    const problem = await late.json();
    assert.deepEqual([late.status, problem.type], [503, '/problems/payment-pending']);
    assert.ok(Number(late.headers.get('retry-after')) > 0);
    await stage.test.setAutomine(true);
    await stage.test.mine({ blocks: 1 });
    assert.equal(await stage.balance(payer.account.address), had - PRICE);
    await pause(1_500);
    await stage.test.mine({ blocks: FINAL + 1 });
    let now;
    for (let tries = 0; tries < 75 && now !== had - FEE - OPENING; tries++) {
        await pause(200);
        now = await stage.balance(payer.account.address);
    }
    assert.equal(now, had - FEE - OPENING);
    await end(other.child);
});

test('a payer has one pending payment, and a second one waits for its turn', async () => {
    const payer = stage.payer(accounts[6]);
    const had = await host();
    const payments = [];
    for (let count = 0; count < 2; count++) {
        payments.push({ ...(await sign(payer, '/sessions', opening)).paid, ...newKey() });
    }
    await stage.test.setAutomine(false);
    for (const paid of payments) {
        const pending = await send(fetch, '/sessions', opening, paid);
        assert.equal(pending.status, 503, await pending.clone().text());
        assert.equal((await pending.json()).type, '/problems/payment-pending');
    }
    await stage.test.setAutomine(true);
    await stage.test.mine({ blocks: 1 });
    assert.equal(await host(), had + PRICE);
    for (const paid of payments) {
        let opened;
        for (let tries = 0; tries < 50 && opened?.status !== 201; tries++) {
            await pause(200);
            opened = await send(fetch, '/sessions', opening, paid);
            assert.ok([201, 503].includes(opened.status), await opened.clone().text());
        }
        assert.equal(opened.status, 201);
    }
    assert.equal(await host(), had + 2n * PRICE);
});

test('a host bounds what payments cost it, and asks for a key where no money goes back', async () => {
    const bounds = [`pay_to = "${accounts[0].address}"`, 'min_purchase = 2000', 'max_daily_failures = 1'];
    const own = sections.replace('min_purchase = 10', bounds.join('\n')).replace(`= ${HOST}`, '= 8');
    const other = await stage.serve(own, { name: 'bounds' });
    const post = opener(other);
    const signed = async (account) => {
        const required = header(await post({}), 'payment-required');
        const offer = exact(required.accepts);
        // The smallest purchase is offered, whatever the caller asks for.
        assert.deepEqual([offer.amount, offer.extra.units], [String(2n * PRICE), 2_000]);
        assert.equal(offer.extra.refundFee, undefined);
        assert.equal(required.extensions['payment-identifier'].info.required, true);
        const payload = await stage.payer(account).client.createPaymentPayload(required);
        return { 'payment-signature': Buffer.from(JSON.stringify(payload)).toString('base64') };
    };
    const paid = await signed(accounts[7]);
    const had = await stage.balance(accounts[7].address);
    const refused = await post(paid);
    assert.equal(refused.status, 400, await refused.clone().text());
    assert.equal(await stage.balance(accounts[7].address), had);
    const opened = await post({ ...paid, ...newKey() });
    assert.equal(opened.status, 201, await opened.clone().text());
    assert.equal((await opened.json()).units.left, 1_990);

    // The payer spends its tokens before the transaction is included, which then fails.
    const cheat = await signed(accounts[7]);
    await stage.test.setAutomine(false);
    const pending = post({ ...cheat, ...newKey() });
    await pause(500);
    const rest = await stage.balance(accounts[7].address);
    const call = { ...stage.token, functionName: 'transfer', args: [accounts[0].address, rest] };
    const fees = { maxFeePerGas: 10n ** 12n, maxPriorityFeePerGas: 10n ** 11n, gas: 100_000n };
    await stage.wallet(accounts[7]).writeContract({ ...call, ...fees });
    await stage.test.mine({ blocks: 1 });
    await stage.test.setAutomine(true);
    assert.equal((await pending).status, 503);
    const next = await post({ ...(await signed(accounts[6])), ...newKey() });
    assert.deepEqual([next.status, (await next.json()).type], [503, '/problems/unavailable']);
    await end(other.child);
});

test('a client never has more sessions than it may, and gets an open one back when it has all', async () => {
    const own = sections.replace('enabled = true', 'enabled = true\nmax_client_sessions = 2').replace(`= ${HOST}`, '= 8');
    const other = await stage.serve(own, { name: 'places' });
    const post = opener(other);
    const payments = [];
    for (const account of [accounts[1], accounts[2], accounts[3], accounts[6]]) {
        const required = header(await post({}), 'payment-required');
        const payload = await stage.payer(account).client.createPaymentPayload(required);
        const value = Buffer.from(JSON.stringify(payload)).toString('base64');
        payments.push({ 'payment-signature': value, ...newKey() });
    }
    const had = await stage.balance(accounts[8].address);
    await stage.test.setAutomine(false);
    const sent = payments.map((paid) => post(paid));
    await pause(1_000);
    await stage.test.mine({ blocks: 1 });
    await stage.test.setAutomine(true);
    const answers = await Promise.all(sent);
    const count = (status) => answers.filter((answer) => answer.status === status).length;
    assert.deepEqual([count(201), count(429)], [2, 2]);
    // Those for which there was no room have paid nothing.
    assert.equal(await stage.balance(accounts[8].address), had + 2n * PRICE);
    const paid = answers.findIndex((answer) => answer.status === 201);
    const again = await post(payments[paid]);
    assert.equal(again.status, 201, await again.clone().text());
    assert.equal((await again.json()).session, (await answers[paid].json()).session);
    await end(other.child);
});

test('a call whose payment bought units tells so, also if its work fails', async () => {
    const payer = stage.payer(accounts[3]);
    const session = await open(payer, { ...opening, units: 10 });
    const path = `/sessions/${session.session}/predictions`;
    // Only the model can tell that this number is too large.
    const wrong = { rows: [[0, 1e200]] };
    const { paid } = await sign(payer, path, wrong, session.bearer);
    const failed = await send(fetch, path, wrong, { ...paid, ...session.bearer });
    assert.equal(failed.status, 422, await failed.clone().text());
    const settled = header(failed, 'payment-response');
    assert.deepEqual([settled.success, settled.amount], [true, String(PRICE)]);
});

test('a body that does not fit its session buys, reserves and charges nothing', async () => {
    const payer = stage.payer(accounts[3]);
    const session = await open(payer, { ...opening, units: 10 });
    const { paid } = await sign(payer, `/sessions/${session.session}/predictions`, { rows: [[0, 1]] }, session.bearer);
    // Payments of other tests become final meanwhile.
    const statement = `SELECT count(*) FROM payment_entries WHERE CAST(entry AS TEXT) LIKE '{"reserved"%'`;
    const reserved = () => query(join(stage.folder, 'cotrain.sqlite'), statement)[0][0];
    const [had, before] = [await host(), reserved()];
    assert.ok(before > 0);
    for (const [call, body] of [
        ['predictions', { rows: [[0, 1, 2]] }],
        ['examples', { rows: [{ x: [0, 1], y: 2 }] }],
        ['examples', { rows: [{ x: [0], y: 1 }] }],
        ['decisions', { rows: [[0, 1]] }],
        ['queries', { rows: [[0, 1, 2]], count: 1 }],
        ['pools', { rows: [[0, 1, 2]] }],
    ]) {
        const refused = await session.call(call, body, paid);
        assert.equal(refused.status, 422, await refused.clone().text());
        assert.equal(header(refused, 'payment-response'), null);
    }
    assert.deepEqual([await host(), reserved()], [had, before]);
    // The payment is still good.
    assert.equal((await session.call('predictions', { rows: [[0, 1]] }, paid)).status, 200);
    assert.equal(await host(), had + PRICE);
});

test('a payment that can never count is answered with its result', async () => {
    const payer = stage.payer(accounts[6]);
    const { paid } = await sign(payer, '/sessions', opening);
    const key = newKey();
    await stage.test.setAutomine(false);
    const pending = send(fetch, '/sessions', opening, { ...paid, ...key });
    await pause(500);
    // The payer cancels its transfer before the transaction is included.
    const { authorization } = JSON.parse(Buffer.from(paid['payment-signature'], 'base64')).payload;
    const message = { authorizer: payer.account.address, nonce: authorization.nonce };
    const fields = [
        { name: 'authorizer', type: 'address' },
        { name: 'nonce', type: 'bytes32' },
    ];
    const signature = await payer.account.signTypedData({
        domain: { ...TOKEN_DOMAIN, chainId: 31337, verifyingContract: stage.token.address },
        types: { CancelAuthorization: fields },
        primaryType: 'CancelAuthorization',
        message,
    });
    const { r, s, v } = parseSignature(signature);
    const args = [payer.account.address, authorization.nonce, Number(v), r, s];
    const fees = { maxFeePerGas: 10n ** 12n, maxPriorityFeePerGas: 10n ** 11n, gas: 100_000n };
    const call = { ...stage.token, functionName: 'cancelAuthorization', args, ...fees };
    await stage.wallet(accounts[0]).writeContract(call);
    await stage.test.mine({ blocks: 1 });
    await stage.test.setAutomine(true);
    assert.equal((await pending).status, 503);
    await stage.test.mine({ blocks: FINAL + 1 });
    let answer;
    for (let tries = 0; tries < 50 && answer?.status !== 402; tries++) {
        await pause(200);
        answer = await send(fetch, '/sessions', opening, { ...paid, ...key });
    }
    assert.equal(answer.status, 402);
    const result = header(answer, 'payment-response');
    assert.deepEqual(
        [result.success, result.errorReason, result.payer],
        [false, 'invalid_exact_evm_transaction_failed', payer.account.address],
    );
    assert.ok(answer.headers.has('payment-required'));
});

test('units of a payment that a reorganization removed wait for evidence, and no one pays again', async () => {
    const payer = stage.payer(accounts[1]);
    const { paid } = await sign(payer, '/sessions', opening);
    const had = await host();
    const id = await stage.test.snapshot();
    const opened = await (await send(fetch, '/sessions', opening, { ...paid, ...newKey() })).json();
    assert.equal(await host(), had + PRICE);
    await stage.test.revert({ id });
    assert.equal(await host(), had);
    // A chain that is shorter may be that of a node that lags. Now another block is in its place.
    await stage.test.mine({ blocks: 1 });
    const bearer = { authorization: `Bearer ${opened.token}` };
    let answer;
    const until = async (status) => {
        for (let tries = 0; tries < 80 && answer?.status !== status; tries++) {
            await pause(250);
            answer = await send(fetch, `/sessions/${opened.session}/predictions`, { rows: [[0, 1]] }, bearer);
            assert.ok([200, 503].includes(answer.status), await answer.clone().text());
        }
        assert.equal(answer.status, status);
    };
    await until(503);
    assert.ok(answer.headers.has('retry-after') && !answer.headers.has('payment-required'));
    // Whoever sends the transfer, it is the same evidence.
    await move(paid);
    await until(200);
    assert.equal(await host(), had + PRICE);
});
