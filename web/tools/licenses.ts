import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

/** Licenses of packages that may be part of the page. */
const ALLOWED = [
  "MIT",
  "ISC",
  "0BSD",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "Apache-2.0",
];

/** Returns the folder of the npm package that a module is part of. */
function packageOf(id: string): string | undefined {
  const path = id.replace(/^\0/, "").split("?")[0] ?? "";
  if (!path.includes("/node_modules/")) return undefined;
  let folder = dirname(path);
  while (folder.includes("/node_modules/")) {
    const file = join(folder, "package.json");
    if (existsSync(file) && "version" in JSON.parse(readFileSync(file, "utf8")))
      return folder;
    folder = dirname(folder);
  }
  return undefined;
}

/** Returns name, version, license and the license's text of a package. */
function notice(folder: string): string {
  const about = JSON.parse(
    readFileSync(join(folder, "package.json"), "utf8"),
  ) as {
    name: string;
    version: string;
    license?: string;
  };
  const title = `${about.name} ${about.version}`;
  if (about.license === undefined || !ALLOWED.includes(about.license)) {
    throw new Error(
      `cannot bundle ${title}: its license is ${about.license}; expected one of ${ALLOWED.join(", ")}`,
    );
  }
  const file = readdirSync(folder)
    .sort()
    .find((name) => /^licen[cs]e/i.test(name));
  const text = file ? readFileSync(join(folder, file), "utf8").trim() : "";
  return `${title} (${about.license})\n\n${text || "The package has no file with the license's text."}\n`;
}

/** Returns the license that stands beside a file of data. */
function besideOf(id: string): string | undefined {
  if (!id.endsWith(".json") || id.includes("/node_modules/")) return undefined;
  const file = id.replace(/\.json$/, "-license.txt");
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

/** Writes the licenses of all bundled packages into one file, and fails at one that is not allowed. */
export function licenses(): Plugin {
  return {
    name: "licenses",
    apply: "build",
    generateBundle() {
      const folders = [...this.getModuleIds()].flatMap(
        (id) => packageOf(id) ?? [],
      );
      const notices = [...new Set(folders)].map(notice).sort();
      const data = [...this.getModuleIds()].flatMap((id) => besideOf(id) ?? []);
      const head =
        "This page contains these packages and data of other authors.\n";
      const source = [head, ...notices, ...data.sort()].join(
        "\n----------------------------------------\n\n",
      );
      this.emitFile({ type: "asset", name: "licenses.txt", source });
    },
    transformIndexHtml: {
      order: "post",
      handler(_, { bundle }) {
        const file = Object.keys(bundle ?? {}).find((name) =>
          /licenses-[^/]*\.txt$/.test(name),
        );
        if (file === undefined) return [];
        return [
          {
            tag: "link",
            attrs: { rel: "license", href: `/${file}` },
            injectTo: "head",
          },
        ];
      },
    },
  };
}
