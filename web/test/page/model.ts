import type {
  AccuracyPoint,
  Contribution,
  Model,
} from "../../src/api/client.ts";

/** Returns a model as the API has it, with changes. */
export function model(changes: Partial<Model> = {}): Model {
  return {
    chainId: 31_337,
    trainer: "0x3c831ca16e1173cfE5CE6a3c5988E9052A2a2f14",
    classifier: "0x4Bd6f210E16A0Ed105F3e42E5760f5D7e5c7cC3F",
    owner: "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    verified: true,
    name: "films",
    description: "",
    classNames: ["negative", "positive"],
    encodes: true,
    learner: "naive-bayes",
    encoding: "sparse",
    classes: 2,
    features: 2_000,
    parameters: { smoothing: 256 },
    bounds: null,
    incentive: { kind: "deposit-refund-take", costWeight: "1000000000000" },
    waits: {
      refund: 86_400,
      ownerClaim: 777_600,
      anyAddressClaim: 777_600,
      reportNotice: 0,
    },
    fromBlock: 7,
    block: 8,
    blockHash: `0x${"ab".repeat(32)}`,
    contributions: 0,
    good: 0,
    lastContributionTime: 1_795_877_086,
    price: "900000000000000",
    held: "0",
    accuracy: 0.68,
    measured: measured(68, 100),
    relayer: null,
    relayFee: null,
    keeper: null,
    ...changes,
  };
}

/** Returns a measurement of a model that nobody has taught. */
export function measured(correct: number, samples: number): AccuracyPoint {
  return { block: 8, time: 1_795_877_086, contributions: 0, correct, samples };
}

/** Returns a contribution as the API has it, with changes. */
export function contribution(
  changes: Partial<Contribution> = {},
): Contribution {
  return {
    position: 0,
    author: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    label: 1,
    deposit: "1000",
    time: 1_795_877_090,
    sample: "0x00010002",
    firstPosition: 0,
    batch: 0,
    block: 9,
    transaction: `0x${"cd".repeat(32)}`,
    submission: null,
    settled: "open",
    taken: "0",
    announced: null,
    ...changes,
  };
}
