const KEY = "cotrain-keys";

let isOn = $state(read());

/** Returns `true` if the keys of the page work (WCAG 2.1.4). */
export const keysWork = (): boolean => isOn;

/** Switches the keys of the page on or off. */
export function useKeys(on: boolean): void {
  isOn = on;
  try {
    localStorage.setItem(KEY, on ? "on" : "off");
  } catch {
    // Then the choice lasts until the page is closed.
  }
}

function read(): boolean {
  try {
    return localStorage.getItem(KEY) !== "off";
  } catch {
    return true;
  }
}

/** Place of a key press: keys of single letters work outside of fields alone. */
export type Place = "field" | "board" | "class" | "dialog" | "elsewhere";

/** Returns where a key was pressed. */
export function placeOf(event: KeyboardEvent): Place {
  const { target } = event;
  if (!(target instanceof Element)) return "elsewhere";
  if (target.closest("dialog")) return "dialog";
  if (target.matches("input[type=radio]")) return "class";
  const field =
    "input, textarea, select, [contenteditable], [role=application]";
  return target.matches(field) ? "field" : "elsewhere";
}
