// A coordinator that is killed while it sells, on a chain that stalls, with payers that cheat: no unit
// and no token is lost, or counted twice.
//
// FAULTS is the number of kills and stalls. SEED chooses them, and what each payer does.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { readLedger } from './ledger.mjs';
import { ChannelPayer, ExactPayer, Random, Run } from './payers.mjs';
import { HOST, Stage, TOKEN_DOMAIN, accounts, end } from './support.mjs';

const FAULTS = Number(process.env.FAULTS ?? 6);
const SEED = Number(process.env.SEED ?? 1);
/** Price of a unit, in the token's smallest unit. */
const PRICE = 3n;
/** Time within which a coordinator sends a transaction if its payers go on, in milliseconds. */
const SOON = 1_500;
const KINDS = ['kill', 'kill', 'kill before a transaction', 'kill after a transaction', 'stall', 'stall and kill'];

let stage, run, node, config;
/** Kill that waits for a transaction. */
let trap = null;

before(async () => {
    stage = await Stage.open();
    const asset = `${stage.token.address}; ${TOKEN_DOMAIN.name}; ${TOKEN_DOMAIN.version}; 6; ${PRICE}/1; 0`;
    config = [
        '[labels]',
        'enabled = true',
        '[x402]',
        `development = ${HOST}`,
        `assets = ["${asset}"]`,
        'final_after = 2',
        'patience = "2 s"',
        'withdraw_delay = "15 min"',
        'claim_above = 200',
    ].join('\n');
    const isSent = (call) => call.method === 'eth_sendRawTransaction';
    const refuse = (call) => isSent(call) && spring('before') && 'the coordinator is killed';
    node = await stage.proxy(refuse, (call) => isSent(call) && spring('after'));
    run = new Run(stage, SEED);
    await restart();
});

after(() => stage?.close());

async function restart() {
    run.api = await stage.serve(config, { node });
}

async function kill() {
    await end(run.api.child, 'SIGKILL');
    await restart();
}

/** Counts a transaction on its way to the node or back, and kills the coordinator if it is the one. */
function spring(moment) {
    if (trap?.moment !== moment) return false;
    trap.wait -= 1;
    if (trap.wait > 0) return false;
    run.api.child.kill('SIGKILL');
    trap.sprung();
    trap = null;
    return true;
}

/** Kills the coordinator when it has sent some transactions. */
async function killAt(moment, wait) {
    const sprung = new Promise((resolve) => {
        trap = { moment, wait, sprung: resolve };
    });
    await Promise.race([sprung, pause(SOON)]);
    // If it has sent too few, it is killed now.
    trap = null;
    await kill();
}

/** Leaves transactions pending, longer or shorter than a request waits for them. */
async function stall(time, isKilled) {
    await stage.test.setAutomine(false);
    await pause(time);
    if (isKilled) await kill();
    await stage.test.setAutomine(true);
    await stage.test.mine({ blocks: 1 });
}

async function fault(random) {
    const kind = random.draw('kind', KINDS);
    await pause(random.below(200));
    if (kind === 'kill') await kill();
    else if (kind === 'kill before a transaction') await killAt('before', 1 + random.below(4));
    else if (kind === 'kill after a transaction') await killAt('after', 1 + random.below(4));
    else await stall(random.draw('time', [100, 400, 2_500]), kind === 'stall and kill');
    run.count(kind);
}

/** Compares what the ledger has of a payer with what the payer was told. */
function compareCalls(payer, ledger) {
    for (const [key, told] of payer.calls) {
        const charged = ledger.charges.get(key) ?? [];
        assert.ok(charged.length <= 1, `seed ${SEED}: ${key} is charged ${charged.length} times`);
        const [cost = 0] = charged;
        if (told !== null) assert.equal(cost, told, `seed ${SEED}: units of ${key}`);
    }
}

/** Returns the sum of a payer's accounts in the ledger. */
function accountOf(payer, ledger) {
    const address = payer.account.address.toLowerCase();
    const ids = payer.channel ? [ledger.channels.get(payer.channel)] : [...(ledger.payers.get(address) ?? [])];
    assert.equal(ids.length, 1, `seed ${SEED}: a payer has one account`);
    return ledger.accounts.get(ids[0]);
}

