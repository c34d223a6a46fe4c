import { readFile } from "node:fs/promises";
import {
  concat,
  encodeAbiParameters,
  encodeFunctionData,
  keccak256,
} from "viem/utils";
import { federatedAbi } from "../../src/chain/abi/federated.ts";
import { factoryAbi } from "../../src/chain/abi/factory.ts";
import { softmaxAbi } from "../../src/chain/abi/softmax.ts";
import type { Address, Hex } from "../../src/chain/rpc.ts";
import { toHex } from "../../src/twin/index.ts";
import { askNode, type World } from "./world.ts";

/** Trainer that a test has made, with what its owner keeps secret. */
export interface Rounds {
  trainer: Address;
  classifier: Address;
  stakeToken: Address;
  rewardToken: Address;
  salt: Hex;
  items: Hex;
}

/** Sample of the test data. */
export interface Item {
  label: number;
  levels: Uint8Array;
}

export const STAKE = 1_000_000n;
const [BOND, EMISSION] = [5_000n, 10n ** 21n] as const;
const WAIT = 600n;
const SALT: Hex = `0x${"5a".repeat(32)}`;

/** Sends a transaction of an account that the node has the key of. Returns its receipt. */
export async function sendAs(
  world: Pick<World, "ports">,
  from: Address,
  to: Address | undefined,
  data: Hex,
): Promise<{ contractAddress: Address }> {
  const call = { from, data, gas: "0xf00000", ...(to ? { to } : {}) };
  const hash = await askNode<Hex>(world, "eth_sendTransaction", call);
  for (;;) {
    const receipt = await askNode<{
      status: Hex;
      contractAddress: Address;
    } | null>(world, "eth_getTransactionReceipt", hash);
    if (receipt?.status === "0x1") return receipt;
    if (receipt) {
      const reason = await askNode(world, "eth_call", call, "latest").catch(
        String,
      );
      throw new Error(`the transaction reverted: ${reason}`);
    }
    await new Promise((done) => setTimeout(done, 100));
  }
}

/** Calls a contract of the node of a world. */
export function callAt(
  world: Pick<World, "ports">,
  to: Address,
  data: Hex,
): Promise<Hex> {
  return askNode<Hex>(world, "eth_call", { to, data }, "latest");
}

const words = (...values: (bigint | Address)[]): Hex =>
  encodeAbiParameters(
    values.map((it) => ({
      type: typeof it === "bigint" ? "uint256" : "address",
    })),
    values,
  );

/** Returns the call of a function of a token: none of them is in the page's interfaces alone. */
function tokenCall(selector: Hex, account: Address, amount: bigint): Hex {
  return concat([selector, words(account, amount)]);
}

const [MINT, APPROVE, SET_TRAINER] = [
  "0x40c10f19",
  "0x095ea7b3",
  keccak256(new TextEncoder().encode("setTrainer(address)")).slice(
    0,
    10,
  ) as Hex,
] as const;

/** Gives stake tokens to an account. */
export async function mint(
  world: Pick<World, "ports">,
  token: Address,
  to: Address,
  amount: bigint,
): Promise<void> {
  await sendAs(world, to, token, tokenCall(MINT, to, amount));
}

/** Deposits stake tokens of an account, which it gets for it. */
export async function deposit(
  world: Pick<World, "ports">,
  { trainer, stakeToken }: Pick<Rounds, "trainer" | "stakeToken">,
  account: Address,
  amount: bigint,
): Promise<void> {
  await mint(world, stakeToken, account, amount);
  await sendAs(world, account, stakeToken, tokenCall(APPROVE, trainer, amount));
  const data = encodeFunctionData({
    abi: federatedAbi,
    functionName: "deposit",
    args: [amount],
  });
  await sendAs(world, account, trainer, data);
}

/**
 * Makes a trainer of digits whose rounds have three clients. The median of their updates is taken,
 * and test data of one part for each of two rounds are committed to.
 */
export async function found(
  world: Pick<World, "ports">,
  owner: Address,
  clients: bigint,
  items: readonly Item[],
): Promise<Rounds> {
  const create = async (name: string, args: Hex = "0x"): Promise<Address> => {
    const path = new URL(
      `../../../contracts/artifacts/${name}.json`,
      import.meta.url,
    );
    const { bytecode } = JSON.parse(await readFile(path, "utf8")) as {
      bytecode: Hex;
    };
    const code = concat([bytecode, args]);
    return (await sendAs(world, owner, undefined, code)).contractAddress;
  };
  const math = await create("RoundMath");
  const implementation = await create("FederatedTrainer", words(math));
  const factory = await create("ModelFactory");
  const softmax = await create("SoftmaxRegression");
  const stakeToken = await create("Erc3009Token");
  const text = { type: "string" } as const;
  const rewardToken = await create(
    "RewardToken",
    encodeAbiParameters(
      [text, text, { type: "uint256" }, { type: "address" }],
      ["Digits", "DIG", 10n ** 27n, owner],
    ),
  );
  // The mean of all: mean rule, no hostile update, 8 bits, any length, chunks of 256 bytes.
  const terms = words(
    ...[stakeToken, rewardToken, STAKE, STAKE / 2n, 100_000n],
    ...[WAIT, WAIT, WAIT, clients, 0n, 0n, 8n, 1n << 40n, 256n],
    ...[EMISSION, 100n, BOND],
  );
  const model = words(10n, 64n, 6n, 16n);
  const made = encodeFunctionData({
    abi: factoryAbi,
    functionName: "create",
    args: [implementation, terms, softmax, model],
  });
  const call = { from: owner, to: factory, data: made };
  const result = await askNode<Hex>(world, "eth_call", call, "latest");
  await sendAs(world, owner, factory, made);
  const trainer: Address = `0x${result.slice(26, 66)}`;
  const classifier: Address = `0x${result.slice(90, 130)}`;
  const close = encodeFunctionData({
    abi: softmaxAbi,
    functionName: "close",
    args: [trainer],
  });
  await sendAs(world, owner, classifier, close);
  await sendAs(
    world,
    owner,
    rewardToken,
    concat([SET_TRAINER, words(trainer)]),
  );
  const rounds = { trainer, classifier, stakeToken, rewardToken };
  await deposit(world, rounds, owner, BOND);
  const data = toHex(
    Uint8Array.from(items.flatMap(({ label, levels }) => [label, ...levels])),
  );
  const commitments = [0n, 1n].map((index) =>
    keccak256(concat([words(index), SALT, keccak256(data)])),
  );
  const commit = encodeFunctionData({
    abi: federatedAbi,
    functionName: "commitTest",
    args: [commitments],
  });
  await sendAs(world, owner, trainer, commit);
  return { ...rounds, salt: SALT, items: data };
}
