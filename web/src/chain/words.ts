import type { AbiParameterToPrimitiveType } from "viem";
import { shortEther } from "../text/money.ts";
import { counted } from "../text/numbers.ts";
import { shortAddress, tamed } from "../text/strangers.ts";
import { absolute } from "../text/time.ts";
import type { errorsAbi } from "./abi/errors.ts";

/** Error that the contracts have. */
export type AnyError = (typeof errorsAbi)[number];
type ErrorName = AnyError["name"];
/** Fields of an error, by their names. Contracts of x402 have an error of a name of ours, without its fields. */
type Fields<Name extends ErrorName> = FieldsOf<
  Extract<AnyError, { name: Name }>
>;
type FieldsOf<One extends AnyError> = One extends AnyError
  ? {
      [
        Input in One["inputs"][number] as Input["name"]
      ]: AbiParameterToPrimitiveType<Input>;
    }
  : never;

/** Largest time that dates can show, in seconds. */
const MAX_TIME = 8_000_000_000_000n;
/** Maximum length of the text that a contract gives as its reason, in characters. */
const MAX_REASON = 200;

const ether = (wei: bigint): string => `${shortEther(wei)} ether`;
const time = (seconds: bigint): string =>
  seconds > MAX_TIME ? `second ${seconds}` : absolute(Number(seconds));
/** People count from one, contracts from zero. */
const example = (index: bigint): string => `Example ${index + 1n}`;
const bytes = (length: bigint): string => counted(Number(length), "byte");
const short = (hash: string): string => shortAddress(hash);

const AGAIN = "Load the page again and try once more.";
const REPORT = "That is a fault of the program that made it: please report it.";

/** Phases of a market, by their numbers. */
const PHASES = [
  "not begun",
  "waiting for the first part of its test data",
  "open for contributions",
  "waiting for the rest of its test data",
  "being scored",
  "settled",
  "failed",
  "forfeited",
] as const;
const phase = (number: number): string =>
  PHASES[number] ?? `in phase ${number}`;

/** Steps of a market's scoring, by their numbers. */
const STAGES = [
  "copying the model",
  "teaching and measuring",
  "finding the pot",
  "paying",
] as const;
const stage = (number: number): string => STAGES[number] ?? `step ${number}`;

/** Phases of a federated round, by their numbers. */
const ROUND_PHASES = [
  "open for commitments",
  "waiting for the updates",
  "waiting for the draw of test data",
  "waiting for the test data",
  "being scored",
  "waiting for the new model",
  "waiting for its settlement",
] as const;
const roundPhase = (number: number): string =>
  ROUND_PHASES[number] ?? `in phase ${number}`;

/** Reasons for which an account cannot commit to an update, by their numbers. */
const COMMIT_PROBLEMS = [
  "it can",
  "it has done so before, so wait for the next round",
  "its balance is below the stake, so deposit more",
  "the owner knows the test data, so use another account",
  "the signature is not its own or too old, so sign again",
] as const;

/** Returns the name of a parameter as the contract writes it: ASCII with zeros after it. */
function parameter(name: string): string {
  const digits = name.slice(2).match(/../g) ?? [];
  const codes = digits.map((digit) => Number.parseInt(digit, 16));
  const text = String.fromCharCode(...codes.filter((code) => code > 0));
  return tamed(text, 32);
}

