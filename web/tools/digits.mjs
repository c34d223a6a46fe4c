// Writes the pictures of the example of the labeling screen, from the embedded digits.
//
//     node tools/digits.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

/** Number of pictures: with all of them, the part would be too large. */
const COUNT = 800;

/** Returns the pictures, each with a digit of base 17 for each pixel. */
export function digits() {
  const data = new URL(
    "../../crates/learning/data/digits.csv.gz",
    import.meta.url,
  );
  const lines = gunzipSync(readFileSync(data)).toString().trim().split("\n");
  return lines.slice(0, COUNT).map((line) =>
    line
      .split(",")
      .slice(0, 64)
      .map((level) => Math.round(Number(level)).toString(17))
      .join(""),
  );
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const file = new URL("../src/label/digits.json", import.meta.url);
  writeFileSync(file, `${JSON.stringify(digits(), undefined, 2)}\n`);
}
