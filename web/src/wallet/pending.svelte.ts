/** Number of transactions that have not ended. */
let open = $state(0);
/** Number of requests that wait in the wallet for an answer. */
let asked = $state(0);

/** Returns the number of transactions that have not ended. */
export const pendingCount = (): number => open;
/** Returns `true` while a request waits in the wallet. */
export const isWaiting = (): boolean => asked > 0;

/** Notes how many transactions have not ended. */
export function notePending(count: number): void {
  open = count;
}

/** Notes that a request waits in the wallet until a promise ends, and returns that. */
export async function waitingFor<T>(request: Promise<T>): Promise<T> {
  asked += 1;
  try {
    return await request;
  } finally {
    asked -= 1;
  }
}
