/**
 * Counts the groups of parts that a page shows: one after another, so that none keeps an input waiting.
 *
 * Called while the page's component is made. `isReady` says whether the next one may be shown.
 */
export class Staged {
  shown = $state(0);

  constructor(groups: number, isReady: (shown: number) => boolean) {
    $effect(() => {
      if (this.shown === groups || !isReady(this.shown)) return;
      const timer = setTimeout(() => (this.shown += 1));
      return () => clearTimeout(timer);
    });
  }
}
