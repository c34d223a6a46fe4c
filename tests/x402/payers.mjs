// Payers of labeling work for the runs with faults: by `exact` and by a channel.
//
// A payer sends each request until it is answered, and notes what its key cost. It also does what a
// careless or dishonest payer does: these are faults, too, and `Run.faults` counts them.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { x402HTTPClient } from '@x402/core/client';
import { parseSignature } from 'viem';
import { readLedger } from './ledger.mjs';
import { header } from './support.mjs';

/** Units that a purchase asks for. */
const UNITS = 100;
/** Units of an opening. */
const OPENED = 10;
/** Maximum number of rows of a call of `exact`, and of one of a channel. A row costs a unit. */
const ROWS = 8;
const CHANNEL_ROWS = 60;
const OPENING = { features: 2, classes: 2 };
/** Number of times that a request is sent before the run fails: two minutes and more. */
const TRIES = 400;

/** Waits before a request is sent again: first shortly, then longer. */
const patience = (tries) => pause(Math.min(50 + 5 * tries, 400));

/** Random numbers that another generator with the same seed repeats. */
export class Random {
    constructor(seed, stream) {
        this.state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca6b)) >>> 0 || 1;
        for (let count = 0; count < 8; count++) this.below(2);
        this.bags = {};
    }

    /** Returns the next number from 0 to `bound` - 1. */
    below(bound) {
        this.state ^= this.state << 13;
        this.state ^= this.state >>> 17;
        this.state ^= this.state << 5;
        return (this.state >>> 0) % bound;
    }

    /** Returns one of the values: each comes once before any comes again. */
    draw(name, values) {
        if (!this.bags[name]?.length) this.bags[name] = [...values];
        const bag = this.bags[name];
        return bag.splice(this.below(bag.length), 1)[0];
    }
}

/** One run: the coordinator as it is now, and what was counted. */
export class Run {
    constructor(stage, seed) {
        this.stage = stage;
        this.seed = seed;
        this.api = undefined;
        this.interrupted = 0;
        this.answered = 0;
        this.faults = {};
        /** `true` once the run has failed, so that its payers end. */
        this.isOver = false;
    }

    count(fault) {
        this.faults[fault] = (this.faults[fault] ?? 0) + 1;
    }

    url(path) {
        return `${this.api.url}/v1/label${path}`;
    }

    /** Returns what the ledger says that a channel was charged. */
    charged(channel) {
        const { accounts, channels } = readLedger(join(this.stage.folder, 'cotrain.sqlite'));
        return accounts.get(channels.get(channel)).charged;
    }

    /** Returns the end of the coordinator's log, without the requests. */
    log() {
        const lines = this.api.log().split('\n').filter((line) => !line.includes('observe: answered'));
        return lines.join('\n').slice(-3_000);
    }

    /** Posts a body until the answer is not 503, whatever happens to the coordinator meanwhile. */
    async insist(path, body, headers, fetcher = fetch, isFinal = () => true) {
        let last;
        for (let tries = 0; tries < TRIES && !this.isOver; tries++) {
            try {
                const response = await fetcher(this.url(path), {
                    method: 'POST',
                    body: JSON.stringify(body),
                    headers: { 'content-type': 'application/json', ...headers },
                });
                const answer = await response.json();
                this.answered += 1;
                last = `${response.status} ${JSON.stringify(answer)}`;
                if (response.status !== 503 && (await isFinal(response, answer))) {
                    return { status: response.status, answer, response };
                }
            } catch (error) {
                // It was killed, and starts again.
                this.interrupted += 1;
                last = `${error.message} ${error.cause?.message ?? ''}`;
            }
            await patience(tries);
        }
        throw new Error(`seed ${this.seed}: no answer for ${path}: ${last}\n${this.log()}`);
    }
}

/** Things that both kinds of payers do. */
class Payer {
    constructor(run, account, index) {
        this.run = run;
        this.account = account;
        this.index = index;
        this.random = new Random(run.seed, index);
        this.number = 0;
        /** Units that each key cost, as its answer said; `null` if the answer leaves it open. */
        this.calls = new Map();
    }

    key() {
        this.number += 1;
        return `fault_${this.index}_${String(this.number).padStart(12, '0')}`;
    }

    rows(most) {
        return { rows: Array.from({ length: 1 + this.random.below(most) }, () => [0.2, 0.9]) };
    }

    predictions() {
        return `/sessions/${this.session}/predictions`;
    }

