/** Trains beside the page, which stays usable meanwhile. */

import { work, type Job } from "./training.ts";

self.addEventListener("message", ({ data }: MessageEvent<Job>) =>
  self.postMessage(work(data)),
);
