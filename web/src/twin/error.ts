/** Reasons for which the rules refuse an input, by the names that the contracts use. */
export type Refusal =
  | { kind: "EmptyBatch" }
  | { kind: "MalformedBatch"; offset: number }
  | { kind: "SampleTooLong"; item: number; length: number }
  | { kind: "LabelOutOfRange"; item: number; label: number; classes: number }
  | { kind: "OddSampleLength"; item: number; length: number }
  | {
      kind: "WrongSampleLength";
      item: number;
      length: number;
      expected: number;
    }
  | {
      kind: "FeatureNotIncreasing";
      item: number;
      at: number;
      feature: number;
      previous: number;
    }
  | {
      kind: "FeatureOutOfRange";
      item: number;
      at: number;
      feature: number;
      features: number;
    }
  | { kind: "TooManyFeatures"; item: number; present: number; max: number }
  | {
      kind: "NumberTooLarge";
      item: number;
      feature: number;
      number: number;
      max: number;
    }
  | {
      kind: "SquaredLengthTooLarge";
      item: number;
      squaredLength: bigint;
      max: bigint;
    };

/** A batch or a sample that a contract would refuse. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(describe(refusal));
    this.refusal = refusal;
  }
}

/** Bytes, a card or parameters that this release cannot use. */
export class UnusableError extends Error {
  override readonly name = "UnusableError";
}

/** An input that an encoder cannot turn into a sample. */
export class InputError extends Error {
  override readonly name = "InputError";
}

function describe(refusal: Refusal): string {
  switch (refusal.kind) {
    case "EmptyBatch":
      return "the batch is empty; add at least one sample";
    case "MalformedBatch":
      return `the item at byte ${refusal.offset} runs past the end of the batch; encode it again`;
    case "SampleTooLong":
      return `sample ${refusal.item} has ${refusal.length} bytes, expected at most 65535`;
    case "LabelOutOfRange":
      return `the label of sample ${refusal.item} is ${refusal.label}, expected one below ${refusal.classes}`;
    case "OddSampleLength":
      return `sample ${refusal.item} has ${refusal.length} bytes, expected 2 for each feature`;
    case "WrongSampleLength":
      return `sample ${refusal.item} has ${refusal.length} bytes, expected ${refusal.expected}`;
    case "FeatureNotIncreasing":
      return `feature ${refusal.feature} of sample ${refusal.item} follows ${refusal.previous}, expected increasing features`;
    case "FeatureOutOfRange":
      return `sample ${refusal.item} has the feature ${refusal.feature}, expected one below ${refusal.features}`;
    case "TooManyFeatures":
      return `sample ${refusal.item} has ${refusal.present} features, expected at most ${refusal.max}; shorten it`;
    case "NumberTooLarge":
      return `number ${refusal.feature} of sample ${refusal.item} is ${refusal.number}, expected at most ${refusal.max} either way`;
    case "SquaredLengthTooLarge":
      return `the squared length of sample ${refusal.item} is ${refusal.squaredLength}, expected at most ${refusal.max}`;
  }
}
