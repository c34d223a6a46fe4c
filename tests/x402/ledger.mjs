// The coordinator's ledger of payments, read from its database.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';

/** Node.js has no SQLite before version 22. */
const RUN = `
import json, sqlite3, sys
with sqlite3.connect(sys.argv[1]) as database:
    print(json.dumps(list(database.execute(sys.argv[2])), default=bytes.decode))
`;

/** Runs a statement of SQL on a coordinator's database, also while it runs. Returns the rows. */
export function query(database, statement) {
    const printed = execFileSync('python3', ['-c', RUN, database, statement], { maxBuffer: 1 << 30 });
    return JSON.parse(printed.toString());
}

const bytes = (hex) => Buffer.from(hex.slice(2), 'hex');

/** Returns the hash by which entries name an authorization, as `PaymentKey::id` makes it. */
function paymentId({ payer, token, nonce }) {
    const chain = Buffer.alloc(8);
    chain.writeBigUInt64BE(BigInt(token.chain));
    const hash = createHash('sha256').update('authorization').update(bytes(payer)).update(chain);
    return `0x${hash.update(bytes(token.address)).update(bytes(nonce)).digest('hex')}`;
}

/** Units and money of one account. */
function account(owner) {
    return { owner, bought: 0, paid: 0n, spent: 0, refunded: 0, back: 0n, charged: 0n, voucherUnits: 0 };
}

/**
 * Reads all entries, and returns their sums: `accounts` by id, `payers` as the account that an address
 * paid for, `channels` as the account of a channel, `charges` as the units of each request's key, and
 * `authorizations` as the payers and nonces that were taken.
 */
export function readLedger(database) {
    const entries = query(database, 'SELECT entry FROM payment_entries ORDER BY number').map(([entry]) => JSON.parse(entry));
    const [accounts, payers, channels] = [new Map(), new Map(), new Map()];
    const [payments, reservations, refunds, charges] = [new Map(), new Map(), new Map(), new Map()];
    const authorizations = new Set();
    for (const entry of entries) {
        const [[kind, it]] = Object.entries(entry);
        if (kind === 'opened') {
            accounts.set(it.account, account(it.owner));
            if (it.owner.channel) channels.set(it.owner.channel, it.account);
        } else if (kind === 'payment_sent') {
            const key = it.payment.authorization;
            payments.set(paymentId(key), { ...it.purchase, counted: false });
            authorizations.add(`${key.payer} ${key.nonce}`);
            const paid = payers.get(key.payer) ?? new Set();
            payers.set(key.payer, paid.add(it.purchase.account));
        } else if (kind === 'payment_seen' && it.seen.transferred) {
            const payment = payments.get(it.payment);
            if (payment.counted) continue;
            payment.counted = true;
            accounts.get(payment.account).bought += payment.quote.units;
            accounts.get(payment.account).paid += BigInt(payment.quote.amount);
        } else if (kind === 'payment_seen' && ['removed', 'unusable'].includes(it.seen)) {
            const about = (entry) => JSON.stringify(entry).includes(it.payment) && JSON.stringify(entry);
            const all = entries.map(about).filter(Boolean).join('\n');
            throw new Error(`a payment is ${it.seen}, and no block was taken away here:\n${all}`);
        } else if (kind === 'reserved') {
            reservations.set(it.reservation, it);
        } else if (kind === 'committed') {
            const { account: id, request, source, units } = reservations.get(it.reservation);
            if (it.units > units) throw new Error(`${it.units} units of ${units} reserved ones`);
            reservations.delete(it.reservation);
            accounts.get(id).spent += it.units;
            if (source === 'voucher') {
                accounts.get(id).voucherUnits += it.units;
                accounts.get(id).charged = BigInt(it.charged);
            }
            if (request) charges.set(request.id, [...(charges.get(request.id) ?? []), it.units]);
        } else if (kind === 'released') {
            reservations.delete(it.reservation);
        } else if (kind === 'refund_started') {
            refunds.set(it.refund, it);
            accounts.get(it.account).refunded += it.taken.reduce((sum, { units }) => sum + units, 0);
            accounts.get(it.account).back += BigInt(it.amount);
        } else if (kind === 'refund_seen' && it.seen === 'failed') {
            throw new Error('a refund failed, and nothing here makes one fail');
        }
    }
    return { accounts, payers, channels, charges, authorizations, open: reservations.size, entries: entries.length };
}
