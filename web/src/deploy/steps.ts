import { decodeEventLog, encodeFunctionData } from "viem/utils";
import { factoryAbi, registryAbi } from "../chain/abi.ts";
import { isSameAddress } from "../chain/address.ts";
import { type Address, type Hex } from "../chain/rpc.ts";
import type { Receipt } from "../wallet/stages.ts";
import { hexOf } from "./hex.ts";
import type { Plan, Planned } from "./service.ts";

/** Addresses of a deployment's contracts that are known so far, by name. */
export type Contracts = Readonly<Record<string, Address>>;

/** Names of steps that the page treats apart. */
export const [MODEL, CLOSED, REGISTERED] = [
  "model",
  "closed",
  "registered",
] as const;

/** End of a card's text: its block is not known yet. */
const NO_BLOCK = '"from_block":0}';

/** Returns the addresses that are known before the first transaction. */
export function knownBefore(plan: Plan): Contracts {
  return Object.fromEntries(
    plan.contracts.map(({ contract, address }) => [
      contract,
      address as Address,
    ]),
  );
}

/** Returns the address of a contract, which an earlier step has told. */
export function addressOf(contracts: Contracts, name: string): Address {
  const address = contracts[name];
  if (!address) throw new Error(`the address of ${name} is not known yet`);
  return address;
}

/** Returns receiver and data of a step, with the addresses of earlier steps in it. */
export async function filled(
  plan: Plan,
  step: Planned,
  contracts: Contracts,
  closedIn: number | undefined,
): Promise<{ to: Address | null; data: Hex }> {
  const to = step.toContract
    ? addressOf(contracts, step.toContract)
    : ((step.to ?? null) as Address | null);
  if (step.data == null) {
    if (closedIn === undefined) throw new Error("the model is not closed yet");
    const trainer = addressOf(contracts, "trainer");
    return { to, data: await registration(plan.card, trainer, closedIn) };
  }
  let data = step.data as Hex;
  for (const { offset, contract } of step.inserts) {
    const start = 2 + 2 * offset;
    const address = addressOf(contracts, contract).slice(2).toLowerCase();
    data = `${data.slice(0, start)}${address}${data.slice(start + 40)}` as Hex;
  }
  return { to, data };
}

/** Returns the call that publishes a card, with the block of the model's closing. */
export async function registration(
  card: string,
  trainer: Address,
  closedIn: number,
): Promise<Hex> {
  if (!card.endsWith(NO_BLOCK))
    throw new Error("the card does not end with its block");
  const start = card.slice(0, card.length - NO_BLOCK.length);
  const bytes = await deflated(`${start}"from_block":${closedIn}}`);
  return encodeFunctionData({
    abi: registryAbi,
    functionName: "register",
    args: [trainer, hexOf(bytes)],
  });
}

/** Packs a text in the form of RFC 1950. */
async function deflated(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const packed = new Blob([text])
    .stream()
    .pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

/** Returns the contracts that are known after a step; undefined if its receipt lacks one. */
export function knownAfter(
  step: Planned,
  receipt: Receipt,
  contracts: Contracts,
): Contracts | undefined {
  if (step.name === MODEL) {
    const made = madeBy(receipt, addressOf(contracts, "factory"));
    return made && { ...contracts, ...made };
  }
  const open = step.creates.filter((name) => contracts[name] === undefined);
  const created = receipt.contractAddress;
  if (open.length === 0) return contracts;
  return created && { ...contracts, [open[0] ?? ""]: created };
}

/** Finds the model that a factory has created. */
function madeBy(receipt: Receipt, factory: Address): Contracts | undefined {
  for (const { address, topics, data } of receipt.logs) {
    if (!isSameAddress(address, factory)) continue;
    try {
      const { args } = decodeEventLog({ abi: factoryAbi, topics, data });
      if ("trainer" in args && "classifier" in args) {
        const { trainer, classifier } = args;
        return { trainer, classifier };
      }
    } catch {
      // The factory has other events, too.
    }
  }
  return undefined;
}
