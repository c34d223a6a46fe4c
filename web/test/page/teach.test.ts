import { beforeEach, describe, expect, it, vi } from "vitest";
import { Failure } from "../../src/api/client.ts";
import type { Form } from "../../src/model/form.ts";
import { keysOf } from "../../src/text/classKeys.ts";
import { judge } from "../../src/teach/judge.ts";
import { explainRefusal, mayBeTaken } from "../../src/teach/refusals.ts";
import { readTable, type Shape } from "../../src/teach/table.ts";
import { datesOf, termsOf, usualCeiling } from "../../src/teach/terms.ts";
import type { Predictor } from "../../src/model/predictor.ts";
import { readEncoder, readModel } from "../../src/twin/index.ts";
import { contribution, model } from "./model.ts";

// The client names the page's own origin when it is loaded.
vi.hoisted(() => Reflect.set(globalThis, "location", { origin: "http://a" }));

const films: Shape = {
  classes: ["negative", "positive"],
  count: 2,
  form: { kind: "text" },
  columns: [],
};

describe("readTable of texts", () => {
  const read = (text: string, shape: Shape = films) => readTable(text, shape);

  it("finds the class column, with or without names", () => {
    const rows = [
      { given: { text: "warm" }, label: 1 },
      { given: { text: "dull, long" }, label: 0 },
    ];
    const texts = [
      'positive,warm\nnegative,"dull, long"',
      'class,text\r\npositive,warm\r\nnegative,"dull, long"\r\n',
      "warm\tPositive\ndull, long\tNEGATIVE",
      "\ufeffwarm;1\ndull, long;0\n\n",
    ];
    for (const text of texts) expect(read(text)).toEqual({ rows, faults: [] });
  });

  it("takes quotes and line breaks within a cell", () => {
    expect(read('positive,"a ""b""\nc"\nnegative,d').rows).toEqual([
      { given: { text: 'a "b"\nc' }, label: 1 },
      { given: { text: "d" }, label: 0 },
    ]);
  });

  it("tells faults by their lines", () => {
    const text =
      'positive,"two\nlines"\nneutral,x\n\npositive\npositive,\nnegative,y';
    const { rows, faults } = read(text);
    expect(rows).toHaveLength(2);
    expect(faults.map(({ line }) => line)).toEqual([3, 5, 6]);
    expect(faults[0]?.text).toContain("“neutral” is no class");
    expect(read("a,b\nc,d").faults[0]?.text).toContain("no column has classes");
    expect(read('positive,"x').faults).toEqual([
      { line: 1, text: "a quote is opened and never closed." },
    ]);
    expect(read("")).toEqual({ rows: [], faults: [] });
  });

  it("reads a bounded number of lines", () => {
    const { rows, faults } = read("positive,a\n".repeat(600));
    expect(rows).toHaveLength(500);
    expect(faults).toEqual([
      { line: 501, text: "only the first 500 lines are read at once." },
    ]);
  });
});

describe("readTable of numbers", () => {
  const numbers: Shape = {
    ...films,
    classes: [],
    form: { kind: "numbers", features: 3 },
  };
  const body = "0,7,1\n1,9,0\n1,8,1\n";

  it("takes a column for the class by its name", () => {
    for (const name of ["class", "label", " Label "])
      expect(readTable(`a,b,${name}\n${body}`, numbers)).toEqual({
        rows: [
          { given: { features: [0, 7] }, label: 1 },
          { given: { features: [1, 9] }, label: 0 },
          { given: { features: [1, 8] }, label: 1 },
        ],
        faults: [],
      });
    const { rows, faults } = readTable("a,class\n1,spam\n0,ham", numbers);
    expect(rows).toEqual([]);
    expect(faults.at(-1)?.text).toContain("“ham” is no class");
  });

  it("refuses to guess among several columns", () => {
    for (const text of [body, `${body}1,8,x\n`, `a,b,c\n${body}`]) {
      const { rows, faults } = readTable(text, numbers);
      expect(rows).toEqual([]);
      expect(faults[0]?.text).toContain("several columns");
    }
    // Names of classes are none of the features.
    const named = "0,7,positive\n1,9,negative\n";
    const [first] = readTable(named, {
      ...numbers,
      classes: films.classes,
    }).rows;
    expect(first).toEqual({ given: { features: [0, 7] }, label: 1 });
  });

  it("takes a text that is the name of such a column", () => {
    expect(readTable("positive,class\nnegative,dull", films).rows).toEqual([
      { given: { text: "class" }, label: 1 },
      { given: { text: "dull" }, label: 0 },
    ]);
  });
});

