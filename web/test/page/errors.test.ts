import { readdirSync, readFileSync } from "node:fs";
import {
  encodeAbiParameters,
  encodeErrorResult,
  toFunctionSelector,
} from "viem/utils";
import type { AbiParameter } from "viem";
import { describe, expect, it } from "vitest";
import { explainRevert } from "../../src/chain/errors.ts";
import { errorWords, revertWords } from "../../src/chain/words.ts";
import { folder, generate } from "../../tools/abi.mjs";

/** Error as an artifact has it. */
interface AbiError {
  type: "error";
  name: string;
  inputs: AbiParameter[];
}

const artifacts = new URL("../../../contracts/artifacts/", import.meta.url);

/** Every error of every committed ABI, by its signature. The page calls neither token. */
const errors = new Map(
  readdirSync(artifacts)
    .filter((file) => !/^(Erc3009|Reward)Token\.json$/.test(file))
    .flatMap((file) => {
      const { abi } = JSON.parse(
        readFileSync(new URL(file, artifacts), "utf8"),
      ) as { abi: AbiError[] };
      return abi.filter(({ type }) => type === "error");
    })
    .map((error) => [
      `${error.name}(${error.inputs.map(({ type }) => type).join()})`,
      error,
    ]),
);

function valueOf({ name, type }: AbiParameter): unknown {
  if (type === "address") return `0x${"ab".repeat(20)}`;
  if (type === "bytes32")
    return name === "name"
      ? `0x${Buffer.from("refundWait").toString("hex").padEnd(64, "0")}`
      : `0x${"cd".repeat(32)}`;
  if (type === "uint8") return 2;
  return name === "time" || name === "deadline" || name === "until"
    ? 1_795_877_086n
    : 41n;
}

describe("words of errors", () => {
  it("exist for every error of every committed ABI", () => {
    const names = new Set([...errors.values()].map(({ name }) => name));
    expect(names.size).toBeGreaterThanOrEqual(90);
    expect(Object.keys(errorWords).sort()).toEqual([...names].sort());
  });

  it("say each error with its fields, as different sentences", () => {
    const said = new Set<string>();
    for (const [signature, error] of errors) {
      const args = error.inputs.map(valueOf);
      const data = encodeErrorResult({
        abi: [error],
        errorName: error.name,
        args,
      });
      const text = explainRevert(data);
      expect(text, signature).not.toMatch(
        /undefined|NaN|\[object|does not know/,
      );
      // What happened, and what to do.
      expect(text.match(/[.:;] /g)?.length ?? 0, text).toBeGreaterThan(0);
      expect(text.endsWith("."), text).toBe(true);
      said.add(text);
    }
    expect(said.size).toBe(errors.size);
  });

  it("show amounts as ether, times as dates, and parameters by name", () => {
    const say = (name: string, ...args: unknown[]): string => {
      const error = [...errors.values()].find((it) => it.name === name);
      if (!error) throw new Error(`no error ${name}`);
      return explainRevert(
        encodeErrorResult({ abi: [error], errorName: name, args }),
      );
    };
    expect(say("DepositTooLow", 3_600_000_000_000_000n, 1n)).toContain(
      "it needs 0.0036 ether, and 0.000000000000000001 ether came along",
    );
    expect(say("TooEarly", 1_795_877_086n, 1_795_963_486n)).toMatch(
      /Sat, 28 Nov 2026, .* from Sun, 29 Nov 2026/,
    );
    expect(say("TooEarly", 0n, 2n ** 255n)).toContain("second 578960446");
    const name = `0x${Buffer.from("costWeight").toString("hex").padEnd(64, "0")}`;
    expect(say("InvalidParameter", name, 0n)).toContain("“costWeight”");
    expect(say("WrongPhase", 4, 2)).toContain(
      "is being scored, and this works only while it is open for contributions",
    );
    expect(say("PredictionDiffers", 0n, 1n)).toContain("the model now says");
  });

  it("say reasons, panics, nothing, and what is unknown", () => {
    const text = encodeAbiParameters([{ type: "string" }], ["a\u202eb"]);
    expect(explainRevert(`0x08c379a0${text.slice(2)}`)).toBe(
      revertWords.reason("a\u202eb"),
    );
    const code = encodeAbiParameters([{ type: "uint256" }], [0x11n]);
    expect(explainRevert(`0x4e487b71${code.slice(2)}`)).toContain(
      "a sum was too large",
    );
    expect(explainRevert("0x")).toBe(revertWords.empty);
    expect(explainRevert("0xdeadbeef")).toContain("(0xdeadbeef)");
    // A known selector with fields that cannot be read is not known either.
    const selector = toFunctionSelector("DepositTooLow(uint256,uint256)");
    expect(explainRevert(`${selector}00`)).toContain(`(${selector})`);
  });
});

describe("interfaces of contracts", () => {
  it("are those of the artifacts", () => {
    const written = Object.fromEntries(
      readdirSync(folder).map((name) => [
        name,
        readFileSync(`${folder}/${name}`, "utf8"),
      ]),
    );
    expect(written, "run node tools/abi.mjs").toEqual(generate());
  });
});
