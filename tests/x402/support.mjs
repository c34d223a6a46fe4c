// Chain, contracts, coordinator and official clients for the tests of payments.
//
// Each test file has a stage of its own, and ends what it started.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPublicClient, createTestClient, createWalletClient, http, publicActions } from 'viem';
import { mnemonicToAccount } from 'viem/accounts';
import { foundry } from 'viem/chains';
import { x402Client } from '@x402/core/client';
import { BatchSettlementEvmScheme } from '@x402/evm/batch-settlement/client';
import { ExactEvmScheme } from '@x402/evm/exact/client';
import { wrapFetchWithPayment } from '@x402/fetch';
import { query } from './ledger.mjs';

const root = new URL('../../', import.meta.url).pathname;
export const NETWORK = 'eip155:31337';
/** Addresses of the standard's contracts, which the official packages know. */
export const SETTLEMENT = '0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003';
export const COLLECTOR = '0x4020806089470a89826cB9fB1f4059150b550004';
/** EIP-712 domain of the token, as offers name it. */
export const TOKEN_DOMAIN = { name: 'Test Dollar', version: '1' };

const JSON_TYPE = { 'content-type': 'application/json' };
const MNEMONIC = 'test test test test test test test test test test test junk';
/** Accounts of every development node. The coordinator pays gas from number 9. */
export const accounts = Array.from({ length: 10 }, (_, index) =>
    mnemonicToAccount(MNEMONIC, { addressIndex: index }),
);
export const HOST = 9;

export function artifact(name) {
    return JSON.parse(readFileSync(join(root, `contracts/artifacts/${name}.json`), 'utf8'));
}

/** Starts a program, and waits for a line of its output that matches. */
async function start(program, args, options, pattern) {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    const lines = [];
    const found = await new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`${program} is not ready: ${lines.join('')}`)), 30_000);
        const read = (data) => {
            lines.push(data.toString());
            if (lines.length > 500) lines.shift();
            const match = lines.join('').match(pattern);
            if (match) {
                clearTimeout(late);
                resolve(match);
            }
        };
        child.stdout.on('data', read);
        child.stderr.on('data', read);
        child.once('error', reject);
        child.once('exit', (code) => {
            clearTimeout(late);
            reject(new Error(`${program} ended with ${code}: ${lines.join('')}`));
        });
    });
    return { child, found, log: () => lines.join('') };
}

/** Ends a program, by signal 9 if it does not end by itself. */
export async function end(child, signal = 'SIGTERM') {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    const late = setTimeout(() => child.kill('SIGKILL'), 15_000);
    await gone;
    clearTimeout(late);
}

export class Stage {
    /** Starts a node with the settlement contract, the collector and a token of which accounts have some. */
    static async open() {
        const stage = new Stage();
        try {
            await stage.#open();
        } catch (error) {
            await stage.close();
            throw error;
        }
        return stage;
    }

    async #open() {
        this.folder = mkdtempSync(join(tmpdir(), 'cotrain-x402-'));
        const anvil = process.env.COTRAIN_ANVIL ?? join(root, 'node_modules/.bin/anvil');
        this.node = await start(anvil, ['--port', '0'], {}, /Listening on ([\d.]+:\d+)/);
        this.url = `http://${this.node.found[1]}`;
        const transport = http(this.url);
        const chain = { ...foundry, rpcUrls: { default: { http: [this.url] } } };
        this.reader = createPublicClient({ chain, transport, pollingInterval: 50 });
        this.test = createTestClient({ chain, transport, mode: 'anvil' }).extend(publicActions);
        this.wallet = (account) => createWalletClient({ account, chain, transport });
        this.settlement = { address: SETTLEMENT, abi: artifact('ChannelSettlement').abi };

