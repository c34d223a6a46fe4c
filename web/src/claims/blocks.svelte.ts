import { untrack } from "svelte";
import { getTime } from "../api/client.ts";
import { hear } from "../live/clock.svelte.ts";
import { newestBlock } from "../live/health.svelte.ts";

/**
 * Hears the chain's time anew with each block that becomes known, while the component that calls this
 * is shown: waits end by that time alone.
 */
export function followTime(trainer: () => string | undefined): void {
  $effect(() => {
    newestBlock();
    const of = trainer();
    if (of === undefined) return;
    untrack(() => void getTime(of).then(hear, () => undefined));
  });
}
