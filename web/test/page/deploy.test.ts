import { inflateSync } from "node:zlib";
import { decodeFunctionData } from "viem/utils";
import { describe, expect, it, vi } from "vitest";
import { registryAbi } from "../../src/chain/abi.ts";
import type { Look, Plan, Planned } from "../../src/deploy/service.ts";
import { hexOf } from "../../src/deploy/hex.ts";
import {
  filled,
  knownAfter,
  knownBefore,
  registration,
} from "../../src/deploy/steps.ts";
import { depositAfter, faultOf } from "../../src/deploy/terms.ts";
import {
  bodyOf,
  faultIn,
  freshColumns,
  freshModel,
  rareClasses,
  rulesOf,
} from "../../src/deploy/wizard.ts";
import { deployWords } from "../../src/deploy/words.ts";
import type { Receipt } from "../../src/wallet/stages.ts";

vi.hoisted(() => Reflect.set(globalThis, "location", { origin: "http://a" }));

const address = (byte: string) => `0x${byte.repeat(20)}` as const;

function step(change: Partial<Planned>): Planned {
  const none = { to: null, toContract: null, data: "0x", inserts: [] };
  return { name: "model", creates: [], gas: 1, ...none, ...change };
}

function receipt(change: Partial<Receipt>): Receipt {
  return {
    hash: "0x1",
    block: 7n,
    isSuccess: true,
    gasUsed: 1n,
    gasPrice: 1n,
    contractAddress: undefined,
    logs: [],
    ...change,
  };
}

describe("a step", () => {
  const plan = {
    card: '{"format":"cotrain-card/1","name":"é","from_block":0}',
    contracts: [
      { contract: "factory", address: address("ab"), exists: true },
      { contract: "trainer-code", address: address("cd"), exists: false },
    ],
  } as Plan;

  it("gets the addresses of the contracts before it", async () => {
    const contracts = { ...knownBefore(plan), trainer: address("ef") };
    const one = step({
      toContract: "factory",
      data: `0x11223344${"0".repeat(24 + 40)}99`,
      inserts: [{ offset: 4 + 12, contract: "trainer-code" }],
    });
    expect(await filled(plan, one, contracts, undefined)).toEqual({
      to: address("ab"),
      data: `0x11223344${"0".repeat(24)}${"cd".repeat(20)}99`,
    });
    const creation = step({ data: "0x60" });
    expect(await filled(plan, creation, {}, undefined)).toEqual({
      to: null,
      data: "0x60",
    });
    const early = step({ toContract: "registry" });
    await expect(filled(plan, early, contracts, undefined)).rejects.toThrow(
      "registry is not known",
    );
  });

  it("publishes the card with the block of the closing", async () => {
    const data = await registration(plan.card, address("ef"), 1_234);
    const { args } = decodeFunctionData({ abi: registryAbi, data });
    const [trainer, card] = args as [string, string];
    expect(trainer.toLowerCase()).toBe(address("ef"));
    const bytes = Buffer.from(card.slice(2), "hex");
    expect(inflateSync(bytes).toString()).toBe(
      '{"format":"cotrain-card/1","name":"é","from_block":1234}',
    );
    await expect(registration("{}", address("ef"), 1)).rejects.toThrow();
  });

  it("tells the contracts that it has created", () => {
    const known = { factory: address("ab") };
    const creation = step({ name: "registry", creates: ["registry"] });
    const created = receipt({ contractAddress: address("12") });
    expect(knownAfter(creation, created, known)).toEqual({
      ...known,
      registry: address("12"),
    });
    expect(knownAfter(creation, receipt({}), known)).toBeUndefined();
    // By the deployer of codes, the address was known before.
    const again = step({ name: "factory", creates: ["factory"] });
    expect(knownAfter(again, receipt({}), known)).toEqual(known);
    const model = step({ name: "model", creates: ["trainer", "classifier"] });
    expect(knownAfter(model, receipt({}), known)).toBeUndefined();
  });
});

describe("rules", () => {
  it("take no weight of 0", () => {
    const weightOf = (weight: string): bigint | undefined =>
      rulesOf({ ...freshModel(), weight }).costWeight;
    expect(weightOf("0,5")).toBe(5n * 10n ** 17n);
    for (const wrong of ["", "0", "0.0", "1e3"])
      expect(weightOf(wrong), wrong).toBeUndefined();
  });

  it("are refused as the contracts refuse them", () => {
    const { faults, badWeight } = deployWords.model;
    const rules = rulesOf(freshModel());
    expect(faultOf(rules)).toBeUndefined();
    expect(rules.costWeight).toBe(1_000_000_000_000n);
    expect([rules.refund, rules.owner]).toEqual([86_400, 9 * 86_400]);
    expect(faultOf({ ...rules, costWeight: undefined })).toBe(badWeight);
    expect(faultOf({ ...rules, refund: 0 })).toBe(faults.refund);
    expect(faultOf({ ...rules, refund: Number.NaN })).toBe(faults.refund);
    expect(faultOf({ ...rules, owner: 1 })).toBe(faults.owner);
    expect(faultOf({ ...rules, anyone: 90_000 })).toBe(faults.anyone);
    expect(faultOf({ ...rules, notice: 4 * 86_400 })).toBeUndefined();
    expect(faultOf({ ...rules, notice: 4 * 86_400 + 1 })).toBe(faults.notice);
    expect(depositAfter(1_000_000_000_000n, 3_600n)).toBe(60_000_000_000_000n);
  });
});

