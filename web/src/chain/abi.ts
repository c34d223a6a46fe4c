export { classifierAbi } from "./abi/classifier.ts";
export { errorsAbi } from "./abi/errors.ts";
export { factoryAbi } from "./abi/factory.ts";
export { predictionFeesAbi } from "./abi/fees.ts";
export { marketAbi } from "./abi/market.ts";
export { pointsAbi } from "./abi/points.ts";
export { registryAbi } from "./abi/registry.ts";
export { trainerAbi } from "./abi/trainer.ts";
