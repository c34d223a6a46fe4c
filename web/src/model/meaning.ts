/** Returns the meaning of a learner's scores, by the name that the API gives it. */
export function meaningOf(learner: string): string {
  if (learner.endsWith("perceptron")) return "share-of-votes";
  return learner === "naive-bayes" ? "posterior" : "relative-distance";
}
