import { quantity, rpc, type Address } from "../chain/rpc.ts";
import {
  chainId as coordinatorChain,
  noteChain,
} from "../live/health.svelte.ts";
import { done, refusalOf, refused, within, type Outcome } from "./outcome.ts";
import { waitingFor } from "./pending.svelte.ts";
import { store, stored } from "./storage.ts";
import { find, wallets, type Wallet } from "./wallets.svelte.ts";
import { walletWords as words } from "./words.ts";

/** Connection of the page to a wallet. */
export type Connection =
  | { state: "none" }
  | { state: "disconnected" }
  | { state: "locked"; wallet: Wallet }
  | {
      state: "wrong-network";
      wallet: Wallet;
      account: Address;
      chainId: number;
      wanted: number;
    }
  | { state: "ready"; wallet: Wallet; account: Address };

/** Time in which a wallet that was used last must show up, in milliseconds. */
const PATIENCE = 1_500;
/** Time after which a wallet is asked no longer for what the page can do without, in milliseconds. */
const SLOW = 3_000;
/** Key of the wallet that was used last, by its rdns. */
const KEY = "cotrain-wallet";

/** Chosen wallet; undefined if none is. */
let chosen = $state.raw<Wallet | undefined>();
let account = $state<Address | undefined>();
/** Chain of the wallet. */
let chain = $state<number | undefined>();
/** Hash of the first block of the wallet's chain, which tells two chains of one id apart. */
let first = $state<string | undefined>();
/** `true` while the wallet that was used last may still show up. */
let isResuming = $state(false);
let unsubscribe = (): void => undefined;

/** Returns the state of the connection. */
export function connection(): Connection {
  if (chosen === undefined)
    return { state: wallets().length === 0 ? "none" : "disconnected" };
  if (account === undefined) return { state: "locked", wallet: chosen };
  const wanted = coordinatorChain();
  if (chain !== undefined && wanted !== undefined && chain !== wanted)
    return {
      state: "wrong-network",
      wallet: chosen,
      account,
      chainId: chain,
      wanted,
    };
  return { state: "ready", wallet: chosen, account };
}

/** Returns the hash of the first block of the wallet's chain; undefined while it is unknown. */
export const genesis = (): string | undefined => first;

/** Returns the account of the wallet, also on a wrong network. */
export const connectedAccount = (): Address | undefined => account;

/** Returns `true` while the wallet that was used last is looked for. */
export const resuming = (): boolean => isResuming;

/**
 * Finds wallets, and connects to the one that was used last if it allows so without a question.
 * Returns how to stop looking for that one.
 */
export function start(): () => void {
  const last = stored(KEY);
  find();
  if (last === undefined) return () => undefined;
  isResuming = true;
  const end = (): void => {
    isResuming = false;
    clearTimeout(timer);
    stop();
  };
  const timer = setTimeout(end, PATIENCE);
  const stop = $effect.root(() => {
    $effect(() => {
      const wallet = wallets().find((wallet) => wallet.rdns === last);
      if (!wallet) return;
      void resume(wallet).finally(end);
    });
  });
  return end;
}

async function resume(wallet: Wallet): Promise<void> {
  try {
    const accounts = await wallet.provider.request({ method: "eth_accounts" });
    if (!chosen) await use(wallet, accounts);
  } catch {
    // The user can still connect by the button.
  }
}

/** Asks a wallet for an account. It asks for no signature. */
export async function connect(wallet: Wallet): Promise<Outcome<void>> {
  try {
    const method = "eth_requestAccounts";
    const accounts = await waitingFor(wallet.provider.request({ method }));
    if (accountIn(accounts) === undefined) return refused("locked");
    await use(wallet, accounts);
    store(KEY, wallet.rdns);
    return done(undefined);
  } catch (error) {
    return { ok: false, refusal: refusalOf(error) };
  }
}