        const code = artifact('ChannelSettlement').deployedBytecode;
        await this.test.setCode({ address: SETTLEMENT, bytecode: code });
        const collector = await this.deploy('Erc3009Collector', [SETTLEMENT]);
        const bytecode = await this.reader.getCode({ address: collector });
        await this.test.setCode({ address: COLLECTOR, bytecode });
        this.token = { address: await this.deploy('Erc3009Token', []), abi: artifact('Erc3009Token').abi };
        for (const account of accounts.slice(0, 9)) {
            await this.write(accounts[0], this.token, 'mint', [account.address, 1_000_000_000n]);
        }
        this.servers = [];
        this.proxies = [];
    }

    async deploy(name, args) {
        const { abi, bytecode } = artifact(name);
        const hash = await this.wallet(accounts[0]).deployContract({ abi, bytecode, args });
        const receipt = await this.reader.waitForTransactionReceipt({ hash });
        return receipt.contractAddress;
    }

    /** Sends a call from an account, and waits until it is included. */
    async write(account, contract, functionName, args) {
        const hash = await this.wallet(account).writeContract({ ...contract, functionName, args });
        const receipt = await this.reader.waitForTransactionReceipt({ hash });
        if (receipt.status !== 'success') throw new Error(`${functionName} reverted`);
        return receipt;
    }

    read(contract, functionName, args) {
        return this.reader.readContract({ ...contract, functionName, args });
    }

    balance(address) {
        return this.read(this.token, 'balanceOf', [address]);
    }

    /** Returns the text of a configuration: what all coordinators of the tests have, and `sections`. */
    config(sections, { node = this.url, name = 'cotrain' } = {}) {
        return [
            'listen = "127.0.0.1:0"',
            `database = "${join(this.folder, `${name}.sqlite`)}"`,
            '[node]',
            `url = "${node}"`,
            'poll = "200 ms"',
            '[api]',
            'rate = 0',
            sections,
        ].join('\n');
    }

    /** Starts `cotrain serve` with these sections of its configuration. */
    async serve(sections, options = {}) {
        const file = join(this.folder, `${options.name ?? 'cotrain'}.toml`);
        writeFileSync(file, this.config(sections, options));
        // Its variables would be keys of the configuration.
        const inherited = Object.entries(process.env).filter(([name]) => !/^(COTRAIN_|RUST_LOG$)/.test(name));
        const env = { ...Object.fromEntries(inherited), NO_COLOR: '1' };
        const args = ['serve', '--config', file];
        const server = await start(process.env.COTRAIN_BIN, args, { env }, /listening.*?address=([\d.]+:\d+)/);
        server.url = `http://${server.found[1]}`;
        this.servers.push(server);
        return server;
    }

    /** Runs a statement of SQL on a coordinator's database, while it runs. */
    sql(statement, name = 'cotrain') {
        query(join(this.folder, `${name}.sqlite`), statement);
    }

    /**
     * Starts a proxy of the node that refuses requests as `refuse` says, which may wait, and calls `answered` before it
     * passes an answer on. Returns its URL.
     */
    async proxy(refuse, answered = () => {}) {
        const server = createServer(async (request, response) => {
            const chunks = [];
            for await (const chunk of request) chunks.push(chunk);
            const body = Buffer.concat(chunks).toString();
            const call = JSON.parse(body);
            const message = await refuse(call);
            const answer = message
                ? JSON.stringify({ jsonrpc: '2.0', id: call.id, error: { code: -32005, message } })
                : await (await fetch(this.url, { method: 'POST', headers: JSON_TYPE, body })).text();
            answered(call);
            response.writeHead(200, JSON_TYPE).end(answer);
        });
        await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
        this.proxies.push(server);
        return `http://127.0.0.1:${server.address().port}`;
    }

    async close() {
        for (const server of this.servers ?? []) await end(server.child);
        for (const proxy of this.proxies ?? []) {
            proxy.closeAllConnections();
            proxy.close();
        }
        await end(this.node?.child);
        if (this.folder) rmSync(this.folder, { recursive: true, force: true });
    }

    /** Returns the official client of a payer with a scheme, and its `fetch`. The default client refuses this chain. */
    payer(account, schemeName = 'exact', options = undefined) {
        const scheme =
            schemeName === 'exact'
                ? new ExactEvmScheme(account)
                : new BatchSettlementEvmScheme(
                      { ...account, readContract: (args) => this.reader.readContract(args) },
                      options,
                  );
        const client = x402Client.fromConfig({
            schemes: [{ network: 'eip155:*', client: scheme }],
            spendControls: false,
        });
        return { account, scheme, client, fetch: wrapFetchWithPayment(fetch, client) };
    }
}

/** Returns the JSON of a payment header of an answer; `null` if it has none. */
export function header(response, name) {
    const value = response.headers.get(name);
    return value && JSON.parse(Buffer.from(value, 'base64').toString());
}
