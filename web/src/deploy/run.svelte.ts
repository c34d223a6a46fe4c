import { Failure, listModels } from "../api/client.ts";
import { isSameAddress } from "../chain/address.ts";
import {
  ChainError,
  rpc,
  rpcAll,
  type Address,
  type Hex,
} from "../chain/rpc.ts";
import { chainId } from "../live/health.svelte.ts";
import { connection, genesis } from "../wallet/account.svelte.ts";
import { listMarkets } from "../market/api.ts";
import {
  hashOf,
  receiptOf,
  successor,
  type RawReceipt,
} from "../wallet/node.ts";
import type { Refusal } from "../wallet/outcome.ts";
import { hasFailed, type Receipt } from "../wallet/stages.ts";
import { included, send, tracked } from "../wallet/transactions.svelte.ts";
import type { Plan, Planned } from "./service.ts";
import { CLOSED, filled, knownAfter, knownBefore } from "./steps.ts";
import { find, remove, save, type Deployment, type Progress } from "./store.ts";
import { hasWeights } from "./weights.ts";
import { deployWords as words } from "./words.ts";

/** Mechanism of prediction markets. */
export const MARKET = "prediction-market";
/** Pause between two questions, in milliseconds. */
const PAUSE = 1_000;
/** Number of answers in a row that must show nothing of a step. */
const MISSES = 3;
/** Maximum number of an account's transactions among which a step is looked for. */
const NUMBERS = 10;

/** What a deployment does now. */
export type Doing =
  | { state: "paused" }
  | { state: "checking" | "wallet" | "chain" | "following"; step: string }
  | { state: "unsure"; step: string }
  | { state: "stopped"; step: string; refusal: Pick<Refusal, "kind" | "text"> }
  | { state: "done"; trainer: Address };

/** Stop with a reason for people. */
class Stop extends Error {
  readonly kind: Refusal["kind"];

  constructor(kind: Refusal["kind"], text: string) {
    super(text);
    this.kind = kind;
  }
}

/** Stop since nobody but the user can tell whether a step was sent. */
class Unsure extends Error {}

/** End of a run that somebody has left. */
class Ended extends Error {}

/** Begins a deployment by an account, and stores it before anything is sent. */
export async function begin(plan: Plan, account: Address): Promise<Deployment> {
  const deployment: Deployment = {
    id: `${Date.now()}-${Math.random().toString(36).slice(2)}`,
    begun: Date.now(),
    account,
    genesis: genesis(),
    plan,
    contracts: knownBefore(plan),
    steps: {},
    isClosed: false,
  };
  await save(deployment);
  return deployment;
}

/** Deployment that goes on step by step, each of which is stored before the next one. */
export class Run {
  deployment = $state.raw() as Deployment;
  doing = $state.raw<Doing>({ state: "paused" });
  #isRunning = false;
  #isEnded = false;
  #isForgotten = false;
  #wake = (): void => undefined;

  constructor(deployment: Deployment) {
    this.deployment = deployment;
  }

  /** Number of steps that are done. */
  get done(): number {
    const { plan, steps } = this.deployment;
    return plan.transactions.filter(({ name }) => steps[name]?.done).length;
  }

  /** Cost of all steps so far, in wei. */
  get cost(): bigint {
    const all = Object.values(this.deployment.steps);
    return all.reduce((sum, { done }) => sum + BigInt(done?.cost ?? 0), 0n);
  }