test(`labels lose no unit and no token by ${FAULTS} kills and stalls, seed ${SEED}`, async () => {
    const begun = Date.now();
    const host = accounts[HOST].address;
    const payers = [0, 1, 2].flatMap((index) => [
        new ExactPayer(run, accounts[2 * index + 1], 2 * index),
        new ChannelPayer(run, accounts[2 * index + 2], 2 * index + 1),
    ]);
    const addresses = [...payers.map((it) => it.account.address), host];
    const balances = () => Promise.all(addresses.map((it) => stage.balance(it)));
    const had = await balances();
    let working = true;
    const calls = payers.map(async (payer) => {
        while (working) await payer.act();
    });
    const ended = Promise.all(calls);
    const random = new Random(SEED, 99);
    const faults = async () => {
        for (let count = 0; count < FAULTS; count++) await fault(random);
    };
    try {
        await Promise.race([faults(), ended]);
        working = false;
        await ended;
    } catch (error) {
        working = false;
        run.isOver = true;
        throw error;
    }

    // Payments and refunds become final.
    const wanted = (payer, index) => had[index] - BigInt(payer.spent) * PRICE - payer.given();
    for (const [index, payer] of payers.entries()) {
        if (payer.channel) continue;
        await payer.end();
        for (let tries = 0; (await stage.balance(payer.account.address)) !== wanted(payer, index); tries++) {
            assert.ok(tries < 100, `seed ${SEED}: payer ${index} lacks what it has not spent`);
            await stage.test.mine({ blocks: 1 });
            await pause(100);
        }
    }
    // A withdrawal moves the chain's time, so channels come last. The coordinator pays them out.
    for (const payer of payers) if (payer.channel) await payer.end();
    const paid = async () => {
        const [owed, settled] = await stage.read(stage.settlement, 'receivers', [host, stage.token.address]);
        return owed === settled && (await stage.balance(stage.settlement.address)) === 0n;
    };
    for (let tries = 0; !(await paid()); tries++) {
        assert.ok(tries < 100, `seed ${SEED}: the contract keeps tokens\n${run.log()}`);
        await pause(100);
    }
    const has = await balances();
    await end(run.api.child);

    const ledger = readLedger(join(stage.folder, 'cotrain.sqlite'));
    assert.equal(ledger.open, 0, 'each call has ended');
    let [units, openCalls, gifts] = [0, 0, 0n];
    for (const [index, payer] of payers.entries()) {
        compareCalls(payer, ledger);
        const account = accountOf(payer, ledger);
        const given = payer.channel ? 0n : payer.given();
        const gone = had[index] - has[index] - given;
        assert.equal(gone, BigInt(account.spent) * PRICE, `seed ${SEED}: tokens of payer ${index}`);
        if (payer.channel) {
            const [balance, claimed] = await payer.onChain();
            assert.deepEqual([balance, claimed], [gone, gone], `seed ${SEED}: channel of payer ${index}`);
            assert.equal(account.charged, gone, `seed ${SEED}: charges of the channel of payer ${index}`);
        } else {
            for (const gift of payer.gifts) {
                const isTaken = ledger.authorizations.has(`${gift.payer} ${gift.nonce}`);
                assert.ok(!isTaken, `seed ${SEED}: payer ${index} has no units of a payment that was taken`);
            }
            assert.equal(account.spent, payer.spent, `seed ${SEED}: units of payer ${index}`);
            assert.equal(account.bought, payer.bought, `seed ${SEED}: units bought by payer ${index}`);
            assert.equal(account.spent + account.refunded, account.bought, `seed ${SEED}: spent or back`);
            assert.equal(account.paid - account.back, gone, `seed ${SEED}: money of payer ${index}`);
        }
        const told = payer.told();
        assert.ok(account.spent >= told.units, `seed ${SEED}: units that payer ${index} was told`);
        if (!told.open) assert.equal(account.spent, told.units, `seed ${SEED}: units that payer ${index} was told`);
        units += account.spent;
        openCalls += told.open;
        gifts += given;
    }
    const index = payers.length;
    assert.equal(has[index] - had[index], BigInt(units) * PRICE + gifts, `seed ${SEED}: tokens of the host`);
    assert.ok(run.interrupted > 0, 'a kill has interrupted calls');
    for (const kind of FAULTS < KINDS.length ? [] : new Set(KINDS)) assert.ok(run.faults[kind] > 0, kind);
    const summary = {
        seed: SEED,
        seconds: Math.round((Date.now() - begun) / 1_000),
        faults: run.faults,
        answered: run.answered,
        interrupted: run.interrupted,
        open: openCalls,
        units,
        tokens: Number(has[index] - had[index]),
        entries: ledger.entries,
    };
    console.log(`run ${JSON.stringify(summary)}`);
});
