import { getModel, type Model } from "./client.ts";

/** A model that was asked for before its page was loaded. */
let early: { trainer: string; model: Promise<Model> } | undefined;

/** Asks for a model while its page is still loaded. */
export function askEarly(trainer: string): void {
  const model = getModel(trainer);
  // Its page tells the failure.
  model.catch(() => undefined);
  early = { trainer, model };
}

/** Returns a model, for the first time from the early answer if there is one. */
export function getModelOnce(trainer: string): Promise<Model> {
  const found = early?.trainer === trainer ? early.model : getModel(trainer);
  early = undefined;
  return found;
}