  /**
   * Goes on until it is done, or something stops it. Without `mayAsk`, the wallet is not asked. If the
   * user is sure that the next step was not sent, it may be sent anew.
   */
  async go(mayAsk: boolean, isSure = false): Promise<void> {
    if (this.#isRunning || this.#isEnded) return;
    this.#isRunning = true;
    const step = (): string => this.#next()?.name ?? "";
    try {
      await alone(this.deployment.id, async () => {
        await this.#reread();
        await this.#all(mayAsk, isSure);
      });
    } catch (error) {
      if (error instanceof Ended) return;
      if (error instanceof Unsure) {
        this.doing = { state: "unsure", step: step() };
        return;
      }
      const text = error instanceof Error ? error.message : String(error);
      const kind = error instanceof Stop ? error.kind : "failed";
      this.doing = { state: "stopped", step: step(), refusal: { kind, text } };
    } finally {
      this.#isRunning = false;
    }
  }

  /** Ends the run, once the wallet has answered what it was asked. The deployment stays stored. */
  stop(): void {
    this.#isEnded = true;
    this.#wake();
  }

  /** Forgets the deployment. What is on the chain stays there. */
  async giveUp(): Promise<void> {
    this.#isForgotten = true;
    this.stop();
    await remove(this.deployment.id);
  }

  /** Takes over what another tab has done since. */
  async #reread(): Promise<void> {
    const stored = await find(this.deployment.id);
    if (!stored) throw new Stop("failed", words.run.gone);
    this.deployment = stored;
  }

  /** Ends here if somebody has left the run, or it is one of another chain. */
  #check(): void {
    if (this.#isEnded) throw new Ended();
    const { plan, genesis: begunOn } = this.deployment;
    const chain = chainId();
    // On a wrong network, the wallet tells the first block of that one.
    const first = connection().state === "ready" ? genesis() : undefined;
    const isOther =
      (chain !== undefined && chain !== plan.chainId) ||
      (first !== undefined && begunOn !== undefined && first !== begunOn);
    if (isOther) throw new Stop("failed", words.run.otherChain);
    // The wallet was too slow to tell it at the beginning.
    if (first !== undefined && begunOn === undefined)
      this.deployment = { ...this.deployment, genesis: first };
  }

