import { count, counted } from "../text/numbers.ts";
import { duration } from "../text/time.ts";
import type { Act } from "./plan.ts";
import type { Standing } from "./standing.ts";

const contributions = (items: number): string => counted(items, "contribution");

/** All that the pages about taking back and reporting say, in English. */
export const claimWords = {
  me: {
    title: "What you taught",
    lead: "Everything that an account has taught the models of this coordinator, and what can be taken back.",
    partly: (models: number) =>
      `The first ${counted(models, "model")} were looked through. Open the others by themselves.`,
    none: "This account has taught none of the models here.",
    noneHint: "Choose a model and teach it; then what becomes of it is here.",
    models: "Go to the models",
    all: "All models together",
    here: "This model’s page",
  },

  mine: {
    lead: "What this account has taught the model, and what can be taken back.",
    nothingNow: "Nothing can be taken back at this moment.",
    nothingOpen: "Nothing of this account is open any more.",
  },

  viewer: {
    yours: "Your account",
    other: "You look at the account",
    otherWhy:
      "Only the wallet of this account can claim for it, so here you can just look.",
    look: "Look at another address",
    lookFirst: "Or look at an address without a wallet",
    label: "Address of an account",
    button: "Look",
    back: "Look at your own account",
    form: "An address is 0x and 40 digits from 0 to 9 and a to f.",
  },

  sums: {
    back: "Back now",
    backHint: (items: number) =>
      items === 0
        ? "nothing at this moment"
        : `${contributions(items)} that can be taken back`,
    waiting: "Waiting",
    waitingNone: "nothing waits",
    waitingHint: (items: number, agreeing: number) =>
      `${contributions(items)}; the model agrees with ${count(agreeing)} now`,
    until: "until",
    risk: "At risk",
    riskHint: (items: number) =>
      items === 0
        ? "nothing"
        : `${contributions(items)} that the model does not agree with; others can take parts`,
    partly: (items: number) =>
      `These are the first ${contributions(items)} that are open. There are more; take those back first.`,
  },

  /** Words where contributions cost nothing, and are only counted. */
  points: {
    sums: {
      back: "To count now",
      backHint: (items: number) =>
        items === 0 ? "nothing at this moment" : "the model agrees",
      risk: "Not agreed",
      riskHint: (items: number) =>
        items === 0 ? "nothing" : "the model does not agree now",
    },
    standing: {
      back: "can be counted now",
      late: "not agreed",
      risk: "not agreed",
      waiting: "waits",
      settled: "counted as good",
    } satisfies Record<Standing, string>,
    nothingNow: "Nothing can be counted at this moment.",
    count: (items: number) => `Have ${contributions(items)} counted as good`,
    step: "It can be counted as good from",
    counted: "Counted as good in",
    differs:
      "The model keeps learning, so it may agree again. Nobody can take anything.",
    noReports:
      "Contributions to this model cost no deposit, so a report would bring nothing.",
  },

  act: {
    refund: (items: number) =>
      items === 1
        ? "Take 1 deposit back"
        : `Take ${count(items)} deposits back`,
    claimLate: (items: number) =>
      `Take what is left of ${contributions(items)}`,
    report: (items: number) =>
      items === 1 ? "Report 1" : `Report all ${count(items)}`,
    announce: (items: number) =>
      items === 1 ? "Announce 1 report" : `Announce ${count(items)} reports`,
  } satisfies Record<Act, (items: number) => string>,
  reportOne: "Report",
  announceOne: "Announce",

  standing: {
    back: "can be taken back now",
    late: "long open: what is left can be taken",
    risk: "at risk",
    waiting: "waits",
    settled: "settled",
  } satisfies Record<Standing, string>,
  settled: {
    open: "open",
    reported: "others have taken a part",
    refunded: "taken back",
    "taken-by-reports": "taken by others",
    "claimed-late": "taken late",
  },

  item: {
    as: "taught as",
    number: (position: number) => `Contribution ${count(position)}`,
    typed: "Typed as",
    left: "left of",
    says: "The model says",
    agrees: "It agrees now.",
    agreesWaiting: "It agrees now; this can change until then.",
    differs: "It does not agree now.",
    differsWaiting: "It does not agree now; this can change until then.",
    differsRisk:
      "The model keeps learning, so it may agree again. Until then others who taught well can take parts.",
    differsLate:
      "It has been open for so long that anyone can take what is left, its author too.",
    why: "Why is my deposit not back?",
    who: "Who can take it?",
    transaction: "Transaction",
    took: "took",
    by: {
      refund: "back",
      report: "by a report",
      "late-claim": "late",
    },
    inBlock: "in",
  },

  steps: {
    label: "What happens when",
    taught: "Taught",
    back: "It can be taken back from",
    backIf: "if the model then agrees",
    others: "Others can report it from",
    othersIf: "if the model then does not agree",
    othersNotice: (notice: number) =>
      `if the model does not agree, and after a notice of ${duration(notice)}`,
    announced: "A report was announced",
    announcedUntil: "it can be made",
    from: "from",
    until: "until",
    owner: "The model’s owner can take what is left from",
    anyone: "Anyone can take what is left from",
  },

  lists: {
    open: "Open",
    settled: "Settled",
    showSettled: "Show what is settled",
    noSettled: "Nothing is settled yet.",
    more: (rest: number) => `Show ${count(rest)} more`,
    moreRows: "Load more",
  },

  review: {
    preparing: "The node tries it without sending it …",
    items: "Contributions",
    some: (items: number, rest: number) =>
      `${count(items)} now; the other ${count(rest)} need a transaction of their own after this one`,
    brings: {
      refund: "You get back",
      claimLate: "You get",
      report: "Your shares",
      announce: "It brings",
    } satisfies Record<Act, string>,
    nothingYet: "nothing yet; the report can follow after the notice",
    pointsOnly: "no money; it counts as good",
    gas: "Fee of the network, about",
    net: "Remains, about",
    loss: "The fee is higher than what it brings.",
    frozen:
      "These amounts are of this moment, and stay as they are while you decide. The contract decides again when it runs.",
    send: "Send by the wallet",
    waiting: "Confirm in your wallet …",
    cancel: "Cancel",
    close: "Close",
    refused: "This would not work now",
    sent: "Sent",
    waitingForBlock: "It waits for a block.",
    done: {
      refund: (items: number) => `${contributions(items)} taken back`,
      claimLate: (items: number) =>
        `What was left of ${contributions(items)} taken`,
      report: (items: number) => `${contributions(items)} reported`,
      announce: (items: number) => `${counted(items, "report")} announced`,
    } satisfies Record<Act, (items: number) => string>,
    got: "The contract paid",
    skipped: (items: number) =>
      `The contract left out ${contributions(items)}, which stay as they were:`,
    switched:
      "Your wallet has another account now, so this was closed. Nothing was sent.",
  },

  label: {
    refund: (items: number) => `Take back ${contributions(items)}`,
    claimLate: (items: number) =>
      `Take what is left of ${contributions(items)}`,
    report: (items: number) => `Report ${contributions(items)}`,
    announce: (items: number) => `Announce ${counted(items, "report")}`,
  } satisfies Record<Act, (items: number) => string>,

  report: {
    lead: "Contributions of others that the model does not agree with. Each report brings you a share of the deposit.",
    rule: "Your share",
    ruleText: (mine: number, all: number) =>
      `${count(mine)} of ${counted(all, "good contribution")}`,
    ruleHint:
      "of each deposit, at most what is left. Good is what was taken back, as the model agreed.",
    now: "To report now",
    nowHint: (items: number) =>
      items === 0 ? "nothing at this moment" : contributions(items),
    cost: "Fee of the network, about",
    costHint: (items: number) =>
      `for ${contributions(items)} in one transaction`,
    net: "Remains, about",
    netLoss: "the fee is higher than your shares",
    list: "The model does not agree with these",
    deposit: "a deposit of",
    left: "of which is left",
    none: "There is nothing to report: the model agrees with all contributions of others whose wait is over.",
    partly:
      "There may be more than the coordinator tells at once. Report these first.",
    noAccount:
      "Connect a wallet, or look at an address, to see the shares. Here is what can be reported.",
    waits: "How a report works",
    waitsText: (refund: number, notice: number) =>
      notice === 0
        ? `A contribution can be reported ${duration(refund)} after it was made, without notice, if the model does not agree then. Nobody reports the same contribution twice.`
        : `A contribution can be reported ${duration(refund)} after it was made, if the model does not agree then. First somebody announces the report. It can be made from ${duration(notice)} after the announcement on, for ${duration(notice)}. Meanwhile its author can still take the deposit back if the model agrees.`,
    lateText: (owner: number, anyone: number) =>
      `The owner can take what is left ${duration(owner)} after the contribution, and anyone ${duration(anyone)} after it.`,
    by: "by",
    taughtAs: "taught as",
    says: "the model says",
    share: "your share",
    of: "of",
    announce: {
      needed: "A report needs a notice first. Announce it.",
      running: "Announced. It can be reported",
      from: "from",
      until: "until",
    },
    first: {
      title: "First, a contribution of your own must count as good",
      lead: "Only those can report who have taken a deposit back from this model themselves. This is how:",
      teach: "Teach the model something that you are sure of",
      wait: (wait: number) => `Wait ${duration(wait)}`,
      take: "Take the deposit back, if the model then agrees",
      now: (items: number) =>
        `You have ${contributions(items)} that you can take back now.`,
      worth: (all: number) =>
        `With one good contribution, your share of each deposit would be 1 of ${count(all)}.`,
      mine: "Go to what you taught",
      teachLink: "Teach this model",
    },
  },
} as const;
