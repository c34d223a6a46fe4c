import { count, counted, percent } from "../text/numbers.ts";
import type { Use } from "./pool.ts";
import type { Learner, Strategy } from "./service.ts";
import type { Rule } from "./state.ts";

/** Name and explanation of a choice. */
type Choice = readonly [name: string, what: string];

const learners: Readonly<Record<Learner, Choice>> = {
  logistic: [
    "Logistic regression",
    "It draws straight borders between the classes: fast, cheap, and good with few labels.",
  ],
  forest: [
    "Random forest",
    "It lets 100 trees vote: it sees bent borders, and needs a few more labels.",
  ],
  boosted: [
    "Boosted trees",
    "Each tree repairs the errors of those before: strong with many labels, weak with few.",
  ],
};

const strategies: Readonly<Record<Strategy, Choice>> = {
  "typiclust-margin": [
    "Typical rows, then margin",
    "It begins with typical rows of different groups, and then does as margin does.",
  ],
  margin: [
    "Margin",
    "It asks about rows between two classes that are nearly as likely.",
  ],
  "k-center-margin": [
    "Far rows, then margin",
    "It begins with rows far from each other, and then does as margin does.",
  ],
  "margin-k-center": [
    "Margin without repetition",
    "It does as margin does, and takes rows that are far from each other.",
  ],
  "least-confidence": [
    "Least confidence",
    "It asks about rows whose likeliest class is the least likely.",
  ],
  entropy: [
    "Entropy",
    "It asks about rows whose classes are all about as likely.",
  ],
  committee: [
    "Committee",
    "It asks about rows on which several models disagree.",
  ],
  density: [
    "Density",
    "It asks about unsure rows that have many similar ones.",
  ],
  "k-center": [
    "Far rows",
    "It asks about the rows farthest from all labeled ones.",
  ],
  typiclust: [
    "Typical rows",
    "It asks about typical rows of groups that have no label.",
  ],
  random: ["Random", "It draws rows: what all others are compared with."],
};

const rules: Readonly<Record<Rule, Choice>> = {
  kappa: [
    "The answers no longer change",
    "It compares the answers to up to 100 rows after each lesson, and advises to stop after three without a change.",
  ],
  uncertainty: [
    "The model is sure",
    "It advises to stop once the model is sure about up to 100 rows.",
  ],
  none: ["No advice", "You decide alone when to stop."],
};

const uses: Readonly<Record<Use, string>> = {
  number: "number",
  category: "category",
  shown: "only shown to you",
  off: "left out",
  label: "labels so far",
};

