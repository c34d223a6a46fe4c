import { untrack } from "svelte";
import { Failure, getTime, type Model } from "../api/client.ts";
import { getModelOnce } from "../api/early.ts";
import { hear } from "../live/clock.svelte.ts";
import { listen, type ModelEvent } from "../live/events.svelte.ts";
import { comebacks, noteChain } from "../live/health.svelte.ts";
import { renewal } from "../live/renewal.ts";
import { allowedAfter, readBadly, readWell } from "../live/reread.svelte.ts";
import { twinOf, type Predictor } from "./predictor.ts";
import { Card, readWeights, type Described, type Weights } from "./source.ts";

/** Time in which events are gathered before the page reads anew, in milliseconds. */
const GATHERED = 500;

/** What a page reads besides the model, each time that something has changed. */
export interface Also {
  /** Reads it. It tells its own failures; if it throws one, all is read again after a while. */
  read: (model: Model) => Promise<unknown>;
  /** Hears each event before anything is read; undefined if some may have been missed. */
  heard?: (event: ModelEvent | undefined) => void;
}

/** A model that a page shows, with its weights. It is read anew as events come. */
export class Followed {
  /** The page's model: what loads while the reader leaves the page must not ask for the next one. */
  readonly address: string;
  model = $state.raw<Model | undefined>();
  error = $state.raw<unknown>();
  predictor = $state.raw<Predictor | undefined>();
  predictorError = $state.raw<unknown>();
  #weights: Weights | undefined;
  readonly #card: Card;
  #described: Described | undefined;
  readonly #also: Also | undefined;
  /** `true` once no page shows the model: what is read late tells no trouble. */
  #isLeft = false;

  constructor(address: string, also?: Also) {
    this.address = address;
    this.#card = new Card(`/v1/models/${address}/card`);
    this.#also = also;
  }

  /** Returns `true` if the model can be tried, or cannot be loaded. */
  get isTryable(): boolean {
    return this.predictor !== undefined || this.predictorError !== undefined;
  }

  /** Returns `true` if the coordinator does not follow the model. */
  get isUnknown(): boolean {
    return isUnknown(this.error);
  }

  /** Reads everything that changes. Returns the time after which to try again what failed. */
  load = async (): Promise<number | undefined> => {
    try {
      const found = await getModelOnce(this.address);
      this.model = found;
      this.error = undefined;
      noteChain(found.chainId);
      getTime(this.address).then(hear, () => undefined);
      const read = await Promise.allSettled([
        this.#predict(),
        this.#also?.read(found),
      ]);
      return this.#told(
        read.flatMap((one) => (one.status === "rejected" ? [one.reason] : [])),
      );
    } catch (cause) {
      // What was read before stays; the line of state tells that it is old.
      if (this.model && !isUnknown(cause)) return this.#told([cause]);
      this.error = cause;
      return allowedAfter(cause);
    }
  };

  #told(causes: readonly unknown[]): number | undefined {
    if (this.#isLeft) return undefined;
    if (causes.length > 0) return readBadly(causes);
    readWell();
    return undefined;
  }

  /** Reads the weights anew, and returns the model with them. */
  renew = async (): Promise<Predictor> => {
    const { model } = this;
    if (!model) throw new Error("the model is not loaded yet");
    const [read, described] = await Promise.all([
      readWeights(this.address, this.#weights),
      this.#card.read(model.encodes),
    ]);
    const isSame = read === this.#weights && described === this.#described;
    if (this.predictor && isSame) return this.predictor;
    const { block, bytes } = read;
    const renewed = { twin: twinOf(model, bytes), block, ...described };
    this.#weights = read;
    this.#described = described;
    this.predictor = renewed;
    return renewed;
  };

  loadPredictor = (): Promise<void> => this.#predict().catch(() => undefined);

  async #predict(): Promise<void> {
    try {
      await this.renew();
      this.predictorError = undefined;
    } catch (cause) {
      if (!this.predictor) this.predictorError = cause;
      throw cause;
    }
  }

  /** Follows the model while the component that calls this is shown. */
  follow(): void {
    $effect(() => {
      comebacks();
      const { ask, now, stop } = renewal(this.load, GATHERED);
      this.#card.doubt();
      untrack(() => {
        this.#also?.heard?.(undefined);
        now();
      });
      const own = this.address.toLowerCase();
      const deafen = listen((event) => {
        if (event && event.trainer.toLowerCase() !== own) return;
        if (!event) this.#card.doubt();
        this.#also?.heard?.(event);
        ask();
      });
      return () => {
        deafen();
        stop();
      };
    });

    $effect(() => () => {
      this.#isLeft = true;
      readWell();
    });
  }
}

function isUnknown(cause: unknown): boolean {
  return cause instanceof Failure && cause.kind === "unknown-model";
}
