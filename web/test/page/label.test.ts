import { describe, expect, it } from "vitest";
import { guessesOf, interval, pointsOf } from "../../src/label/accuracy.ts";
import digitPictures from "../../src/label/digits.json";
import { chance, drawn } from "../../src/label/draw.ts";
import {
  givenIn,
  labelsFile,
  namesIn,
  numbersOf,
  readPool,
  usesOf,
  type Pool,
} from "../../src/label/pool.ts";
import {
  answered,
  chosen,
  fresh,
  guessed,
  labelsOf,
  learned,
  nextWork,
  openRandom,
  refilled,
  undoing,
  undone,
  type Answer,
  type Labeling,
  type Options,
} from "../../src/label/state.ts";
import {
  classesIn,
  faultIn,
  lasting,
  suggested,
} from "../../src/label/setup.ts";
import type { Quotes } from "../../src/label/service.ts";
import { digits } from "../../tools/digits.mjs";

const options: Options = {
  learner: "logistic",
  strategy: "margin",
  rule: "none",
  units: 1_000,
  batch: 4,
  look: 50,
  every: 4,
  seed: 7,
};
const bounds = { call: 100, labels: 1_000 };
const begun = (rows = 40, given: [number, number][] = []): Labeling =>
  fresh("a", "pool", rows, ["no", "yes"], options, given, 0);
/** Answers as many rows of the queue. */
const many = (labeling: Labeling, count: number): Labeling =>
  count === 0 ? labeling : many(answered(labeling, count % 2), count - 1);

describe("drawn", () => {
  it("draws without putting back, as the seed says", () => {
    const items = Array.from({ length: 100 }, (_, at) => at);
    const one = drawn(items, 30, 5);
    expect(new Set(one).size).toBe(30);
    expect(drawn(items, 30, 5)).toEqual(one);
    expect(drawn(items, 30, 6)).not.toEqual(one);
    expect(drawn(items, 200, 5).sort((a, b) => a - b)).toEqual(items);
  });

  it("draws each item equally often", () => {
    const counts = [0, 0, 0, 0];
    for (let seed = 0; seed < 4_000; seed += 1)
      for (const at of drawn([0, 1, 2, 3], 2, seed)) counts[at]! += 1;
    for (const count of counts)
      expect(Math.abs(count - 2_000)).toBeLessThan(150);
    expect(chance(1)()).toBeLessThan(1);
  });
});

describe("readPool", () => {
  it("tells numbers, categories, texts and labels apart", () => {
    const lines = Array.from(
      { length: 10 },
      (_, at) =>
        `${at},${at % 2 ? "red" : "blue"},text ${at},${at < 3 ? "b" : ""},`,
    );
    const pool = readPool(
      "a",
      "n",
      `size,color,note,label,none\n${lines.join("\n")}`,
    );
    expect(pool.uses).toEqual(["number", "category", "shown", "label", "off"]);
    expect(usesOf(pool, 2)).toEqual(["category", "shown", "off", "label"]);
    expect(namesIn(pool)).toEqual(["b"]);
    expect(givenIn(pool, ["a", "b"])).toEqual([
      [0, 1],
      [1, 1],
      [2, 1],
    ]);
  });

  it("leaves out labels of all rows: a model would learn nothing else", () => {
    expect(readPool("a", "n", "x,class\n1,a\n2,b\n").uses).toEqual([
      "number",
      "off",
    ]);
  });

  it("reads decimal commas, and tables without names", () => {
    const pool = readPool("a", "n", "1,5;2\n2,5;3\n");
    expect(pool.header).toEqual(["column 1", "column 2"]);
    const { rows, features } = numbersOf(pool);
    expect(rows).toEqual([
      [-1, -1],
      [1, 1],
    ]);
    expect(features[0]).toEqual({
      column: "column 1",
      kind: "number",
      mean: 2,
      deviation: 0.5,
    });
  });

  it("says which line is wrong", () => {
    const read = (text: string) => () => readPool("a", "n", text);
    expect(read("x,y\n1,2\n3\n")).toThrow(
      "Line 3: it has 1 cell, and the first line has 2.",
    );
    expect(read("x,y\n1,2\n")).toThrow("at least 2");
    expect(read('x,y\n1,"2\n3,4\n')).toThrow("Line 2: a quote is opened");
    expect(read("x,x\n1,2\n3,4\n")).toThrow("Two columns have the name “x”");
    expect(read("")).toThrow("at least 2");
  });
});

