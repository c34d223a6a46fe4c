/** Holds the event stream of all tabs of a browser (a shared worker). */

import { Hub, type Said } from "./stream.ts";

const hub = new Hub<MessagePort>((port, told) => port.postMessage(told));

self.addEventListener("connect", (event) => {
  const [port] = (event as MessageEvent).ports;
  if (!port) return;
  port.addEventListener("message", ({ data }: MessageEvent<Said>) => {
    hub.hear(port, data);
    // So the tab knows that it is heard.
    port.postMessage({ kind: "heard" });
  });
  // A tab that crashes says nothing; newer browsers tell its end.
  port.addEventListener("close", () => hub.hear(port, { kind: "left" }));
  port.start();
});
