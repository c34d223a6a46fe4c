import type { Given } from "../model/form.ts";
import { answer, type Predictor } from "../model/predictor.ts";
import { toHex } from "../twin/index.ts";

/** Returns `true` if an input becomes a sample by the encoder of the model's card. */
export function encodesTo(
  predictor: Predictor,
  given: Given,
  sample: string,
): boolean {
  try {
    return toHex(answer(predictor, given).sample) === sample;
  } catch {
    // An input of another form becomes no sample of this model.
    return false;
  }
}