/** What each error of the contracts means for people: what happened and why, then what to do. */
export const errorWords: {
  readonly [Name in ErrorName]: (fields: Fields<Name>) => string;
} = {
  AlreadyAnnounced: ({ position, until }) =>
    `Somebody has announced a report of contribution ${position} already; it holds until ${time(until)}. You need no announcement of your own: report it once the notice is over.`,
  AlreadyDrawn: ({ part }) =>
    `The part of the test data is drawn already: it is part ${part + 1n}. Go on by revealing that part.`,
  AlreadyInitialized: () =>
    "This contract has begun already, and can only begin once. Nothing is left to do; load the page again.",
  AlreadyReported: ({ position }) =>
    `This account has reported contribution ${position} before, and nobody can do so twice. Choose another one.`,
  AlreadyRevealed: ({ part }) =>
    `Part ${part + 1n} of the test data is revealed already. Go on with another part.`,
  AuthorIsContract: ({ author }) =>
    `The author ${short(author)} is a contract that might not be able to take money, so nobody else may take its deposit back for it. It can do so itself.`,
  BalanceOverflow: ({ account }) =>
    `The prepaid balance of ${short(account)} would become larger than the contract can count. Pay in less, or withdraw some first.`,
  BalanceTooLow: ({ required, balance }) =>
    `The prepaid balance is ${ether(balance)}, and this needs ${ether(required)}. Pay in more, or do less at a time.`,
  CannotCommit: ({ author, problem }) =>
    `The account ${short(author)} cannot commit to an update of this round: ${COMMIT_PROBLEMS[problem] ?? `reason ${problem}`}.`,
  ClaimExceedsBalance: () =>
    "The claim is above what the channel holds. The payer has withdrawn meanwhile, or has to deposit more: look at the channel again.",
  ClaimExceedsCeiling: () =>
    "The claim is above the amount that the payer has signed. Claim at most that, or ask for a voucher of more.",
  ClassifierFailed: () =>
    "The model’s own contract failed without a reason, or its answer made no sense. Do not rely on this model; try another one.",
  CommitmentDiffers: ({ part }) =>
    `Part ${part + 1n} of the test data is not what its provider promised at the beginning. Use the file and the secret that the market was founded with.`,
  DelegatedCode: ({ implementation }) =>
    `The code at ${short(implementation)} can be replaced by the holder of a key, so no model may be made of it. Choose contracts of this release.`,
  DepositCollectionFailed: () =>
    "The tokens did not arrive in full, so nothing was deposited. The token may keep a fee of transfers: pay with another one.",
  DepositOverflow: () =>
    "The channel would hold more than it can count. Deposit less.",
  DepositTooLow: ({ required, sent }) =>
    `The deposit has risen meanwhile: it needs ${ether(required)}, and ${ether(sent)} came along. Others have just contributed. Wait until it has fallen, or allow more.`,
  DrawTooEarly: ({ number, earliest }) =>
    `It is too early to draw a part of the test data: the chain is at block ${number}, and this works from block ${earliest} on. Try again then.`,
  EmptyBatch: () =>
    "There is no example to teach. Add at least one, then send again.",
  Expired: ({ deadline, time: now }) =>
    `What was signed was valid until ${time(deadline)}, and the chain’s time is ${time(now)}. Sign it again with a later end.`,
  FeatureNotIncreasing: ({ item }) =>
    `${example(item)} lists its features in the wrong order, or one of them twice. ${REPORT}`,
  FeatureOutOfRange: ({ item, feature, features }) =>
    `${example(item)} has feature ${feature}, but the model knows only those below ${features}. It may have been encoded for another model; encode it for this one.`,
  GasTooLow: ({ left, allowance }) =>
    `Too little gas was left: ${left}, and the next step may need ${allowance}. Send again with a higher gas limit, or do less at a time.`,
  GuardBitSet: ({ word }) =>
    `The update has a number that is too large, in word ${word + 1n}. ${REPORT}`,
  HashDiffers: ({ index }) =>
    `What was given for number ${index + 1n} is not what was promised before. Give exactly the same bytes and secret as then.`,
  InitializationClosed: () =>
    "The model is complete, so its weights can no longer be written. Nothing is left to do here.",
  InitializationOpen: () =>
    "The model’s owner has not finished writing it, so nobody can teach it yet. Try again when it is complete.",
  InvalidChannel: () =>
    "The channel lacks an account or a token, or is not yours. Check its terms, and the account in your wallet.",
  InvalidCollector: () =>
    "No contract is named that fetches the tokens. Name the collector of this release, then deposit again.",
  InvalidParameter: ({ name, value }) => {
    const text = parameter(name);
    return text === "arguments"
      ? `The number of parameters is wrong: ${value}. ${AGAIN}`
      : `The value ${value} of “${text}” is outside of what the contract allows. Choose another value and try again.`;
  },
  InvalidRefundNonce: () =>
    "This refund was signed before another one was made, so it holds no more. Ask the receiver to sign it again.",
  InvalidSignature: (fields) =>
    "author" in fields
      ? `The signature is not one of ${short(fields.author)} for this, or is meant for another sender. Sign it again with that account.`
      : "The signature is not one of the account that has to sign: the payer, or who claims for the receiver. Sign it again with that account.",
  InvalidTrainer: () =>
    "No trainer is given, so nobody could teach the model. Give the trainer’s address and try again.",
  InvalidX402BatchSettlementAddress: () =>
    "The collector would serve no payment channels. Give the address of their contract, then create it again.",
  LabelOutOfRange: ({ item, label, classes }) =>
    `${example(item)} has class ${label}, but the model has only the classes below ${classes}. Choose one of its classes.`,
  LearnsFromUpdates: () =>
    "This model learns from the updates of rounds, not from single examples. Train on your own data, and take part in a round.",
  LengthsDiffer: ({ samples, labels }) =>
    `There are ${counted(Number(samples), "example")} but ${counted(Number(labels), "class", "classes")}, expected as many of each. ${REPORT}`,
  MalformedBatch: ({ offset }) =>
    `The examples break off at byte ${offset}. ${REPORT}`,
  MalformedClaims: ({ offset }) =>
    `The list of claims breaks off at byte ${offset}. ${REPORT}`,
  MalformedRecords: ({ offset }) =>
    `The list of contributions breaks off at byte ${offset}. ${REPORT}`,
  MalformedRelay: ({ offset }) =>
    `The signed batches break off at byte ${offset}. ${REPORT}`,
  ModelNotClosedForMarket: ({ classifier }) =>
    `The model ${short(classifier)} does not obey this market, or is not finished. Its owner must close it with the market as its trainer.`,
  ModelNotReady: ({ trainer }) =>
    `There is no finished model at ${short(trainer)}. Check the address, or finish the model before you register it.`,
  NoClaims: () =>
    "There is nothing to claim in this transaction. Choose at least one contribution.",
  NoCode: ({ implementation }) =>
    `There is no contract at ${short(implementation)}, so no model can be made of it. Check the address and the network.`,
  NoGoodContribution: ({ caller }) =>
    `The account ${short(caller)} has not got a deposit back from this model yet, so it may not report. Teach something that the model agrees with, and take that deposit back first.`,
  NoNotice: () =>
    "This model takes reports without an announcement. Report right away.",
  NoPartLeft: () =>
    "No test data are left for another round. Wait until the owner has promised new ones.",
  NoProgress: () =>
    "This step would change nothing. Somebody else may have done it; load the page again.",
  NormTooLarge: ({ squaredNorm, maximum }) =>
    `The update is too large: its squares sum up to ${squaredNorm}, and at most ${maximum} is allowed. Clip it, then commit in the next round.`,
  NoSamples: () => "There is nothing to predict. Give at least one example.",
  NonceUsed: ({ author, nonce }) =>
    `The number ${nonce} of what ${short(author)} has signed is used or canceled already. Sign again; the page then takes a new number.`,
  NotAClassifier: ({ implementation }) =>
    `The contract at ${short(implementation)} is no model. Choose a contract of this release.`,
  NotATrainer: ({ implementation }) =>
    `The contract at ${short(implementation)} is no trainer. Choose a contract of this release.`,
  NotAnnounced: ({ position }) =>
    `A report of contribution ${position} must be announced first, and no announcement holds now. Announce it, wait until the notice is over, then report.`,
  NotAuthorizedToClaim: () =>
    "Only the receiver of a channel, or the account that it has named, may claim. Change the account in your wallet.",
  NotAuthorizedToFinalizeWithdraw: () =>
    "Only the payer of a channel, or the account that it has named, may end a withdrawal. Change the account in your wallet.",
  NotAuthorizedToRefund: () =>
    "Only the receiver of a channel, or the account that it has named, may refund. Ask it, or withdraw as the payer.",
  NotDrawn: () =>
    "No part of the test data is drawn yet. Draw it first, then try again.",
  NothingToReveal: ({ index, committed }) =>
    `There is no commitment ${index + 1n}: the round has ${committed}. ${AGAIN}`,
  NotInitialized: () =>
    "The contract has not begun yet. Its owner must finish founding it; try again then.",
  NotInPhase: ({ current, required }) =>
    `The round is ${roundPhase(current)}, and this works only while it is ${roundPhase(required)}. Load the page again to see what works now.`,
  NotOurs: ({ account }) =>
    `The contract ${short(account)} does not obey this trainer. Its owner must name the trainer first.`,
  NotOwner: ({ caller, owner }) =>
    `Only the owner ${short(owner)} may do this, and you use ${short(caller)}. Change the account in your wallet.`,
  NotReceiverAuthorizer: () =>
    "These channels have different accounts that claim for their receivers. Claim those of each account on their own.",
  NotTheDrawnPart: ({ part, drawn }) =>
    `Part ${part + 1n} may not be revealed yet: part ${drawn + 1n} was drawn and comes first. Reveal that one.`,
  NotTrainer: ({ caller, trainer }) =>
    `Only the trainer ${short(trainer)} may teach this model, not ${short(caller)}. Teach by the trainer.`,
  NothingLeft: ({ position }) =>
    `Nothing is left of the deposit of contribution ${position}: it was taken back, or others have taken it. Load the page again to see by whom.`,
  NothingToCollect: ({ account }) =>
    `There is nothing to collect for ${short(account)}, or it was collected before. Check the account in your wallet.`,
  NothingToWithdraw: () =>
    "The amount to withdraw is zero. Choose an amount, then try again.",
  NumberTooLarge: ({ item, feature, number, maximum }) =>
    `${example(item)} has the number ${number} for feature ${feature}, and the model learns from at most ${maximum}. Make it smaller.`,
  OddSampleLength: ({ item, length }) =>
    `${example(item)} has ${bytes(length)}, expected an even number. ${REPORT}`,
  OnlyX402BatchSettlement: () =>
    "The collector serves only the contract of its payment channels. Deposit by that contract.",
  OwnContribution: () =>
    "You cannot report a contribution of your own. If the model agrees with it, take its deposit back.",
  PaddingNotZero: ({ parameters }) =>
    `The update goes on after its ${parameters} numbers. ${REPORT}`,
  PaymentFailed: ({ to, amount }) =>
    `The account ${short(to)} did not accept ${ether(amount)}, so nothing was changed. If it is a contract, it must be able to take money.`,
  PaymentTooLow: ({ required, sent }) =>
    `This costs ${ether(required)}, and ${ether(sent)} came along. Pay more, or ask for fewer predictions.`,
  PhaseNotOver: ({ deadline }) =>
    `The round may not be ended yet: its phase lasts until ${time(deadline)}. Try again then.`,
  PhaseOver: ({ deadline }) =>
    `It is too late: this worked until ${time(deadline)}. Anyone may end the round now.`,
  PredictionAgrees: ({ label }) =>
    `The model agrees that this is class ${label}, so it cannot be reported now. That can change while the model learns.`,
  PredictionDiffers: ({ label, predicted }) =>
    `You taught class ${label}, but the model now says class ${predicted}, so the deposit stays. That can change while the model learns; try again later.`,
  PriceTooHigh: ({ price, maxDeposit }) =>
    `The deposit is ${ether(price)} now, and at most ${ether(maxDeposit)} was allowed. Wait until it has fallen, or allow more.`,
  Reentrancy: () =>
    "The contract was called while it was still at work. Use it directly, not by a contract that calls back.",
  SampleOutOfBounds: ({ sample }) =>
    `${example(sample)} of the test data is outside of what the model reads. Correct the test data.`,
  SquaredLengthTooLarge: ({ item, squaredLength, maximum }) =>
    `The numbers of ${example(item).toLowerCase()} are too large together: their squares sum up to ${squaredLength}, at most ${maximum} is allowed. Make them smaller.`,
  StakeBalanceTooHigh: ({ balance, maximum }) =>
    `The balance would be ${balance}, and the contract can hold at most ${maximum}. Deposit less.`,
  StakeBalanceTooLow: ({ amount, balance }) =>
    `The balance here is ${balance} of the token’s smallest units, and this needs ${amount}. Deposit more tokens.`,
  StaleBase: ({ version, expected }) =>
    `The update was trained on version ${version} of the model, and the current one is ${expected}. Train again.`,
  TestSetInUse: ({ left }) =>
    `The test data are still needed: ${counted(Number(left), "part")} left, or a round is under way. Try again when both are over.`,
  TokenMovedOtherAmount: ({ moved, expected }) =>
    `The token moved ${moved} instead of ${expected}: it seems to keep a fee. Use a token that keeps none.`,
  TooEarly: ({ time: now, earliest }) =>
    `It is too early: the chain’s time is ${time(now)}, and this works from ${time(earliest)} on. Try again then.`,
  TooEarlyToDraw: ({ number, earliest }) =>
    `It is too early to draw: the chain is at block ${number}, and this works from block ${earliest} on. Try again then.`,
  TooLate: ({ time: now, latest }) =>
    `It is too late: this worked until ${time(latest)}, and the chain’s time is ${time(now)}. Load the page again to see what still works.`,
  TooLateToDraw: ({ number, latest }) =>
    `It is too late to draw: this worked until block ${latest}, and the chain is at block ${number}. Load the page again to see what still works.`,
  TooLong: ({ length, max }) =>
    `This has ${bytes(length)}, and at most ${bytes(max)} fit into one transaction. Send it in parts.`,
  TooManyContributions: ({ count, max }) =>
    `The market would have ${count} contributions, and takes at most ${max}. Send fewer.`,
  TooManyFeatures: ({ item, present, max }) =>
    `${example(item)} has ${present} features, and the model takes at most ${max} of one example. Make it shorter.`,
  TransferFailed: () =>
    "The token did not make the payment, so nothing was changed. The account may be barred from it: try again, or ask the token’s issuer.",
  UnknownContribution: ({ position }) =>
    `What was said of contribution ${position} is not what the chain has stored. ${AGAIN}`,
  UnknownPart: ({ part, parts }) =>
    `There is no part ${part + 1n}: the test data have ${parts}. Choose one of those.`,
  WithdrawAmountExceedsAvailable: () =>
    "The amount is above what the channel holds unclaimed. Choose less, and look at the channel again.",
  WithdrawDelayNotElapsed: () =>
    "It is too early: the receiver still has time to claim. Try again when the delay of the withdrawal is over.",
  WithdrawDelayOutOfRange: () =>
    "The delay of withdrawals must be between 15 minutes and 30 days. Choose another one, then deposit again.",
  WithdrawalAlreadyPending: () =>
    "A withdrawal from this channel is pending already. Wait for its end before you start another one.",
  WithdrawalNotPending: () =>
    "No withdrawal from this channel is pending. Start one, then wait for its delay.",
  WordsOutOfRange: ({ offset, count, size }) =>
    `The model has ${size} words of weights, and this would write ${count} from ${offset} on. It may belong to another model; load the page again.`,
  WrongAggregate: ({ words, expected }) =>
    `The change has ${words} words, and the model ${expected}. It may belong to another model; load the page again.`,
  WrongPhase: ({ phase: is, required }) =>
    `The market is ${phase(is)}, and this works only while it is ${phase(required)}. Load the page again to see what works now.`,
  WrongSampleLength: ({ item, length, expected }) =>
    `${example(item)} has ${bytes(length)}, expected ${expected}. It may have been encoded for another model; encode it for this one.`,
  WrongSampleRange: ({ scored, samples }) =>
    `Other samples are next: ${scored} of ${samples} are scored. Somebody else may have done it; load the page again.`,
  WrongSamplesLength: ({ length, size }) =>
    `The test data have ${bytes(length)}, expected a multiple of ${size}. ${REPORT}`,
  WrongStage: ({ stage: is, required }) =>
    `The scoring is at “${stage(is)}”, and this belongs to “${stage(required)}”. Load the page again to see which step is next.`,
  WrongUpdateLength: ({ length, expected }) =>
    `The updates have ${bytes(length)}, expected ${expected}. They may belong to another model; train again.`,
  ZeroDeposit: () => "The deposit is zero. Choose an amount, then try again.",
  ZeroRefund: () => "The refund is zero. Choose an amount, then try again.",
};

/** Causes of a panic of Solidity, by its code. */
const PANICS: Readonly<Record<number, string>> = {
  0x01: "a check of its own failed",
  0x11: "a sum was too large or too small",
  0x12: "it divided by zero",
  0x21: "a choice had no meaning",
  0x22: "its storage is damaged",
  0x31: "a list was empty",
  0x32: "an index was beyond a list’s end",
  0x41: "it needed too much memory",
  0x51: "it called nothing",
};

/** Words for reverts that are no errors of the contracts. */
export const revertWords = {
  empty:
    "The contract refused without giving a reason. It may lack the function, or have run out of gas. Check that this is a model of this release.",
  reason: (reason: string) =>
    `The contract refused and says: ${tamed(reason, MAX_REASON)}`,
  panic: (code: bigint) =>
    `The contract failed, since ${PANICS[Number(code)] ?? `of code ${code}`}. Please report it with what you did.`,
  unknown: (selector: string) =>
    `The contract refused with an error that this page does not know (${selector}). It may run other code than this release’s.`,
} as const;
