// Prints what the official packages of x402 and viem make, as JSON for the Rust tests.
// It also gives them ours.json, which the Rust tests hold to what our code writes.
//
//   npm ci && npm run vectors
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { concat, encodeFunctionData, hashTypedData, keccak256, pad, toHex } from 'viem';
import { privateKeyToAccount } from 'viem/accounts';
import { x402Client, x402HTTPClient } from '@x402/core/client';
import { ExactEvmScheme } from '@x402/evm/exact/client';
import { BatchSettlementEvmScheme, computeChannelId } from '@x402/evm/batch-settlement/client';
import {
    appendPaymentIdentifierToExtensions,
    declarePaymentIdentifierExtension,
    extractPaymentIdentifier,
} from '@x402/extensions/payment-identifier';
import { declareDiscoveryExtension, validateDiscoveryExtension } from '@x402/extensions/bazaar';

// Clock and random numbers of the packages, fixed.
const NOW = 1_800_000_000;
Date.now = () => NOW * 1000;
let calls = 0;
const random = (bytes) => {
    const seed = Buffer.from(keccak256(toHex(++calls)).slice(2), 'hex');
    return bytes.map((_, index) => seed[index % 32]);
};
Object.defineProperty(globalThis, 'crypto', {
    value: { getRandomValues: (bytes) => (bytes.set(random(bytes)), bytes), subtle: {} },
});

const CHAIN = 31337;
const NETWORK = `eip155:${CHAIN}`;
const SETTLEMENT = '0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003';
const TOKEN = '0x5FbDB2315678afecb367f032d93F642f64180aa3';
// Accounts 0, 1 and 2 of every development node.
const payer = privateKeyToAccount('0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80');
const receiverAuthorizer = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';
const receiver = '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC';

const domain = {
    name: 'x402 Batch Settlement',
    version: '1',
    chainId: CHAIN,
    verifyingContract: SETTLEMENT,
};
const claimTypes = {
    ClaimBatch: [{ name: 'claims', type: 'ClaimEntry[]' }],
    ClaimEntry: [
        { name: 'channelId', type: 'bytes32' },
        { name: 'maxClaimableAmount', type: 'uint128' },
        { name: 'totalClaimed', type: 'uint128' },
    ],
};
const voucherTypes = {
    Voucher: [
        { name: 'channelId', type: 'bytes32' },
        { name: 'maxClaimableAmount', type: 'uint128' },
    ],
};
const refundTypes = {
    Refund: [
        { name: 'channelId', type: 'bytes32' },
        { name: 'nonce', type: 'uint256' },
        { name: 'amount', type: 'uint128' },
    ],
};
const hash = (types, primaryType, message) => hashTypedData({ domain, types, primaryType, message });

const MAX = (1n << 128n) - 1n;
const digests = [0n, 7n, 1_000_000n, MAX].map((number, index) => {
    const config = {
        payer: payer.address,
        payerAuthorizer: index % 2 ? payer.address : '0x0000000000000000000000000000000000000000',
        receiver,
        receiverAuthorizer,
        token: TOKEN,
        withdrawDelay: 900 + index,
        salt: pad(toHex(number)),
    };
    const channelId = computeChannelId(config, NETWORK);
    const claims = [
        { channelId, maxClaimableAmount: number, totalClaimed: number },
        { channelId, maxClaimableAmount: MAX, totalClaimed: 1n },
    ].slice(0, index);
    return {
        config,
        number: number.toString(),
        channelId,
        voucher: hash(voucherTypes, 'Voucher', { channelId, maxClaimableAmount: number }),
        refund: hash(refundTypes, 'Refund', { channelId, nonce: number, amount: number }),
        rows: claims.length,
        claims: hash(claimTypes, 'ClaimBatch', { claims }),
    };
});

const resource = {
    url: 'http://127.0.0.1:8080/v1/label/sessions',
    description: 'A session',
    mimeType: 'application/json',
};
const required = (offer) => ({
    x402Version: 2,
    resource,
    accepts: [offer],
    extensions: { 'payment-identifier': declarePaymentIdentifierExtension(false) },
});
const exactOffer = {
    scheme: 'exact',
    network: NETWORK,
    amount: '1000',
    asset: TOKEN,
    payTo: receiver,
    maxTimeoutSeconds: 60,
    extra: { assetTransferMethod: 'eip3009', name: 'Test Dollar', version: '1' },
};
const batchOffer = {
    scheme: 'batch-settlement',
    network: NETWORK,
    amount: '1000',
    asset: TOKEN,
    payTo: receiver,
    maxTimeoutSeconds: 60,
    extra: {
        assetTransferMethod: 'eip3009',
        name: 'Test Dollar',
        version: '1',
        receiverAuthorizer,
        withdrawDelay: 900,
    },
};