    /** Notes what the answer to a call says about its cost. Returns `true` if the session is there. */
    note(key, { status, answer }, rows) {
        if (status === 200) {
            assert.equal(answer.units.charged, rows, 'a row costs a unit');
            this.calls.set(key, rows);
        } else if (status === 410) {
            // The work was charged, and its answer died with the coordinator.
            assert.equal(answer.charged, rows, 'a row costs a unit');
            this.calls.set(key, rows);
        } else if (status === 404) {
            // It may have been charged before the session died.
            this.calls.set(key, null);
        } else {
            assert.fail(`seed ${this.run.seed}: ${status} ${JSON.stringify(answer)}`);
        }
        return status !== 404;
    }

    /** Returns the units that the answers said, and the keys that they leave open. */
    told() {
        const costs = [...this.calls.values()];
        const units = costs.reduce((sum, cost) => sum + (cost ?? 0), 0);
        return { units, open: costs.filter((it) => it === null).length };
    }
}

/** Payer that buys units by `exact`. */
export class ExactPayer extends Payer {
    constructor(run, account, index) {
        super(run, account, index);
        this.official = run.stage.payer(account);
        this.bought = 0;
        this.spent = 0;
        /** Transfers that the payer sent before the coordinator had taken them. */
        this.gifts = [];
    }

    /** Returns the tokens that buy nothing. */
    given() {
        return this.gifts.reduce((sum, { amount }) => sum + amount, 0n);
    }

    /** Sends the signed transfer as anyone may, and does not wait for it. */
    async move(payload) {
        const { authorization: it, signature } = payload.payload;
        const { r, s, v } = parseSignature(signature);
        const terms = [it.from, it.to, it.value, it.validAfter, it.validBefore, it.nonce];
        const call = { ...this.run.stage.token, functionName: 'transferWithAuthorization', gas: 200_000n };
        const sender = this.run.stage.wallet(this.account);
        await sender.writeContract({ ...call, args: [...terms, Number(v), r, s] });
        this.run.count('sent by others');
    }

    /** Sends a request with a payment that is signed once. */
    async pay(path, body, headers = {}) {
        const asked = await this.run.insist(path, body, headers);
        assert.equal(asked.status, 402, JSON.stringify(asked.answer));
        const required = header(asked.response, 'payment-required');
        const payload = await this.official.client.createPaymentPayload(required);
        const key = this.key();
        const paid = { 'payment-signature': Buffer.from(JSON.stringify(payload)).toString('base64') };
        let isMoved = false;
        const ours = this.run.insist(path, body, { ...headers, ...paid, 'idempotency-key': key });
        if (this.random.draw('move', [true, false, false, false])) {
            await pause(this.random.below(60));
            isMoved = true;
            // If the coordinator was faster, this transaction reverts.
            await this.move(payload);
        }
        const paidFor = await ours;
        // The tokens may move between the coordinator's looks at the payment.
        assert.notEqual(paidFor.status, 402, `seed ${this.run.seed}: refused though paid or payable`);
        if (paidFor.status === 409 && isMoved) {
            // The payer was faster: what the coordinator has not taken buys nothing.
            const { from, nonce } = payload.payload.authorization;
            this.gifts.push({ payer: from.toLowerCase(), nonce, amount: BigInt(payload.accepted.amount) });
            this.run.count('sent before it was taken');
            return this.pay(path, body, headers);
        }
        // A host may sell no fewer units than its least purchase.
        return { key, units: payload.accepted.extra.units, ...paidFor };
    }

    take(answer) {
        this.session = answer.session;
        this.token = answer.token ?? this.token;
        this.bearer = { authorization: `Bearer ${this.token}` };
    }

    async open() {
        const { key, units, status, answer } = await this.pay('/sessions', { ...OPENING, units: UNITS });
        assert.equal(status, 201, JSON.stringify(answer));
        this.take(answer);
        this.calls.set(key, OPENED);
        this.bought += units;
        this.spent += OPENED;
    }

    /** Buys units. The session may be gone, but not its account, which the token names. */
    async buy() {
        const body = { units: UNITS };
        const { units, status, answer } = await this.pay(`/sessions/${this.session}/units`, body, this.bearer);
        assert.equal(status, 200, JSON.stringify(answer));
        this.bought += units;
    }