/** All that the page says about labeling, in English. */
export const labelWords = {
  title: "Label",
  lead: "You have many rows without labels, and time for few. A model learns while you label, and asks for the rows from which it learns most.",
  off: "This coordinator opens no labeling sessions. Its host can switch them on with",
  offCommand: "cotrain serve --labels",
  learners,
  strategies,
  rules,

  begun: {
    title: "Begun in this browser",
    about: (labels: number, rows: number) =>
      `${counted(labels, "label")}, ${counted(rows, "row")}`,
    open: "Go on",
    openLabel: (name: string) => `Go on with ${name}`,
    forget: "Forget",
    forgetLabel: (name: string) => `Forget ${name} and its labels`,
    sure: (labels: number) =>
      `Forget the rows and ${counted(labels, "label")}? Nothing brings them back.`,
    elsewhere: "This one is open in another tab of this browser.",
    lost: "Its rows are not in this browser any more.",
  },

  data: {
    title: "Rows",
    digits: "Example: pictures of digits",
    digitsName: "digits",
    digitsAbout: (rows: number) =>
      `${count(rows)} handwritten digits, each of 8 by 8 pixels.`,
    digitsFrom:
      "From E. Alpaydin and C. Kaynak, “Optical Recognition of Handwritten Digits”, UCI Machine Learning Repository (CC BY 4.0), as in scikit-learn.",
    file: "My own table",
    label: "CSV or TSV file",
    private:
      "The file stays in this browser. The coordinator gets the numbers of rows, never texts, names of columns or names of classes.",
    reading: "Reading the file …",
    found: (rows: number, columns: number) =>
      `${counted(rows, "row")} with ${counted(columns, "column")}.`,
    refused: "The file cannot be used",
    columns: (number: number) => `Columns (${count(number)})`,
    column: "Column",
    example: "First values",
    use: "What to do with it",
    useOf: (name: string) => `What to do with ${name}`,
    uses,
    picture: (side: number) =>
      `The numbers are pictures of ${side} by ${side} pixels`,
    learns: (features: number) =>
      `The model gets ${counted(features, "number")} of each row.`,
    hint: "A column of labels may have gaps: its labels are a start, and the gaps are asked for.",
  },

  classes: {
    title: "Classes",
    label: "Names of the classes, one a line",
    hint: "Their order is that of the keys. Up to ten classes have a key.",
    count: (classes: number) => counted(classes, "class", "classes"),
    given: (labels: number) =>
      `${counted(labels, "label")} of the file will be learned at the beginning.`,
  },

  model: {
    title: "Model",
    learner: "Learner",
    strategy: "Which rows to ask for",
    rule: "Advice to stop",
    more: "More choices",
    batch: "Rows asked for at once",
    batchHint:
      "With fewer, each row is chosen with more labels, and costs more.",
    look: "Rows that a question looks at",
    lookHint: "If there are more, so many are drawn for each question.",
    every: "One row in so many is random",
    everyHint: "Random rows alone tell how good the model is.",
    seed: "Seed of all random choices",
  },

  price: {
    title: "Price",
    unit: "A unit is the price of deciding one row of up to 64 numbers with logistic regression.",
    free: "This coordinator counts units, and takes no money for them.",
    opening: "Opening",
    given: "Labels of the file",
    batch: (rows: number) => `Each ${counted(rows, "row")}`,
    each: "Each label, about",
    units: (units: number) => counted(units, "unit"),
    bound: "Spend at most, in units",
    lasts: (labels: number) =>
      `This is enough for about ${counted(labels, "label")}.`,
    little: (units: number) =>
      `This is too little to begin: ${counted(units, "unit")} are needed.`,
    max: (units: number) =>
      `A session spends at most ${counted(units, "unit")}.`,
    asking: "Asking for the price …",
    sale: (units: number, amount: string, name: string) =>
      `${counted(units, "unit")} cost ${amount} ${name}`,
    paid: "The units are bought when the session is opened, with a wallet. What they cost is asked for once more before anything is signed.",
    elsewhere:
      "This coordinator takes money for units in ways that this page cannot pay. The command cotrain label can.",
    unread: "The price could not be read",
    open: "Open the session",
    keeps:
      "Rows, labels and the session’s token stay in this browser until you forget them. The coordinator keeps the numbers in memory, and deletes them when the session ends.",
  },

  faults: {
    column: (at: number) => `column ${at}`,
    line: (line: number, fault: string) => `Line ${count(line)}: ${fault}`,
    width: (found: number, expected: number) =>
      `it has ${counted(found, "cell")}, and the first line has ${count(expected)}.`,
    fewRows: (found: number) =>
      `The file has ${counted(found, "row")} below the names; expected at least 2.`,
    manyRows: (found: number, max: number) =>
      `The file has ${counted(found, "row")}; expected at most ${count(max)}. Draw a part of them.`,
    twice: (name: string) =>
      `Two columns have the name “${name.slice(0, 60)}”; expected different ones.`,
    large: (max: number) =>
      `The file is larger than ${count(max / 1_000_000)} MB. Draw a part of its rows.`,
    noNumbers:
      "The model gets no number: choose a column of numbers or categories.",
    manyNumbers: (found: number, max: number) =>
      `The model would get ${counted(found, "number")} of a row; this coordinator takes at most ${count(max)}.`,
    twoLabels: "Two columns are labels; choose one.",
    fewClasses: "Name at least two classes.",
    twiceClass: (name: string) => `Two classes have the name “${name}”.`,
    manyClasses: (found: number, max: number) =>
      `There are ${counted(found, "class", "classes")}; this coordinator takes at most ${count(max)}.`,
    allGiven: "All rows have labels already, so there is nothing to ask for.",
  },

  ask: {
    row: (row: number, rows: number) => `Row ${count(row)} of ${count(rows)}`,
    waiting: "The next row is being chosen …",
    dry: "No row is left to ask for.",
    stopped: "The next row cannot be chosen now; see the message.",
    picture: (row: number, side: number) =>
      `Picture of row ${count(row)}, ${side} by ${side} pixels`,
    values: "Values of the row",
    more: (columns: number) => `and ${counted(columns, "more column")}`,
    missing: "missing",
    random: "random row",
    chosen: "chosen row",
    guess: "The model guesses",
    sure: (share: number) => `with ${percent(share)}`,
    hidden:
      "The model’s guess is hidden until you answer, so that it cannot lead you.",
    noGuess: "The model has no guess for this row yet.",
    classes: "Which class is it?",
    undo: "Undo",
    undoAnew: "Undo, and teach anew",
    undoPaid:
      "The model has learned the last label. In a session that is paid for, it can be corrected in the saved table alone.",
    undoWarn: (labels: number) =>
      `The model has learned this label already. To undo it, a new session learns the other ${counted(labels, "label")} again, which costs units. Go on?`,
    skip: "Skip",
    told: (row: number, name: string) => `Row ${count(row)} is ${name}.`,
    skipped: (row: number) => `Row ${count(row)} is skipped.`,
    guessed: (name: string, isRight: boolean) =>
      isRight ? `The model had guessed it.` : `The model had guessed ${name}.`,
    heard: (values: string) => `Its values: ${values}.`,
    undid: (row: number) => `The answer to row ${count(row)} is undone.`,
    keys: [
      ["1 … 9", "give the row this class"],
      ["u", "undo the last answer"],
      ["s", "skip the row"],
      ["?", "this list"],
    ] as readonly (readonly [string, string])[],
  },

  progress: {
    title: "So far",
    labels: "Labels",
    labelsOf: (labels: number, rows: number) =>
      `${count(labels)} of ${count(rows)}`,
    skipped: "Skipped",
    taught: "Learned",
    spent: "Units spent",
    left: "Units left",
    share: "Share of the units that are spent",
    busy: "The model works …",
    idle: "The model waits for you.",
    notKept:
      "This browser stores nothing, so a reload loses your labels. Save them from time to time.",
    save: "Save the labels",
    end: "End and get the model",
    leave: "Other rows",
    advice: "You may stop",
    go: "You may also go on.",
  },

  accuracy: {
    title: "Accuracy so far",
    none: "There is no figure yet: the model needs labels first, and then random rows to be tested on.",
    random: "On random rows",
    chosen: "On chosen rows",
    figure: (right: number, of: number) =>
      of === 0
        ? "none yet"
        : `${percent(right / of)} (${count(right)} of ${count(of)})`,
    between: (low: number, high: number) =>
      `With a chance of 95 %, the accuracy on all rows in this time was between ${percent(low)} and ${percent(high)}.`,
    why: "Each guess was made before your label. Random rows stand for all rows, so their figure is fair. The other rows were chosen because they are hard, so their figure is usually lower and says nothing about all rows.",
    skipped: "Skipped rows are not counted, so skip few random ones.",
    chart: (window: number) =>
      `Share of right guesses of the last ${window}, by the number of answers`,
    table: "The same as a table",
    answers: "Answers",
  },

  trouble: {
    gone: "The session has ended",
    goneWhy:
      "The coordinator does not know it any more: it had no call for too long, was closed, or the coordinator has started again. Your labels are kept here.",
    renew: "Open a new session with my labels",
    renewPrice: (labels: number, units: number) =>
      `It learns ${counted(labels, "label")} again, for ${counted(units, "unit")} with its opening.`,
    units: "The units are spent",
    unitsWhy: (price: number | undefined, left: number) =>
      price === undefined
        ? `The session has ${counted(left, "unit")} left, which is too little to go on.`
        : `The next step costs ${counted(price, "unit")}, and ${counted(left, "unit")} ${left === 1 ? "is" : "are"} left. Nothing was charged for it.`,
    unitsNext:
      "Save your labels and the model, or spend more: a new session learns your labels again.",
    bound: "Spend at most, in all",
    more: "Open a new session",
    buy: "Buy units",
    buyLabel: "Units to buy",
    bought: (left: number) =>
      `${counted(left, "unit")} that you have bought stay yours.`,
    pending: "It is not decided yet whether the payment counts",
    pendingWhy:
      "Do not pay again. The same payment is asked about until it is decided, also after a reload.",
    wait: "The coordinator cannot go on just now",
    waitUntil: (seconds: number) =>
      `It is asked again in ${counted(seconds, "second")}. Your answers are kept meanwhile.`,
    refused: "The coordinator refuses to go on",
    again: "Try again",
  },

  pay: {
    title: (units: number) => `Pay for ${counted(units, "unit")}`,
    refused: "The payment was refused, and nothing was charged",
    none: "This page cannot pay any of the coordinator’s offers on this chain. The command cotrain label can.",
    offer: "Pay with",
    amount: "Amount",
    smallest: (amount: bigint) => `${amount} of the smallest unit`,
    token: "Token",
    payTo: "To",
    chain: "Chain",
    time: "Valid for",
    poor: (amount: string, name: string) =>
      `The account has ${amount} ${name}, which is too little.`,
    permits:
      "You sign one transfer: exactly this amount, to this account, once, within this time. The coordinator sends it and pays its gas. The units are yours as soon as the chain shows it.",
    named:
      "The token’s name is what the coordinator says; its address is what counts.",
    sign: (amount: string, name: string) => `Sign and pay ${amount} ${name}`,
    changed:
      "The account was changed while the wallet signed, so nothing was sent. Sign again.",
    notKept:
      "This browser stores nothing, so a reload would lose the payment, and what it bought. Do not reload before the session is open.",
    giveUp: "Not now",
  },

  ended: {
    title: "Take it along",
    about: (labels: number, skipped: number) =>
      skipped === 0
        ? `You have labeled ${counted(labels, "row")}.`
        : `You have labeled ${counted(labels, "row")} and skipped ${count(skipped)}.`,
    teaching: "The model learns the last labels …",
    labels: "Labels (CSV)",
    json: "Model (JSON)",
    onnx: "Model (ONNX)",
    columns: "How rows become numbers (JSON)",
    columnsHint:
      "The model takes numbers in the order of this file: each number less its mean, divided by its deviation; pixels divided by their maximum; 1 for a category, else 0.",
    noModel: "Without a session there is no model to save.",
    failed: "It could not be saved",
    deploy: "Deploy a model that learns from these labels",
    deployHint: "Save the labels, and choose that file on the next page.",
    more: "Label more",
    close: "Close the session",
    closeHint:
      "The coordinator then deletes rows, labels and model. They stay in this browser until you forget them.",
    closePaid:
      "If the host pays back, what is left of your units goes to the account that paid, less a fee, once the payment’s block is final.",
    closed: "The session is closed.",
  },
} as const;
