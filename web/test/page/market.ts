import type { Market } from "../../src/market/api.ts";

/** Returns an open market as the API has it, with changes. */
export function market(changes: Partial<Market> = {}): Market {
  return {
    chainId: 31_337,
    market: "0x3EEF767951102999791225451ccF6C95e21F849C",
    classifier: "0x4Bd6f210E16A0Ed105F3e42E5760f5D7e5c7cC3F",
    owner: "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    verified: true,
    name: "bets",
    description: "",
    classNames: ["negative", "positive"],
    encodes: true,
    learner: "naive-bayes",
    encoding: "sparse",
    classes: 2,
    features: 2_000,
    bounds: null,
    terms: {
      stake: "10",
      participation: 1_000,
      revealWait: 50,
      scoringWait: 500,
      mostContributions: 10,
      mostPasses: 8,
    },
    fromBlock: 7,
    block: 30,
    blockHash: `0x${"ab".repeat(32)}`,
    time: 10_100,
    phase: "open",
    action: null,
    drawUntil: 280,
    revealUntil: 11_050,
    closesAt: 11_000,
    scoringUntil: null,
    bounty: "1000",
    remainingBounty: "1000",
    held: "1000",
    remainder: "0",
    contributions: 0,
    participants: 0,
    parts: 2,
    drawnPart: 0,
    revealedParts: 1,
    pass: 0,
    stage: "copying",
    samples: 0,
    correctBefore: 0,
    correct: 0,
    model: null,
    ...changes,
  };
}

/** File of a test set, as `cotrain market create` wrote it. */
export const file = {
  chain_id: 31_337,
  market: "0x3eef767951102999791225451ccf6c95e21f849c",
  parts: [
    {
      salt: "0xd9e65402dc7e95f9b4422c64b421d1facac0e051c075365be1e8952bfb5d175c",
      items:
        "0x00010014000000010009000d001000150019001b001d01a400000028000000010002000500060007000a000d000e00100023003500360050009700e4010f0245054c0662",
    },
    {
      salt: "0x4609e0d8003454d7109411360cb6cb255dbe58466505d186127a838662ddc338",
      items: "0x000100080000001d002e00610000000a0009000b0014007a009f",
    },
  ],
};

/** Commitments to that test set, as the contract's event has them. */
export const commitments = [
  "0x8885be8554cd01ab5b47a47c1b4369f7165d41a2e14c9e4a18d395790425f3d6",
  "0x57fd73c52b969775a6a586169b4ab368568119133dba0e2d22b2590fcd2aafe6",
];
