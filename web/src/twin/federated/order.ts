/** Orders of samples, by the generator xorshift32 (Marsaglia, "Xorshift RNGs", 2003). */
export class Order {
  #state: number;

  /** The seed 0 counts as 2^32 - 1, since 0 has no successor. */
  constructor(seed: number) {
    this.#state = seed >>> 0 === 0 ? 0xffff_ffff : seed >>> 0;
  }

  /** Returns the next 32 bits. */
  bits(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return this.#state >>> 0;
  }

  /** Returns a number below `bound`, which is at most 2^21 so that a float holds the product. */
  below(bound: number): number {
    return Math.floor((this.bits() * bound) / 2 ** 32);
  }

  /** Shuffles, from the last index down (Fisher and Yates). */
  shuffle(indices: Uint32Array): void {
    for (let last = indices.length - 1; last >= 1; last -= 1) {
      const other = this.below(last + 1);
      const moved = indices[last] ?? 0;
      indices[last] = indices[other] ?? 0;
      indices[other] = moved;
    }
  }
}
