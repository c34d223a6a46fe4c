// Measures paid decisions of a coordinator, as `name<TAB>value<TAB>unit` on stdout.
//
// 64 channels have a session each, with 64 features and 10 classes. Each client sends a decision with a
// voucher that was signed before, waits for the answer, and sends the next: at a given rate for all, then
// at once. The coordinator stores each reservation and each charge before it answers. Clients, coordinator
// and node share the machine.
import assert from 'node:assert/strict';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { signVoucher } from '@x402/evm/batch-settlement/client';
import { HOST, NETWORK, Stage, accounts, header } from './support.mjs';

const CHANNELS = 64;
const FEATURES = 64;
const CLASSES = 10;
/** Decisions of each channel at the rate and when all are called at once, and of one that is called alone. */
const PACED = 300;
const DECISIONS = 300;
const ALONE = 300;
/** Decisions a second of all channels together. */
const RATE = 2_000;
const LABELS = 40;
const UNIT = 7n;

const JSON_TYPE = { 'content-type': 'application/json' };
const agent = new Agent({ keepAlive: true, maxSockets: CHANNELS });
const row = (seed) => Array.from({ length: FEATURES }, (_, index) => ((seed * 31 + index * 17) % 97) / 97);

/** Sends a request, and returns its time in milliseconds. */
function time({ url, headers, body }) {
    return new Promise((resolve, reject) => {
        const begun = performance.now();
        const sent = request(url, { method: 'POST', agent, headers }, (answer) => {
            const chunks = [];
            answer.on('data', (data) => chunks.push(data));
            answer.on('end', () => {
                const took = performance.now() - begun;
                if (answer.statusCode === 200) resolve(took);
                else reject(new Error(`${answer.statusCode} ${Buffer.concat(chunks)}`));
            });
        });
        sent.on('error', reject);
        sent.end(body);
    });
}

/** Opens a channel with a session, and signs vouchers for its decisions. */
async function prepare(stage, api, index) {
    const salt = `0x${index.toString(16).padStart(64, '0')}`;
    const payer = stage.payer(accounts[0], 'batch-settlement', { salt });
    const url = (path) => `${api.url}/v1/label/sessions${path}`;
    const post = async (path, content, headers = {}, fetcher = payer.fetch) => {
        const body = JSON.stringify(content);
        return fetcher(url(path), { method: 'POST', body, headers: { ...JSON_TYPE, ...headers } });
    };
    const threshold = { measure: 'margin', uncertainty: 0.5 };
    const opened = await post('', { features: FEATURES, classes: CLASSES, threshold });
    assert.equal(opened.status, 201, await opened.clone().text());
    const { session, token } = await opened.json();
    const bearer = { authorization: `Bearer ${token}` };
    const rows = Array.from({ length: LABELS }, (_, label) => ({ x: row(label), y: label % CLASSES }));
    const taught = await post(`/${session}/examples`, { rows }, bearer);
    assert.equal(taught.status, 200, await taught.clone().text());
    let total = BigInt(header(taught, 'PAYMENT-RESPONSE').extra.channelState.chargedCumulativeAmount);

    const content = { rows: [row(index)] };
    const asked = await post(`/${session}/decisions`, content, bearer, fetch);
    const payment = await payer.client.createPaymentPayload(header(asked, 'PAYMENT-REQUIRED'));
    assert.equal(payment.payload.type, 'voucher');
    const body = JSON.stringify(content);
    const calls = [];
    for (let count = 0; count < PACED + DECISIONS + (index === 0 ? ALONE : 0); count++) {
        total += UNIT;
        const { channelId } = payment.payload.voucher;
        const voucher = await signVoucher(payer.account, channelId, String(total), NETWORK);
        const signed = { ...payment, payload: { ...payment.payload, voucher } };
        const paid = { 'payment-signature': Buffer.from(JSON.stringify(signed)).toString('base64') };
        calls.push({ url: url(`/${session}/decisions`), body, headers: { ...JSON_TYPE, ...bearer, ...paid } });
    }
    return calls;
}

function p99(times) {
    times.sort((one, other) => one - other);
    return times[Math.floor((times.length * 99) / 100)].toFixed(3);
}

const stage = await Stage.open();
try {
    const api = await stage.serve(
        [
            '[labels]',
            'enabled = true',
            `max_client_sessions = ${CHANNELS}`,
            '[x402]',
            `development = ${HOST}`,
            // The token is younger than a block that is final by default.
            'final_after = 10000',
            `assets = ["${stage.token.address}; Test Dollar; 1; 6; ${UNIT}/1; 0"]`,
        ].join('\n'),
    );
    const channels = [];
    for (let index = 0; index < CHANNELS; index++) channels.push(await prepare(stage, api, index));
    const alone = [];
    for (const call of channels[0].splice(0, ALONE)) alone.push(await time(call));
    console.log(`label_paid_decision_p99_alone\t${p99(alone)}\tmilliseconds`);

    // Times are from when a call was due: one that waits for the call before it counts the wait, too.
    const paced = [];
    const start = performance.now();
    const due = async (calls, index) => {
        for (let count = 0; count < PACED; count++) {
            const at = start + (1_000 * (count * CHANNELS + index)) / RATE;
            await sleep(Math.max(0, at - performance.now()));
            await time(calls.shift());
            paced.push(performance.now() - at);
        }
    };
    await Promise.all(channels.map(due));
    console.log(`label_paid_decision_p99_at_${RATE}_a_second\t${p99(paced)}\tmilliseconds`);

    const times = [];
    const begun = performance.now();
    const client = async (calls) => {
        for (const call of calls) times.push(await time(call));
    };
    await Promise.all(channels.map(client));
    const seconds = (performance.now() - begun) / 1_000;
    assert.equal(times.length, CHANNELS * DECISIONS);
    console.log(`label_paid_decisions\t${Math.round(times.length / seconds)}\ta second`);
    console.log(`label_paid_decision_p99\t${p99(times)}\tmilliseconds`);
} finally {
    agent.destroy();
    await stage.close();
}