describe("readTable of rows", () => {
  const form: Form = { kind: "row", fields: [] };
  const plants: Shape = {
    classes: ["herb", "tree"],
    count: 2,
    form,
    columns: [
      { name: "size", isNumeric: true },
      { name: "color", isNumeric: false },
    ],
  };

  it("takes columns by their names or in order", () => {
    const rows = [{ given: { row: [20, "red"] }, label: 1 }];
    expect(readTable("color,kind,size\nred,tree,20", plants).rows).toEqual(
      rows,
    );
    expect(readTable("20,red,tree", plants).rows).toEqual(rows);
    expect(readTable("tree,,red", plants).rows[0]?.given).toEqual({
      row: [null, "red"],
    });
  });

  it("refuses missing and further columns", () => {
    const faultOf = (text: string): string | undefined =>
      readTable(text, plants).faults[0]?.text;
    expect(faultOf("kind,size\ntree,20")).toContain("no column “color”");
    expect(faultOf("kind,size,color,age\ntree,20,red,3")).toContain("“age”");
    expect(faultOf("tree,20")).toContain("expected 2");
  });

  it("takes digits as names of classes, not as their numbers", () => {
    const digits = { ...plants, classes: ["3", "7"] };
    expect(readTable("20,red,7\n21,red,3", digits).rows).toEqual([
      { given: { row: [20, "red"] }, label: 1 },
      { given: { row: [21, "red"] }, label: 0 },
    ]);
  });
});

describe("readTable of indices", () => {
  it("takes them as the owner's file counts them", () => {
    const own = {
      ofFeatures: [3, 7, 9],
      features: new Map([
        [3, 0],
        [7, 1],
        [9, 2],
      ]),
    };
    const form: Form = { kind: "indices", features: 3, own };
    const lines = "positive,3 9 100\nnegative,7";
    expect(readTable(lines, { ...films, form }).rows).toEqual([
      { given: { features: [0, 2] }, label: 1 },
      { given: { features: [1] }, label: 0 },
    ]);
    const raw: Form = { kind: "indices", features: 3 };
    expect(
      readTable("positive,0 2", { ...films, form: raw }).rows[0]?.given,
    ).toEqual({ features: [0, 2] });
  });
});

describe("termsOf", () => {
  const last = 1_000;
  const films = model({
    lastContributionTime: last,
    incentive: { kind: "deposit-refund-take", costWeight: "1000000000000" },
  });

  it("falls by the second and rises with the number", () => {
    expect(termsOf(films, 1, last + 25).each).toBe(720_000_000_000_000n);
    expect(termsOf(films, 1, last + 36).each).toBe(600_000_000_000_000n);
    expect(termsOf(films, 9, last + 36).each).toBe(1_800_000_000_000_000n);
    expect(termsOf(films, 1, last - 5).each).toBe(3_600_000_000_000_000n);
  });

  it("limits to twice the deposit, rounded up, and to the highest at most", () => {
    const terms = { count: 1, each: 109_090_909n, highest: 3_600_000_000n };
    expect(usualCeiling(terms)).toBe(220_000_000n);
    expect(usualCeiling({ ...terms, highest: 150_000_000n })).toBe(
      150_000_000n,
    );
    expect(usualCeiling({ count: 1, each: 0n, highest: 0n })).toBe(0n);
  });

  it("costs nothing for points", () => {
    const points = model({ incentive: { kind: "points" } });
    expect(termsOf(points, 3, 5)).toEqual({ count: 3, each: 0n, highest: 0n });
  });

  it("dates from the waits", () => {
    expect(datesOf(films, 10)).toEqual({
      refund: 86_410,
      owner: 777_610,
      anyone: 777_610,
    });
  });
});

