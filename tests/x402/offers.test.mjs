// Offers of the labeling service, settled by the official facilitator.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { decodeFunctionResult, encodeFunctionResult, getAddress } from 'viem';
import { x402Facilitator } from '@x402/core/facilitator';
import { toFacilitatorEvmSigner } from '@x402/evm';
import { BatchSettlementEvmScheme } from '@x402/evm/batch-settlement/facilitator';
import { ExactEvmScheme } from '@x402/evm/exact/facilitator';
import { validateDiscoveryExtension, validateDiscoveryExtensionSpec } from '@x402/extensions/bazaar';
import { HOST, NETWORK, Stage, accounts, header } from './support.mjs';

const MULTICALL = '0xcA11bde05977b3631167028862bE2a173976CA11';
const SELLER = accounts[2];
const OPENING = { features: 2, classes: 2 };

let stage, api, facilitator;

before(async () => {
    stage = await Stage.open();
    api = await stage.serve(
        [
            '[labels]',
            'enabled = true',
            '[x402]',
            `development = ${HOST}`,
            `pay_to = "${SELLER.address}"`,
            'patience = "2 s"',
            `assets = ["${stage.token.address}; Test Dollar; 1; 6; 7/1; 0"]`,
        ].join('\n'),
    );
    facilitator = official();
});

after(() => stage?.close());

/** Makes the official facilitator, which pays gas from account 8. */
function official() {
    const wallet = stage.wallet(accounts[8]);
    const { reader } = stage;
    const signer = toFacilitatorEvmSigner({
        address: accounts[8].address,
        readContract: (call) => (getAddress(call.address) === MULTICALL ? aggregate(call) : reader.readContract(call)),
        verifyTypedData: (args) => reader.verifyTypedData(args),
        writeContract: (args) => wallet.writeContract(args),
        sendTransaction: (args) => wallet.sendTransaction(args),
        waitForTransactionReceipt: (args) => reader.waitForTransactionReceipt(args),
        getCode: (args) => reader.getCode(args),
    });
    return new x402Facilitator()
        .register(NETWORK, new ExactEvmScheme(signer))
        .register(NETWORK, new BatchSettlementEvmScheme(signer));
}

/** Makes the calls that Multicall3 would: a new node does not have that contract. */
async function aggregate({ abi, functionName, args: [, calls] }) {
    const results = [];
    for (const { target, callData } of calls) {
        try {
            const { data } = await stage.reader.call({ to: target, data: callData });
            results.push({ success: true, returnData: data ?? '0x' });
        } catch {
            results.push({ success: false, returnData: '0x' });
        }
    }
    return decodeFunctionResult({ abi, functionName, data: encodeFunctionResult({ abi, functionName, result: results }) });
}

