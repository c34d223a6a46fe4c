import { count, counted, shareOf } from "../text/numbers.ts";
import { duration } from "../text/time.ts";
import type { Phase } from "./contract.ts";
import type { Drive } from "./steps.ts";

/** Units of a bit in which contracts count losses. */
const UNITS = 256;

/** All that the page says of federated rounds, in English. */
export const roundWords = {
  title: "Rounds",
  lead: "In a round, many people train one model, each on data of their own that stay with them. You draw digits here, and this browser trains on them. Only the change of the model’s weights is published. It earns tokens if it improves the model on test data that nobody has seen.",
  find: {
    title: "Go to a trainer",
    label: "Address of a federated trainer",
    button: "Open",
    form: (given: string) =>
      given === ""
        ? "Give the address of a federated trainer: 0x and 40 digits."
        : "This is no address. One has 0x and 40 hexadecimal digits.",
    hint: "Whoever created the trainer knows its address. This coordinator keeps no list of trainers.",
  },
  unknown: "There is no federated trainer at this address",
  unknownHint:
    "The address may be that of a model of another kind, or of another chain.",
  toFind: "Give another address",

  phases: {
    open: "open",
    reveal: "updates are revealed",
    draw: "test data are drawn",
    test: "test data are revealed",
    score: "being scored",
    aggregate: "being joined",
    settle: "being settled",
  } satisfies Record<Phase, string>,
  now: {
    title: "Now",
    round: "Round",
    version: "Version of the model",
    committed: "Committed",
    committedText: (number: number, most: number) =>
      `${count(number)} of at most ${count(most)}`,
    revealed: "Revealed",
    ends: "This phase ends",
    noEnd: "with the next step, which anyone may send",
    notBegun: (wait: number) =>
      `${duration(wait)} after the first commitment, or with the last client`,
    parts: "Rounds with test data left",
  },
  drive: {
    draw: "Draw the test data",
    settle: "Settle the round",
    fail: "End the round",
  } satisfies Record<Drive, string>,
  driveWhy: {
    draw: "Anyone may send this. It takes two transactions, the second one two blocks later.",
    settle: "Anyone may send this. It books stakes and rewards.",
    fail: "Its time is over. Those who revealed get their stakes back.",
  } satisfies Record<Drive, string>,

  terms: {
    title: "What it costs, and what you can lose",
    code: "The page cannot tell who wrote this contract. Take part only if you trust whoever gave you its address.",
    stake: "Stake of a commitment",
    unrevealed: "You lose all of it if you do not reveal",
    unrevealedText: (wait: number) =>
      `within ${duration(wait)} after the open phase`,
    slash: "You lose of it if your update harms",
    slashText: (bits: string) =>
      `if the others are better without it by more than ${bits} bits`,
    reward: "A better model earns in this round, together",
    rewardText: "shared by what each update adds to the others",
    rule: "Updates are joined by",
    ruleText: (rule: string, needed: number) =>
      `${rule}; it needs ${counted(needed, "update")}`,
    rules: ["the mean", "the median", "the trimmed mean", "Multi-Krum"],
    public:
      "Your update is public forever. Your digits are sent nowhere, but an update can tell something of them.",
    gas: "Each transaction costs gas besides: approve, deposit, commit, reveal and collect.",
    owner: "Owner",
    trainer: "Trainer",
  },

  digits: {
    title: "Your digits",
    lead: "Draw a digit, then press its key or its button. Or label pictures that come with the page. All of it stays in this browser.",
    board: "Board to draw a digit on",
    preview: "The digit as the model sees it",
    clear: "Clear the board",
    given: "Show a picture",
    class: "Which digit is it?",
    nothing: "Draw something first, or show a picture.",
    added: (label: number, all: number) =>
      `Added as ${label}. You have ${counted(all, "digit")}.`,
    have: (all: number, held: number) =>
      all === 0
        ? "You have no digits yet."
        : `You have ${counted(all, "digit")}. Kept apart to measure with: ${count(held)}.`,
    undo: "Take back the last one",
    remove: "Remove all",
    full: "This browser keeps no more digits for this page.",
    notKept: "This browser does not keep them: they are gone when you leave.",
    keys: [
      ["0 – 9", "add the digit with this label"],
      ["p", "show a picture"],
      ["c", "clear the board"],
      ["u", "take back the last digit"],
      ["?", "show these keys"],
    ] as const,
    otherModel:
      "This model does not take digits of 8 by 8 pixels, so this page cannot train it. Use the command, or a program of your own.",
  },

  train: {
    title: "Train",
    lead: "This browser trains on your digits, and measures on those that are kept apart.",
    button: "Train on my digits",
    busy: "Training …",
    few: (enough: number) => `Label at least ${enough} digits first.`,
    loading: "The model is being read.",
    caption: "On digits that were kept apart",
    before: "The model now",
    after: "With your update",
    loss: "Loss in bits a digit",
    right: "Right",
    lossText: (sum: number, held: number) => (sum / held / UNITS).toFixed(3),
    rightText: shareOf,
    better: "Your update helps on your own digits.",
    worse:
      "Your update does not help on your own digits: it may earn nothing. Add digits, and train again.",
    based: (version: number) => `Based on version ${version} of the model.`,
    stale: (version: number) =>
      `The model has moved on to version ${version}. Train again on it.`,
    failed: (reason: string) => `The training failed: ${reason}`,
  },

  take: {
    title: "Take part",
    labels: {
      approve: "Let the trainer take the stake",
      deposit: "Deposit the stake",
      commit: (round: number) => `Commit in round ${round}`,
      reveal: (round: number) => `Reveal in round ${round}`,
      withdraw: "Withdraw the free balance",
      collect: "Collect the reward",
    },
    owner:
      "This account owns the trainer and knows the test data, so it cannot take part.",
    noParts: "No test data are left. The owner must commit to more of them.",
    late: "This round goes on without this account. Come back for the next one.",
    poor: "Your wallet has too few stake tokens. Missing:",
    deposit: (isApproved: boolean) =>
      isApproved
        ? "The stake must be in the trainer first. The wallet asks once."
        : "The stake must be in the trainer first. The wallet asks twice: to let the trainer take exactly this much, and to deposit it.",
    depositButton: "Put down",
    train: "Train an update above, then commit to it here.",
    commit: (wait: number) =>
      `Committing locks your stake. The update stays secret until the open phase ends; then you have ${duration(wait)} to reveal it here. If you do not, you lose the whole stake.`,
    commitButton: "Commit to my update",
    commitAgain: "The model has moved on. Train again before you commit.",
    notKept:
      "This browser stores nothing, so the update could not be revealed later. Allow storage for this page first. Nothing was sent.",
    notOpen: "The open phase is over. Nothing was sent.",
    wait: "You have committed. Come back with this browser when the open phase ends, and reveal. Whoever does not reveal loses the stake.",
    gone: "This browser does not have the update of this account’s commitment. Reveal it with the program or the browser that made it, or the stake is lost.",
    reveal: "Reveal your update now. If you do not, you lose the whole stake.",
    revealButton: "Reveal my update",
    until: "Until",
    revealed:
      "Your update is revealed. Its value is known once the round is scored.",
    missed:
      "The update of this account was not revealed in time. Its stake is lost.",
    free: "Free balance in the trainer",
    freeButton: "Withdraw",
    reward: "Reward to collect",
    rewardButton: "Collect",
    collected: "Reward tokens in your wallet",
    wallet: "Stake tokens in your wallet",
  },
  sent: "What you sent",
} as const;

/** Returns an amount of 1/256 bit in bits. */
export function bitsOf(units: bigint | number): string {
  return (Number(units) / UNITS).toFixed(2);
}
