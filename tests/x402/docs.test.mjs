// The commands of docs/labels.md that sell and pay by x402, as a reader types them.
//
// Blocks `console x402 host` have a host's commands with their output, and those with `payer` a payer's,
// which come later. Blocks `toml FILE` are files. A line `...` stands for any lines, and `[..]` for any
// text. The page is about a real chain and token; the test has its own in their place, and gives coins
// and tokens to each account that a command makes.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Stage, accounts, end } from './support.mjs';

const PAGE = new URL('../../docs/labels.md', import.meta.url);
const TOKEN = '0x036CbD53842c5426634e7929541eC2318f3dCF7e';
const COINS = 10n ** 18n;
const TOKENS = 1_000_000n;

let stage, folder, instead;
const services = [];

before(async () => {
    stage = await Stage.open();
    folder = mkdtempSync(join(tmpdir(), 'cotrain-docs-'));
    symlinkSync(process.env.COTRAIN_BIN, join(folder, 'cotrain'));
    instead = [
        ['https://sepolia.base.org', stage.url],
        [`${TOKEN}; USDC; 2`, `${stage.token.address}; Test Dollar; 1`],
        [`84532/${TOKEN}`, `31337/${stage.token.address}`],
        [TOKEN, stage.token.address],
        ['eip155:84532', 'eip155:31337'],
        ['listen = "127.0.0.1:8080"', 'listen = "127.0.0.1:0"'],
    ];
});

after(async () => {
    for (const child of services) await end(child);
    await stage?.close();
    if (folder) rmSync(folder, { recursive: true, force: true });
});

/** Returns the fenced blocks of a page: what follows the fence, and the lines. */
function blocks(page) {
    const found = [];
    let block = null;
    for (const line of page.split('\n')) {
        if (!line.startsWith('```')) block?.lines.push(line);
        else if (block) block = null;
        else found.push((block = { mark: line.slice(3), lines: [] }));
    }
    return found;
}

/** Returns the commands of a block. `$ ` begins a command, and `> ` continues it. */
function commands(lines) {
    const found = [];
    for (const line of lines) {
        if (line.startsWith('$ ')) found.push({ command: line.slice(2), output: [] });
        else if (line.startsWith('> ')) found.at(-1).command += `\n${line.slice(2)}`;
        else found.at(-1).output.push(line);
    }
    return found;
}

/** Returns `true` if text is as a page shows it. */
function matches(shown, text) {
    const escaped = (part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    const line = (it) => (it === '...' ? '(?:.*\\n)*' : `${it.split('[..]').map(escaped).join('.*')}\\n`);
    return new RegExp(`^${shown.map(line).join('')}$`).test(text);
}

const here = (text) => instead.reduce((it, [shown, ours]) => it.replaceAll(shown, ours), text);

function shell() {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(COTRAIN_|RUST_LOG$)/.test(name));
    const state = { COTRAIN_STATE: join(folder, 'state'), COTRAIN_CACHE: join(folder, 'cache'), NO_COLOR: '1' };
    return { cwd: folder, env: { ...Object.fromEntries(inherited), ...state, PATH: `${folder}:${process.env.PATH}` } };
}

/** Starts a coordinator, whose address takes the place of the page's. */
async function serve(command) {
    const child = spawn('sh', ['-c', `exec ${here(command)}`], { ...shell(), stdio: ['ignore', 'ignore', 'pipe'] });
    services.push(child);
    let said = '';
    const address = await new Promise((resolve, reject) => {
        child.once('exit', () => reject(new Error(`$ ${command}\n${said}`)));
        child.stderr.on('data', (data) => {
            said += data;
            const found = said.match(/listening.*?address=([\d.]+:\d+)/);
            if (found) resolve(found[1]);
        });
    });
    instead.push(['http://127.0.0.1:8080', `http://${address}`]);
}

async function run({ command, output }) {
    if (command.startsWith('cotrain serve')) return serve(command);
    const [failure, stdout, stderr] = await new Promise((resolve) => {
        execFile('sh', ['-c', here(command)], shell(), (...results) => resolve(results));
    });
    assert.ok(!failure, `$ ${command}\n${stdout}${stderr}`);
    const shown = output.map(here);
    // Answers of the API end without a line feed.
    const printed = stdout === '' || stdout.endsWith('\n') ? stdout : `${stdout}\n`;
    assert.ok(matches(shown, printed), `$ ${command}\nprinted:\n${stdout}\nthe page shows:\n${shown.join('\n')}\n${stderr}`);
    if (!command.startsWith('cotrain key new')) return null;
    const [account] = stdout.match(/0x[0-9a-fA-F]{40}/);
    await stage.test.setBalance({ address: account, value: COINS });
    return stage.write(accounts[0], stage.token, 'mint', [account, TOKENS]);
}

test('labels are sold and bought as the page shows', { timeout: 300_000 }, async () => {
    const page = blocks(readFileSync(PAGE, 'utf8'));
    const files = page.filter(({ mark }) => mark.startsWith('toml '));
    for (const { mark, lines } of files) writeFileSync(join(folder, mark.slice(5)), here(lines.join('\n')));
    assert.deepEqual(files.map(({ mark }) => mark), ['toml coordinator.toml']);
    for (const [side, least] of [['host', 3], ['payer', 8]]) {
        const shown = page.filter(({ mark }) => mark === `console x402 ${side}`).flatMap(({ lines }) => commands(lines));
        assert.ok(shown.length >= least, `${shown.length} commands of a ${side}`);
        for (const command of shown) await run(command);
    }
});

test('matches takes a page by its wildcards only', () => {
    assert.ok(matches(['a [..] b', '...', 'z'], 'a long b\nc\nd\nz\n'));
    assert.ok(matches([], ''));
    assert.ok(!matches(['a [..] b'], 'a long c\n'));
    assert.ok(!matches(['a'], 'a\nb\n'));
});
