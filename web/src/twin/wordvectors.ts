/** Tables of word vectors, which turn a text into numbers by integers alone (docs/spec.md). */

import { toHex, viewOf } from "./bytes.ts";
import { UnusableError } from "./error.ts";
import { isqrt } from "./integer.ts";
import { characters, compareTexts, is, lowerCase, toText } from "./unicode.ts";

const MAGIC = [0x63, 0x6f, 0x74, 0x76, 0x65, 0x63, 0x00, 0x01];
const GZIP_MAGIC = [0x1f, 0x8b];
const HEAD = 19;
const CODES = 256;
/** Largest size of a table's file, in bytes. */
const MAX_BYTES = 256 * 1024 * 1024;
const MAX_DIMENSIONS = 1_024;
const MAX_CODE_WIDTH = 16;
const MAX_PIECES = 1 << 20;
const MAX_NOTICE = 1 << 14;
const MAX_PIECE = 64;
/** Length of a text's vector, before its numbers are rounded toward zero. */
const LENGTH = 32_767n;

/** Table of word vectors. */
export interface Table {
  /** SHA-256 of its file, unpacked, as 64 hexadecimal digits. */
  readonly sha256: string;
  readonly dimensions: number;
  /** Source and license of the vectors. */
  readonly notice: string;
  /** Numbers of the pieces that begin a word. */
  readonly first: ReadonlyMap<string, number>;
  /** Numbers of the pieces that go on with a word, without their `##`. */
  readonly rest: ReadonlyMap<string, number>;
  /** Length of the longest piece, in UTF-16 units, without its `##`. */
  readonly longest: number;
  /** Number of dimensions of a code. */
  readonly width: number;
  readonly books: Int8Array;
  readonly codes: Uint8Array;
}

/** Vector of a text. */
export interface TextVector {
  readonly numbers: readonly number[];
  /** Sums of the rows of all pieces, from which the numbers follow. */
  readonly sums: readonly number[];
  /** Number of words that the table knows, with repetitions and without punctuation. */
  readonly known: number;
  /** Number of words that it does not know, without punctuation. */
  readonly unknown: number;
  /** Known words and punctuation in order, each with the numbers of its pieces. */
  readonly words: readonly { word: string; pieces: readonly number[] }[];
}

/**
 * Reads a table from the bytes of its file, packed by gzip or not.
 *
 * @throws UnusableError
 */
export async function readTable(file: Uint8Array): Promise<Table> {
  const isPacked = GZIP_MAGIC.every((byte, at) => file[at] === byte);
  const bytes = isPacked ? await unpack(file) : file;
  // Browsers have it in secure contexts alone: over HTTPS, and from this machine.
  const subtle = crypto.subtle as SubtleCrypto | undefined;
  if (subtle === undefined) {
    throw fault("the browser cannot check it here; open the page over HTTPS");
  }
  const digest = await subtle.digest("SHA-256", bytes.slice());
  const sha256 = toHex(new Uint8Array(digest)).slice(2);
  return { sha256, ...parse(bytes) };
}

