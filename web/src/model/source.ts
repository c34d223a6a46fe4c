import { ask, failure, Failure } from "../api/client.ts";
import {
  readEncoder,
  readTable,
  UnusableError,
  type Encoder,
  type Table,
} from "../twin/index.ts";
import type { Predictor } from "./predictor.ts";

/** Maximum size of a card that the page reads, in bytes. */
const MAX_CARD = 16 << 20;

/** Kinds of answers that tell that a table is not there. */
const MISSING: readonly string[] = ["not-found", "unknown-encoder"];

/** Weights of a model after a block. */
export interface Weights {
  bytes: Uint8Array;
  tag: string | undefined;
  block: number;
}

/** Reads the weights of a model; returns `known` if they are still the same. */
export async function readWeights(
  trainer: string,
  known: Weights | undefined,
): Promise<Weights> {
  const headers = new Headers({ accept: "application/octet-stream" });
  if (known?.tag) headers.set("if-none-match", known.tag);
  const response = await ask(`/v1/models/${trainer}/weights`, { headers });
  if (response.status === 304 && known) return known;
  if (!response.ok) throw failure(response, await bodyOf(response));
  return {
    bytes: new Uint8Array(await response.arrayBuffer()),
    tag: response.headers.get("etag") ?? undefined,
    block: Number(response.headers.get("x-block-number") ?? 0),
  };
}

/** Reads the table of word vectors that an encoder names, if it does. */
async function readVectors(
  encoder: Encoder | undefined,
): Promise<Table | undefined> {
  if (encoder?.extractor.sort !== "vectors") return undefined;
  const response = await ask(`/v1/encoders/${encoder.extractor.sha256}`);
  if (!response.ok) throw failure(response, await bodyOf(response));
  return readTable(new Uint8Array(await response.arrayBuffer()));
}

async function bodyOf(response: Response): Promise<unknown> {
  try {
    return (await response.json()) as unknown;
  } catch {
    return undefined;
  }
}

/** Reads a body as text, up to the largest card. */
async function bounded(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  for (;;) {
    const part = await reader?.read();
    if (!part || part.done) return text + decoder.decode();
    length += part.value.length;
    if (length > MAX_CARD) {
      await reader?.cancel();
      throw new Error("the model's card has more than 16 MiB; expected less");
    }
    text += decoder.decode(part.value, { stream: true });
  }
}

/** Encoder of a card with its table of word vectors. */
export type Described = Pick<Predictor, "encoder" | "table" | "unreadable">;

/**
 * A card with its encoder and table. Its owner can replace it, so it is read again once something may
 * have been missed.
 */
export class Card {
  readonly #path: string;
  #known: Described | undefined;
  #tag: string | undefined;
  #mayDiffer = true;

  constructor(path: string) {
    this.#path = path;
  }

  /** Lets the next reading find out if the card is still the same. */
  doubt(): void {
    this.#mayDiffer = true;
  }

  /**
   * Reads card and table; returns what it returned before if they are still the same. What this page
   * cannot read is told, since a newer card may have it.
   */
  async read(encodes: boolean): Promise<Described> {
    if (this.#known && !this.#mayDiffer) return this.#known;
    this.#mayDiffer = false;
    try {
      this.#known = encodes ? await this.#renewed() : this.#empty();
      return this.#known;
    } catch (error) {
      this.#mayDiffer = true;
      throw error;
    }
  }

  #empty(): Described {
    this.#tag = undefined;
    const known = this.#known;
    return known && !known.encoder && known.unreadable === undefined
      ? known
      : { encoder: undefined, table: undefined, unreadable: undefined };
  }

  async #renewed(): Promise<Described> {
    const headers = new Headers();
    if (this.#tag) headers.set("if-none-match", this.#tag);
    try {
      const response = await ask(this.#path, { headers });
      if (response.status === 304 && this.#known) return this.#known;
      if (!response.ok) throw failure(response, await bodyOf(response));
      const card = JSON.parse(await bounded(response)) as { encoder?: unknown };
      const encoder =
        card.encoder === undefined ? undefined : readEncoder(card.encoder);
      const table = await readVectors(encoder);
      this.#tag = response.headers.get("etag") ?? undefined;
      return { encoder, table, unreadable: undefined };
    } catch (error) {
      const isForeign =
        error instanceof UnusableError ||
        (error instanceof Failure && MISSING.includes(error.kind));
      if (!isForeign) throw error;
      const unreadable = error.message;
      this.#tag = undefined;
      return { encoder: undefined, table: undefined, unreadable };
    }
  }
}