describe("numbersOf", () => {
  it("gives missing numbers the mean, constant columns 0, and each text a number", () => {
    const pool = readPool("a", "n", "x,c,t\n1,5,a\n,5,b\n3,5,a\n5,5,\n2,5,a\n");
    const { rows, features } = numbersOf(pool);
    expect(
      features.map((one) => ("value" in one ? one.value : one.kind)),
    ).toEqual(["number", "number", "a", "b"]);
    expect(rows[1]).toEqual([0, 0, 0, 1]);
    expect(rows[3]?.slice(1)).toEqual([0, 0, 0]);
    expect(rows.flat().every(Number.isFinite)).toBe(true);
  });

  it("makes finite numbers of huge ones", () => {
    const pool = readPool("a", "n", "x,y\n1e99,1\n-1e99,2\n1e300,3\n");
    expect(pool.uses[0]).toBe("shown");
    const huge = readPool("a", "n", "x,y\n1e99,1\n-1e99,2\n");
    expect(numbersOf(huge).rows.flat().every(Number.isFinite)).toBe(true);
  });

  it("divides pixels by the highest of all", () => {
    const names = Array.from({ length: 16 }, (_, at) => `px${at}`);
    const pool = readPool(
      "a",
      "n",
      `${names}\n${names.map((_, at) => at)}\n${names.map(() => 30)}\n`,
    );
    expect(pool.side).toBe(4);
    expect(numbersOf(pool).rows[0]?.[15]).toBe(0.5);
  });
});

describe("labelsFile", () => {
  it("keeps all columns, and quotes what must be quoted", () => {
    const pool = readPool("a", "n", 'x,"a ""b"""\n1,"c,\nd"\n2,e\n');
    const file = labelsFile(
      pool,
      ["=1+1", "yes"],
      [
        [1, 1],
        [0, 0],
      ],
    );
    expect(file).toBe('x,"a ""b""",label\r\n2,e,yes\r\n1,"c,\nd",=1+1\r\n');
    const again = readPool("a", "n", file);
    expect(again.rows[1]?.[1]).toBe("c,\nd");
  });

  it("fills the file's own column of labels", () => {
    const pool = readPool("a", "n", "x,label\n1,yes\n2,\n3,\n");
    expect(
      labelsFile(
        pool,
        ["no", "yes"],
        [
          [0, 1],
          [2, 0],
        ],
      ),
    ).toBe("x,label\r\n1,yes\r\n3,no\r\n");
  });
});

describe("digits", () => {
  it("are those of crates/learning", () => {
    expect(digitPictures).toEqual(digits());
    expect(digitPictures.every((one) => /^[0-9a-g]{64}$/.test(one))).toBe(true);
  });
});