  async #pause(): Promise<void> {
    await new Promise<void>((done) => {
      const timer = setTimeout(done, PAUSE);
      this.#wake = () => {
        clearTimeout(timer);
        done();
      };
    });
    this.#check();
  }

  /** Waits for an answer, unless the run ends. */
  async #unlessEnded<T>(answer: Promise<T>): Promise<T> {
    const given = answer.then((value) => ({ value }));
    for (;;) {
      const first = await Promise.race([given, this.#pause()]);
      if (first) return first.value;
    }
  }

  #next(): Planned | undefined {
    const { plan, steps } = this.deployment;
    return plan.transactions.find(({ name }) => !steps[name]?.done);
  }

  async #all(mayAsk: boolean, isSureOfFirst: boolean): Promise<void> {
    let isSure = isSureOfFirst;
    for (let step = this.#next(); step; step = this.#next()) {
      this.#check();
      const progress = this.deployment.steps[step.name] ?? {};
      const { sent } = progress;
      if (sent) await this.#include(step, { ...progress, sent }, isSure);
      else if (progress.asked) await this.#recover(step, progress, isSure);
      else if (mayAsk) await this.#send(step);
      else {
        this.doing = { state: "paused" };
        return;
      }
      isSure = false;
    }
    await this.#follow();
  }

  async #note(
    name: string,
    progress: Progress,
    more: Partial<Deployment> = {},
  ) {
    const { steps } = this.deployment;
    const changed = { ...steps, [name]: progress };
    this.deployment = { ...this.deployment, ...more, steps: changed };
    if (!this.#isForgotten) await save(this.deployment);
  }

  async #call(step: Planned): Promise<{ to: Address | null; data: Hex }> {
    const { plan, contracts, steps } = this.deployment;
    return filled(plan, step, contracts, steps[CLOSED]?.done?.block);
  }

  async #send(step: Planned): Promise<void> {
    const { account, id, plan, contracts } = this.deployment;
    const now = connection();
    if (now.state === "ready" && now.account !== account)
      throw new Stop("failed", words.run.otherAccount(account));
    this.doing = { state: "checking", step: step.name };
    if (step.name === CLOSED && !(await this.#agrees("latest")))
      throw new Stop("failed", words.run.otherWeights);
    const { to, data } = await this.#call(step);
    const [nonce, block] = await rpcAll([
      ["eth_getTransactionCount", [account, "pending"]],
      ["eth_blockNumber", []],
    ]);
    if (nonce instanceof Error) throw nonce;
    if (block instanceof Error) throw block;
    this.#check();
    const asked = { nonce: Number(nonce), block: Number(block) };
    await this.#note(step.name, { asked });
    this.doing = { state: "wallet", step: step.name };
    const label = words.step(step.name, plan);
    const trainer = contracts["trainer"];
    const sent = await send({
      to,
      data,
      purpose: {
        kind: "deploy",
        label: words.run.label(plan.name, label),
        ...(trainer ? { model: trainer } : {}),
        note: { deployment: id, step: step.name },
      },
    });
    if (!sent.ok) {
      // The request may still be open in the wallet, such as one from before a reload.
      const isOpen = ["busy", "disconnected"].includes(sent.refusal.kind);
      await this.#note(step.name, isOpen ? { asked } : {});
      throw new Stop(sent.refusal.kind, sent.refusal.text);
    }
    const { hash } = sent.value;
    await this.#note(step.name, { asked, sent: { hash, id: sent.value.id } });
  }

  /**
   * Finds a step that was asked for, or sent, and is in no block under a hash that the page knows. It
   * is forgotten only if the user is sure of it: the wallet may still send it, and a node still show it.
   */
  async #recover(
    step: Planned,
    { asked, sent }: Progress,
    isSure: boolean,
  ): Promise<void> {
    this.doing = { state: "checking", step: step.name };
    const note = (hash: Hex, id: string): Promise<void> =>
      this.#note(step.name, { ...(asked && { asked }), sent: { hash, id } });
    const own = tracked({ kind: "deploy" }).find((entry) => {
      const { deployment, step: name } = entry.purpose.note ?? {};
      const isThis = deployment === this.deployment.id && name === step.name;
      // An earlier attempt has a lower number.
      return isThis && entry.nonce >= (asked?.nonce ?? 0) && !hasFailed(entry);
    });
    if (own && !sent) return note(own.hash, own.id);
    const { account } = this.deployment;
    let next = asked?.nonce ?? 0;
    for (let misses = 1; asked; misses += 1) {
      const [receipt, latest, pending, head] = await rpcAll([
        sent
          ? ["eth_getTransactionReceipt", [sent.hash]]
          : ["eth_blockNumber", []],
        ["eth_getTransactionCount", [account, "latest"]],
        ["eth_getTransactionCount", [account, "pending"]],
        ["eth_blockNumber", []],
      ]);
      for (const answer of [latest, pending, head])
        if (answer instanceof Error) throw answer;
      if (sent && receipt && !(receipt instanceof Error)) return;
      // The wallet chose its number, perhaps after other transactions of the account.
      const end = Math.min(Number(latest), asked.nonce + NUMBERS);
      for (; next < end; next += 1) {
        const nonces = { nonce: next, block: asked.block };
        const found = await this.#sentBefore(nonces, BigInt(head as Hex));
        const { to, data } = await this.#call(step);
        const isOurs =
          found &&
          (found.to ?? "").toLowerCase() === (to ?? "").toLowerCase() &&
          hashOf(found.input) === hashOf(data);
        // The wallet's node may be ahead of the coordinator's.
        if (isOurs && found.hash === sent?.hash) return this.#pause();
        if (isOurs) return note(found.hash, "");
      }
      // A transaction of the account that waits may be this one; and nodes behind one address differ.
      const isWaiting = Number(pending) > Math.max(next, Number(latest));
      if (isWaiting) misses = 0;
      else if (misses >= MISSES) break;
      await this.#pause();
    }
    if (!isSure) throw new Unsure();
    await this.#note(step.name, {});
  }

  /** Finds the transaction with a number; undefined if the wallet cannot tell. */
  async #sentBefore(asked: NonNullable<Progress["asked"]>, head: bigint) {
    const now = connection();
    if (now.state !== "ready") throw new Stop("disconnected", words.run.wallet);
    const { account } = this.deployment;
    const entry = { account, nonce: asked.nonce, sentBlock: asked.block };
    return successor(entry, head, now.wallet.provider).catch(() => undefined);
  }

  async #include(
    step: Planned,
    progress: Progress & Required<Pick<Progress, "sent">>,
    isSure: boolean,
  ): Promise<void> {
    this.doing = { state: "chain", step: step.name };
    const receipt = await this.#receipt(step, progress.sent);
    if (!receipt) return this.#recover(step, progress, isSure);
    const contracts = knownAfter(step, receipt, this.deployment.contracts);
    if (!contracts) {
      await this.#note(step.name, {});
      throw new Stop("failed", words.run.notCreated);
    }
    const { hash, block, gasUsed, gasPrice } = receipt;
    const cost = (gasUsed * gasPrice).toString();
    if (step.name === CLOSED && !(await this.#agreed(block)))
      throw new Stop("failed", words.run.closedOtherwise);
    const done = { hash, block: Number(block), cost };
    await this.#note(
      step.name,
      { done },
      { contracts, isClosed: this.deployment.isClosed || step.name === CLOSED },
    );
  }

  /** Returns the receipt of a step that was sent; undefined if it is to be looked for. */
  async #receipt(
    step: Planned,
    { hash, id }: NonNullable<Progress["sent"]>,
  ): Promise<Receipt | undefined> {
    const own = () => tracked().find((entry) => entry.id === id);
    if (own()) {
      const outcome = await this.#unlessEnded(included(id));
      if (outcome.ok) return outcome.value;
      const entry = own();
      if (entry && hasFailed(entry)) {
        await this.#note(step.name, {});
        throw new Stop(outcome.refusal.kind, outcome.refusal.text);
      }
    }
    const raw = await rpc("eth_getTransactionReceipt", [hash]).catch(
      () => null,
    );
    if (!raw) return undefined;
    const receipt = receiptOf(raw as RawReceipt);
    if (receipt.isSuccess) return receipt;
    await this.#note(step.name, {});
    throw new Stop("reverted", words.run.reverted);
  }

  /** Returns `true` if the model on the chain has the weights of the plan. */
  async #agrees(block: bigint | "latest"): Promise<boolean> {
    const { plan, contracts } = this.deployment;
    const classifier = contracts["classifier"];
    return !!classifier && (await hasWeights(plan, classifier, block));
  }

  /** Returns `true` if the model was closed with the weights of the plan. */
  async #agreed(block: bigint): Promise<boolean> {
    return this.#agrees(block).catch((error: unknown) => {
      // Many nodes forget what was after an old block, and a closed model changes by teaching alone.
      if (error instanceof ChainError) return this.#agrees("latest");
      throw error;
    });
  }

  /** Waits until the coordinator follows the model. */
  async #follow(): Promise<void> {
    const trainer = this.deployment.contracts["trainer"];
    if (!trainer) return;
    this.doing = { state: "following", step: "" };
    for (;;) {
      this.#check();
      try {
        if (await isFollowed(trainer, this.deployment.plan.mechanism)) {
          this.doing = { state: "done", trainer };
          return;
        }
      } catch (error) {
        const isExpected =
          error instanceof Failure &&
          ["away", "rate-limited", "overloaded"].includes(error.kind);
        if (!isExpected) throw error;
      }
      await this.#pause();
    }
  }
}

/** Returns `true` if the coordinator follows a model or a market. */
async function isFollowed(
  trainer: Address,
  mechanism: string,
): Promise<boolean> {
  // In the order of addresses, it comes first after the one before it.
  const before = `0x${(BigInt(trainer) - 1n).toString(16).padStart(40, "0")}`;
  if (mechanism === MARKET) {
    const { rows } = await listMarkets(1, before);
    return rows.some(({ market }) => isSameAddress(market, trainer));
  }
  const { rows } = await listModels(1, before);
  return rows.some((model) => isSameAddress(model.trainer, trainer));
}

/** Returns the price of a unit of gas now, in wei. */
export async function gasPrice(): Promise<bigint> {
  return BigInt((await rpc("eth_gasPrice", [])) as Hex);
}

/** Runs a deployment in one tab at a time, where the browser can. */
async function alone(id: string, run: () => Promise<void>): Promise<void> {
  const locks = navigator.locks as LockManager | undefined;
  if (!locks) return run();
  await locks.request(
    `cotrain-deployment-${id}`,
    { ifAvailable: true },
    async (lock) => {
      if (!lock) throw new Stop("busy", words.run.otherTab);
      await run();
    },
  );
}
