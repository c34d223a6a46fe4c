import type { Job, Trained } from "./training.ts";

/** Does a job in a worker. */
export function worked(job: Job): Promise<Trained> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), {
    type: "module",
  });
  return new Promise<Trained>((resolve, reject) => {
    worker.addEventListener("message", ({ data }: MessageEvent<Trained>) =>
      resolve(data),
    );
    worker.addEventListener("error", ({ message }) =>
      reject(new Error(message || "the training did not begin")),
    );
    worker.postMessage(job);
  }).finally(() => worker.terminate());
}
