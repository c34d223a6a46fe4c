import { describe, expect, it } from "vitest";
import {
  exactEther,
  readEther,
  readWei,
  shortEther,
} from "../../src/text/money.ts";
import { count, counted, percent, shareOf } from "../../src/text/numbers.ts";
import { tamed } from "../../src/text/strangers.ts";
import { absolute, ago, duration } from "../../src/text/time.ts";

describe("money", () => {
  it("is exact beyond the digits of a number", () => {
    expect(exactEther(0n)).toBe("0");
    expect(exactEther(1n)).toBe("0.000000000000000001");
    expect(exactEther(10n ** 18n)).toBe("1");
    expect(exactEther(-1_500_000_000_000_000_000n)).toBe("-1.5");
    expect(exactEther(123_456_789_012_345_678_901_234_567n)).toBe(
      "123456789.012345678901234567",
    );
  });

  it("has four significant digits, rounded half up", () => {
    expect(shortEther(144_000_000_000_000n)).toBe("0.000144");
    expect(shortEther(171_428_571_428_571n)).toBe("0.0001714");
    expect(shortEther(123_450_000_000_000_000n)).toBe("0.1235");
    expect(shortEther(999_999_999_999_999_999n)).toBe("1");
    expect(shortEther(1_234_567n * 10n ** 18n)).toBe("1235000");
    expect(shortEther(9_999n)).toBe("0.000000000000009999");
    expect(shortEther(-144_449n)).toBe("-0.0000000000001444");
  });

  it("is read only as the API writes it", () => {
    expect(readWei("340282366920938463463374607431768211455")).toBe(
      2n ** 128n - 1n,
    );
    for (const text of ["", "01", "1.5", "-1", "1e18", " 1", "0x10"]) {
      expect(() => readWei(text)).toThrow(/cannot read an amount of wei/);
    }
  });
});

describe("time", () => {
  it("is relative to the time that is given", () => {
    expect(ago(1000, 1000)).toBe("now");
    expect(ago(940, 1000)).toBe("1 minute ago");
    expect(ago(1000 + 7200, 1000)).toBe("in 2 hours");
    expect(ago(0, 86_400 * 3)).toBe("3 days ago");
  });

  it("is absolute with the name of the zone", () => {
    expect(absolute(1_795_877_086, "UTC")).toBe("Sat, 28 Nov 2026, 14:44 UTC");
  });

  it("has durations of two units", () => {
    expect(duration(0)).toBe("0 seconds");
    expect(duration(5)).toBe("5 seconds");
    expect(duration(86_400)).toBe("1 day");
    expect(duration(777_600 + 3_600)).toBe("9 days 1 hour");
    expect(duration(90_061)).toBe("1 day 1 hour");
  });
});

describe("numbers", () => {
  it("have separated thousands and nouns", () => {
    expect(count(1_234_567)).toBe("1,234,567");
    expect(counted(1, "index", "indices")).toBe("1 index");
    expect(counted(2_000, "index", "indices")).toBe("2,000 indices");
    expect(percent(0.6862)).toBe("68.6 %");
    expect(shareOf(2, 2)).toBe("100.0 %, 2 of 2");
    expect(shareOf(0.7301 * 2_075, 2_075)).toBe("73.0 %, 1,515 of 2,075");
    expect(shareOf(0, 0)).toBe("–, 0 of 0");
  });
});

describe("tamed", () => {
  it("cuts by code points", () => {
    expect(tamed("😀😀😀", 2)).toBe("😀😀…");
    expect(tamed("abc", 3)).toBe("abc");
    expect(tamed("a".repeat(5_000_000), 3)).toBe("aaa…");
  });

  it("spells out what turns or hides text", () => {
    expect(tamed("a\u202ebc\u2066", 9)).toBe("a\\u{202e}bc\\u{2066}");
    expect(tamed("a\nb\tc\u0000", 9)).toBe("a b c\\u{0}");
    expect(tamed("x\u200by", 9)).toBe("x\\u{200b}y");
  });

  it("keeps three marks on a letter", () => {
    expect(tamed(`a${"\u0301".repeat(20)}b`, 40)).toBe(
      `a${"\u0301".repeat(3)}b`,
    );
    expect(tamed("<img src=x onerror=alert(1)>", 60)).toBe(
      "<img src=x onerror=alert(1)>",
    );
  });
});

describe("readEther", () => {
  it("reads amounts exactly", () => {
    expect(readEther("1")).toBe(10n ** 18n);
    expect(readEther("0.000000000000000001")).toBe(1n);
    expect(readEther(".5")).toBe(5n * 10n ** 17n);
    expect(readEther(" 0,25 ")).toBe(25n * 10n ** 16n);
  });

  it("refuses what is none", () => {
    for (const text of ["", ".", "-1", "1e3", "0x1", "1.0000000000000000001"])
      expect(readEther(text), text).toBeUndefined();
  });
});
