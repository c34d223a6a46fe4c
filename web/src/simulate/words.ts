import { count, counted, percent, shareOf } from "../text/numbers.ts";
import { duration } from "../text/time.ts";

/** Numbers of a scenario in words, by their key. */
const keys: Readonly<Record<string, string>> = {
  deposit_after_one_hour: "Deposit after an hour without contributions",
  refund_wait: "Wait before a deposit can be taken back",
  owner_claim_wait: "Wait before the owner may take what is left",
  any_address_claim_wait: "Wait before anybody may take what is left",
  report_notice: "Notice before a report",
  prediction_price: "Price of a prediction",
  bounty: "Bounty",
  stake: "Stake of a contribution",
  parts: "Parts of the test set",
  test_samples: "Examples in the test set",
  participation: "Time to contribute",
  reveal_wait: "Time to reveal the test set",
  scoring_wait: "Time to count",
  start_balance: "Money at the start",
  "deposit.mean": "Deposit they accept, on average",
  "deposit.sd": "Deposit they accept, spread",
  "wait.mean": "Time between two turns, on average",
  "wait.sd": "Time between two turns, spread",
  mistakes: "Honest mistakes",
  agreement: "Share of agreement",
  identities: "Accounts",
  batch: "Contributions at once",
  predictions: "Predictions a turn",
  "data.train_samples": "Examples to teach with",
  "data.initial_share": "Part that the first model learns from",
  "data.test_share": "Part kept for the test",
  "data.features": "Words that the model knows",
  "data.hashed": "Places that words are hashed to",
  "model.smoothing": "Smoothing of the learner",
  "chain.gas_price_gwei": "Price of gas, in gwei",
  "run.evaluate_every": "Time between two measurements",
  "run.limit": "Longest simulated time",
};

const ends: Readonly<Record<string, string>> = {
  settled: "Everything was contributed and claimed.",
  stuck:
    "Nobody could pay for another contribution, nor for the gas of a claim.",
  limit: "The longest simulated time was reached.",
};

/** All that the page says about simulations, in English. */
export const simulateWords = {
  title: "Simulate",
  lead: "See what a model would go through before you host one. Honest and hostile people with play money teach it; every contribution, refund and report runs the real contracts, on a chain in the coordinator’s memory.",

  choice: {
    title: "Scenario",
    label: "Choose a scenario",
    own: "Your own, as text",
    ownLabel: "Your scenario, in TOML",
    ownHint:
      "It begins with the text of the scenario that was chosen before. It can use the data movie-reviews and digits, which come with cotrain.",
    data: "Data",
    people: "Who takes part",
    elsewhere: (names: readonly string[]) =>
      `${counted(names.length, "scenario")} more ${names.length === 1 ? "needs" : "need"} files of yours: ${names.join(", ")}. Run them with`,
    off: "This coordinator runs no simulations. Its host can switch them on (simulations.enabled), or run them on any computer with",
  },

  sides: {
    honest: "honest",
    neutral: "buys only",
    hostile: "hostile",
  } as Readonly<Record<string, string>>,

  numbers: {
    title: "Numbers",
    rules: "Rules of the model",
    rest: "Data and run",
    between: (least: string, max: string, unit: string) =>
      `${least} to ${max}${unit === "" ? "" : ` ${unit}`}`,
    atLeast: (least: string, unit: string) =>
      `at least ${least}${unit === "" ? "" : ` ${unit}`}`,
    all: "empty for all; fewer make a short run",
    seed: "Seed",
    seedHint: "The same scenario and seed give the same result everywhere.",
    reset: "Back to the scenario’s numbers",
    changed: (changes: number) => `${counted(changes, "number")} changed`,
    run: "Run it",
    sending: "Asking …",
    refused: "The coordinator does not run this",
    full: "Others are simulating here just now. One run goes at a time, and the queue is full.",
    key: (key: string) => keys[key] ?? key.replaceAll(/[._]/g, " "),
    change: (label: string, agent: string | undefined, value: string) =>
      agent === undefined
        ? `${label}: ${value}`
        : `${agent}, ${label}: ${value}`,
  },

  runs: {
    title: "Runs of this session",
    none: "No run yet.",
    seed: (seed: number) => `seed ${seed}`,
    as: "numbers as they are",
    waiting: (ahead: number) =>
      ahead === 0
        ? "Next in line."
        : `Waits for ${counted(ahead, "other run")}.`,
    begins: "Reads the data and trains the first model …",
    running: (done: number, of: number, seconds: number) =>
      `${count(done)} of ${counted(of, "contribution")}, ${duration(seconds)} simulated`,
    accuracy: (share: number, samples: number) =>
      `accuracy ${shareOf(share * samples, samples)}`,
    of: (share: number, samples: number) => shareOf(share * samples, samples),
    interval: (lower: number, upper: number) =>
      `95 % interval ${percent(lower)} to ${percent(upper)}`,
    majority: "Always the most common class",
    progress: "Progress of the run",
    cancel: "Cancel",
    remove: "Forget",
    failed: "The run ended early",
    forgotten:
      "The coordinator has forgotten this run: it keeps only the newest, and none when it starts again.",
    silent: (reason: string) => `Its state could not be read: ${reason}`,
    end: (end: string) => ends[end] ?? end,
    start: "Accuracy at the start",
    final: "Accuracy at the end",
    baseline: "If all data were true",
    lowest: "Lowest on the way",
    contributions: "Contributions",
    days: "Simulated time",
    daysText: (days: number) => duration(Math.round(days * 86_400)),
    gained: "Who gained and who lost",
    agent: "Agent",
    side: "Side",
    harmless: "harmless",
    hostile: "hostile",
    before: "Start",
    after: "End",
    change: "Change",
    taught: "Contributed",
    back: "Taken back",
    taken: "Taken from others",
    page: "Charts and all figures",
    tab: "Open the charts in a tab",
    save: "Save the scenario",
    command: "The same on your computer:",
    pageOf: (name: string) => `Charts of ${name}`,
  },

  sweeps: {
    title: "Sweeps",
    lead: "A sweep runs a scenario with many seeds and numbers, and finds where it breaks.",
    runs: (done: number, of: number) =>
      done === of
        ? counted(of, "run")
        : `${count(done)} of ${counted(of, "run")}`,
    open: "Open its charts in a tab",
  },
} as const;
