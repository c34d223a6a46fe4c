//! The contracts as `sol!` reads them from the artifacts.
//!
//! Every trainer has the interface of [`DepositRefundTake`] and every classifier that of
//! [`SparsePerceptron`] but for the getters of its own parameters, so that calls and events
//! are taken from these two, and from the others only the code and `NaiveBayes`'s getter. A market has what it
//! shares with trainers (`contribute`, `owner`, `classifier`, `contributionCount`, `root`, `price`) as they have it.
//! [`Errors`] has the errors of all of them.

// Generated code: documented in the Solidity interfaces, and not written by hand.
#![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]

alloy_sol_types::sol!(
    DepositRefundTake,
    "../../contracts/artifacts/DepositRefundTake.json"
);
alloy_sol_types::sol!(Errors, "../../contracts/artifacts/Errors.json");
alloy_sol_types::sol!(Points, "../../contracts/artifacts/Points.json");
alloy_sol_types::sol!(
    PredictionMarket,
    "../../contracts/artifacts/PredictionMarket.json"
);
alloy_sol_types::sol!(
    PredictionFees,
    "../../contracts/artifacts/PredictionFees.json"
);
alloy_sol_types::sol!(ModelFactory, "../../contracts/artifacts/ModelFactory.json");
alloy_sol_types::sol!(
    ModelRegistry,
    "../../contracts/artifacts/ModelRegistry.json"
);
alloy_sol_types::sol!(
    SparsePerceptron,
    "../../contracts/artifacts/SparsePerceptron.json"
);
alloy_sol_types::sol!(
    DensePerceptron,
    "../../contracts/artifacts/DensePerceptron.json"
);
alloy_sol_types::sol!(NaiveBayes, "../../contracts/artifacts/NaiveBayes.json");
alloy_sol_types::sol!(
    SparseNearestCentroid,
    "../../contracts/artifacts/SparseNearestCentroid.json"
);
alloy_sol_types::sol!(
    DenseNearestCentroid,
    "../../contracts/artifacts/DenseNearestCentroid.json"
);
