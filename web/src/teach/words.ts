import { count, counted } from "../text/numbers.ts";
import { duration } from "../text/time.ts";

/** All that the pages of teaching say, in English. */
export const teachWords = {
  add: {
    title: "Teach by examples",
    lead: "Give an example and its class. Examples wait below until you send them together.",
    says: "The model says now",
    saysNothing: "Give an example, and the model answers.",
    class: "Your class",
    chooseClass: "Choose a class",
    add: "Add to the list",
    unknown:
      "The model knows nothing of this, so it would hardly learn from it.",
    agrees: "as you do",
    public: "Public forever",
    publicWords: "These words of your text are stored",
    publicNone: "none of the words is known, so none is stored",
    publicHashed: (features: number) =>
      `${counted(features, "number")} that stand for the words of your text are stored. Whoever guesses a text can check it.`,
    publicVectors: (numbers: number) =>
      `${counted(numbers, "number")} are stored that tell much of the text’s meaning.`,
    publicRow:
      "All values of this row are stored as the model reads them. Anybody can read them.",
    publicPicture:
      "This picture is stored as the model reads it. Anybody can see it.",
    publicFeatures: "All these features are stored. Anybody can read them.",
    moreWords: (rest: number) => `and ${count(rest)} more`,
    missingClass: "Choose a class first.",
    empty: "Give an example first.",
    full: (max: number) =>
      `The list is full: it holds ${counted(max, "example")}.`,
    added: (position: number) => `Added as example ${count(position)}.`,
    notKept:
      "This browser stores nothing, so the list is gone when you close or reload the page.",
    noEncoder:
      "The owner published no encoder, so only features can be given as the contract takes them.",
  },

  keys: [
    ["Enter", "in the text: go on to the classes"],
    ["1 … 9", "outside of the text: choose a class"],
    ["Enter", "on a class: add the example"],
    ["↑", "in an empty text, or outside of fields: edit the last example"],
    ["Shift + Enter", "in the text: a new line"],
    ["?", "outside of the text: this list"],
  ] as readonly (readonly [string, string])[],

  queue: {
    title: "Your list",
    empty: "Nothing is in the list yet.",
    number: (all: number, sent: number) =>
      sent === all
        ? counted(all, "example")
        : `${counted(all, "example")}, of which ${count(sent)} will be sent`,
    as: "as",
    now: "The model says now",
    edit: "Edit",
    editLabel: (position: number) => `Edit example ${position}`,
    remove: "Remove",
    removeLabel: (position: number) => `Remove example ${position}`,
    clear: "Remove all",
    clearSure: "Remove all examples from the list?",
    anyway: "Send it all the same",
    refused: (reason: string) => `It cannot be sent: ${reason}.`,
    next: (max: number, rest: number) =>
      `The first ${count(max)} are sent together. ${counted(rest, "example")} stay in the list for the next time.`,
    notes: {
      unknown:
        "The model knows nothing of this. It would cost a deposit and teach hardly anything.",
      same: (other: number) => `The same as example ${other} of the list.`,
      contradicts: (other: number) =>
        `Example ${other} of the list is the same with another class.`,
      beforeOwn: (position: number) =>
        `You taught this before, as contribution ${count(position)}.`,
      before: (position: number) =>
        `Somebody taught this before, as contribution ${count(position)}.`,
      unsure:
        "It is in a signed batch that the coordinator may have. It is held back until the coordinator answers, or until you remove that batch below.",
      clipped: (values: number) =>
        `${counted(values, "value")} beyond the model’s range, moved to its bounds.`,
    },
    more: (rest: number) => `Show ${count(rest)} more`,
  },

  several: {
    title: "Add several lines at once",
    lead: "A line an example, as a CSV or from a table: the class in one column, the example in the others. The first line may name the columns.",
    text: "Lines",
    hint: (name: string) => `${name},an example`,
    file: "Or a file",
    button: "Add the lines",
    done: (rows: number) => `${counted(rows, "example")} added to the list.`,
    faults: (faults: number) => `${counted(faults, "line")} left out:`,
    line: (line: number, text: string) => `Line ${count(line)}: ${text}`,
    large: "The file is larger than 5 megabytes. Take a part of it.",
    moreFaults: (rest: number) => `and ${counted(rest, "line")} more.`,
  },

  table: {
    noClass:
      "no column has classes of this model. Give each line a class by its name or number.",
    severalClasses:
      "several columns could be that of the class. Name it “class” in the first line.",
    unknownClass: (cell: string) =>
      cell.trim() === ""
        ? "it has no class."
        : `“${cell.trim().slice(0, 40)}” is no class of this model.`,
    width: (found: number, expected: number) =>
      `it has ${counted(found, "cell")}, expected ${expected} as in the first line. Put quotes around a text with separators.`,
    oneText: (cells: number) =>
      `it has ${counted(cells, "cell")} beside the class, expected one text.`,
    emptyText: "its text is empty.",
    noNumbers: "its features are no whole numbers.",
    columns: (found: number, expected: number) =>
      `it has ${counted(found, "value")} beside the class, expected ${expected}. Name the columns in the first line.`,
    noColumn: (name: string) =>
      `it has no column “${name.slice(0, 40)}”, which the model reads.`,
    extraColumn: (name: string) =>
      `the column “${name.slice(0, 40)}” is none of the model’s. Leave it out.`,
    tooMany: (max: number) =>
      `only the first ${counted(max, "line")} are read at once.`,
    room: (max: number) =>
      `the list is full, it holds ${counted(max, "example")}.`,
  },

  send: {
    title: "Deposit and send",
    nothing: "Add an example to the list first.",
    ways: "How to send",
    transaction: "By a transaction",
    transactionHint: "You pay the deposit and the network’s fee now.",
    signature: "By a signature, without gas",
    signatureHint:
      "You sign, and this coordinator sends. Your prepaid balance pays.",
    button: (examples: number) => `Teach ${counted(examples, "example")}`,
    review: (examples: number) =>
      `Review and sign ${counted(examples, "example")}`,
    sending: "Confirm in your wallet",
    fee: "Network’s fee, about",
    feeUnknown: "unknown now",
    checking: "Asking the chain …",
    wouldFail: (reason: string) => `The contract would refuse this: ${reason}`,
    large:
      "These examples are too much for one transaction. Remove some, or send them in parts.",
  },

  deposit: {
    title: "Your deposit",
    now: "You put down now",
    atMost: "at most",
    each: (examples: number) => `For ${counted(examples, "example")}, each`,
    rest: "What is above the price returns at once.",
    restRelayed: "Only the price is taken from your balance.",
    falls:
      "The price falls while nobody teaches, and jumps when somebody does.",
    jump: "The highest possible price of an example is",
    back: (when: string, relative: string) => `From ${when} (${relative})`,
    backText: "you can take it back if the model then says",
    backClasses: "the class that you gave",
    backAs: ", as you do. If not, it stays. This can change until then.",
    others: "Others who taught well can then take parts of it",
    othersNotice: (notice: number) => `, after a notice of ${duration(notice)}`,
    late: (owner: string, anyone: string) =>
      `From ${owner} the owner, and from ${anyone} anybody, can take what is left.`,
    lateSame: (when: string) =>
      `From ${when} the owner, and then anybody, can take what is left.`,
    all: "You can lose all of it, never more.",
    points:
      "This model takes no deposit. Your examples earn points if the model later agrees.",
    ceiling: "At most for each example, in ether",
    ceilingHint:
      "If the price is higher when your examples arrive, nothing is taken and they are refused.",
    ceilingBad: "This is no amount of ether, such as 0.002.",
    ceilingLow: "This is below the price of now, so it would be refused.",
    ceilingUsual: "Use the usual limit",
    waitNote:
      "Times are by the chain’s clock and count from when the examples arrive.",
  },

  balance: {
    title: "Prepaid balance",
    lead: "Money of yours that the contract holds. Signed examples are paid from it, and deposits that others claim for you come into it.",
    balance: "Balance",
    committed: "Reserved for signed examples that wait",
    needed: "Needed for these examples, at most",
    short: (ether: string) =>
      `Your balance lacks ${ether} ether for this. Top it up first.`,
    topUp: "Top up",
    topUpAmount: "Amount to put in, in ether",
    withdrawAll: "Withdraw all that is free",
    amountBad: "This is no amount of ether, such as 0.002.",
    label: { deposit: "Top up the balance", withdraw: "Withdraw the balance" },
  },

  keeper: {
    title: "Let the coordinator claim for you",
    lead: "It then takes back your deposits when it can, and reports for you, if that brings more than its gas costs. The money comes into your prepaid balance. It costs a signature, no gas.",
    until: (when: string) => `It claims for you until ${when}.`,
    sign: (days: number) => `Allow it for ${counted(days, "day")}`,
    again: "Allow it for longer",
    cannot: "You cannot take this back before its time is over.",
    done: "The coordinator claims for you now.",
    keeper: "Account that claims",
  },

  review: {
    title: "What you sign",
    lead: "Your wallet shows these names with numbers. Compare them, then sign. Nothing is sent before you sign.",
    name: "In the wallet",
    means: "Means",
    author: "author",
    authorText: "you, who teach",
    relayer: "relayer",
    relayerText: "the only account that may send it: this coordinator’s",
    maxDeposit: "maxDeposit",
    maxDepositText: "at most for each example",
    fee: "fee",
    feeText: "for the relayer",
    nonce: "nonce",
    nonceText: (nonce: number) =>
      `send number ${nonce}, so that it counts only once`,
    deadline: "deadline",
    deadlineText: "it may not be sent later",
    items: "items",
    itemsText: (examples: number, bytes: number) =>
      `${counted(examples, "example")} in ${counted(bytes, "byte")}, decoded below`,
    hash: "Hash of it all",
    decoded: "The examples in it",
    pays: "Your prepaid balance pays, at most",
    sign: "Sign in the wallet",
    signing: "Confirm in your wallet",
    back: "Back",
    wei: (wei: bigint) => `${wei} wei`,
  },

  refusals: {
    nonceTaken:
      "Another signed batch of yours waits with the same number. Review and sign anew: the page takes the next number.",
    price: (price: string, max: string) =>
      `The price is ${price} ether for an example now, above your limit of ${max}. Raise the limit, or wait until the price falls.`,
    balance: (required: string, balance: string) =>
      `This and what waits needs up to ${required} ether, and your prepaid balance is ${balance}. Top it up first.`,
    fee: (wanted: string) =>
      `The relayer wants a fee of ${wanted} ether now. Review and sign anew.`,
    expired: "The signature is too old by the chain’s clock. Sign anew.",
    signature:
      "The signature is not of this account. Was the account changed in the wallet? Choose the right one and sign anew.",
    relayer:
      "The coordinator’s relayer has changed. Load the page again and sign anew.",
    nonceFar:
      "Too many signed batches of yours wait. Try again when some of them are on the chain.",
    many: "Too many signed batches wait at this coordinator. Your examples are kept; try again in a while.",
    rate: (seconds: number) =>
      `You asked more often than this coordinator allows. Your examples are kept; try again in ${counted(seconds, "second")}.`,
    notServed: "This coordinator does not relay. Send a transaction instead.",
    away: "The coordinator does not answer. It may have taken the batch all the same: the list below tells when it answers again. Your examples are kept.",
    other: (reason: string) => `The coordinator refused it: ${reason}`,
    wrongId:
      "The coordinator took something else than you signed. Do not sign here again, and tell its host.",
    strangeNonce: (nonce: number) =>
      `Nothing was signed: the coordinator names the number ${nonce}, far above those that the chain has used. All numbers below would be lost. Use another coordinator.`,
    changed:
      "The account was changed in the wallet. Check the amounts and try again.",
  },

  sent: {
    title: "What you sent",
    none: "Nothing was sent from this browser yet.",
    label: (examples: number) => `Teach ${counted(examples, "example")}`,
    relayed: (examples: number) =>
      `${counted(examples, "example")} by signature`,
    stages: {
      unknown: "The coordinator is asked for it.",
      waiting: "Taken by the coordinator. It waits to be sent with others.",
      sent: "Sent by the coordinator. It waits for a block.",
      included: (block: string) => `Done, in ${block}.`,
      refused: (reason: string) => `Refused for good: ${reason}`,
      gone: "This coordinator does not know it. It may have begun anew.",
    },
    rolledBack:
      "The chain took back the block that it was in. It is sent again.",
    unsure:
      "The coordinator did not answer when it was submitted. It may have it or not.",
    receipt: "What happens next",
    paid: "Deposit for each",
    positions: (first: number, last: number) =>
      first === last
        ? `Contribution ${count(first)}`
        : `Contributions ${count(first)} to ${count(last)}`,
    next: (when: string, relative: string) =>
      `From ${when} (${relative}) you can take the deposit back if the model then agrees.`,
    nextPoints: (when: string, relative: string) =>
      `From ${when} (${relative}) you earn points if the model then agrees.`,
    since: (when: string) =>
      `Since ${when} you can take the deposit back, whenever the model agrees.`,
    sincePoints: (when: string) =>
      `Since ${when} you can earn points, whenever the model agrees.`,
    examples: "The examples",
    moreExamples: (rest: number) => `and ${counted(rest, "example")} more`,
    mine: "Follow it in Mine",
    again: "Put the examples back into the list",
    dismiss: "Remove from this list",
    dismissLabel: (label: string) => `Remove “${label}” from this list`,
    details: "Details",
    id: "Signed batch",
  },

  originals: {
    title: "Your originals",
    lead: "The chain stores samples, not what you typed. This browser keeps that for you, and nobody else has it.",
    number: (originals: number) => counted(originals, "original"),
    export: "Export as a file",
    import: "Import a file",
    imported: (originals: number) =>
      `${counted(originals, "original")} imported.`,
    forget: "Forget them",
    forgetSure: "Forget the originals of this model? Nobody else has them.",
    notKept:
      "The browser has no room for what you typed. Export the originals and forget some.",
    original: "As typed",
    differs:
      "By the model’s card, this does not become what the chain has. The original may be of another text.",
    large: "The file is larger than 20 megabytes.",
    noJson: "The file is no JSON.",
    noForm: (form: string) => `The file does not begin with "form": "${form}".`,
    noRoom:
      "This browser has no room for them beside those that it keeps, or stores nothing. Export and forget some first.",
  },
} as const;