describe("rulesOf points", () => {
  it("asks for one wait only", () => {
    const refund = { number: 10, unit: "86400" } as const;
    const notice = { number: 30, unit: "86400" } as const;
    const model = { ...freshModel(), stake: "points", refund, notice } as const;
    expect(faultOf(rulesOf(model))).toBeUndefined();
    // Authors have as long as by the defaults.
    const late = (10 + 8) * 86_400;
    const rules = { owner: late, anyone: late, notice: 0 };
    expect(rulesOf(model)).toMatchObject(rules);
    const { faults } = deployWords.model;
    expect(faultOf(rulesOf({ ...model, stake: "deposit" }))).toBe(faults.owner);
  });
});

describe("the wizard", () => {
  const column = (
    name: string,
    looks: Look["columns"][number]["looks"],
    distinct: number,
  ) => ({ name, looks, distinct, missing: 0, length: 4, common: [] });
  const look = (...columns: Look["columns"]): Look => ({
    rows: 100,
    count: columns.length,
    columns,
    preview: [],
  });
  const mail = look(
    column("id", "numeric", 100),
    column("subject", "text", 90),
    { ...column("body", "text", 100), length: 400 },
    column("class", "categorical", 2),
  );
  const plants = look(
    column("kind", "categorical", 2),
    column("size", "numeric", 30),
    column("color", "categorical", 3),
  );

  it("finds the class and the text", () => {
    expect(freshColumns(mail)).toMatchObject({
      label: "class",
      learns: "text",
      text: "body",
    });
    expect(freshColumns(plants)).toMatchObject({
      label: "kind",
      learns: "others",
    });
    const unnamed = look(column("a", "numeric", 50), column("b", "boolean", 2));
    expect(freshColumns(unnamed).label).toBe("b");
  });

  it("asks for what was chosen, and for nothing else", () => {
    const choice = { ...freshColumns(plants), missing: "mean" as const };
    choice.types = { color: "ignored", kind: "ignored", size: "" };
    const model = { ...freshModel(), name: " plants " };
    expect(bodyOf(choice, model, {})).toEqual({
      reading: {},
      name: "plants",
      description: "",
      label: "kind",
      initial: 1,
      points: false,
      wordPairs: false,
      costWeight: "1000000000000",
      missing: "mean",
      types: { color: "ignored" },
      waits: {
        refund: 86_400,
        ownerClaim: 777_600,
        anyAddressClaim: 777_600,
        reportNotice: 0,
      },
    });
    const words = {
      ...model,
      words: "hashed" as const,
      stake: "points" as const,
    };
    const body = bodyOf(freshColumns(mail), words, {});
    expect(body).toMatchObject({ text: "body", hashed: 2_000, points: true });
    expect(body).not.toHaveProperty("features");
    expect(body).not.toHaveProperty("costWeight");
    expect(body).not.toHaveProperty("types");
  });

  it("says what no model can be made of", () => {
    const model = { ...freshModel(), name: "a" };
    const fault = (found: Look, change: object = {}) =>
      faultIn(found, { ...freshColumns(found), ...change }, model);
    const words = deployWords.columns;
    expect(fault(mail)).toBeUndefined();
    expect(fault(plants)).toBeUndefined();
    const many = look(column("label", "numeric", 300), column("b", "text", 9));
    expect(fault(many, { label: "label" })).toBe(words.manyClasses(300));
    const one = look(column("label", "categorical", 1), column("b", "text", 9));
    expect(fault(one, { label: "label" })).toBe(words.oneClass);
    const types = { size: "ignored", color: "ignored" };
    expect(fault(plants, { types })).toBe(words.noOther);
    expect(faultIn(plants, freshColumns(plants), freshModel())).toBe(
      deployWords.model.faults.name,
    );
    const common = [
      { value: "a", rows: 96 },
      { value: "b", rows: 4 },
    ];
    const rare = look({ ...column("label", "categorical", 2), common });
    expect(rareClasses(rare, "label")).toEqual(["b"]);
  });

  it("sends each byte as two digits", () => {
    expect(hexOf(new Uint8Array([0, 10, 255]))).toBe("0x000aff");
  });
});