describe("nextWork", () => {
  it("asks first, teaches all labels but the newest, and asks again when few rows are left", () => {
    let labeling = begun();
    const first = nextWork(labeling, bounds);
    if (first?.kind !== "ask") throw new Error("expected a question");
    expect(first.count).toBe(4);
    expect(first.rows.some((row) => labeling.random.includes(row))).toBe(false);
    labeling = chosen(labeling, first.rows.slice(0, 9));
    expect(labeling.queue.every(({ isRandom }) => !isRandom)).toBe(true);
    expect(nextWork(labeling, bounds)).toBeUndefined();
    labeling = many(labeling, 5);
    expect(nextWork(labeling, bounds)).toBeUndefined();
    labeling = many(labeling, 1);
    const lesson = nextWork(labeling, bounds);
    if (lesson?.kind !== "teach") throw new Error("expected a lesson");
    expect(lesson.labels).toEqual(labelsOf(labeling).slice(0, 4));
    labeling = learned(labeling, 4, "enough");
    expect(labeling.advice).toBe("enough");
    const second = nextWork(labeling, bounds);
    if (second?.kind !== "ask") throw new Error("expected a question");
    const known = [...labeling.queue, ...labeling.answers].map(
      ({ row }) => row,
    );
    expect(second.rows.some((row) => known.includes(row))).toBe(false);
    labeling = chosen(labeling, second.rows.slice(0, 4));
    const kinds = labeling.queue.map(({ isRandom }) => (isRandom ? "r" : "c"));
    expect(kinds.join("")).toBe("cccrcccrc");
    expect(nextWork(labeling, bounds)).toEqual({
      kind: "guess",
      rows: labeling.queue.map(({ row }) => row),
    });
  });

  it("asks for three rows a class first, if the strategy has a start", () => {
    const start = {
      ...begun(),
      options: { ...options, strategy: "typiclust-margin" as const },
    };
    expect(nextWork(start, bounds)).toMatchObject({ kind: "ask", count: 6 });
  });

  it("teaches the labels of the file first, and all labels at the end", () => {
    const given: [number, number][] = [
      [3, 0],
      [5, 1],
    ];
    let labeling = begun(40, given);
    expect(nextWork(labeling, bounds)).toEqual({
      kind: "teach",
      labels: given,
    });
    expect(labeling.random.some((row) => row === 3 || row === 5)).toBe(false);
    labeling = chosen(learned(labeling, 2, undefined), [0, 1, 2]);
    labeling = { ...many(labeling, 1), isEnded: true };
    expect(nextWork(labeling, bounds)).toEqual({
      kind: "teach",
      labels: [[0, 1]],
    });
    expect(nextWork(learned(labeling, 1, undefined), bounds)).toBeUndefined();
  });

  it("never exceeds a call, nor the labels of a session", () => {
    const given = Array.from({ length: 30 }, (_, at): [number, number] => [
      at,
      0,
    ]);
    const work = nextWork(begun(40, given), { call: 7, labels: 100 });
    expect(work).toMatchObject({ kind: "teach", labels: { length: 7 } });
    const full = learned(begun(40, given), 30, undefined);
    expect(nextWork(full, { call: 50, labels: 30 })).toBeUndefined();
  });

  it("asks each row once until none is left", () => {
    let labeling = begun(23);
    for (let step = 0; step < 200; step += 1) {
      labeling = refilled(labeling, bounds);
      const work = nextWork(labeling, bounds);
      if (work?.kind === "ask")
        labeling = chosen(labeling, work.rows.slice(0, work.count));
      else if (work?.kind === "teach")
        labeling = learned(labeling, work.labels.length, undefined);
      else if (work?.kind === "guess")
        labeling = guessed(
          labeling,
          new Map(work.rows.map((row) => [row, { label: 0, share: 0.6 }])),
        );
      else if (labeling.queue.length > 0) labeling = answered(labeling, 0);
      else break;
    }
    const rows = labeling.answers.map(({ row }) => row).sort((a, b) => a - b);
    expect(rows).toEqual(Array.from({ length: 23 }, (_, at) => at));
    expect(openRandom(labeling)).toEqual([]);
    const random = labeling.answers.filter(({ isRandom }) => isRandom);
    expect(random.map(({ row }) => row).sort()).toEqual(
      [...labeling.random].sort(),
    );
  });
});

