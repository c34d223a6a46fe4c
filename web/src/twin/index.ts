/** The rules of cotrain in the browser, equal to the contracts' and the encoders' of the Rust crates. */

export { fromHex, toHex } from "./bytes.ts";
export { readEncoder } from "./card.ts";
export { type Column, type Field, type Missing, widthOf } from "./columns.ts";
export * from "./encoder.ts";
export {
  InputError,
  type Refusal,
  RefusedError,
  UnusableError,
} from "./error.ts";
export {
  type Decided,
  type Evidence,
  type Fraction,
  score,
} from "./evidence.ts";
export * from "./model.ts";
export * from "./parameters.ts";
export { type Picture, type PictureForm, levelsOf } from "./pictures.ts";
export * from "./price.ts";
export { type Recorded, groupOf, leafOf, rootOf } from "./record.ts";
export { type WordReason, wordReasons } from "./words.ts";
export { type Reason, type Reasons, reasonsOf } from "./reasons.ts";
export * from "./sample.ts";
export { type TextRules, type Tokenizer, hash, tokens } from "./tokens.ts";
export {
  type Table,
  type TextVector,
  readTable,
  vectorOf,
} from "./wordvectors.ts";
