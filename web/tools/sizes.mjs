// Checks the sizes of the built page, packed by gzip as the coordinator sends it.
//
//     node tools/sizes.mjs dist
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

/** Maximum sizes in bytes, of which 1,000 are a kilobyte. */
const MAX = {
  script: 80_000,
  style: 10_000,
  lazy: 60_000,
  all: 1_000_000,
};

const folder = process.argv[2] ?? "dist";
const packed = (name) =>
  gzipSync(readFileSync(join(folder, name)), { level: 9 }).length;
const names = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
  .sort();

// The first view loads what index.html names, and what those scripts import without waiting.
const index = readFileSync(join(folder, "index.html"), "utf8");
const first = new Set();
const waiting = names.filter((name) => index.includes(`"/${name}"`));
for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
  if (first.has(name)) continue;
  first.add(name);
  if (!name.endsWith(".js")) continue;
  const source = readFileSync(join(folder, name), "utf8");
  for (const [, file] of source.matchAll(/(?:from|import)\s*"\.\/([^"]+)"/g)) {
    waiting.push(`assets/${file}`);
  }
}

const sum = (list) => list.reduce((sum, name) => sum + packed(name), 0);
const loaded = [...first];
const found = [
  [
    "scripts of the first view",
    sum(loaded.filter((name) => name.endsWith(".js"))),
    MAX.script,
  ],
  [
    "styles of the first view",
    sum(loaded.filter((name) => name.endsWith(".css"))),
    MAX.style,
  ],
  ...names
    .filter((name) => name.endsWith(".js") && !first.has(name))
    .map((name) => [name, packed(name), MAX.lazy]),
  [
    "all files, unpacked",
    names.reduce(
      (sum, name) => sum + readFileSync(join(folder, name)).length,
      0,
    ),
    MAX.all,
  ],
];

let isTooLarge = false;
for (const [what, size, max] of found) {
  const kilobytes = (bytes) => (bytes / 1_000).toFixed(1);
  console.log(
    `${kilobytes(size).padStart(7)} kB of ${kilobytes(max)}  ${what}`,
  );
  if (size > max) isTooLarge = true;
}
if (isTooLarge) {
  console.error(
    "the page is too large: load a part of it lazily, or leave out a package",
  );
  process.exit(1);
}