    /** Begins a new model in the account, and learns what calls without an answer have cost. */
    async again() {
        const key = this.key();
        const headers = { ...this.bearer, 'idempotency-key': key };
        const { status, answer } = await this.run.insist('/sessions', { ...OPENING, units: UNITS }, headers);
        assert.equal(status, 201, JSON.stringify(answer));
        this.take(answer);
        // The answer to a repeated request tells no cost. The ledger has it.
        this.calls.set(key, answer.units.charged || null);
        this.learn(answer.units);
    }

    /** Takes over the units that were spent, also by calls whose answers were lost. */
    learn({ spent, left }) {
        assert.equal(spent + left, this.bought, `seed ${this.run.seed}: units bought are spent or left`);
        const more = spent - this.spent;
        assert.ok(more >= 0 && more <= OPENED + 2 * ROWS, `seed ${this.run.seed}: ${more} units more`);
        this.spent = spent;
    }

    async predict() {
        const [key, body] = [this.key(), this.rows(ROWS)];
        const headers = { ...this.bearer, 'idempotency-key': key };
        const calls = [this.run.insist(this.predictions(), body, headers)];
        if (this.random.draw('twice', [true, false, false, false, false, false])) {
            // The same request at the same time costs once.
            this.run.count('parallel calls');
            calls.push(this.run.insist(this.predictions(), body, headers));
        }
        const answers = await Promise.all(calls);
        const told = answers.find((it) => it.status !== 404) ?? answers[0];
        this.note(key, told, body.rows.length);
        if (told.status !== 404) this.spent += body.rows.length;
        if (answers.some((it) => it.status === 404)) await this.again();
    }

    async act() {
        if (!this.session) await this.open();
        if (this.bought - this.spent < 2 * ROWS + OPENED || this.random.below(16) === 0) await this.buy();
        else await this.predict();
        // A call may be open only until the next answer with units.
        if (this.random.below(8) === 0) await pause(this.random.below(20));
    }

    /** Closes the session, until its units are gone. */
    async end() {
        if (!this.session) return;
        const path = () => `/sessions/${this.session}/close`;
        for (let tries = 0; tries < 100; tries++) {
            const { status, answer } = await this.run.insist(path(), {}, this.bearer);
            if (status === 404) {
                await this.again();
                continue;
            }
            assert.equal(status, 200, JSON.stringify(answer));
            if (answer.units.left === 0) return;
            await this.run.stage.test.mine({ blocks: 1 });
            await pause(100);
        }
        assert.fail(`seed ${this.run.seed}: units are left after closing`);
    }
}

/** Payer that pays each call by a voucher of its channel. */
export class ChannelPayer extends Payer {
    constructor(run, account, index) {
        super(run, account, index);
        this.install();
    }

    /** Starts the official client with an empty memory. */
    install() {
        this.official = this.run.stage.payer(this.account, 'batch-settlement');
        this.official.client.onAfterPaymentCreation(async ({ paymentPayload }) => {
            const { channelId } = paymentPayload.payload.voucher;
            assert.ok(!this.channel || this.channel === channelId, 'a payer has one channel');
            this.channel = channelId;
            this.config = paymentPayload.payload.channelConfig;
        });
    }

    /** Posts a body until it is done. Each payment is signed once, and repeated until it is answered. */
    async post(path, body, key) {
        const headers = { 'idempotency-key': key };
        if (this.token) headers.authorization = `Bearer ${this.token}`;
        let last;
        for (let refused = 0; refused < 50; refused++) {
            const asked = await this.run.insist(path, body, headers);
            if (asked.status !== 402) return asked;
            const wire = new x402HTTPClient(this.official.client);
            const payment = await this.official.client.createPaymentPayload(header(asked.response, 'PAYMENT-REQUIRED'));
            const paid = { ...headers, ...wire.encodePaymentSignatureHeader(payment) };
            // A refund that was interrupted, or the other of two calls, ends soon.
            const isFinal = (response) =>
                response.status !== 402 ||
                header(response, 'PAYMENT-REQUIRED').error !== 'invalid_batch_settlement_evm_channel_busy';
            const told = await this.run.insist(path, body, paid, fetch, isFinal);
            const answer = (name) => told.response.headers.get(name);
            const { recovered } = await wire.processPaymentResult(payment, answer, told.status);
            if (told.status !== 402) return { ...told, payment };
            last = header(told.response, 'PAYMENT-REQUIRED').error;
            if (!recovered && refused % 5 === 4) {
                // The client believes its memory more than the coordinator, as after a lost refund.
                this.run.count('lost memory');
                this.install();
            }
        }
        throw new Error(`seed ${this.run.seed}: ${path} is refused: ${last}\n${this.run.log()}`);
    }

