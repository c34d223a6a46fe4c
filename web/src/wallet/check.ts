import {
  ChainError,
  quantity,
  rpcPending,
  type Address,
  type Hex,
} from "../chain/rpc.ts";
import { MAX, tamed } from "../text/strangers.ts";
import { reasonOf } from "./node.ts";
import { done, refused, within, type Outcome } from "./outcome.ts";
import type { Provider } from "./wallets.svelte.ts";
import { walletWords as words } from "./words.ts";

/** Gas that is offered beyond the estimate, in percent: others may change the model first. */
const RESERVE = 25n;
/** Time after which a wallet is asked no longer about its network, in milliseconds. */
const SLOW = 3_000;
/** Maximum gas of a transaction (EIP-7825). */
const MAX_GAS = 16_777_216n;

/** Transaction before it is sent. */
export interface Draft {
  to: Address | null;
  data: Hex;
  value: bigint;
}

/** What sending takes, found out before the wallet is asked. */
export interface Checked {
  gas: bigint;
  nonce: number;
  block: number;
}

/** Simulates a transaction, and checks that its account can pay for it. */
export async function check(
  account: Address,
  draft: Draft,
  provider: Provider,
): Promise<Outcome<Checked>> {
  const { to, data } = draft;
  const value = quantity(draft.value);
  const call = { from: account, data, value, ...(to ? { to } : {}) };
  const answers = await rpcPending([
    ["eth_estimateGas", [call, "pending"]],
    // The next block decides: in the latest one of a chain that rests, deposits have not fallen yet.
    ["eth_call", [call, "pending"]],
    ["eth_gasPrice", []],
    ["eth_getProof", [account, [], "latest"]],
    ["eth_getTransactionCount", [account, "pending"]],
    ["eth_blockNumber", []],
  ]);
  const [estimate, result, price, proof, nonce, block] = answers;
  const balance = await balanceOf(account, proof, provider);
  if (balance < draft.value)
    return refused("unpayable", words.poor(draft.value, balance));
  for (const answer of [result, estimate]) {
    if (!(answer instanceof ChainError)) continue;
    if (answer.data !== undefined) {
      const reason = await reasonOf(answer.data);
      return refused("reverted", words.wouldRevert(reason));
    }
    if (/insufficient funds/i.test(answer.message)) return refused("unpayable");
    const said = tamed(answer.message, MAX.refusal);
    return refused("reverted", words.chainRefuses(said));
  }
  const failed = [price, nonce, block].find((it) => it instanceof Error);
  if (failed) throw failed;
  const needed = BigInt(estimate as Hex) * BigInt(price as Hex) + draft.value;
  if (balance < needed)
    return refused("unpayable", words.poor(needed, balance));
  if (to && data !== "0x" && !(await knows(to, provider)))
    return refused("wrong-network", words.elsewhere);
  const offered = (BigInt(estimate as Hex) * (100n + RESERVE)) / 100n;
  return done({
    gas: offered < MAX_GAS ? offered : MAX_GAS,
    nonce: Number(nonce),
    block: Number(block),
  });
}

/**
 * Returns `true` if the wallet's own node has a contract: two development chains have one id. A
 * wallet that does not answer such questions passes.
 */
async function knows(contract: Address, provider: Provider): Promise<boolean> {
  const params = [contract, "latest"];
  const asked = provider.request({ method: "eth_getCode", params });
  return (await within(asked, SLOW).catch(() => undefined)) !== "0x";
}

/** Returns an account's ether in wei: by proof, which some nodes lack, else by the wallet. */
async function balanceOf(
  account: Address,
  proof: unknown,
  provider: Provider,
): Promise<bigint> {
  if (!(proof instanceof Error)) {
    const { balance } = proof as { balance: Hex };
    return BigInt(balance);
  }
  const params = [account, "latest"];
  return BigInt(
    (await provider.request({ method: "eth_getBalance", params })) as Hex,
  );
}
