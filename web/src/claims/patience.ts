import { Failure } from "../api/client.ts";

/** Maximum number of attempts, and the longest wait between two, in seconds. */
const [ATTEMPTS, LONGEST] = [4, 10] as const;

/** Asks again after the wait that a coordinator names, if it was asked too often. */
export async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      const wait = error instanceof Failure ? error.wait : undefined;
      if (wait === undefined || wait > LONGEST || attempt === ATTEMPTS)
        throw error;
      await new Promise((done) => setTimeout(done, wait * 1_000));
    }
  }
}
