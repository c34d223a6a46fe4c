import { DEVELOPMENT } from "./chain/development.ts";
import { count, counted, percent } from "./text/numbers.ts";
import { clockTime, duration } from "./text/time.ts";

/** Chains that have a name for people, by id. */
const chains: Readonly<Record<number, string>> = {
  1: "Ethereum",
  10: "OP Mainnet",
  100: "Gnosis",
  137: "Polygon",
  8453: "Base",
  [DEVELOPMENT]: "development chain",
  42161: "Arbitrum One",
  11155111: "Sepolia",
  84532: "Base Sepolia",
};

/** Learners in words, by the name that the API gives. */
const learners: Readonly<Record<string, string>> = {
  "sparse-perceptron": "perceptron",
  "dense-perceptron": "perceptron of numbers",
  "naive-bayes": "naive Bayes",
  "sparse-nearest-centroid": "nearest centroid",
  "dense-nearest-centroid": "nearest centroid of numbers",
};

/** All that the page says, in English. */
export const words = {
  name: "cotrain",
  skip: "Skip to the content",
  loading: "Loading",
  retry: "Try again",
  nav: {
    pages: "Pages",
    models: "Models",
    markets: "Markets",
    rounds: "Rounds",
    mine: "Mine",
    deploy: "Deploy",
    label: "Label",
    simulate: "Simulate",
    help: "Help",
    api: "API",
  },
  chain: (id: number) => chains[id] ?? `chain ${id}`,
  block: (block: number) => `block ${count(block)}`,
  learner: (name: string) => learners[name] ?? name,

  keys: {
    button: "Keys",
    title: "Keys",
    off: "Use these keys",
    close: "Close",
    digits: "The number beside a class is its key.",
  },

  table: {
    openQuote: "a quote is opened and never closed.",
  },

  state: {
    away: (since: number) =>
      `The coordinator has not answered since ${clockTime(since)}. What you see is from before; the page keeps asking.`,
    notReady: (reason: string) => `The coordinator is not ready: ${reason}.`,
    behind: (blocks: number) =>
      `The coordinator is ${counted(blocks, "block")} behind the chain. Numbers may be old.`,
    stale: (since: number) =>
      `Live updates stopped at ${clockTime(since)}. The page tries again.`,
    limited: (seconds: number) =>
      `This coordinator allows no more questions just now. What you see may be old; the page asks again after ${counted(seconds, "second")}.`,
    unread:
      "New numbers could not be read. What you see may be old; the page tries again.",
  },

  failure: {
    title: "This could not be loaded",
    unknownModel: "This model is not followed here",
    rate: (seconds: number) =>
      `You asked more often than this coordinator allows. Try again in ${counted(seconds, "second")}.`,
  },

  unknown: {
    title: "There is no such page",
    text: "The address may be mistyped, or the page may belong to a newer version.",
    home: "Go to the models",
  },

  models: {
    title: "Models",
    lead: "Each of these lives on a chain. Trying one is free. Teaching one costs a deposit, which you can take back if the model then agrees with you.",
    search: "Search",
    searchHint: "Name, class or address",
    sort: "Sort by",
    sorts: {
      contributions: "Contributions",
      accuracy: "Accuracy",
      deposit: "Deposit now",
      wait: "Wait",
      name: "Name",
    },
    loadedOnly: (rows: number) =>
      `Search and order cover the ${counted(rows, "model")} loaded so far.`,
    all: (rows: number) => counted(rows, "model"),
    found: (rows: number, of: number) =>
      `${count(rows)} of ${counted(of, "model")}`,
    more: "Load more",
    empty: "This coordinator follows no model yet.",
    emptyHint:
      "Deploy one with the command cotrain deploy, or add one by its address.",
    noMatch: "No model matches the search.",
    hidden: (rows: number) =>
      `${counted(rows, "model")} with unknown code: names written by strangers are hidden.`,
    showNames: "Show all names",
    hideNames: "Hide strangers’ names",
    add: {
      title: "Open a model by its address",
      label: "Address of its trainer",
      button: "Open",
      form: (found: string) =>
        `An address is 0x and 40 digits from 0 to 9 and a to f. This has ${counted(found.length, "character")}.`,
      unknown:
        "This coordinator does not follow that model. Ask its host to add the address.",
      refused: (reason: string) => `It was refused: ${reason}`,
    },
  },

  model: {
    unnamed: "Model without a name",
    hiddenName: "Name hidden",
    hiddenWhy:
      "Its code is unknown here, so what a stranger wrote about it is hidden until you ask.",
    showName: "Show name and classes",
    class: (label: number) => `class ${label}`,
    classes: "Classes",
    moreClasses: (rest: number) => `and ${count(rest)} more`,
    accuracy: "Accuracy",
    notMeasured: "not measured",
    measuredOn: (correct: number, samples: number) =>
      `${count(correct)} of ${counted(samples, "example")}`,
    contributions: "Contributions",
    deposit: "Deposit now",
    free: "none: points only",
    wait: "Back after",
    verified: "Known code",
    verifiedWhy:
      "Both contracts run code of this release. It says nothing about the model’s quality or its host.",
    unverified: "Unknown code",
    unverifiedWhy:
      "At least one contract runs code that this release does not know.",
    by: "by",
    open: "Open",
    pages: "Pages of this model",
    tabs: {
      try: "Try it",
      teach: "Teach",
      mine: "Mine",
      report: "Report",
      host: "Host",
    },
  },

  tryIt: {
    title: "Try it",
    lead: "Free. The model runs in this page with the weights from the chain, and what you write stays here unless you compare.",
    text: "Your text",
    textHint: "The answer follows as you type.",
    row: "Your row",
    pixels: "Draw",
    pixelsHint:
      "Draw with the pointer, or move with the arrow keys and press the space bar.",
    clear: "Clear",
    file: "Or a picture from a file",
    features: "Indices of present features, separated by commas",
    ownIndices:
      "Indices that are present, as the owner’s file counts them, separated by commas",
    lacking: (indices: number) =>
      `The model does not know ${counted(indices, "index", "indices")} of these.`,
    numbers: (features: number) =>
      `${counted(features, "number")}, separated by commas`,
    noNumbers:
      "These are no whole numbers, so the answer is to those before. Separate whole numbers by commas.",
    examples: "Examples",
    /** Texts to try with a model whose features have no words. */
    sentences: [
      "What a wonderful day, thank you all!",
      "This was a waste of my time and money.",
      "You have won a prize, call this number now.",
      "The meeting is moved to Tuesday at ten.",
    ],
    emptyAnswer: "Write something, or choose an example.",
    answer: "The model says",
    undecided: "Nothing speaks for either class.",
    sure: (score: number) => percent(score),
    meaning: {
      "share-of-votes":
        "of the weighted evidence speaks for it; 50 % is undecided",
      posterior:
        "probability as naive Bayes counts it, which is usually too sure of itself",
      "relative-distance":
        "nearness compared with the second nearest class; 50 % is undecided",
    } as Readonly<Record<string, string>>,
    nothingKnown:
      "The model knows nothing of this. Its answer is the same for every text without a word that it knows.",
    nothingKnownRow: "The model knows none of these values.",
    clipped: (clipped: number) =>
      `${counted(clipped, "value")} beyond the model’s range, moved to its bounds`,
    unseen: (unseen: number) =>
      `${counted(unseen, "text")} the model has never seen`,
    reasons: "Why",
    picture: "The pixels that speak for a class, the stronger the more",
    speaksFor: "for",
    moreReasons: (rest: number) => `${count(rest)} more with less weight`,
    missing: "missing",
    yes: "yes",
    no: "no",
    check: "Compare with the contract",
    checking: "Asking the contract …",
    contractSame: (name: string, block: string) =>
      `The contract answers ${name} at ${block}, as this page does.`,
    contractDiffers: (name: string, block: string) =>
      `The contract answers ${name} at ${block}, and this page does not. Please report it.`,
    contractSilent: (reason: string) =>
      `The contract could not be asked: ${reason}`,
    coordinatorSame:
      "The coordinator computes the same class and the same score.",
    coordinatorDiffers: (name: string) =>
      `The coordinator computes ${name}, and this page does not. Please report it.`,
    coordinatorLearns:
      "The model learns just now, so the coordinator’s answer belongs to other weights. Compare again.",
    coordinatorSilent: (reason: string) =>
      `The coordinator could not be asked: ${reason}`,
    noEncoder:
      "The owner published no encoder, so only features can be given as the contract takes them.",
    unreadable: (reason: string) =>
      `This page cannot read how the owner’s data become samples: ${reason}`,
    cannotLoad: "The model could not be loaded into this page.",
    weightsOf: (block: string) => `Weights of ${block}`,
  },

  accuracy: {
    title: "Accuracy",
    none: "Nobody has measured this model here. The coordinator measures if its host gives it test data.",
    now: (share: string, samples: string) => `${share} on ${samples}`,
    chart: "Accuracy by block",
    table: "As a table",
    block: "Block",
    when: "When",
    after: "After",
    value: "Accuracy",
    tested: "Tested on",
    newest: (rows: number) => `The newest ${counted(rows, "measurement")}.`,
  },

  contributions: {
    title: "Contributions",
    none: "Nobody has contributed yet.",
    newest: (rows: number, all: number) =>
      rows >= all
        ? counted(all, "contribution")
        : `The newest ${count(rows)} of ${count(all)}`,
    as: "taught as",
    from: "by",
    settled: {
      open: "deposit not taken yet",
      refunded: "taken back by its author",
      reported: "partly taken by others",
      "taken-by-reports": "taken by others",
      "claimed-late": "taken late",
    } as Readonly<Record<string, string>>,
    nothing: "no known word",
    numbers: (rows: number) => counted(rows, "number"),
    bytes: (length: number) => counted(length, "byte"),
    more: (rest: number) => `and ${count(rest)} more`,
  },

  economy: {
    title: "Money",
    held: "Held by the contract",
    heldHint: "open deposits and prepaid balances",
    open: "Open deposits",
    openHint: (rows: number) =>
      `of ${counted(rows, "contribution")}, neither taken back nor wholly taken by others yet`,
    refunded: "Taken back",
    refundedHint: (rows: number) =>
      `by the authors of ${counted(rows, "contribution")}, whom the model agreed with`,
    reported: "Taken by reports",
    reportedHint:
      "shares that others took of contributions the model disagreed with",
    late: "Taken late",
    lateHint: (rows: number) =>
      `what was left of ${counted(rows, "contribution")}, by the owner or anybody`,
    deposit: "Deposit of one contribution now",
    depositHint:
      "It falls while nobody contributes, and rises with each contribution.",
    none: "Contributions to this model cost no deposit and earn points.",
  },

  parameters: {
    title: "How it works",
    experts: "For experts",
    learner: "Learner",
    input: "It reads",
    features: "Features",
    classes: "Classes",
    incentive: "Contributing costs",
    deposit: "a deposit, which comes back if the model agrees",
    points: "nothing, and earns points without money",
    first: "Deposit right after another",
    hour: "Deposit after an hour of quiet",
    day: "Deposit after a day of quiet",
    refund: "Deposit back",
    refundText: (wait: number) =>
      `after ${duration(wait)}, if the model then agrees`,
    notice: "Others may report",
    noticeText: (notice: number) =>
      `what the model disagrees with, after a notice of ${duration(notice)}`,
    noNotice: "what the model disagrees with, without notice",
    owner: "Owner may take what is left",
    any: "Anybody may take what is left",
    afterText: (wait: number) => `after ${duration(wait)}`,
    trainer: "Trainer",
    classifier: "Classifier",
    ownerAddress: "Owner",
    relay: "Without gas",
    relayYes: "yes: sign, and this coordinator sends it",
    no: "not here",
    inputs: {
      words: (number: number) =>
        `text, by ${counted(number, "word")} that it knows`,
      hashed: (number: number) =>
        `text, by words hashed to ${counted(number, "feature")}`,
      columns: (number: number) => `a row of ${counted(number, "column")}`,
      pictures: (width: number, height: number) =>
        `a picture of ${width} by ${height} pixels`,
      indices: (number: number) => `${counted(number, "index", "indices")}`,
      vectors: (number: number) =>
        `text, by word vectors of ${counted(number, "number")}`,
      raw: "samples as the contract takes them",
    },
    smoothing: "Smoothing",
    smoothingText: (amount: number) => `${amount} added to each count`,
    rate: "Learning rate",
    rateText: (rate: number) =>
      `${count(rate)} a mistake, in the contract’s units`,
  },

  warnings: {
    title: "Before you rely on it",
    "unknown-code":
      "Its contracts run code that this release does not know. They may answer each asker differently and decide who gets each deposit.",
    "not-measured": "Its accuracy has not been measured here.",
    "old-measure": (since: number) =>
      `Its accuracy was measured ${counted(since, "contribution")} ago.`,
    guessing: (share: string) =>
      `It was right in ${share} tests, which is no better than guessing.`,
    "one-author": "All contributions loaded here come from one account.",
    "owner-only": "All contributions loaded here come from its owner.",
    "short-wait": (wait: number) =>
      `A deposit can be taken back after ${duration(wait)}. So soon, hardly anybody has checked what was taught.`,
    "owner-races": (wait: number) =>
      `Its owner may take open deposits ${duration(wait)} after they can be taken back. Authors must be quick.`,
    "no-encoder":
      "Its owner published no encoder, so nobody can tell what its features mean.",
    "development-chain":
      "This is a development chain: its ether is play money.",
  },

  help: {
    title: "Help",
    lead: "One question a page.",
    others: "Other questions",
  },
} as const;
