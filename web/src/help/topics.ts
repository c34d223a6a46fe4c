/** Pages of help, each with one question. */
export const topics = [
  "deposit",
  "refusal",
  "reports",
  "gas",
  "public",
  "label",
] as const;

export type Topic = (typeof topics)[number];

/** Question and answer; each text is a paragraph. */
export interface Answer {
  title: string;
  short: string;
  paragraphs: readonly string[];
  /** Pages where the answer shows. */
  links?: readonly { readonly path: string; readonly text: string }[];
}

/** Returns the path of a page of help. */
export function helpPath(topic: Topic): string {
  return `/help/${topic}`;
}

export const answers: Readonly<Record<Topic, Answer>> = {
  deposit: {
    title: "What is a deposit?",
    short:
      "Money that you put down when you teach, and mostly take back later.",
    paragraphs: [
      "Who teaches a model puts down a deposit. It makes wrong data cost money. Trying a model is always free.",
      "The deposit depends on how busy the model is. Right after a contribution it is at its highest, and it falls while nobody contributes. You say how much you put down at most, and what is above the price returns at once.",
      "After a wait, which each model states, you can take the deposit back if the model then agrees with you. It does not matter whether it agreed when you taught it.",
      "You can lose all of a deposit, and never more than that.",
    ],
  },
  refusal: {
    title: "Why do I not get my deposit back?",
    short: "Because it is too early, or the model does not agree with you now.",
    paragraphs: [
      "Before the wait is over, nobody can take anything. The wait is counted by the chain’s clock, which can differ from yours.",
      "After it, the contract asks the model about your example. If its answer is the class that you taught, the deposit is yours. If not, the deposit stays. The contract knows no truth: it only knows what the model says.",
      "The model keeps learning. So its answer can change, and you may ask again later, as long as nobody else has taken the deposit.",
      "Meanwhile others who taught well can take parts of it by reports. Later the owner, and then anybody, can take what is left.",
    ],
    links: [
      {
        path: "/me",
        text: "What you taught, with what the model says of it now",
      },
    ],
  },
  reports: {
    title: "Who can take my deposit?",
    short:
      "People whose own deposits were returned, if the model disagrees with you.",
    paragraphs: [
      "A report is made by somebody who has got a deposit back from this model before. It succeeds if the wait is over and the model disagrees with your example.",
      "Each reporter gets a share of your deposit. It is the reporter’s part of all contributions whose deposits went back. Nobody can report the same example twice, and nobody can report an own one.",
      "Some models ask for a notice: a report must be announced first. During the notice you can still take the deposit back if the model agrees.",
      "If much time passes and nobody has claimed a deposit, the model’s owner may take it, and later anybody. Each model states both times.",
      "On the page of a model, “Report” lists what can be reported now, with your share and its cost.",
    ],
    links: [
      { path: "/me", text: "What you taught, and what of it is at risk" },
      { path: "/", text: "The models" },
    ],
  },
  gas: {
    title: "What is gas, and do I need any?",
    short: "The chain’s fee for each transaction. Trying a model needs none.",
    paragraphs: [
      "Every change of a chain costs a fee, called gas. It goes to those who run the chain, and does not come back. It is apart from the deposit.",
      "Trying a model changes nothing, so it costs nothing. This page reads the model’s weights and computes the answer itself.",
      "Teaching changes the model, so somebody must pay gas. If this coordinator relays, you may sign your examples instead. It then sends them together with others, which is cheaper. Your prepaid balance pays the deposit and its fee.",
    ],
  },
  public: {
    title: "Is my text public?",
    short: "What you only try stays here. What you teach is public for ever.",
    paragraphs: [
      "What you type to try a model stays in this page. It is sent to the coordinator only if you press “Compare with the contract”, and stored nowhere.",
      "While you prepare examples to teach, this browser keeps them, and what you typed after you sent them. It gives them to nobody.",
      "What you teach is written to the chain. Anybody can read it, and nobody can delete it.",
      "Most models of text store only the words that they know, not their order and not the rest. This is still enough to guess much of a text. So teach nothing that you would not print in a newspaper: no names, no health, no secrets.",
      "Your account’s address stands beside it, with everything else that you have taught.",
    ],
  },
  label: {
    title: "Which row should I label next?",
    short:
      "The one from which a model learns most: the page “Label” asks for it.",
    paragraphs: [
      "Most rows teach a model little, because it knows their like already. So a model that chooses its rows needs far fewer labels than one that gets random rows.",
      "On the page “Label”, you choose a table, name the classes, and answer row after row, by the keys of the digits if you like. Meanwhile the model learns in the coordinator, and the next rows are chosen ahead of you.",
      "Rows that were chosen because they are hard say nothing about how good the model is. So some rows are random, and the accuracy on these alone is the one to believe.",
      "The coordinator gets the numbers of your rows and the numbers of the classes. It keeps them in memory until the session ends. Texts, and the names of columns and classes, stay in your browser, with your labels.",
      "Work is counted in units: one is the price of deciding one row of up to 64 numbers. You see the price before you open a session, say how many units it may spend, and see what is spent and left. Work that fails costs nothing.",
      "The page says whether the coordinator takes money for units. If it does, your wallet signs one transfer of a token, of exactly the amount that the page tells before, and the coordinator sends it. You need no account there, and no gas.",
      "At the end you take along your labels as a table, and the model as a file. A model on a chain can learn from that table.",
    ],
    links: [
      { path: "/label", text: "Label rows" },
      { path: "/deploy", text: "Deploy a model that learns from labels" },
    ],
  },
};
