/** Returns the pictures, each with a digit of base 17 for each pixel. */
export function digits(): string[];
