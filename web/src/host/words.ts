import { count, counted } from "../text/numbers.ts";
import { duration } from "../text/time.ts";

/** All that the page says to hosts, in English. */
export const hostWords = {
  late: {
    title: "Late claims",
    lead: (owner: string, anyone: string) =>
      `What nobody has taken back or reported in time is left for the owner, ${owner} after a contribution, and for anybody ${anyone} after it.`,
    asOwner: "As its owner, you can take",
    asAnybody: "As anybody, you can take",
    ofOwner: "Its owner can take",
    nothing: "nothing now",
    of: (rows: number) => `of ${counted(rows, "contribution")}`,
    next: "The next one can be taken",
    none: "No deposit is open.",
    more: (rows: number) =>
      `Only the first ${counted(rows, "open contribution")} are looked at; take these first.`,
    cost: "Gas of the transaction",
    net: "What remains for you",
    loss: "The gas costs more than it brings.",
    parts: (now: number, rest: number) =>
      `${counted(now, "claim")} fit into one transaction; ${count(rest)} are left for the next.`,
    take: "Take what is left",
    taking: "Waiting …",
    label: (rows: number) => `Take what is left of ${counted(rows, "deposit")}`,
    taken: (rows: number) => `Taken, of ${counted(rows, "contribution")}:`,
    skipped: (rows: number) =>
      `The contract passed over ${counted(rows, "contribution")}: somebody was faster.`,
    refused: "This cannot be sent",
    wallet: "Connect a wallet to take it.",
  },

  settings: {
    title: "Settings",
    lead: "As its contract has them, read through this coordinator. Nobody can change them, its owner neither.",
    block: "Read at",
    owner: "Owner",
    refund: "Deposit back",
    notice: "Notice of a report",
    ownerClaim: "Owner may take what is left",
    anyone: "Anybody may take what is left",
    after: (wait: number) => `after ${duration(wait)}`,
    noNotice: "none",
    differs:
      "The coordinator tells two things of these settings, here and elsewhere. Do not trust it before its host has looked.",
  },

  rights: {
    title: "What the owner may do",
    may: [
      "Take what is left of open deposits, earlier than anybody else.",
      "Change the card in the registry: name, description, names of the classes, encoder.",
      "Contribute, take back and report as anybody does.",
    ],
    mayNot: [
      "Change waits, prices or the learner.",
      "Stop contributions, refunds or reports.",
      "Take a deposit before its time, or prepaid money.",
      "Change what the model has learned.",
    ],
    cannot: "What the owner may not do",
  },

  relay: {
    title: "Relay and keeper",
    off: "This coordinator relays nothing: contributors pay gas themselves.",
    relayer: "Relayer",
    holds: "Ether for gas",
    fees: "Fees it has earned, in the contract",
    fee: "Fee of a contribution",
    empty: "It has no ether for gas, so it can send nothing. Send it some.",
    queue: "Signed batches",
    queueOf: (waiting: number, sent: number) =>
      `${count(waiting)} waiting, ${count(sent)} sent`,
    queueDone: (included: number, refused: number) =>
      `${count(included)} in blocks, ${count(refused)} refused`,
    tooMany: "more than 1,000 were taken; they are not counted here",
    keeper: "Keeper",
    keeperOff:
      "This coordinator claims for nobody: authors and reporters claim themselves.",
  },

  health: {
    title: "Health",
    ready: "The coordinator is ready.",
    asking: "Asking …",
    head: "Newest block",
    block: "This model is read up to",
    behind: "Blocks behind",
    away: "The coordinator does not answer.",
    notReady: (reason: string) => `It is not ready: ${reason}`,
  },
} as const;