describe("undone", () => {
  it("is free while the model has not learned the label", () => {
    const labeling = many(chosen(begun(), [1, 2, 3, 4, 5]), 3);
    expect(undoing(labeling)).toBe("free");
    const back = undone(labeling);
    expect(back.queue[0]).toEqual({ row: 3, isRandom: false });
    expect(labelsOf(back)).toHaveLength(2);
    expect(undoing(begun())).toBe("none");
  });

  it("gives up the session if the model has learned the label, or learns it just now", () => {
    const session = { id: "s", token: "t" };
    const units = { spent: 30, left: 5 };
    const taught = {
      ...many(chosen(begun(), [1, 2, 3]), 2),
      taught: 2,
      session,
      units,
    };
    expect(undoing(taught)).toBe("anew");
    const back = undone(taught);
    expect(back.session).toBeUndefined();
    expect(back).toMatchObject({ taught: 0, before: 30 });
    const learns: Labeling = {
      ...taught,
      taught: 0,
      pending: { kind: "teach", labels: labelsOf(taught), key: "k" },
    };
    expect(undoing(learns)).toBe("anew");
    const skipped = answered(taught, undefined);
    expect(undoing(skipped)).toBe("free");
  });
});

describe("guessesOf", () => {
  const answers: Answer[] = [
    { row: 0, isRandom: true, label: 1 },
    { row: 1, isRandom: true, label: 1, guess: 1 },
    { row: 2, isRandom: false, label: 1, guess: 0 },
    { row: 3, isRandom: true, guess: 0 },
    { row: 4, isRandom: true, label: 0, guess: 1 },
  ];

  it("counts guesses alone that were made before a label", () => {
    expect(guessesOf(answers, true)).toEqual({ right: 1, of: 2 });
    expect(guessesOf(answers, false)).toEqual({ right: 0, of: 1 });
    expect(pointsOf(answers, true)).toEqual([
      { answers: 2, share: 1 },
      { answers: 5, share: 0.5 },
    ]);
  });

  it("has an interval that holds the truth", () => {
    // Wilson's interval of 17 of 20, by another program.
    const [low, high] = interval({ right: 17, of: 20 });
    expect(low).toBeCloseTo(0.6396, 3);
    expect(high).toBeCloseTo(0.9476, 3);
    expect(interval({ right: 0, of: 0 })).toEqual([0, 1]);
    expect(interval({ right: 5, of: 5 })[1]).toBe(1);
  });
});

describe("faultIn", () => {
  const quotes = {
    bounds: {
      features: 3,
      classes: 3,
      rows: 10,
      numbers: 100,
      call: 10,
      units: 50,
      timeToLive: 60,
    },
  } as Quotes;
  const pool = readPool("a", "n", "x,label\n1,a\n2,\n");

  it("says what is wrong, and nothing if all is well", () => {
    expect(faultIn(pool, 1, ["a", "b"], quotes)).toBeUndefined();
    expect(faultIn(pool, 0, ["a", "b"], quotes)).toContain("no number");
    expect(faultIn(pool, 4, ["a", "b"], quotes)).toContain("at most 3");
    expect(faultIn(pool, 1, ["a"], quotes)).toContain("two classes");
    expect(faultIn(pool, 1, ["a", "a"], quotes)).toContain("“a”");
    expect(faultIn(pool, 1, ["a", "b", "c", "d"], quotes)).toContain(
      "4 classes",
    );
    const full: Pool = {
      ...pool,
      rows: [
        ["1", "a"],
        ["2", "b"],
      ],
    };
    expect(faultIn(full, 1, ["a", "b"], quotes)).toContain("nothing to ask");
    const twice: Pool = { ...pool, uses: ["label", "label"] };
    expect(faultIn(twice, 1, ["a", "b"], quotes)).toContain("Two columns");
  });

  it("reads one class a line", () => {
    expect(classesIn(" a \n\nb\r\n")).toEqual(["a", "b"]);
  });

  it("suggests units that are enough for 200 labels", () => {
    const cost = { opening: 10, given: 0, batch: 45 };
    const units = suggested(cost, 5, 1_000_000);
    expect(lasting(cost, units, 5)).toBeGreaterThanOrEqual(200);
    expect(suggested(cost, 5, 50)).toBe(50);
    expect(lasting(cost, 5, 5)).toBe(0);
  });
});
