import { count, counted, percent } from "../text/numbers.ts";
import { duration } from "../text/time.ts";
import type { Phase } from "./api.ts";
import type { Fault } from "./testSet.ts";
import type { StepName, StepState } from "./steps.ts";

/** All that the page says of prediction markets, in English. */
export const marketWords = {
  phases: {
    created: "being founded",
    committed: "about to open",
    open: "open",
    revealing: "test set is revealed",
    scoring: "being scored",
    settled: "settled",
    failed: "failed",
    forfeited: "failed, bounty burned",
  } satisfies Record<Phase, string>,
  lost: "never opens",

  list: {
    title: "Markets",
    lead: "A market pays for data that make a model better. Its provider locks a bounty and hides a test set. You contribute examples and stake money on each. In the end the market counts on the test set how much each contributor’s examples improved the model.",
    more: "Load more",
    all: (rows: number) => counted(rows, "market"),
    empty: "This coordinator follows no market yet.",
    emptyHint:
      "A market pays for data that improve a model on a test set which only its provider knows. Whoever improves the model is paid from the bounty, and whoever makes it worse pays. You can found one here, or by the command",
    foundTitle: "Found a market of your own",
    foundHere:
      "Deploy its first model from a table, and choose that teaching it costs a stake in a prediction market. Then make the hidden test set on the market’s page.",
    foundLink: "Deploy a model",
    found:
      "Or use the command, which trains the first model, makes the test set and keeps it in a file, locks the bounty and opens the market. It tells the costs before you agree.",
    hidden: (rows: number) =>
      `${counted(rows, "market")} with unknown code: names written by strangers are hidden.`,
  },

  unnamed: "Market without a name",
  unknown: "This market is not followed here",
  unknownHint:
    "The address may be that of a model, or of a market of another coordinator.",
  toList: "Go to the markets",
  opens: "Open",
  bounty: "Bounty",
  left: (ether: string) => `${ether} ether of it left`,
  stake: "Stake of an example",
  contributions: "Contributions",
  of: (number: number, max: number) => `${count(number)} of ${count(max)}`,
  participants: "Participants",
  deadline: "Deadline",

  next: {
    title: "Now",
    created: "The provider commits to a test set and locks the bounty",
    drawSoon: (block: string) =>
      `The part of the test set that everybody may see can be drawn from ${block} on`,
    draw: (block: string) =>
      `Anybody can draw the part of the test set that everybody may see, until ${block}`,
    show: (part: number) =>
      `The provider must show part ${part}, which opens the market,`,
    lost: "The part of the test set that everybody may see was not drawn and shown in time. So this market never opens, and its bounty can only be burned",
    open: "Anybody can contribute",
    revealing: "The provider must reveal the hidden parts of the test set",
    scoring: "Anybody can drive the scoring, step by step,",
    settled: "Participants collect their balances, and the provider the rest",
    failed:
      "The test set was not revealed, or the scoring not finished, in time. All participants get their stakes back. Nobody gets the bounty, which can only be burned",
    forfeited: "The bounty is burned. All participants get their stakes back",
    scoringMore:
      "Whoever wins should do so: an unfinished scoring pays nobody.",
    until: "until",
  },

  steps: {
    title: "Life of this market",
    state: {
      done: "done",
      now: "now",
      next: "later",
      missed: "missed",
    } satisfies Record<StepState, string>,
    names: {
      lock: "Bounty locked",
      draw: "Visible part drawn",
      show: "Visible part shown",
      contribute: "Contributions",
      reveal: "Test set revealed",
      score: "Scored",
      collect: "Paid out",
    } satisfies Record<StepName, string>,
    about: {
      lock: "The provider committed to the test set by hashes. It cannot change any more.",
      draw: "The hash of a block chooses one part.",
      show: "Contributors can test with it. The market does not count on it.",
      contribute: "Examples come in, each with a stake.",
      reveal: "The contract compares each part with its hash.",
      score:
        "The contract teaches the examples, author after author, and counts what each improves.",
      collect:
        "Balances are paid to participants, and the rest to the provider.",
    } satisfies Record<StepName, string>,
    after: (wait: number) => `lasts ${duration(wait)}`,
    within: (wait: number) => `within ${duration(wait)}`,
    byBlock: (block: string) => `until ${block}`,
    ended: "ended",
    latest: "at the latest",
    until: "until",
  },

  commit: {
    title: "Make the test set, and lock the bounty",
    lead: "Choose examples that nobody else has, with the class of each. This browser makes the secret test set of them. They are sent nowhere until you reveal them, also not to the coordinator.",
    file: "Table of examples (CSV or TSV, the class in one column)",
    read: (rows: number) => `${counted(rows, "example")} read.`,
    line: (line: number) => `Line ${count(line)}:`,
    tooLarge: "This file is too large for a test set.",
    parts: "Parts",
    partsHint: "One is drawn and shown to all, the others count.",
    bounty: "Bounty in ether",
    bountyHint: "What nobody wins comes back to you.",
    make: "Make the test set",
    few: (samples: number, parts: number) =>
      `There are ${counted(samples, "example")} for ${count(parts)} parts, and each part needs one. Give more examples, or make fewer parts.`,
    long: (part: number, bytes: number, max: number) =>
      `Part ${count(part)} would have ${count(bytes)} bytes, and at most ${count(max)} are possible. Make more parts, or give fewer examples.`,
    dear: (gas: bigint, max: bigint) =>
      `A part would need about ${count(Number(gas))} gas to be revealed, and at most ${count(Number(max))} are safe. Make more parts, or give fewer examples.`,
    made: (parts: number) =>
      `The test set has ${counted(parts, "part")}, in a random order of the examples, each hidden by a random salt.`,
    kept: "This browser keeps it, too. Other browsers do not have it.",
    notKept: "This browser cannot keep it, so the file is the only copy.",
    save: "Save the file of the test set",
    saveFirst: "Save the file first.",
    warning: (wait: number) =>
      `Once the bounty is locked, somebody must draw a part within 256 blocks, and you must show it within ${duration(wait)}. Who loses the test set, or is late, loses the bounty. Whoever knows the test set can win it.`,
    button: (ether: string) =>
      ether === "" ? "Lock the bounty" : `Lock ${ether} ether`,
    label: (name: string) => `bounty of ${name}`,
  },

  contribute: {
    title: "Contribute",
    lead: "You bet that your examples improve the model on a test set that you do not know.",
    toClass: "What is it?",
    add: "Add to the list",
    list: "Your examples",
    noList: "The list is empty. Add an example above.",
    remove: "Remove",
    as: "as",
    saysFirst: "The model that the market begins with says",
    twice: "This example is in your list already. Add another one.",
    nothingKnown:
      "The model knows nothing of this, so it could not learn from it.",
    refused: (reason: string) => `This cannot be contributed: ${reason}`,
    full: (max: number) =>
      `A transaction takes at most ${count(max)} bytes of examples. Contribute these first.`,
    room: (number: number) =>
      number === 0
        ? "The market is full."
        : `The market takes ${counted(number, "more example")}.`,
    stake: "You put down",
    each: (number: number, ether: string) =>
      `${counted(number, "example")}, ${ether} ether each`,
    what: "What can happen to it",
    risks: {
      win: "If your examples improve the model on the hidden test set, you get your stakes back and a part of the bounty.",
      lose: "If they make it worse, you pay. You can lose all that you put down, and never more.",
      same: "If they change nothing, you get your stakes back.",
      order:
        "The model learns the contributions in the order in which they came. What somebody taught before you improves little a second time.",
      fail: "If the provider does not reveal the test set in time, or nobody drives the scoring, you get exactly your stakes back.",
      trust:
        "The provider knows the test set. Contribute only if you trust that it wants the model, and not your stakes.",
    },
    when: (reveal: number, score: number) =>
      `Nothing comes back before the market is settled: after it closes, the reveal may take ${duration(reveal)}, and the scoring ${duration(score)}.`,
    public:
      "Public for ever: the contract’s event has each of your examples as shown in the list.",
    button: (number: number) =>
      number === 0 ? "Contribute" : `Contribute ${counted(number, "example")}`,
    label: (number: number, name: string) =>
      `${counted(number, "example")} for ${name}`,
    sent: "Your examples are in the market.",
    sentHint:
      "The model learns them when the market is scored. Come back then to see what they changed.",
  },

  act: {
    title: "Move the market on",
    draw: "Draw the part",
    drawLead:
      "Anybody can send this transaction. It costs only its gas, and earns nothing by itself.",
    score: "Send the next step",
    scoreLead:
      "Anybody can send these transactions. They cost only their gas, and earn nothing by themselves.",
    prepare: "looking for the next step …",
    going: "Stop after this step",
    all: "Send all steps",
    allHint: "Your wallet asks for each of them. You can stop at any time.",
    step: {
      restart: (pass: number) =>
        `Pass ${pass}: give a new model the first weights`,
      score: (pass: number) =>
        `Pass ${pass}: teach contributions, and count on the test set`,
      settle: (pass: number) => `Pass ${pass}: change the balances`,
    },
    cost: "Costs about",
    passes: (max: number, samples: number) =>
      `How many steps follow is not known before. A pass takes at least three: the model is copied, the examples are taught and counted on ${counted(samples, "test sample")} after each change of author, and balances change. There are as many passes as it takes to pay out the bounty, at most ${count(max)}.`,
    spent: (steps: number) => `Sent from here: ${counted(steps, "step")}, for`,
    none: "There is nothing to send now.",
    notReady: (reason: string) => `The next step cannot be prepared: ${reason}`,
  },

  reveal: {
    title: "Reveal the test set",
    lead: "Only whoever has the file of the test set can do this. `cotrain market create` wrote it. The page reads it here, compares it with the commitments, and sends nothing of it but the parts that are due.",
    file: "File of the test set",
    parts: (number: number) => `${counted(number, "part")} to reveal`,
    own: "This browser keeps the test set of this market.",
    fits: "This file is the test set that the market is committed to.",
    unchecked:
      "The commitments are not known here, so the file could not be compared. The contract compares it.",
    other:
      "This file is the test set of another market, or was changed. Choose the right one: the contract would refuse it.",
    tooLarge: "This file is too large to be a test set.",
    faults: {
      json: "This file is no JSON. Choose the file that `cotrain market create` wrote.",
      form: "This JSON is no test set. Choose the file that `cotrain market create` wrote.",
      parts: "A test set has 2 to 256 parts, and this one has not.",
      part: "A part of this file is damaged. Use a copy of the file.",
    } satisfies Record<Fault, string>,
    button: (number: number) => `Reveal ${counted(number, "part")}`,
    transactions: (number: number) =>
      number === 1
        ? "This is one transaction."
        : `These are ${number} transactions. Your wallet asks for each.`,
    label: (part: number, name: string) => `part ${part} of ${name}`,
    notOwn:
      "This browser keeps a test set of this market, but not the one that the market is committed to. Choose the file of that one.",
    warning:
      "If a part is not revealed in time, the bounty is burned. You get nothing of it back.",
    going: (done: number, of: number) =>
      `${count(done)} of ${counted(of, "part")} revealed`,
  },

  collect: {
    title: "Your money",
    nothing: "This account has no part in this market.",
    none: (contributions: number) =>
      `This account contributed ${counted(contributions, "example")}.`,
    score: "Effect of your examples in this pass",
    scoreText: (score: number) =>
      score === 0
        ? "none counted yet"
        : score > 0
          ? `${counted(score, "test sample")} more predicted as labeled`
          : `${counted(-score, "test sample")} fewer predicted as labeled`,
    balance: "Balance",
    balanceHint: "your stakes, with gains and losses of the passes so far",
    removed:
      "Your balance can pay for no further loss, so the next passes skip your examples.",
    now: "You can collect now",
    remainder: "What the provider gets back",
    remainderHint: "the bounty and losses that no balance needs",
    button: "Collect",
    remainderButton: "Collect the rest",
    collected: "You have collected.",
    later: "It can be collected once the market is settled or has failed.",
    label: (name: string) => `balance of ${name}`,
    remainderLabel: (name: string) => `rest of ${name}`,
  },

  result: {
    title: "What came of it",
    samples: "Hidden test samples",
    before: "Predicted as labeled before",
    after: "Predicted as labeled after",
    afterPass: (pass: number) => `Predicted as labeled in pass ${pass}`,
    share: (right: number, of: number) =>
      of === 0 ? "none" : `${count(right)} (${percent(right / of)})`,
    model: "Trained model",
    modelHint:
      "Anybody can read it and ask it. It belongs to the market and learns no more.",
    none: "The market closed without contributions, so there was nothing to score.",
    tryTitle: "Try the trained model",
    tryLead: "The contracts answer, through the coordinator. It costs nothing.",
    ask: "Ask both models",
    first: "The first model says",
    trained: "The trained model says",
    silent: (reason: string) => `The contracts could not be asked: ${reason}`,
  },

  terms: {
    title: "Terms",
    provider: "Provider",
    market: "Market",
    first: "First model",
    learner: "Learner",
    input: "Input",
    stake: "Stake of each example",
    open: "Open for contributions",
    openText: (time: number, max: number) =>
      `${duration(time)}, or until ${counted(max, "example")}`,
    reveal: "Time to reveal",
    revealText: (time: number) =>
      `${duration(time)}: for the visible part after the bounty is locked, and for the others after the closing`,
    score: "Time to score",
    scoreText: (time: number) => `${duration(time)} after the last reveal`,
    passes: "Passes",
    passesText: (max: number) => `at most ${count(max)}`,
  },

  money: {
    title: "Money",
    bounty: "Bounty",
    bountyHint: "locked by the provider",
    left: "Left for later passes",
    held: "Held by the contract",
    heldHint: "bounty and stakes, as far as they are not paid out",
    remainder: "Provider can collect",
  },

  testSet: {
    title: "Test set",
    parts: "Parts",
    visible: "Visible part",
    notDrawn: "not drawn yet",
    part: (index: number) => `part ${index}`,
    revealed: "Revealed",
    samples: "Samples that count",
    samplesHint: "of all revealed parts but the visible one",
    look: "Look at the visible part",
    lookHint: (rows: number, all: number) =>
      rows < all
        ? `The first ${count(rows)} of ${counted(all, "example")}. Nothing is counted on these.`
        : `${counted(all, "example")}. Nothing is counted on these.`,
    unreadable: (reason: string) => `The part could not be read: ${reason}`,
  },

  participant: {
    none: "Nobody has contributed yet.",
    account: "Account",
    contributions: "Examples",
    balance: "Balance",
    score: "In this pass",
    gain: "Gain",
    state: "State",
    active: "takes part",
    removed: "out of money",
    collected: "collected",
    more: (rest: number) => `and ${counted(rest, "more account")}`,
    you: "you",
  },

  sent: {
    title: "Sent from this browser",
    awaited:
      "What this browser has sent to this market may still come into a block, so nothing is sent a second time. If your wallet shows that it never will, remove it from the list “Sent from this browser”.",
    more: (number: number) => counted(number, "earlier transaction"),
  },

  newest: {
    none: "Nobody has contributed yet.",
    rows: (rows: number, all: number) =>
      rows >= all
        ? counted(all, "example")
        : `The newest ${count(rows)} of ${count(all)}`,
    as: "contributed as",
    by: "by",
  },
} as const;
