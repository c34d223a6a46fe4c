import { ask, failure, Failure, type Model } from "../api/client.ts";
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

/** Reads the encoder of a card; undefined if the card has none. */
async function readCard(path: string): Promise<Encoder | undefined> {
  const response = await ask(path);
  if (!response.ok) throw failure(response, await bodyOf(response));
  const card = JSON.parse(await bounded(response)) as { encoder?: unknown };
  return card.encoder === undefined ? undefined : readEncoder(card.encoder);
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
 * Reads card and table, by default those of a model. What this page cannot read is told, since a
 * newer card may have it.
 */
export async function readDescription(
  { trainer, encodes }: Pick<Model, "trainer" | "encodes">,
  path = `/v1/models/${trainer}/card`,
): Promise<Described> {
  try {
    const encoder = encodes ? await readCard(path) : undefined;
    const table = await readVectors(encoder);
    return { encoder, table, unreadable: undefined };
  } catch (error) {
    const isForeign =
      error instanceof UnusableError ||
      (error instanceof Failure && MISSING.includes(error.kind));
    if (!isForeign) throw error;
    return { encoder: undefined, table: undefined, unreadable: error.message };
  }
}