// What the chain says about the channel.
let chain = [0n, 0n];
const batch = new BatchSettlementEvmScheme({
    address: payer.address,
    signTypedData: (typed) => payer.signTypedData(typed),
    readContract: async () => chain,
});
const client = x402Client.fromConfig({
    schemes: [
        { network: 'eip155:*', client: new ExactEvmScheme(payer) },
        { network: 'eip155:*', client: batch },
    ],
    spendControls: {
        allowedAssets: [{ network: NETWORK, asset: TOKEN, maxAmountPerPayment: '2000' }],
    },
});
const http = new x402HTTPClient(client);
const pay = async (offer) => {
    const payment = await client.createPaymentPayload(required(offer));
    payment.extensions = appendPaymentIdentifierToExtensions(
        payment.extensions,
        'pay_7d5d747be160e280504c099d984bcfe0',
    );
    const headers = http.encodePaymentSignatureHeader(payment);
    return { payment, header: headers['PAYMENT-SIGNATURE'] };
};
const answered = (payment, answer) => {
    const header = Buffer.from(JSON.stringify(answer)).toString('base64');
    return http.processPaymentResult(payment, (name) => (name === 'PAYMENT-RESPONSE' ? header : null), 200);
};

const ours = JSON.parse(readFileSync(new URL('ours.json', import.meta.url), 'utf8'));

const exact = await pay(exactOffer);
const deposit = await pay(batchOffer);
// Our answer to the deposit charges less than the price.
await answered(deposit.payment, ours.receipt);
const charged = BigInt(ours.receipt.extra.chargedAmount);
chain = [5000n, 0n];
const voucher = await pay(batchOffer);
assert.equal(voucher.payment.payload.type, 'voucher');
assert.equal(voucher.payment.payload.voucher.maxClaimableAmount, String(charged + 1000n));

// A payer without state begins at the chain's total, and our 402 answer corrects it.
const fresh = new BatchSettlementEvmScheme({
    address: payer.address,
    signTypedData: (typed) => payer.signTypedData(typed),
    readContract: async () => chain,
});
const freshClient = x402Client.fromConfig({
    schemes: [{ network: 'eip155:*', client: fresh }],
    spendControls: false,
});
const freshHttp = new x402HTTPClient(freshClient);
const stale = await freshClient.createPaymentPayload(required(batchOffer));
assert.equal(stale.payload.voucher.maxClaimableAmount, '1000');
const header = Buffer.from(JSON.stringify(ours.corrective)).toString('base64');
const result = await freshHttp.processPaymentResult(
    stale,
    (name) => (name === 'PAYMENT-REQUIRED' ? header : null),
    402,
);
assert.equal(result.recovered, true, 'the official client takes our correction');
const corrected = await freshClient.createPaymentPayload(ours.corrective);
assert.equal(corrected.payload.voucher.maxClaimableAmount, String(charged + 1000n));

// A refund of all that is left: a probe, then the payment.
let refund;
const refunding = async (_url, { headers } = {}) => {
    const sent = headers && (headers['PAYMENT-SIGNATURE'] ?? new Headers(headers).get('PAYMENT-SIGNATURE'));
    const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64');
    if (!sent) {
        return new Response('{}', {
            status: 402,
            headers: { 'PAYMENT-REQUIRED': encode(required(batchOffer)) },
        });
    }
    refund = { payment: JSON.parse(Buffer.from(sent, 'base64').toString()), header: sent };
    return new Response('{}', { status: 200, headers: { 'PAYMENT-RESPONSE': encode(ours.refunded) } });
};
await batch.refund(resource.url, { fetch: refunding });

// Our extensions have the official form.
assert.equal(validateDiscoveryExtension(ours.bazaar).valid, true, 'our description of an endpoint');
const named = { 'payment-identifier': structuredClone(ours.identifier) };
appendPaymentIdentifierToExtensions(named, 'pay_7d5d747be160e280504c099d984bcfe0');
assert.equal(
    extractPaymentIdentifier({ ...exact.payment, extensions: named }),
    'pay_7d5d747be160e280504c099d984bcfe0',
);

// Data of the calls.
const word = (type, name) => ({ type, name });
const fields = (names) => names.map(([type, name]) => word(type, name));
const terms = fields([
    ['address', 'from'],
    ['address', 'to'],
    ['uint256', 'value'],
    ['uint256', 'validAfter'],
    ['uint256', 'validBefore'],
    ['bytes32', 'nonce'],
]);
const { authorization, signature } = exact.payment.payload;
const transfer = encodeFunctionData({
    abi: [
        {
            type: 'function',
            name: 'transferWithAuthorization',
            stateMutability: 'nonpayable',
            outputs: [],
            inputs: [...terms, word('uint8', 'v'), word('bytes32', 'r'), word('bytes32', 's')],
        },
    ],
    args: [
        authorization.from,
        authorization.to,
        BigInt(authorization.value),
        BigInt(authorization.validAfter),
        BigInt(authorization.validBefore),
        authorization.nonce,
        Number(`0x${signature.slice(130)}`),
        signature.slice(0, 66),
        concat([`0x${signature.slice(66, 130)}`]),
    ],
});

const vectors = {
    now: NOW,
    packages: { '@x402/evm': '2.27.0', viem: '2.57.20' },
    digests,
    exact: { offer: exactOffer, ...exact, call: transfer },
    deposit: { offer: batchOffer, ...deposit },
    voucher: { offer: batchOffer, ...voucher },
    corrected: corrected.payload,
    refund: { offer: batchOffer, ...refund },
    bazaar: declareDiscoveryExtension({
        method: 'POST',
        bodyType: 'json',
        input: { rows: [] },
        inputSchema: { type: 'object' },
        output: { example: { session: 'x' } },
    }),
    identifier: declarePaymentIdentifierExtension(false),
};
console.log(JSON.stringify(vectors, null, 2));