describe("keysOf", () => {
  it("gives digits from 1 on, or the digits that are the names", () => {
    expect(keysOf(2, ["negative", "positive"])).toEqual(["1", "2"]);
    expect(keysOf(12, []).join("")).toBe("1234567890");
    expect(keysOf(2, ["0", "1"])).toEqual(["0", "1"]);
    expect(keysOf(2, ["1", "1"])).toEqual(["1", "2"]);
  });
});

describe("judge", () => {
  const classes = 2;
  const words = ["warm", "dull", "funny"];
  const parameters = {
    learner: "naive-bayes",
    classes,
    features: 3,
    smoothing: 256,
  } as const;
  const predictor: Predictor = {
    twin: readModel(parameters, new Uint8Array(32 * classes * 2)),
    block: 1,
    encoder: readEncoder({ classifier: "naive-bayes", features: { words } }),
    table: undefined,
    unreadable: undefined,
  };
  let id = 0;
  const draft = (text: string, label = 1, isWanted = false) => {
    id += 1;
    return { id: `${id}`, given: { text }, label, isWanted };
  };
  const account = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8";

  beforeEach(() => {
    id = 0;
  });

  it("holds back what is unknown or said before, until it is wanted", () => {
    const drafts = [
      draft("a warm film"),
      draft("warm"),
      draft("warm", 0),
      draft("xyz"),
      draft("xyz", 1, true),
    ];
    const judged = judge(predictor, drafts, [], account);
    expect(judged.map(({ notes }) => notes)).toEqual([
      [],
      [{ kind: "same", other: 0 }],
      [{ kind: "contradicts", other: 0 }],
      [{ kind: "unknown" }],
      [{ kind: "unknown" }, { kind: "same", other: 3 }],
    ]);
    expect(judged.map(({ isSent }) => isSent)).toEqual([
      true,
      false,
      false,
      false,
      true,
    ]);
  });

  it("tells what was contributed before, and by whom", () => {
    const before = [
      contribution({ position: 4, sample: "0x0000", label: 1 }),
      contribution({
        position: 3,
        sample: "0x0001",
        label: 1,
        author: `0x${"1".repeat(40)}`,
      }),
    ];
    const drafts = [draft("warm"), draft("dull"), draft("funny", 0)];
    const judged = judge(predictor, drafts, before, account);
    expect(judged.map(({ notes, isSent }) => [notes, isSent])).toEqual([
      [[{ kind: "before", position: 4, isOwn: true }], false],
      [[{ kind: "before", position: 3, isOwn: false }], true],
      [[], true],
    ]);
  });

  it("holds back what may have been sent, even if it is wanted", () => {
    const drafts = [draft("warm", 1, true), draft("dull")];
    const judged = judge(predictor, drafts, [], account, new Set(["1"]));
    expect(judged.map(({ notes, isSent }) => [notes, isSent])).toEqual([
      [[{ kind: "unsure" }], false],
      [[], true],
    ]);
  });

  it("tells what cannot be sent at all", () => {
    const row = { ...draft(""), given: { row: [1] } };
    const judged = judge(predictor, [row, draft("warm", 9)], [], account);
    expect(judged[0]?.refusal).toContain("expected a text");
    expect(judged[1]?.refusal).toContain("label");
    expect(judged.some(({ isSent }) => isSent)).toBe(false);
  });
});

describe("explainRefusal", () => {
  it("uses the fields of the problem", () => {
    const price = new Failure("price-too-high", "…", undefined, {
      price: "2000000000000000",
      maxDeposit: "1000000000000000",
    });
    expect(explainRefusal(price)).toContain("0.002 ether");
    expect(explainRefusal(price)).toContain("limit of 0.001");
    expect(explainRefusal(new Failure("rate-limited", "…", 7))).toContain(
      "7 seconds",
    );
    expect(explainRefusal(new Failure("new-kind", "why not"))).toContain(
      "why not",
    );
  });

  it("tells answers after which a batch may be taken all the same", () => {
    expect(mayBeTaken(new Failure("away", "…"))).toBe(true);
    expect(mayBeTaken(new Failure("timed-out", "…"))).toBe(true);
    expect(mayBeTaken(new Failure("price-too-high", "…"))).toBe(false);
    expect(mayBeTaken(new Failure("rate-limited", "…"))).toBe(false);
  });
});
