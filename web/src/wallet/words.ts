import { shortEther } from "../text/money.ts";
import { counted } from "../text/numbers.ts";
import { words } from "../words.ts";
import type { RefusalKind } from "./outcome.ts";

/** All that the page says of wallets and of what they send, in English. */
export const walletWords = {
  networkName: words.chain,
  unnamed: "Wallet of this browser",

  button: {
    connect: "Connect wallet",
    account: ", your account",
    locked: "Wallet locked",
    wrong: "Wrong network",
    waiting: "Confirm in your wallet",
    pending: " pending",
    failed: "This part could not be loaded. Try again.",
  },

  dialog: {
    title: "Your wallet",
    close: "Close",
    choose: "Choose a wallet",
    none: "There is no wallet in this browser",
    noneText:
      "Trying models and reading everything works without one. To teach, report or take back a deposit, install a wallet, such as the browser extension Rabby, MetaMask or Frame, and load this page again.",
    look: "Look again",
    connecting: "Confirm in your wallet…",
    harmless: "The wallet only shows this page your address. You sign nothing.",
    account: "Account",
    wallet: "Wallet",
    copy: "Copy address",
    copied: "Copied",
    notCopied: "This browser does not let the page copy. Select the address.",
    network: "Network",
    disconnect: "Disconnect",
    transactions: "Transactions",
    noTransactions: "Nothing was sent from this browser yet.",
  },

  gate: {
    disconnected: "This needs a wallet. Connect one to go on.",
    locked: (wallet: string) =>
      `${wallet} is locked, or shows this page no account. Unlock it, then connect again.`,
    wrong: (is: string, wanted: string) =>
      `Your wallet is on another network: ${is}. This page works on: ${wanted}. Switch before you send or sign anything.`,
    switch: "Switch the network",
    switching: "Confirm in your wallet…",
    unknown: (wanted: string) =>
      `Your wallet does not know this network yet: ${wanted}. Give the address of a node that takes its transactions. The host of this page knows one.`,
    node: "Address of a node",
    add: "Add the network",
  },

  refusals: {
    rejected: "You declined in the wallet. Nothing was sent.",
    busy: "A request already waits in your wallet. Open the wallet and answer it, then try again.",
    locked:
      "The wallet is locked, or does not let this page use the account. Unlock it, connect again and try again.",
    "wrong-network":
      "The wallet is on another network than this coordinator. Switch the network and try again.",
    "unknown-network":
      "The wallet does not know this network. Add the network and try again.",
    unsupported:
      "The wallet cannot do this. Try another wallet, or a newer version of it.",
    disconnected:
      "The wallet is not connected, or does not reach its network. Connect it and try again.",
    reverted: "The contract would refuse this, so nothing was sent.",
    unpayable:
      "The account has too little ether for this and its fee. Add ether and try again.",
    timeout:
      "The wallet has not answered. Open it and see if a request waits there, decline it, then try again.",
    failed: "This failed. Nothing was sent.",
  } satisfies Record<RefusalKind, string>,

  failed: (said: string) =>
    said === ""
      ? "The wallet could not do this and gave no reason that helps. Try again."
      : `The wallet could not do this. It says: ${said}`,
  nonce:
    "Your wallet numbers its transactions otherwise than this chain. That happens if a development chain begins anew. Clear the account’s activity in the wallet’s settings, then try again.",
  switched:
    "The account was changed in the wallet, so nothing was sent. Check the amounts and try again.",
  elsewhere:
    "Nothing was sent. The network that your wallet uses has this one’s number, but not this contract. Check which node the wallet uses; if it is the right one, it may be behind, so try again.",
  wouldRevert: (reason: string) => `Nothing was sent. ${reason}`,
  chainSilent: (reason: string) =>
    `Nothing was sent, since the chain could not be asked first: ${reason}`,
  chainRefuses: (reason: string) =>
    `Nothing was sent. The node refuses this: ${reason}`,
  poor: (needed: bigint, has: bigint) =>
    `The account has ${shortEther(has)} ether. With the network’s fee this needs up to ${shortEther(needed)} ether. Add ether and try again; nothing was sent.`,

  stages: {
    sent: "Sent. The network has not shown it yet.",
    seen: "The network knows it. It waits for a block.",
    included: (block: string, confirmations: number, of: number) =>
      confirmations >= of
        ? `Done, in ${block}.`
        : `In ${block}; ${confirmations} of ${of} blocks confirm it.`,
    replaced:
      "Another transaction of your account took its place. It will not happen.",
    replacedBySome:
      "Another transaction of your account took its place. Connect the wallet to see which.",
    canceled: "You canceled it in the wallet. It cost a fee, and nothing else.",
    dropped:
      "The network forgot it before a block took it. Nothing happened; send it again, or let your wallet do so.",
    "rolled-back":
      "The chain took back the block that it was in. It waits for another block.",
    reverted: (reason: string) => `The contract refused it. ${reason}`,
    "not-seen": (minutes: number) =>
      `The network has not shown it for ${counted(minutes, "minute")}. Look into your wallet: it may use another node, or have sent nothing.`,
  },
  gap: (has: number, expected: number) =>
    `Your wallet numbers this transaction ${has}, but the chain expects ${expected} next. If the development chain began anew, clear the account’s activity in the wallet’s settings, and send again.`,
  outOfGas:
    "It ran out of gas, since the model changed meanwhile. Send it again.",
  unknownReason:
    "The reason is not known: the node does not tell it, or it does not hold any more. Try again to see it.",
  details: "Details",
  hash: "Transaction",
  number: "Number",
  dismiss: "Remove from the list",
  dismissLabel: (label: string) => `Remove from the list: “${label}”`,
  since: "Sent",
} as const;
