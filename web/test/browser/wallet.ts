import { SignTypedDataVersion, signTypedData } from "@metamask/eth-sig-util";
import {
  HDNodeWallet,
  JsonRpcProvider,
  Mnemonic,
  Wallet,
  type TransactionRequest,
} from "ethers";
import type { BrowserContext } from "playwright-core";
import type { World } from "./world.ts";

type Hex = `0x${string}`;

/** Words from which development nodes derive their rich accounts. */
const MNEMONIC = "test test test test test test test test test test test junk";
/** A picture of one pixel. */
const ICON =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/** Methods that the wallet's own node answers. */
const READS = [
  "eth_blockNumber",
  "eth_call",
  "eth_estimateGas",
  "eth_feeHistory",
  "eth_gasPrice",
  "eth_getBalance",
  "eth_getBlockByNumber",
  "eth_getCode",
  "eth_getTransactionByHash",
  "eth_getTransactionCount",
  "eth_getTransactionReceipt",
];

/** Account of a wallet: a private key, or a rich account of the development node by its index. */
export type Key = { key: Hex } | { devIndex: number };

export type Options = Key & {
  name?: string;
  /** Chain that the wallet is on at first; that of the node if it is left out. */
  chainId?: number;
  /** `true` if the wallet knows the node's chain; otherwise it must be added first. */
  knowsChain?: boolean;
  /** `false` for a wallet of the time before EIP-6963: it is `window.ethereum` alone. */
  announces?: boolean;
};

/** Request that a page has made. */
export interface Asked {
  method: string;
  params: readonly unknown[];
}

/** What a test does with a wallet in place of its user. */
export interface Controls {
  /** Address of the account that is selected. */
  address(): Hex;
  /** Declines the next requests; `isNested` wraps the code in another error, as some wallets do. */
  reject(options?: { times?: number; isNested?: boolean }): void;
  /** Answers that a request waits already, until it is called with `false`. */
  busy(isBusy: boolean): void;
  /** Answers requests only once the returned function is called. */
  hold(): () => void;
  lock(): Promise<void>;
  unlock(): Promise<void>;
  /** Selects another account; `isSilent` tells the page nothing, as some wallets do. */
  switchAccount(key: Key, options?: { isSilent?: boolean }): Promise<void>;
  switchChain(chainId: number): Promise<void>;
  /** Sends a waiting transaction again for a higher fee. Returns the new hash. */
  speedUp(hash: string): Promise<Hex>;
  /** Sends nothing to the account itself in the place of a waiting transaction. */
  cancel(hash: string): Promise<Hex>;
  /** Forgets the numbers of its transactions, as "clear activity" does. */
  clearActivity(): void;
  requests(): readonly Asked[];
}

/** Error by EIP-1193. */
class Refused extends Error {
  readonly code: number;
  readonly data: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

let count = 0;

/**
 * Puts a wallet into all pages of a context. It holds its keys, signs by wallet libraries, keeps its
 * own nonces, and talks to the node by its own connection.
 */
export async function injectWallet(
  context: BrowserContext,
  world: Pick<World, "ports">,
  options: Options,
): Promise<Controls> {
  count += 1;
  const id = `testWallet${count}`;
  const name = options.name ?? "Test wallet";
  const wallet = new TestWallet(world.ports.node, options, async (...event) => {
    for (const page of context.pages()) {
      await page
        .evaluate(
          ([id, event, value]) => {
            const emit = Reflect.get(window, `${id}Emit`) as
              ((event: string, value: unknown) => void) | undefined;
            emit?.(event, value);
          },
          [id, ...event] as const,
        )
        // A page that is just loading asks by itself.
        .catch(() => undefined);
    }
  });
  context.on("close", () => wallet.end());
  await context.exposeBinding(`${id}Ask`, (_, method: string, params: string) =>
    wallet.answer(method, JSON.parse(params) as unknown[]),
  );
  const info = {
    uuid: crypto.randomUUID(),
    name,
    icon: ICON,
    rdns: `test.${name.toLowerCase().replace(/[^a-z]+/g, "")}`,
  };
  const about = { id, info, announces: options.announces ?? true };
  await context.addInitScript(inPage, about);
  return wallet;
}

/** Makes the provider within a page; it only passes messages on. */
function inPage(about: { id: string; info: object; announces: boolean }): void {
  type Listener = (value: unknown) => void;
  type Answer =
    | { result: unknown }
    | { error: { code: number; message: string; data?: unknown } };
  const listeners = new Map<string, Set<Listener>>();
  const ask = Reflect.get(window, `${about.id}Ask`) as (
    method: string,
    params: string,
  ) => Promise<Answer>;
  const provider = {
    async request(request: { method: string; params?: unknown[] }) {
      const params = JSON.stringify(request.params ?? []);
      const answer = await ask(request.method, params);
      if ("result" in answer) return answer.result;
      const { message, ...rest } = answer.error;
      throw Object.assign(new Error(message), rest);
    },
    on(event: string, listener: Listener) {
      const known = listeners.get(event) ?? new Set();
      listeners.set(event, known.add(listener));
    },
    removeListener(event: string, listener: Listener) {
      listeners.get(event)?.delete(listener);
    },
  };
  Reflect.set(window, `${about.id}Emit`, (event: string, value: unknown) => {
    for (const listener of listeners.get(event) ?? []) listener(value);
  });
  if (!about.announces) {
    Reflect.set(window, "ethereum", provider);
    return;
  }
  const detail = Object.freeze({ info: about.info, provider });
  const announce = (): void => {
    const event = new CustomEvent("eip6963:announceProvider", { detail });
    window.dispatchEvent(event);
  };
  window.addEventListener("eip6963:requestProvider", announce);
  announce();
}

function walletOf(key: Key): Wallet {
  if ("key" in key) return new Wallet(key.key);
  const path = `m/44'/60'/0'/0/${key.devIndex}`;
  const mnemonic = Mnemonic.fromPhrase(MNEMONIC);
  return new Wallet(HDNodeWallet.fromMnemonic(mnemonic, path).privateKey);
}

interface TransactionParameters {
  from: string;
  to?: string;
  data?: string;
  value?: string;
  gas?: string;
  chainId?: string;
}

class TestWallet implements Controls {
  readonly #node: JsonRpcProvider;
  readonly #emit: (event: string, value: unknown) => Promise<void>;
  readonly #asked: Asked[] = [];
  readonly #nonces = new Map<string, number>();
  /** Chains that it knows; the node's is found out at the first request. */
  readonly #known = new Set<number>([1]);
  readonly #options: Options;
  #account: Wallet;
  #chain: number | undefined;
  #isConnected = false;
  #isLocked = false;
  #isBusy = false;
  #rejections: { isNested: boolean }[] = [];
  #held: Promise<void> | undefined;