    async open() {
        const key = this.key();
        this.token = undefined;
        const { status, answer } = await this.post('/sessions', OPENING, key);
        this.calls.set(key, OPENED);
        // The session has died, and its opening was charged: the next one has a new key.
        if (status === 410) return this.open();
        assert.equal(status, 201, JSON.stringify(answer));
        this.session = answer.session;
        this.token = answer.token ?? undefined;
    }

    async predict() {
        const calls = [];
        const parallel = this.random.draw('parallel', [true, false, false, false, false, false]);
        for (let count = 0; count < (parallel ? 2 : 1); count++) {
            const [key, body] = [this.key(), this.rows(CHANNEL_ROWS)];
            calls.push(this.post(this.predictions(), body, key).then((told) => [key, told, body.rows.length]));
        }
        if (parallel) this.run.count('parallel calls');
        let isThere = true;
        for (const [key, told, rows] of await Promise.all(calls)) {
            isThere = this.note(key, told, rows) && isThere;
            if (!parallel && told.status === 200) await this.cheat(told.payment);
        }
        if (!isThere) await this.open();
    }

    /** Sends a voucher again that has paid, or an older one. */
    async cheat(voucher) {
        this.first ??= voucher;
        const old = this.random.draw('cheat', [null, null, null, null, voucher, this.first]);
        if (!old) return;
        const key = this.key();
        const headers = {
            authorization: `Bearer ${this.token}`,
            'idempotency-key': key,
            'payment-signature': Buffer.from(JSON.stringify(old)).toString('base64'),
        };
        const { status, answer } = await this.run.insist(this.predictions(), this.rows(1), headers);
        // The session may have died meanwhile.
        assert.ok([402, 404].includes(status), `seed ${this.run.seed}: ${status} ${JSON.stringify(answer)}`);
        this.calls.set(key, 0);
        this.run.count(old === voucher ? 'reused voucher' : 'smaller voucher');
    }

    /** Returns balance and claims of the channel. */
    onChain() {
        const { stage } = this.run;
        return stage.read(stage.settlement, 'channels', [this.channel]);
    }

    /**
     * Asks the coordinator for what was not charged. Returns `false` if the last refund was a short while
     * ago: the coordinator makes the next one after a minute, or a day if all is claimed.
     */
    async refund() {
        let last;
        for (let tries = 0, busy = 0; tries < TRIES; tries++) {
            try {
                await this.official.scheme.refund(this.run.url('/refund'));
            } catch (error) {
                last = error.message;
            }
            const [balance, claimed] = await this.onChain();
            if (balance === claimed) return true;
            busy = last?.endsWith('channel_busy') ? busy + 1 : 0;
            if (busy === 20) return false;
            if (tries % 10 === 9) this.install();
            await patience(tries);
        }
        throw new Error(`seed ${this.run.seed}: no refund: ${last}\n${this.run.log()}`);
    }

    /** Takes what was not charged without the coordinator, which claims its part before. */
    async withdraw() {
        const { stage } = this.run;
        const [balance, claimed] = await this.onChain();
        // A refund that was interrupted may have been made meanwhile.
        if (balance === claimed) return;
        await stage.write(this.account, stage.settlement, 'initiateWithdraw', [this.config, balance - claimed]);
        for (let tries = 0; (await this.onChain())[1] !== this.run.charged(this.channel); tries++) {
            assert.ok(tries < TRIES, `seed ${this.run.seed}: no claim\n${this.run.log()}`);
            await patience(tries);
        }
        await stage.test.increaseTime({ seconds: this.config.withdrawDelay });
        await stage.test.mine({ blocks: 1 });
        await stage.write(this.account, stage.settlement, 'finalizeWithdraw', [this.config]);
        this.run.count('withdrawal');
    }

    async act() {
        if (!this.session) await this.open();
        if (this.random.below(24) === 0) {
            if (await this.refund()) this.run.count('refund');
        } else {
            await this.predict();
        }
        if (this.random.below(8) === 0) await pause(this.random.below(20));
    }

    async end() {
        if (!this.channel) return;
        if (!(await this.refund())) await this.withdraw();
        const { stage } = this.run;
        await stage.write(this.account, stage.settlement, 'settle', [this.config.receiver, this.config.token]);
    }
}
