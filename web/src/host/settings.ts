import { toFunctionSelector } from "viem/utils";
import type { Model } from "../api/client.ts";
import { isSameAddress } from "../chain/address.ts";
import { ChainError, rpcAll, type Hex } from "../chain/rpc.ts";
import { readWei } from "../text/money.ts";

/** Settings of a model as its contract has them by the coordinator's word, and money of the coordinator's accounts, in wei. */
export interface Settings {
  block: number;
  owner: string;
  /** Waits in seconds. */
  refund: number;
  ownerClaim: number;
  anyAddressClaim: number;
  reportNotice: number;
  /** Cost weight of the price, in wei; undefined if a contribution costs points. */
  costWeight: bigint | undefined;
  /** Ether of the account that relays and claims; undefined if there is none. */
  relayer: bigint | undefined;
  keeper: bigint | undefined;
  /** Money of the relayer within the trainer: its fees. */
  fees: bigint | undefined;
}

const WAITS = [
  "refundWait()",
  "ownerClaimWait()",
  "anyAddressClaimWait()",
  "reportNotice()",
] as const;

/** Reads the settings of a model from its contract, through the coordinator. */
export async function readSettings(model: Model): Promise<Settings> {
  const { trainer, relayer, keeper, incentive } = model;
  const isPriced = incentive.kind !== "points";
  const ask = (call: string, account = ""): [string, unknown[]] => {
    const data = toFunctionSelector(call) + account.slice(2).padStart(64, "0");
    return [
      "eth_call",
      [{ to: trainer, data: account ? data : data.slice(0, 10) }, "latest"],
    ];
  };
  // The proof of an account has its balance.
  const holds = (account: string): [string, unknown[]] => {
    return ["eth_getProof", [account, [], "latest"]];
  };
  const answers = await rpcAll([
    ["eth_blockNumber", []],
    ask("owner()"),
    ...WAITS.map((wait) => ask(wait)),
    holds(relayer ?? trainer),
    holds(keeper ?? trainer),
    ask("balanceOf(address)", relayer ?? trainer),
    ask(isPriced ? "costWeight()" : "owner()"),
  ]);
  const [block, owner, refund, ownerClaim, any, notice, ...money] = answers.map(
    (answer) => {
      if (answer instanceof ChainError) throw answer;
      return answer;
    },
  );
  const [relaying, keeping, fees, weight] = money;
  const number = (answer: unknown): number => Number(BigInt(answer as Hex));
  const balance = (proof: unknown): bigint =>
    BigInt((proof as { balance: Hex }).balance);
  return {
    block: number(block),
    owner: `0x${(owner as Hex).slice(-40)}`,
    refund: number(refund),
    ownerClaim: number(ownerClaim),
    anyAddressClaim: number(any),
    reportNotice: number(notice),
    costWeight: isPriced ? BigInt(weight as Hex) : undefined,
    relayer: relayer ? balance(relaying) : undefined,
    keeper: keeper ? balance(keeping) : undefined,
    fees: relayer ? BigInt(fees as Hex) : undefined,
  };
}

/**
 * Returns `true` if a model that a coordinator describes has other settings than its contract. Both are the
 * coordinator's answers, so that they agree proves nothing.
 */
export function differs(settings: Settings, model: Model): boolean {
  const { waits, incentive } = model;
  const weight =
    incentive.kind === "points" ? undefined : readWei(incentive.costWeight);
  return !(
    isSameAddress(settings.owner, model.owner) &&
    settings.refund === waits.refund &&
    settings.ownerClaim === waits.ownerClaim &&
    settings.anyAddressClaim === waits.anyAddressClaim &&
    settings.reportNotice === waits.reportNotice &&
    settings.costWeight === weight
  );
}
