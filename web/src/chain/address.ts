/** Returns `true` if two texts are the same address: the coordinator writes it with a checksum. */
export function isSameAddress(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