/** Forgets the wallet. */
export function disconnect(): void {
  unsubscribe();
  unsubscribe = () => undefined;
  chosen = account = chain = first = undefined;
  store(KEY, undefined);
}

/** Asks the wallet to switch to the coordinator's chain. */
export async function switchNetwork(): Promise<Outcome<void>> {
  return change("wallet_switchEthereumChain", (chainId) => ({ chainId }));
}

/** Asks the wallet to add the coordinator's chain, by the address of a node of it. */
export async function addNetwork(node: string): Promise<Outcome<void>> {
  const added = await change("wallet_addEthereumChain", (chainId) => ({
    chainId,
    chainName: words.networkName(Number(chainId)),
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: [node],
  }));
  // Some wallets add without switching.
  return added.ok && connection().state === "wrong-network"
    ? switchNetwork()
    : added;
}

async function change(
  method: string,
  parameter: (chainId: string) => object,
): Promise<Outcome<void>> {
  const { chosen: wallet, wanted } = { chosen, wanted: await wantedChain() };
  if (!wallet || wanted === undefined) return refused("disconnected");
  try {
    const params = [parameter(quantity(wanted))];
    await waitingFor(wallet.provider.request({ method, params }));
    await readChain(wallet);
    return done(undefined);
  } catch (error) {
    return { ok: false, refusal: refusalOf(error) };
  }
}

/** Returns the coordinator's chain, and asks for it if it is unknown. */
export async function wantedChain(): Promise<number | undefined> {
  if (coordinatorChain() === undefined) {
    const id = await rpc("eth_chainId", []).catch(() => undefined);
    if (id !== undefined) noteChain(Number(id));
  }
  return coordinatorChain();
}

/**
 * Reads account and chain from the wallet anew: not all wallets tell each change. Returns the
 * connection then.
 */
export async function renewed(): Promise<Connection> {
  const wallet = chosen;
  if (wallet) {
    const accounts = await wallet.provider.request({ method: "eth_accounts" });
    if (wallet === chosen) account = accountIn(accounts);
    await Promise.all([readChain(wallet), wantedChain()]);
  }
  return connection();
}

/** Returns the first of a wallet's accounts, in small letters: wallets differ in the spelling. */
function accountIn(accounts: unknown): Address | undefined {
  const [first] = Array.isArray(accounts) ? (accounts as unknown[]) : [];
  return typeof first === "string" && /^0x[0-9a-fA-F]{40}$/.test(first)
    ? (first.toLowerCase() as Address)
    : undefined;
}

async function use(wallet: Wallet, accounts: unknown): Promise<void> {
  unsubscribe();
  const { provider } = wallet;
  let latest = accounts;
  const changed = (accounts: unknown): void => {
    latest = accounts;
    if (wallet === chosen) account = accountIn(accounts);
  };
  // The page is never loaded anew: what somebody has typed stays.
  const moved = (): void => void readChain(wallet);
  const events = [
    ["accountsChanged", changed],
    ["chainChanged", moved],
    ["connect", moved],
  ] as const;
  for (const [event, listener] of events) provider.on?.(event, listener);
  unsubscribe = () => {
    for (const [event, listener] of events)
      provider.removeListener?.(event, listener);
  };
  await Promise.all([readChain(wallet, true), wantedChain()]);
  chosen = wallet;
  account = accountIn(latest);
}

async function readChain(wallet: Wallet, isNew = false): Promise<void> {
  const ask = (method: string, params: unknown[] = []): Promise<unknown> =>
    wallet.provider.request({ method, params });
  const id = Number(await ask("eth_chainId"));
  // Some wallets answer nothing while their node is away.
  const asked = within(ask("eth_getBlockByNumber", ["0x0", false]), SLOW);
  const block = await asked.catch(() => undefined);
  if (!isNew && wallet !== chosen) return;
  const hash = (block as { hash?: unknown } | null | undefined)?.hash;
  chain = Number.isSafeInteger(id) ? id : undefined;
  first = typeof hash === "string" ? hash : undefined;
}
