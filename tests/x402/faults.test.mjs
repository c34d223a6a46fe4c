// A coordinator that is killed while it sells: no unit and no token is lost, or counted twice.
//
// FAULTS is the number of kills. SEED chooses their times and the kinds of calls.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { HOST, Stage, TOKEN_DOMAIN, accounts, end, header } from './support.mjs';

const FAULTS = Number(process.env.FAULTS ?? 4);
const PAYERS = 3;
const UNITS = 100;
/** Price of a unit, in the token's smallest unit. */
const PRICE = 3n;
/** Maximum cost of a call. */
const MOST = 8;
const opening = { features: 2, classes: 2, units: UNITS };

let state = Number(process.env.SEED ?? 1) >>> 0 || 1;
/** Returns the next random number from 0 to `bound` - 1. */
function random(bound) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
}

let stage, api, sections;
let answered = 0;
let interrupted = 0;

before(async () => {
    stage = await Stage.open();
    const asset = `${stage.token.address}; ${TOKEN_DOMAIN.name}; ${TOKEN_DOMAIN.version}; 6; ${PRICE}/1; 0`;
    sections = `[labels]\nenabled = true\n[x402]\ndevelopment = ${HOST}\nassets = ["${asset}"]\nfinal_after = 2\npatience = "2 s"`;
    api = await stage.serve(sections);
});

after(() => stage?.close());

/** Sends a request until it is answered, whatever happens to the coordinator meanwhile. */
async function insist(path, body, headers) {
    for (let tries = 0; tries < 400; tries++) {
        try {
            const response = await fetch(`${api.url}/v1/label${path}`, {
                method: 'POST',
                body: JSON.stringify(body),
                headers: { 'content-type': 'application/json', ...headers },
            });
            const answer = await response.json();
            answered += 1;
            if (response.status !== 503) return { status: response.status, answer, response };
        } catch {
            // It was killed, and starts again.
            interrupted += 1;
        }
        await pause(50);
    }
    throw new Error(`no answer for ${path}`);
}

class Payer {
    constructor(index) {
        this.official = stage.payer(accounts[index + 1]);
        this.index = index;
        this.number = 0;
        this.spent = 0;
        this.bought = 0;
    }

    key() {
        this.number += 1;
        return { 'idempotency-key': `fault_${this.index}_${String(this.number).padStart(12, '0')}` };
    }

    /** Sends a call with a payment that is signed once. */
    async pay(path, body, headers = {}) {
        const key = this.key();
        const asked = await insist(path, body, headers);
        assert.equal(asked.status, 402, JSON.stringify(asked.answer));
        const payload = await this.official.client.createPaymentPayload(header(asked.response, 'payment-required'));
        const paid = { 'payment-signature': Buffer.from(JSON.stringify(payload)).toString('base64') };
        return insist(path, body, { ...headers, ...key, ...paid });
    }

    async open() {
        const { status, answer } = await this.pay('/sessions', opening);
        assert.equal(status, 201, JSON.stringify(answer));
        this.take(answer);
        this.bought += UNITS;
        this.spent += 10;
    }

    take(answer) {
        this.session = answer.session;
        this.bearer = { authorization: `Bearer ${answer.token ?? this.token}` };
        this.token = answer.token ?? this.token;
    }

    /** Buys units. The session may be gone, but not its account, which the token names. */
    async buy() {
        const { status, answer } = await this.pay(`/sessions/${this.session}/units`, { units: UNITS }, this.bearer);
        assert.equal(status, 200, JSON.stringify(answer));
        this.bought += UNITS;
    }

    /** Does one call of a random kind. */
    async act() {
        if (!this.session) return this.open();
        if (random(16) === 0) return this.buy();
        const body = { rows: [[0, 1], [1, 0]] };
        const { status, answer } = await insist(`/sessions/${this.session}/predictions`, body, {
            ...this.bearer,
            ...this.key(),
        });
        if (status === 200) this.spent += answer.units.charged;
        // The work was charged, and its answer died with the coordinator.
        else if (status === 410) this.spent += answer.charged;
        else if (status === 404) await this.again();
        else assert.equal(status, 402, JSON.stringify(answer));
    }

    /** Begins a new model in the account. */
    async again() {
        const { status, answer } = await insist('/sessions', opening, { ...this.bearer, ...this.key() });
        if (status === 402) return;
        assert.equal(status, 201, JSON.stringify(answer));
        this.take(answer);
        // The call that found no session may have been charged before the kill, once.
        const more = answer.units.spent - this.spent - 10;
        assert.ok(more >= 0 && more <= MOST, `${more} units more`);
        this.spent = answer.units.spent;
    }

    async check() {
        const { status, answer } = await insist('/sessions', opening, { ...this.bearer, ...this.key() });
        if (status === 402) return;
        assert.equal(status, 201, JSON.stringify(answer));
        const { spent, left } = answer.units;
        assert.equal(spent + left, this.bought, 'units bought are spent or left');
        const before = this.spent + answer.units.charged;
        assert.equal(spent, before, 'each call is charged once');
        this.spent = spent;
        this.take(answer);
    }
}

test(`no unit is lost or given twice by ${FAULTS} kills`, async () => {
    const had = await stage.balance(accounts[HOST].address);
    const payers = Array.from({ length: PAYERS }, (_, index) => new Payer(index));
    let working = true;
    const calls = payers.map(async (payer) => {
        for (let call = 0; working; call++) {
            await payer.act();
            if (payer.spent + 2 * MOST > payer.bought) await payer.buy();
            // Others than this machine think between their calls.
            if (call % 8 === 0) await pause(random(20));
        }
    });
    const ended = Promise.all(calls);
    for (let fault = 0; fault < FAULTS; fault++) {
        await Promise.race([ended, pause(random(200))]);
        await end(api.child, 'SIGKILL');
        api = await stage.serve(sections);
    }
    working = false;
    await ended;
    assert.ok(interrupted > 0, 'a kill has interrupted calls');
    console.log(`${interrupted} calls interrupted, ${answered} answered`);
    for (const payer of payers) await payer.check();
    const bought = payers.reduce((sum, payer) => sum + payer.bought, 0);
    assert.equal(await stage.balance(accounts[HOST].address), had + BigInt(bought) * PRICE);
});