/** Unpacks gzip, at most {@link MAX_BYTES}. */
async function unpack(file: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([file.slice()])
    .stream()
    .pipeThrough(new DecompressionStream("gzip"));
  const parts: Uint8Array[] = [];
  let length = 0;
  // Not every browser iterates over a stream.
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      length += value.length;
      if (length > MAX_BYTES) throw fault("it has more than 256 MiB");
      parts.push(value);
    }
  } catch (error) {
    if (error instanceof UnusableError) throw error;
    throw fault("it is packed by gzip, and damaged; load it again");
  } finally {
    // A stream that failed fails to be canceled, too.
    await reader.cancel().catch(() => undefined);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function fault(cause: string): UnusableError {
  return new UnusableError(`cannot read the table of word vectors: ${cause}`);
}

function parse(bytes: Uint8Array): Omit<Table, "sha256"> {
  if (!MAGIC.every((byte, at) => bytes[at] === byte)) {
    throw fault("it is no such table, or one of a newer version");
  }
  let at = MAGIC.length;
  const take = (count: number): Uint8Array => {
    if (at + count > bytes.length) throw fault("it ends too early");
    at += count;
    return bytes.subarray(at - count, at);
  };
  const head = viewOf(take(HEAD - MAGIC.length));
  const dimensions = within(head.getUint16(0), 1, MAX_DIMENSIONS, "dimensions");
  const width = within(head.getUint8(2), 1, MAX_CODE_WIDTH, "numbers a code");
  if (dimensions % width !== 0) {
    throw fault(`${dimensions} dimensions do not consist of codes of ${width}`);
  }
  const count = within(head.getUint32(3), 1, MAX_PIECES, "pieces");
  const noticeLength = within(head.getUint32(7), 0, MAX_NOTICE, "notice bytes");
  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const text = (length: number): string => {
    const part = take(length);
    try {
      return utf8.decode(part);
    } catch {
      throw fault(`a text before byte ${at} is not UTF-8`);
    }
  };
  const notice = text(noticeLength);
  const first = new Map<string, number>();
  const rest = new Map<string, number>();
  let last = "";
  let longest = 0;
  for (let number = 0; number < count; number += 1) {
    const length = take(1)[0] ?? 0;
    const piece = text(length);
    if (length < 1 || length > MAX_PIECE || !isPiece(piece)) {
      throw fault(`its piece ${number} can be in no text`);
    }
    if (number > 0 && compareTexts(last, piece) >= 0) {
      throw fault(`its piece ${number} is not after the one before`);
    }
    last = piece;
    const isRest = piece.startsWith("##");
    const word = isRest ? piece.slice(2) : piece;
    (isRest ? rest : first).set(word, number);
    longest = Math.max(longest, word.length);
  }
  const books = new Int8Array(take(CODES * dimensions).slice().buffer);
  const codes = take((count * dimensions) / width).slice();
  if (at !== bytes.length) throw fault("bytes follow its last row");
  return { dimensions, notice, first, rest, longest, width, books, codes };
}

function within(value: number, min: number, max: number, what: string): number {
  if (value < min || value > max) {
    throw fault(`it has ${value} ${what}, expected ${min} to ${max}`);
  }
  return value;
}

/** Returns `true` if a piece can be in a text: a word, or `##` and the rest of a word. */
function isPiece(piece: string): boolean {
  const isRest = piece.startsWith("##");
  const word = isRest ? piece.slice(2) : piece;
  const [only, second] = wordsOf(word);
  const first = characters(word)[0];
  return (
    only === word &&
    second === undefined &&
    (!isRest || (first !== undefined && joins(first)))
  );
}

/** Returns `true` if a character forms one word with its neighbors. */
function joins(point: number): boolean {
  return is("alphanumeric", point) && !is("ideographic", point);
}

/** Returns the words of a text, in lower case and without accents. */
export function wordsOf(text: string): string[] {
  const lower = toText(lowerCase(characters(text))).normalize("NFD");
  const plain = characters(lower).filter((it) => !is("nonspacingMark", it));
  const words: string[] = [];
  let at = 0;
  while (at < plain.length) {
    let end = at + 1;
    const first = plain[at] ?? 0;
    if (joins(first)) {
      while (end < plain.length && joins(plain[end] ?? 0)) end += 1;
    }
    if (!is("whiteSpace", first)) words.push(toText(plain.slice(at, end)));
    at = end;
  }
  return words;
}

/** Returns the pieces of a word, each the longest that fits; `undefined` for an unknown word. */
function piecesOf(table: Table, word: string): number[] | undefined {
  const pieces: number[] = [];
  let at = 0;
  while (at < word.length) {
    const map = at === 0 ? table.first : table.rest;
    let end = Math.min(word.length, at + table.longest);
    let piece: number | undefined;
    for (; end > at; end -= 1) {
      piece = map.get(word.slice(at, end));
      if (piece !== undefined) break;
    }
    if (piece === undefined) return undefined;
    pieces.push(piece);
    at = end;
  }
  return pieces;
}

/** Adds the row of a piece to sums, so many times. */
function addRow(
  table: Table,
  piece: number,
  sums: number[],
  times: number,
): void {
  const { dimensions, width, books, codes } = table;
  const blocks = dimensions / width;
  for (let block = 0; block < blocks; block += 1) {
    const code = codes[piece * blocks + block] ?? 0;
    const from = (block * CODES + code) * width;
    for (let at = 0; at < width; at += 1) {
      const dimension = block * width + at;
      sums[dimension] =
        (sums[dimension] ?? 0) + times * (books[from + at] ?? 0);
    }
  }
}

/** Encodes a text by a table. */
export function vectorOf(table: Table, text: string): TextVector {
  const sums = new Array<number>(table.dimensions).fill(0);
  const words: { word: string; pieces: number[] }[] = [];
  let known = 0;
  let unknown = 0;
  for (const word of wordsOf(text)) {
    const pieces = piecesOf(table, word);
    if (pieces === undefined) {
      if (counts(word)) unknown += 1;
      continue;
    }
    if (counts(word)) known += 1;
    words.push({ word, pieces });
    for (const piece of pieces) addRow(table, piece, sums, 1);
  }
  if (known === 0) sums.fill(0);
  return { numbers: normalized(sums), sums, known, unknown, words };
}

/** Returns `true` if a word counts as one: punctuation and signs such as `+` do not. */
function counts(word: string): boolean {
  const first = characters(word)[0];
  return (
    first !== undefined &&
    (is("alphanumeric", first) || is("pictographic", first))
  );
}

/** Returns the numbers of a text without its known words of one spelling. */
export function numbersWithout(
  table: Table,
  vector: TextVector,
  word: string,
): number[] {
  const sums = [...vector.sums];
  // Without a word that counts, all numbers are 0.
  if (!vector.words.some((one) => one.word !== word && counts(one.word))) {
    return sums.map(() => 0);
  }
  for (const one of vector.words) {
    if (one.word !== word) continue;
    for (const piece of one.pieces) addRow(table, piece, sums, -1);
  }
  return normalized(sums);
}

/** Scales sums to the length of 32,767, each rounded toward zero. Zeros stay zeros. */
function normalized(sums: readonly number[]): number[] {
  const exact = sums.map(BigInt);
  const square = exact.reduce((square, sum) => square + sum * sum, 0n);
  if (square === 0n) return exact.map(Number);
  const length = isqrt((square << 16n) - 1n) + 1n;
  return exact.map((sum) => Number((sum * (LENGTH << 8n)) / length));
}
