// Sealed snapshots of sessions that are paid for: the coordinator is killed, and each one is restored.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { readLedger } from './ledger.mjs';
import { HOST, Stage, TOKEN_DOMAIN, accounts, end, header } from './support.mjs';

/** Units of an opening, and of a restoring. */
const OPENED = 10;
/** Price of a unit, and the fee of a refund, in the token's smallest unit. */
const UNIT = 3n;
const FEE = 5n;
const FINAL = 4;
const OPENING = { features: 2, classes: 2, units: 1_000 };
const ROWS = [[0.1, 0.8], [0.9, 0.3], [0.4, 0.5]];
const LESSONS = [
    [{ x: [0, 1], y: 0 }, { x: [1, 0], y: 1 }],
    [{ x: [0.5, 0.2], y: 0 }, { x: [0.3, 0.9], y: 1 }],
];

let stage, api, sections;

before(async () => {
    stage = await Stage.open();
    const asset = `${stage.token.address}; ${TOKEN_DOMAIN.name}; ${TOKEN_DOMAIN.version}; 6; ${UNIT}/1; ${FEE}`;
    sections = [
        '[labels]',
        'enabled = true',
        '[x402]',
        `development = ${HOST}`,
        `assets = ["${asset}"]`,
        `final_after = ${FINAL}`,
        'min_purchase = 10',
    ].join('\n');
    api = await stage.serve(sections);
});

after(() => stage?.close());

const path = (rest) => `${api.url}/v1/label/${rest}`;

async function kill() {
    await end(api.child, 'SIGKILL');
    api = await stage.serve(sections);
}

function post(fetcher, url, body, headers = {}) {
    const init = { method: 'POST', body: JSON.stringify(body) };
    return fetcher(url, { ...init, headers: { 'content-type': 'application/json', ...headers } });
}

async function ok(answer, status = 200) {
    assert.equal(answer.status, status, `${await answer.clone().text()}\n${api.log().slice(-3000)}`);
    return answer;
}

/** Opens a session. Its payer sends all of its calls, and has the secret of its snapshots. */
async function open(payer) {
    const { session, token, units } = await (await ok(await post(payer.fetch, path('sessions'), OPENING), 201)).json();
    const bearer = { authorization: `Bearer ${token}` };
    const secret = { 'snapshot-secret': randomBytes(32).toString('hex') };
    const own = { id: session, bearer, secret, units };
    own.call = async (name, body) => (await ok(await post(payer.fetch, path(`sessions/${session}/${name}`), body, own.bearer))).json();
    own.seal = async () => {
        const headers = { ...own.bearer, ...secret };
        const sealed = await ok(await fetch(path(`sessions/${session}/snapshots`), { method: 'POST', headers }));
        return sealed.arrayBuffer();
    };
    own.restore = (body, headers = { ...own.bearer, ...secret }, fetcher = fetch) => {
        const type = { 'content-type': 'application/octet-stream' };
        const url = path(`sessions/restore?session=${session}`);
        return fetcher(url, { method: 'POST', body, headers: { ...type, ...headers } });
    };
    return own;
}

/** Returns the only account in the ledger that an address has paid for. */
function accountOf(payer) {
    const { accounts: all, payers } = readLedger(join(stage.folder, 'cotrain.sqlite'));
    const [own, ...others] = payers.get(payer.account.address.toLowerCase()) ?? [];
    assert.deepEqual([all.has(own), others], [true, []]);
    return all.get(own);
}