  constructor(
    port: number,
    options: Options,
    emit: (event: string, value: unknown) => Promise<void>,
  ) {
    this.#node = new JsonRpcProvider(`http://127.0.0.1:${port}`, undefined, {
      cacheTimeout: -1,
      batchMaxCount: 1,
    });
    this.#options = options;
    this.#account = walletOf(options);
    this.#chain = options.chainId;
    this.#emit = emit;
  }

  address(): Hex {
    return this.#account.address.toLowerCase() as Hex;
  }

  reject({ times = 1, isNested = false } = {}): void {
    for (let left = times; left > 0; left -= 1)
      this.#rejections.push({ isNested });
  }

  busy(isBusy: boolean): void {
    this.#isBusy = isBusy;
  }

  hold(): () => void {
    let release = (): void => undefined;
    this.#held = new Promise((done) => (release = done));
    return () => {
      this.#held = undefined;
      release();
    };
  }

  async lock(): Promise<void> {
    this.#isLocked = true;
    await this.#emit("accountsChanged", []);
  }

  async unlock(): Promise<void> {
    this.#isLocked = false;
    await this.#emit("accountsChanged", this.#accounts());
  }

  async switchAccount(
    key: Key,
    { isSilent = false }: { isSilent?: boolean } = {},
  ): Promise<void> {
    this.#account = walletOf(key);
    if (!isSilent) await this.#emit("accountsChanged", this.#accounts());
  }

  async switchChain(chainId: number): Promise<void> {
    this.#chain = chainId;
    await this.#emit("chainChanged", `0x${chainId.toString(16)}`);
  }

  async speedUp(hash: string): Promise<Hex> {
    return this.#broadcast(await this.#waiting(hash));
  }

  async cancel(hash: string): Promise<Hex> {
    const waiting = await this.#waiting(hash);
    const nothing = { to: this.#account.address, value: 0n, data: "0x" };
    return this.#broadcast({ ...waiting, ...nothing });
  }

  clearActivity(): void {
    this.#nonces.clear();
  }

  requests(): readonly Asked[] {
    return this.#asked;
  }

  /** Ends the connection to its node. */
  end(): void {
    this.#node.destroy();
  }

  async answer(
    method: string,
    params: unknown[],
  ): Promise<{ result: unknown } | { error: object }> {
    this.#asked.push({ method, params });
    try {
      return { result: await this.#answer(method, params) };
    } catch (error) {
      if (error instanceof Refused) {
        const { code, message, data } = error;
        return { error: { code, message, data } };
      }
      // What its node refused is wrapped, as wallets do.
      const inner = (error as { error?: object }).error;
      const message = "Internal JSON-RPC error.";
      return {
        error: {
          code: -32603,
          message,
          data: inner ?? { message: `${error}` },
        },
      };
    }
  }

  async #answer(method: string, params: unknown[]): Promise<unknown> {
    if (this.#chain === undefined || this.#known.size === 1) {
      const own = Number(await this.#node.send("eth_chainId", []));
      if (this.#options.knowsChain ?? true) this.#known.add(own);
      this.#chain ??= own;
    }
    switch (method) {
      case "eth_chainId":
        return `0x${this.#chain.toString(16)}`;
      case "eth_accounts":
        return this.#accounts();
      case "eth_requestAccounts":
        await this.#prompt();
        this.#isLocked = false;
        this.#isConnected = true;
        return this.#accounts();
      case "wallet_switchEthereumChain":
        return this.#switch(params[0] as { chainId: string });
      case "wallet_addEthereumChain":
        return this.#add(params[0] as { chainId: string; rpcUrls: string[] });
      case "eth_sendTransaction":
        return this.#send(params[0] as TransactionParameters);
      case "eth_signTypedData_v4":
        return this.#sign(params[0] as string, params[1] as string);
    }
    if (!READS.includes(method))
      throw new Refused(4200, `The method ${method} is not supported.`);
    return this.#node.send(method, params);
  }

  #accounts(): Hex[] {
    return this.#isConnected && !this.#isLocked ? [this.address()] : [];
  }

  /** Asks the user. */
  async #prompt(): Promise<void> {
    if (this.#isBusy)
      throw new Refused(-32002, "Request already pending. Please wait.");
    await this.#held;
    const rejection = this.#rejections.shift();
    if (!rejection) return;
    const original = { code: 4001, message: "User rejected the request." };
    if (!rejection.isNested) throw new Refused(4001, original.message);
    const data = { originalError: original };
    throw new Refused(-32603, "Internal JSON-RPC error.", data);
  }

  #allow(address: string): void {
    if (!this.#accounts().includes(address.toLowerCase() as Hex))
      throw new Refused(4100, "The account is not authorized.");
  }

  async #switch({ chainId }: { chainId: string }): Promise<null> {
    if (!this.#known.has(Number(chainId)))
      throw new Refused(4902, `Unrecognized chain ID "${chainId}".`);
    await this.#prompt();
    await this.switchChain(Number(chainId));
    return null;
  }

  async #add(asked: { chainId: string; rpcUrls: string[] }): Promise<null> {
    const node = new JsonRpcProvider(asked.rpcUrls[0]);
    const found = await node
      .send("eth_chainId", [])
      .catch(() => undefined)
      .finally(() => node.destroy());
    if (Number(found) !== Number(asked.chainId))
      throw new Refused(-32602, "The node does not answer for this chain.");
    await this.#prompt();
    this.#known.add(Number(asked.chainId));
    await this.switchChain(Number(asked.chainId));
    return null;
  }

  async #sign(address: string, text: string): Promise<string> {
    this.#allow(address);
    const data = JSON.parse(text) as {
      domain: { chainId?: number };
    };
    if (Number(data.domain.chainId) !== this.#chain) {
      const message = `Provided chainId "${data.domain.chainId}" must match the active chainId "${this.#chain}"`;
      throw new Refused(-32603, message);
    }
    await this.#prompt();
    return signTypedData({
      privateKey: Buffer.from(this.#account.privateKey.slice(2), "hex"),
      data: data as never,
      version: SignTypedDataVersion.V4,
    });
  }

  async #send(asked: TransactionParameters): Promise<Hex> {
    this.#allow(asked.from);
    if (asked.chainId !== undefined && Number(asked.chainId) !== this.#chain)
      throw new Refused(-32602, "The transaction is of another chain.");
    if (!this.#known.has(this.#chain ?? 0) || this.#chain === 1)
      throw new Refused(4901, "The chain is not connected.");
    await this.#prompt();
    const account = this.address();
    // Another device may have used the account: the larger number counts.
    const params = [account, "pending"];
    const count = Number(
      await this.#node.send("eth_getTransactionCount", params),
    );
    const nonce = Math.max(count, this.#nonces.get(account) ?? 0);
    const { to = null, data = "0x", value = "0x0" } = asked;
    const gasLimit =
      asked.gas ?? (await this.#node.send("eth_estimateGas", [asked]));
    const fees = await this.#node.getFeeData();
    const hash = await this.#broadcast({
      to,
      data,
      value,
      nonce,
      gasLimit,
      maxFeePerGas: fees.maxFeePerGas,
      maxPriorityFeePerGas: fees.maxPriorityFeePerGas,
    });
    this.#nonces.set(account, nonce + 1);
    return hash;
  }

  /** Returns a waiting transaction with fees that may replace it. */
  async #waiting(hash: string): Promise<TransactionRequest> {
    const found = await this.#node.getTransaction(hash);
    if (!found || found.blockNumber !== null)
      throw new Error(`${hash} does not wait`);
    return {
      to: found.to,
      value: found.value,
      data: found.data,
      nonce: found.nonce,
      gasLimit: found.gasLimit,
      maxFeePerGas: (found.maxFeePerGas ?? 0n) * 2n,
      maxPriorityFeePerGas: (found.maxPriorityFeePerGas ?? 0n) * 2n,
    };
  }

  async #broadcast(transaction: TransactionRequest): Promise<Hex> {
    const chainId = this.#chain ?? 0;
    const raw = await this.#account.signTransaction({
      ...transaction,
      type: 2,
      chainId,
    });
    return (await this.#node.send("eth_sendRawTransaction", [raw])) as Hex;
  }
}
