import { readFile } from "node:fs/promises";
import {
  createServer,
  request,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { extname, join, normalize } from "node:path";
import { gzipSync } from "node:zlib";

/** Server in front of a coordinator. */
export interface Front {
  /** Its address, without a slash at its end. */
  page: string;
  /** Returns the number of event streams that are open. */
  streams: () => number;
  /** Returns the number of event streams that were opened so far. */
  opened: () => number;
  end: () => void;
}

const types: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

/**
 * Passes requests on to a coordinator, and counts the event streams, whoever opens them. With a
 * folder, it answers the page's paths with the files there, packed as the coordinator packs them.
 *
 * While the coordinator is away, connections end without an answer, as if it were asked itself.
 */
export async function front(api: string, folder?: string): Promise<Front> {
  let [open, opened] = [0, 0];
  const sockets = new Set<Socket>();

  async function file(
    path: string,
    asked: IncomingMessage,
    answer: ServerResponse,
  ): Promise<boolean> {
    if (folder === undefined) return false;
    const isPage =
      !path.startsWith("/docs") && asked.headers.accept?.includes("text/html");
    const name = isPage ? "index.html" : normalize(path);
    const type = types[extname(name)];
    if (!type || /^\/(v1|docs|problems)\//.test(path)) return false;
    const bytes = await readFile(join(folder, name)).catch(() => undefined);
    if (!bytes) return false;
    const isHashed = path.startsWith("/assets/");
    answer.writeHead(200, {
      "content-type": type,
      "content-encoding": "gzip",
      "cache-control": isHashed ? "max-age=31536000, immutable" : "no-cache",
    });
    answer.end(gzipSync(bytes));
    return true;
  }

  const server = createServer((asked, answer) => {
    const path = new URL(asked.url ?? "/", api).pathname;
    void file(path, asked, answer).then((isAnswered) => {
      if (isAnswered) return;
      const passed = request(
        new URL(asked.url ?? "/", api),
        { method: asked.method, headers: asked.headers },
        (found) => {
          answer.writeHead(found.statusCode ?? 502, found.headers);
          answer.flushHeaders();
          found.pipe(answer);
          found.on("close", () => answer.destroy());
        },
      );
      passed.on("error", () => answer.destroy());
      answer.on("close", () => passed.destroy());
      asked.pipe(passed);
      if (path !== "/v1/events/stream") return;
      open += 1;
      opened += 1;
      answer.on("close", () => (open -= 1));
    });
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = server.address() as AddressInfo;
  return {
    page: `http://127.0.0.1:${port}`,
    streams: () => open,
    opened: () => opened,
    end: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