test('a session paid by exact is restored after a kill with the units of its ledger, to the unit', async () => {
    const payer = stage.payer(accounts[1]);
    const had = await stage.balance(payer.account.address);
    const session = await open(payer);
    await session.call('examples', { rows: LESSONS[0] });
    const young = await session.call('predictions', { rows: ROWS });
    const old = await session.seal();
    await session.call('examples', { rows: LESSONS[1] });
    const grown = await session.call('predictions', { rows: ROWS });
    assert.notDeepEqual(grown.rows, young.rows);
    const late = await session.seal();
    let { left } = grown.units;

    await kill();
    const gone = await post(fetch, path(`sessions/${session.id}/predictions`), { rows: ROWS }, session.bearer);
    assert.equal(gone.status, 404, await gone.text());
    // Neither a stranger nor another secret opens it, and a refusal costs nothing.
    const stranger = await session.restore(old, session.secret);
    assert.ok([401, 402].includes(stranger.status), await stranger.text());
    const other = { 'snapshot-secret': randomBytes(32).toString('hex') };
    assert.equal((await session.restore(old, { ...session.bearer, ...other })).status, 422);

    // The old snapshot has its rows and its model, and the units of now.
    const first = await (await ok(await session.restore(old))).json();
    left -= OPENED;
    assert.deepEqual([first.session, first.rows, first.units.charged, first.units.left], [session.id, 2, OPENED, left]);
    const asBefore = await session.call('predictions', { rows: ROWS });
    assert.deepEqual(asBefore.rows, young.rows);
    left -= asBefore.units.charged;

    // While it is open, it goes to another snapshot, and pays again.
    const thief = await session.restore(late, session.secret);
    assert.equal(thief.status, 401, await thief.text());
    const second = await (await ok(await session.restore(late))).json();
    left -= OPENED;
    assert.deepEqual([second.rows, second.units.left, second.token], [4, left, null]);
    const asLater = await session.call('predictions', { rows: ROWS });
    assert.deepEqual(asLater.rows, grown.rows);
    left -= asLater.units.charged;
    assert.equal(asLater.units.left, left);

    const ledger = accountOf(payer);
    assert.deepEqual([ledger.bought, ledger.spent, ledger.refunded], [1_000, 1_000 - left, 0]);

    // What is left comes back once, and no snapshot has it any more.
    await stage.test.mine({ blocks: FINAL + 1 });
    let closed;
    for (let tries = 0; tries < 50 && !closed?.refunds?.length; tries++) {
        closed = await (await post(fetch, path(`sessions/${session.id}/close`), {}, session.bearer)).json();
        await pause(200);
    }
    const paid = 1_000n * UNIT - (BigInt(left) * UNIT - FEE);
    for (let tries = 0; tries < 50 && had - (await stage.balance(payer.account.address)) !== paid; tries++) await pause(200);
    assert.equal(had - (await stage.balance(payer.account.address)), paid);
    for (const sealed of [old, late]) {
        const refused = await session.restore(sealed);
        assert.equal(refused.status, 402, await refused.text());
    }
    assert.equal(had - (await stage.balance(payer.account.address)), paid);
});

test('a session paid by a channel is restored after a kill by a voucher, and charged once', async () => {
    const payer = stage.payer(accounts[2], 'batch-settlement');
    const had = await stage.balance(payer.account.address);
    const session = await open(payer);
    let charged = OPENED;
    const call = async (name, body) => {
        const answer = await session.call(name, body);
        charged += answer.units.charged;
        return answer;
    };
    await call('examples', { rows: LESSONS[0] });
    const young = await call('predictions', { rows: ROWS });
    const sealed = await session.seal();
    await call('examples', { rows: LESSONS[1] });

    await kill();
    const restored = await ok(await session.restore(sealed, session.secret, payer.fetch));
    const { extra } = header(restored, 'payment-response');
    const { rows, token, units } = await restored.json();
    charged += OPENED;
    assert.deepEqual([rows, units.charged], [2, OPENED]);
    assert.equal(extra.channelState.chargedCumulativeAmount, String(BigInt(charged) * UNIT));
    // A voucher proves the channel, and questions about the session need the new token.
    session.bearer.authorization = `Bearer ${token}`;
    assert.deepEqual((await call('predictions', { rows: ROWS })).rows, young.rows);
    const own = { ...session.bearer, ...session.secret };
    const again = await (await ok(await session.restore(sealed, own, payer.fetch))).json();
    charged += OPENED;
    assert.deepEqual([again.rows, again.units.charged], [2, OPENED]);

    const refund = await payer.scheme.refund(path('refund'));
    assert.equal(refund.success, true, JSON.stringify(refund));
    assert.equal(had - (await stage.balance(payer.account.address)), BigInt(charged) * UNIT);
    const { channels, accounts: all } = readLedger(join(stage.folder, 'cotrain.sqlite'));
    const paid = [...channels.values()].map((id) => all.get(id));
    assert.deepEqual(paid.map((it) => [it.voucherUnits, it.charged]), [[charged, BigInt(charged) * UNIT]]);
});
