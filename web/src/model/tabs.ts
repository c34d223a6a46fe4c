/** Pages of a model, in the order of their tabs. Each has a word in `words.ts`, and a part in `App.svelte`. */
export const tabs = ["try", "teach", "mine", "report", "host"] as const;

export type Tab = (typeof tabs)[number];

/** Returns the path of a model's page. */
export function tabPath(trainer: string, tab: Tab): string {
  return tab === "try" ? `/m/${trainer}` : `/m/${trainer}/${tab}`;
}
