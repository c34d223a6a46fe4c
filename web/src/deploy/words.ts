import { count, counted, percent } from "../text/numbers.ts";
import { duration } from "../text/time.ts";
import { words } from "../words.ts";
import type { Plan } from "./service.ts";

/** Kinds of values, by the name that the API gives. */
const looks = {
  numeric: "numbers",
  boolean: "yes or no",
  categorical: "a few different values",
  text: "texts",
  empty: "nothing",
} as const;

/** Parts of a deployment, by the step that creates or does them. */
const steps: Readonly<Record<string, string>> = {
  registry: "Create a list of models",
  factory: "Create the contract that makes models",
  trainer: "Put the code of the rules on the chain",
  classifier: "Put the code of the learner on the chain",
  model: "Create the model",
  closed: "Close the model: from then on, only contributions change it",
  registered: "Publish its name, classes and how inputs are read",
};

/** All that the page says of deploying, in English. */
export const deployWords = {
  title: "Deploy a model",
  lead: "From a table of examples to a model on the chain that others can try and teach. This coordinator trains it, your wallet pays for the transactions, and you own it.",
  off: "This coordinator trains no models for others. Use the command cotrain deploy instead, or ask its host to set api.max_plan_bytes.",
  step: (name: string, plan: Plan): string => {
    const part = /^words (\d+)$/.exec(name);
    if (!part) return steps[name] ?? name;
    const all = plan.transactions.filter(({ name }) =>
      name.startsWith("words "),
    );
    const at = all.findIndex((one) => one.name === name) + 1;
    return all.length === 1
      ? "Write the weights"
      : `Write the weights, part ${at} of ${all.length}`;
  },

  file: {
    title: "1. A table of examples",
    label:
      "File: .csv, .tsv, .txt or .parquet, with names of the columns on top",
    private:
      "The file goes to this coordinator, which keeps nothing of it. The model shows the chain words or columns of it, for ever.",
    reading: "If it is read wrongly",
    separator: "Between the fields",
    separators: {
      "": "as the first line tells",
      comma: "comma",
      semicolon: "semicolon",
      tab: "tab",
      pipe: "|",
    },
    decimalComma: "Numbers have a decimal comma, as in 1,5",
    encoding: "Encoding, such as windows-1252",
    asking: "Reading the file…",
    found: (rows: number, columns: number) =>
      `${counted(rows, "row")} and ${counted(columns, "column")}`,
    preview: "First rows",
    again: "Read again",
    refused: "This file cannot be used",
  },

  columns: {
    title: "2. Columns",
    label: "Column with the class, which the model is to tell",
    learn: "The model learns from",
    text: "words of a text",
    others: "the other columns",
    textColumn: "Column with the text",
    column: "Column",
    values: "Values",
    type: "Taken as",
    types: {
      "": "as it seems",
      numeric: "numbers",
      categorical: "one of a few values",
      boolean: "yes or no",
      ignored: "left out",
    },
    looks: (kind: keyof typeof looks) => looks[kind],
    distinct: (number: number) => `${count(number)} different`,
    missing: (number: number) => `${counted(number, "row")} without`,
    rule: "Where a value is missing",
    rules: {
      refuse: "refuse the file",
      mean: "take the mean",
      median: "take the middle value",
      own: "let the model know that it is missing",
    },
    classes: (number: number) => counted(number, "class", "classes"),
    manyClasses: (number: number) =>
      `${count(number)} different values are too many for classes: 256 at most. Choose another column.`,
    oneClass: "A model needs at least two classes.",
    rare: (names: string) =>
      `There are few examples of ${names}. The model will hardly know them.`,
    noText: "No column has texts.",
    noOther: "There is no other column.",
  },

  model: {
    title: "3. Model and rules",
    name: "Name",
    description: "What is it for? (shown to everybody)",
    share: "Examples that it learns from now",
    shares: {
      "1": "all but those it is measured on",
      "0.5": "half of them; others can teach it the rest",
    },
    learner: "Learner",
    learners: {
      "": "the one that suits the data",
      "naive-bayes": "naive Bayes: counts words; learns fast from few examples",
      "sparse-perceptron": "perceptron: weighs words; two classes only",
      "sparse-nearest-centroid":
        "nearest centroid: compares with the mean of each class",
      "dense-nearest-centroid":
        "nearest centroid of numbers: compares with the mean of each class",
      "dense-perceptron": "perceptron of numbers: two classes only",
    },
    words: "Words",
    wordsHow: {
      frequent: "the most frequent ones",
      hashed: "any, hashed: it can learn new words, and some share a number",
    },
    features: "How many",
    pairs: "Also pairs of neighboring words, such as “not good”",
    stake: "Teaching this model costs",
    stakes: {
      deposit: "a deposit, which its sender can lose",
      points: "nothing: good contributions are only counted",
      market: "a stake in a prediction market, which pays from a bounty",
    },
    market: {
      stake: "Stake of each example, in ether",
      open: "Open for contributions",
      reveal: "Your time to reveal the test set",
      score: "Time to score the contributions",
      contributions: "Examples at which it closes early",
      passes: "Passes at most",
      rules: [
        "The model that you deploy now is the first one. Contributors bet that their examples improve it on a test set that only you know.",
        "After the deployment, you make the test set in this browser, of a table of its own, and lock the bounty. The coordinator never sees the test set.",
        "Then a part of the test set is drawn and you show it, which opens the market. After the closing you reveal the rest.",
        "If you are late with either, or lose the test set, the bounty is burned.",
        "What nobody wins of the bounty, and what losers pay beyond that, comes back to you.",
      ],
      faults: {
        stake: "Write a stake in ether above 0, such as 0.01.",
        waits: "Each time must be at least a second, and at most 136 years.",
        contributions: "The market must take at least one example.",
        passes: "There must be 1 to 65,535 passes.",
      },
    },
    weight: "Cost weight, in ether",
    weightHow: (right: string, hour: string, day: string) =>
      `A deposit is then ${right} ether a second after the last contribution, ${hour} after an hour and ${day} after a day.`,
    badWeight: "Write an amount of ether above 0, such as 0.000001.",
    refund: "Wait before a deposit can be taken back or reported",
    owner: "Wait before you can take what is left",
    anyone: "Wait before anybody can take what is left",
    notice: "Notice of a report",
    units: {
      "1": "seconds",
      "60": "minutes",
      "3600": "hours",
      "86400": "days",
    },
    rules: {
      title: "So these are the rules",
      back: (time: string) =>
        `${time} after a contribution, its sender can take the deposit back, if the model then agrees with it.`,
      report: (time: string) =>
        `From then on, if the model does not agree, others who taught it well can report it and take a part of the deposit. They have ${time} for that.`,
      late: (time: string) =>
        `${time} after a contribution, you can take what is left of its deposit.`,
      lateAll: (time: string) =>
        `${time} after a contribution, you or anybody else can take what is left of its deposit.`,
      latePublic: (time: string) =>
        `${time} after a contribution, anybody can take what is left of its deposit.`,
      notice: (time: string) =>
        `A report must be announced ${time} before. The sender can take the deposit back in between.`,
      points:
        "Nobody pays or gets money. Contributions with which the model agrees after the wait count for their sender.",
      owner: "You own the model, but cannot change it once it is closed.",
    },
    faults: {
      name: "Give the model a name.",
      refund: "The first wait must be at least a second.",
      owner: "Your wait must be at least as long as that for taking back.",
      anyone: "The wait of anybody must be at least as long as yours.",
      notice:
        "The notice must be at most half of the time between taking back and your taking.",
    },
  },

  train: {
    button: "Train and measure",
    again: "Train again",
    asking: "Training…",
    title: "4. How good it is",
    accuracy: (accuracy: number, n: number) =>
      `${percent(accuracy)} right, on ${counted(n, "example")} that it had not seen`,
    interval: (lower: number, upper: number) =>
      `With other examples, probably between ${percent(lower)} and ${percent(upper)}.`,
    majority: (share: number) =>
      `Always naming the most common class would give ${percent(share)}.`,
    useless:
      "That is no better than naming the most common class. Look at the columns again before you pay for it.",
    learned: (examples: number, features: number, learner: string) =>
      `${words.learner(learner)}, ${counted(features, "feature")}, trained on ${counted(examples, "example")}`,
    rowNumbers: (columns: string) =>
      `${columns} seems to number the rows. The model would learn their order: leave it out.`,
    numeric: (columns: number) => `${counted(columns, "column")}, all numbers`,
    doubts: {
      codes: (columns: string) =>
        `${columns}: few different whole numbers. If they are codes of kinds, choose “one of a few values” for them.`,
      names: (columns: string) =>
        `${columns}: another whole number in each row. If they name the rows, leave the column out.`,
      thousands: (columns: string) =>
        `${columns}: each comma is before three digits, and was read as a decimal comma. If it separates thousands, remove it from the file.`,
      classes: () =>
        "The classes are many different numbers. A model tells classes apart and estimates no numbers: choose another column, or write names of ranges.",
    },
    unknown: (texts: number) =>
      `The encoder knows no word of ${counted(texts, "text")} to learn from. They teach the model nothing.`,
    clipped: (numbers: number) =>
      `${counted(numbers, "number")} of the data lay far outside and were moved to the bounds.`,
    confusion: "What it takes for what",
    corner: "is ↓, taken for →",
    refused: (number: number) =>
      `It refuses ${counted(number, "example")}, which count as wrong.`,
    stale: "You have changed something since. Train again.",
    failed: "No model can be made of this",
  },

  cost: {
    title: "5. What it costs",
    lead: (chain: string, number: number) =>
      `${counted(number, "transaction")} on ${chain}, one after the other. Your wallet asks before each.`,
    play: "This is a development chain: its ether is play money.",
    name: "Transaction",
    gas: "Gas",
    cost: "About",
    sum: "Together",
    reused: (names: string) =>
      `Already on this chain, so you do not pay for it: ${names}.`,
    contracts: {
      registry: "the list of models",
      factory: "the contract that makes models",
      "trainer-code": "the code of the rules",
      "classifier-code": "the code of the learner",
    } as Readonly<Record<string, string>>,
    price: (gwei: string) =>
      `At ${gwei} gwei a unit of gas, the price of now. It may change until you send.`,
    noPrice: "The price of gas cannot be read now. The page tries again.",
    begin: "Deploy it",
    kept: "The plan is kept in this browser until the model is complete. The file is not.",
  },

  run: {
    label: (model: string, step: string) => `${model}: ${step}`,
    title: (model: string) => `Deploying ${model}`,
    doneTitle: (model: string) => `${model} is deployed`,
    begunTitle: "Begun in this browser",
    begun: (done: number, all: number) =>
      `${count(done)} of ${counted(all, "step")} done`,
    progress: (done: number, all: number) =>
      `${count(done)} of ${counted(all, "step")} done.`,
    doing: {
      paused: "Nothing is sent until you go on.",
      checking: "Checking…",
      wallet: "Confirm in your wallet.",
      chain: "Waiting for the chain…",
      following:
        "All is sent. Waiting until the coordinator follows the model…",
    },
    spent: "Spent so far",
    state: {
      done: (block: number) => `done in ${words.block(block)}`,
      now: "now",
      next: "next",
      stopped: "stopped",
    },
    go: "Go on",
    open: "Open",
    giveUp: "Give up",
    giveUpSure:
      "What is on the chain stays there, and costs what it cost. Without the plan, this browser cannot finish it. Decline what still waits in your wallet.",
    giveUpYes: "Yes, give up",
    keep: "Keep it",
    finished: "It is on the chain, and everybody can try it.",
    see: "Go to the model",
    finishedMarket:
      "The market is on the chain, and not open yet: now make its hidden test set, and lock the bounty.",
    seeMarket: "Go to the market",
    another: "Deploy another one",
    otherAccount: (account: string) =>
      `This deployment was begun with the account ${account}. Choose it in your wallet, then go on.`,
    otherChain:
      "This deployment was begun on another chain, or before this one began anew. Give it up, or use the coordinator of that chain.",
    otherTab:
      "Another tab of this browser goes on with it, or a request still waits in your wallet. Answer it there, then go on.",
    gone: "Another tab of this browser has completed it or given it up. Load this page again.",
    wallet: "Connect your wallet, so that the page can find what was sent.",
    notCreated:
      "The transaction is in a block, but did not create what it should. Go on to send it again.",
    otherWeights:
      "The weights on the chain are not those of the plan, so the model was not closed. Somebody else may use your key: give up, and use another account.",
    closedOtherwise:
      "The model is closed, but its weights are not those of the plan. Somebody else may use your key, or has taught it already. Its name is not published. Give up, and use another account.",
    reverted: "The transaction failed in its block. Go on to send it again.",
    unsure:
      "Your wallet was asked for this step, but the network does not show it. Look into the wallet. If the request or the transaction waits there, answer it or wait, then look again. Send it anew only if the wallet has neither: else you may pay for it twice.",
    look: "Look again",
    anew: "Send it anew",
    notStored: (reason: string) =>
      `This browser cannot keep the plan (${reason}). Without it, an interrupted deployment could not go on, so nothing was begun.`,
  },

  duration,
} as const;
