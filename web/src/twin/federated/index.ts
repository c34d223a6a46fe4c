/** Federated rounds: training, updates and losses, equal to Rust's to the last bit. */

export { rootOf } from "./chunks.ts";
export {
  added,
  encodeUpdate,
  largestOf,
  quantize,
  roundHalfEven,
  squaredNorm,
  type Width,
} from "./encoding.ts";
export { INK, levelsOfStrokes, PIXELS, type Point } from "./drawing.ts";
export { exp2 } from "./exponential.ts";
export {
  floats,
  initialWeights,
  parametersOf,
  predictAll,
  type Shape,
  train,
  type Training,
} from "./network.ts";
export { Order } from "./order.ts";
export {
  classOf,
  lossOf,
  lossOfRaw,
  MAX_LOSS,
  rawLogits,
  type Softmax,
} from "./softmax.ts";
