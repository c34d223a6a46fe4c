import { describe, expect, it } from "vitest";
import {
  choiceIn,
  choiceOf,
  matching,
  ordered,
} from "../../src/models/order.ts";
import { warningsOf } from "../../src/model/warnings.ts";
import { contribution, measured, model } from "./model.ts";

const address = (digit: string): string => `0x${digit.repeat(40)}`;

describe("ordered", () => {
  const models = [
    model({
      trainer: address("1"),
      name: "b",
      accuracy: null,
      price: "5",
      contributions: 3,
    }),
    model({
      trainer: address("2"),
      name: "a",
      accuracy: 0.5,
      price: "30",
      contributions: 3,
    }),
    model({
      trainer: address("3"),
      name: null,
      accuracy: 0.9,
      price: "4",
      contributions: 9,
    }),
  ];
  const by = (order: Parameters<typeof ordered>[1]): string =>
    ordered(models, order)
      .map(({ trainer }) => trainer[2])
      .join("");

  it("has models without accuracy or name last", () => {
    expect(by("accuracy")).toBe("321");
    expect(by("name")).toBe("213");
  });

  it("compares money as numbers, and equal models by address", () => {
    expect(by("deposit")).toBe("312");
    expect(by("contributions")).toBe("312");
  });
});

describe("choiceIn", () => {
  it("reads what choiceOf writes", () => {
    for (const choice of [
      { search: "", order: "contributions" },
      { search: "a & b=c?", order: "name" },
    ] as const) {
      expect(choiceIn(`?${choiceOf(choice)}`)).toEqual(choice);
    }
    expect(choiceOf(choiceIn("?order=size&x=1")).toString()).toBe("");
  });
});

describe("matching", () => {
  const models = [
    model({ trainer: address("1"), name: "Films" }),
    model({ trainer: address("2"), name: "Mail", classNames: ["ham", "spam"] }),
  ];

  it("finds names, classes and addresses in any case", () => {
    expect(matching(models, "FILM", () => true)).toEqual([models[0]]);
    expect(matching(models, "spam", () => true)).toEqual([models[1]]);
    expect(matching(models, " 0x2222 ", () => true)).toEqual([models[1]]);
    expect(matching(models, "", () => true)).toEqual(models);
  });

  it("does not tell hidden names", () => {
    expect(matching(models, "spam", () => false)).toEqual([]);
    expect(matching(models, "0x1", () => false)).toEqual([models[0]]);
  });
});

describe("warningsOf", () => {
  const ids = (facts: Parameters<typeof warningsOf>[0]): string[] =>
    warningsOf(facts).map(({ id }) => id);
  const calm = model({ chainId: 1 });
  const none = { contributions: [], measuredAt: 0 };

  it("is empty for a calm model", () => {
    expect(ids({ model: calm, ...none })).toEqual([]);
  });

  it("tells what a model has against it", () => {
    const waits = {
      refund: 5,
      ownerClaim: 60,
      anyAddressClaim: 60,
      reportNotice: 0,
    };
    const bad = {
      ...calm,
      verified: false,
      measured: measured(1, 2),
      waits,
      encodes: false,
    };
    expect(ids({ model: bad, ...none })).toEqual([
      "unknown-code",
      "guessing",
      "owner-races",
      "short-wait",
      "no-encoder",
    ]);
  });

  it("tells from whom all contributions come", () => {
    const ten = (author: string) =>
      Array.from({ length: 10 }, () => contribution({ author }));
    expect(
      ids({ ...none, model: calm, contributions: ten(calm.owner) }),
    ).toEqual(["owner-only"]);
    expect(
      ids({ ...none, model: calm, contributions: ten(address("7")) }),
    ).toEqual(["one-author"]);
    const mixed = [...ten(calm.owner), contribution({ author: address("7") })];
    expect(ids({ ...none, model: calm, contributions: mixed })).toEqual([]);
  });

  it("tells that a measurement is old or missing", () => {
    const taught = { ...calm, contributions: 500 };
    expect(ids({ ...none, model: taught })).toEqual(["old-measure"]);
    expect(ids({ ...none, model: { ...calm, measured: null } })).toEqual([
      "not-measured",
    ]);
  });
});
