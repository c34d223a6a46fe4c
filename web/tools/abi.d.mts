/** Folder of the files that are written. */
export const folder: string;
/** Returns the files' contents by their names. */
export function generate(): Record<string, string>;
