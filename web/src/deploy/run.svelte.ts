import { Failure, listModels } from "../api/client.ts";
import {
  isSameAddress,
  rpc,
  rpcAll,
  type Address,
  type Hex,
} from "../chain/rpc.ts";
import { connection, genesis } from "../wallet/account.svelte.ts";
import { listMarkets } from "../market/api.ts";
import {
  hashOf,
  receiptOf,
  successor,
  type RawReceipt,
} from "../wallet/node.ts";
import type { Refusal } from "../wallet/outcome.ts";
import type { Receipt } from "../wallet/stages.ts";
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

/** What a deployment does now. */
export type Doing =
  | { state: "paused" }
  | { state: "checking" | "wallet" | "chain" | "following"; step: string }
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

  /** Goes on until it is done, or something stops it. Without `mayAsk`, the wallet is not asked. */
  async go(mayAsk: boolean): Promise<void> {
    if (this.#isRunning || this.#isEnded) return;
    this.#isRunning = true;
    const step = (): string => this.#next()?.name ?? "";
    try {
      await alone(this.deployment.id, async () => {
        await this.#reread();
        await this.#all(mayAsk);
      });
    } catch (error) {
      if (error instanceof Ended) return;
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

  /** Ends here if somebody has left the run. */
  #check(): void {
    if (this.#isEnded) throw new Ended();
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

  async #all(mayAsk: boolean): Promise<void> {
    for (let step = this.#next(); step; step = this.#next()) {
      this.#check();
      const progress = this.deployment.steps[step.name] ?? {};
      if (progress.sent) await this.#include(step, progress.sent);
      else if (progress.asked) await this.#recover(step, progress.asked);
      else if (mayAsk) await this.#send(step);
      else {
        this.doing = { state: "paused" };
        return;
      }
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
    const first = genesis();
    const isOther = first !== undefined && first !== this.deployment.genesis;
    if (this.deployment.genesis !== undefined && isOther)
      throw new Stop("failed", words.run.otherChain);
    this.doing = { state: "checking", step: step.name };
    if (step.name === CLOSED) await this.#compare("latest");
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
      await this.#note(step.name, {});
      throw new Stop(sent.refusal.kind, sent.refusal.text);
    }
    const { hash } = sent.value;
    await this.#note(step.name, { asked, sent: { hash, id: sent.value.id } });
  }

  /** Finds out whether the wallet sent a step after the page was closed. */
  async #recover(
    step: Planned,
    asked: NonNullable<Progress["asked"]>,
  ): Promise<void> {
    this.doing = { state: "checking", step: step.name };
    const { account } = this.deployment;
    const note = (hash: Hex, id: string): Promise<void> =>
      this.#note(step.name, { asked, sent: { hash, id } });
    const own = tracked({ kind: "deploy" }).find(({ purpose }) => {
      const { deployment, step: name } = purpose.note ?? {};
      return deployment === this.deployment.id && name === step.name;
    });
    if (own) return note(own.hash, own.id);
    for (;;) {
      const [latest, pending, head] = await rpcAll([
        ["eth_getTransactionCount", [account, "latest"]],
        ["eth_getTransactionCount", [account, "pending"]],
        ["eth_blockNumber", []],
      ]);
      for (const answer of [latest, pending, head])
        if (answer instanceof Error) throw answer;
      if (Number(pending) <= asked.nonce) return this.#note(step.name, {});
      if (Number(latest) > asked.nonce) {
        const found = await this.#sentBefore(asked, BigInt(head as Hex));
        const { to, data } = await this.#call(step);
        const isOurs =
          found &&
          (found.to ?? "").toLowerCase() === (to ?? "").toLowerCase() &&
          hashOf(found.input) === hashOf(data);
        return isOurs ? note(found.hash, "") : this.#note(step.name, {});
      }
      // A transaction of the account waits, and may be this one.
      await this.#pause();
    }
  }

  async #sentBefore(asked: NonNullable<Progress["asked"]>, head: bigint) {
    const now = connection();
    if (now.state !== "ready") throw new Stop("disconnected", words.run.wallet);
    const { account } = this.deployment;
    const entry = { account, nonce: asked.nonce, sentBlock: asked.block };
    return successor(entry, head, now.wallet.provider);
  }

  async #include(
    step: Planned,
    sent: NonNullable<Progress["sent"]>,
  ): Promise<void> {
    this.doing = { state: "chain", step: step.name };
    const receipt = await this.#receipt(step, sent);
    const contracts = knownAfter(step, receipt, this.deployment.contracts);
    if (!contracts) {
      await this.#note(step.name, {});
      throw new Stop("failed", words.run.notCreated);
    }
    const { hash, block, gasUsed, gasPrice } = receipt;
    const cost = (gasUsed * gasPrice).toString();
    if (step.name === CLOSED) await this.#compare(block);
    const done = { hash, block: Number(block), cost };
    await this.#note(
      step.name,
      { done },
      { contracts, isClosed: this.deployment.isClosed || step.name === CLOSED },
    );
  }

  async #receipt(
    step: Planned,
    { hash, id }: NonNullable<Progress["sent"]>,
  ): Promise<Receipt> {
    if (tracked().some((entry) => entry.id === id)) {
      const outcome = await this.#unlessEnded(included(id));
      if (outcome.ok) return outcome.value;
      // It will never be in a block, so it can be sent anew.
      await this.#note(step.name, {});
      throw new Stop(outcome.refusal.kind, outcome.refusal.text);
    }
    // The browser has forgotten it, but the chain has not.
    const { account } = this.deployment;
    const asked = this.deployment.steps[step.name]?.asked;
    for (let misses = 0; ; misses += 1) {
      const [raw, count] = await rpcAll([
        ["eth_getTransactionReceipt", [hash]],
        ["eth_getTransactionCount", [account, "latest"]],
      ]);
      if (raw && !(raw instanceof Error)) {
        const receipt = receiptOf(raw as RawReceipt);
        if (receipt.isSuccess) return receipt;
        await this.#note(step.name, {});
        throw new Stop("reverted", words.run.reverted);
      }
      // Its number is used by another one: perhaps the same again, for a higher fee.
      if (asked && misses > 2 && Number(count) > asked.nonce) {
        await this.#recover(step, asked);
        throw new Stop("failed", words.run.replaced);
      }
      await this.#pause();
    }
  }

  /** Checks that the model on the chain has the weights of the plan. */
  async #compare(block: bigint | "latest"): Promise<void> {
    const { plan, contracts } = this.deployment;
    const classifier = contracts["classifier"];
    if (classifier && (await hasWeights(plan, classifier, block))) return;
    throw new Stop("failed", words.run.otherWeights);
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