function open(fetching, headers = {}) {
    return fetching(`${api.url}/v1/label/sessions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(OPENING),
    });
}

/** Signs a payment for the offer of an opening with this scheme. */
async function signed(payer, scheme) {
    const required = header(await open(fetch), 'PAYMENT-REQUIRED');
    const accepts = required.accepts.filter((offer) => offer.scheme === scheme);
    const payment = await payer.client.createPaymentPayload({ ...required, accepts });
    return { payment, offer: accepts[0] };
}

test('exact offers are settled by the official facilitator', async () => {
    const { payment, offer } = await signed(stage.payer(accounts[0]), 'exact');
    const before = await stage.balance(SELLER.address);
    const verified = await facilitator.verify(payment, offer);
    assert.equal(verified.isValid, true, JSON.stringify(verified));
    const settled = await facilitator.settle(payment, offer);
    assert.equal(settled.success, true, JSON.stringify(settled));
    assert.equal(await stage.balance(SELLER.address), before + BigInt(offer.amount));
});

test('channel offers get their deposit from the official facilitator, and calls are paid out of it', async () => {
    const payer = stage.payer(accounts[1], 'batch-settlement');
    const { payment, offer } = await signed(payer, 'batch-settlement');
    assert.equal(payment.payload.type, 'deposit');
    const verified = await facilitator.verify(payment, offer);
    assert.equal(verified.isValid, true, JSON.stringify(verified));
    const settled = await facilitator.settle(payment, offer);
    assert.equal(settled.success, true, JSON.stringify(settled));

    // The same payment finds its deposit made, and is charged once.
    const before = await stage.balance(accounts[1].address);
    const proof = Buffer.from(JSON.stringify(payment)).toString('base64');
    const opened = await open(fetch, { 'PAYMENT-SIGNATURE': proof });
    assert.equal(opened.status, 201, `${await opened.clone().text()} ${api.log().slice(-3000)}`);
    const { extra } = header(opened, 'PAYMENT-RESPONSE');
    assert.equal(extra.channelState.chargedCumulativeAmount, offer.amount);
    assert.equal(extra.channelState.balance, payment.payload.deposit.amount);
    assert.equal(await stage.balance(accounts[1].address), before);
});

test('channel payments whose deposit is not mined in time are pending, and end by the same payment', async () => {
    const payer = stage.payer(accounts[3], 'batch-settlement');
    const { payment } = await signed(payer, 'batch-settlement');
    const proof = { 'PAYMENT-SIGNATURE': Buffer.from(JSON.stringify(payment)).toString('base64') };
    const before = await stage.balance(accounts[3].address);
    await stage.test.setAutomine(false);
    let answer;
    try {
        answer = await open(fetch, proof);
    } finally {
        await stage.test.mine({ blocks: 1 });
        await stage.test.setAutomine(true);
    }
    assert.equal(answer.status, 503, await answer.text());
    assert.ok(Number(answer.headers.get('retry-after')) > 0);
    assert.equal(header(answer, 'PAYMENT-REQUIRED'), null, 'nobody is asked to pay again');
    const opened = await open(fetch, proof);
    assert.equal(opened.status, 201, `${await opened.clone().text()} ${api.log().slice(-3000)}`);
    const deposit = BigInt(payment.payload.deposit.amount);
    assert.equal(await stage.balance(accounts[3].address), before - deposit);
    const settled = header(opened, 'PAYMENT-RESPONSE');
    assert.equal(settled.amount, String(deposit));
});

test('channel payments of two sessions at once: one is charged, the other is told that the channel is busy', async () => {
    const payer = stage.payer(accounts[4], 'batch-settlement');
    assert.equal((await open(payer.fetch)).status, 201);
    const { payment, offer } = await signed(payer, 'batch-settlement');
    assert.equal(payment.payload.type, 'voucher');
    const proof = { 'PAYMENT-SIGNATURE': Buffer.from(JSON.stringify(payment)).toString('base64') };
    const all = await Promise.all(Array.from({ length: 6 }, () => open(fetch, proof)));
    const charged = all.filter((answer) => answer.status === 201);
    assert.equal(charged.length, 1, all.map((answer) => answer.status).join());
    const { extra } = header(charged[0], 'PAYMENT-RESPONSE');
    assert.equal(extra.channelState.chargedCumulativeAmount, String(2n * BigInt(offer.amount)));
    for (const answer of all.filter((answer) => answer.status !== 201)) {
        const word = header(answer, 'PAYMENT-REQUIRED')?.error;
        assert.match(word, /channel_busy$|cumulative_amount_mismatch$/);
        assert.equal(header(answer, 'PAYMENT-RESPONSE'), null);
    }
});

test('labels describe their opening to catalogs, and take payments that repeat it', async () => {
    const answer = await open(fetch);
    assert.ok(answer.headers.get('PAYMENT-REQUIRED').length <= 8_192);
    const { bazaar } = header(answer, 'PAYMENT-REQUIRED').extensions;
    for (const validate of [validateDiscoveryExtension, validateDiscoveryExtensionSpec]) {
        const result = validate(bazaar);
        assert.equal(result.valid, true, JSON.stringify(result));
    }
    assert.deepEqual(bazaar.info.input.body, OPENING);
    // The description of a body without its features is another one.
    const wrong = structuredClone(bazaar);
    wrong.info.input.body = { classes: 2 };
    assert.equal(validateDiscoveryExtension(wrong).valid, false);

    const payer = stage.payer(accounts[3]);
    let sent;
    payer.client.onAfterPaymentCreation(async ({ paymentPayload }) => {
        sent = paymentPayload;
    });
    // Without an id, a payment without refunds would be refused.
    const opened = await open(payer.fetch, { 'Idempotency-Key': 'opening_of_catalog_1' });
    assert.equal(opened.status, 201, await opened.clone().text());
    assert.deepEqual(sent.extensions.bazaar.schema, bazaar.schema);
    // Calls on the session have none: clients send it with each payment.
    const { session, token } = await opened.json();
    const more = await fetch(`${api.url}/v1/label/sessions/${session}/units`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({ units: 100 }),
    });
    assert.equal(more.status, 402);
    assert.equal(header(more, 'PAYMENT-REQUIRED').extensions.bazaar, undefined);
});

test('serve offers only what can be paid on its chain, and says it', async () => {
    const missing = accounts[7].address;
    const asset = (address) => `"${address}; Test Dollar; 1; 6; 7/1; 0"`;
    const sections = (assets, more = '') =>
        ['[labels]', 'enabled = true', '[x402]', 'development = 7', `assets = [${assets.join(', ')}]`, more].join('\n');
    const assets = [asset(missing), asset(stage.token.address)];
    const some = await stage.serve(sections(assets, `collector = "${missing}"`), { name: 'some' });
    const answer = await fetch(`${some.url}/v1/label/sessions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(OPENING),
    });
    const offers = header(answer, 'PAYMENT-REQUIRED').accepts;
    assert.deepEqual(
        offers.map((offer) => [offer.scheme, getAddress(offer.asset)]),
        [['exact', getAddress(stage.token.address)]],
    );
    assert.match(some.log(), /no channels are offered: `x402.collector`/);
    assert.match(some.log(), /nothing is sold for this token/);
    assert.match(some.log(), /units of labeling work.*learner="?logistic/);
    const none = stage.serve(sections([asset(missing)]), { name: 'none' });
    await assert.rejects(none, /cannot sell labeling work: no token of `x402.assets`/);
});
