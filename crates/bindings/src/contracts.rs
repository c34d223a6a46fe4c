//! Contracts as `sol!` generates them from the artifacts.
//!
//! Every trainer has the interface of [`DepositRefundTake`].
//! Every classifier has that of [`SparsePerceptron`], except for the getters of its own parameters.
//! So calls and events are taken from these two contracts. The others provide only their code, and
//! `NaiveBayes` its getter.
//! A market shares `contribute`, `owner`, `classifier`, `contributionCount`, `root` and `price`
//! with trainers.
//! [`Errors`] has the errors of all contracts but those of payment channels, which [`ChannelSettlement`]
//! and [`Erc3009Collector`] have, and of tokens.

// Generated code: the Solidity interfaces document it.
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
alloy_sol_types::sol!(
    ChannelSettlement,
    "../../contracts/artifacts/ChannelSettlement.json"
);
alloy_sol_types::sol!(
    Erc3009Collector,
    "../../contracts/artifacts/Erc3009Collector.json"
);
alloy_sol_types::sol!(Erc3009Token, "../../contracts/artifacts/Erc3009Token.json");
alloy_sol_types::sol!(
    FederatedTrainer,
    "../../contracts/artifacts/FederatedTrainer.json"
);
alloy_sol_types::sol!(RewardToken, "../../contracts/artifacts/RewardToken.json");
alloy_sol_types::sol!(RoundMath, "../../contracts/artifacts/RoundMath.json");
alloy_sol_types::sol!(
    SoftmaxRegression,
    "../../contracts/artifacts/SoftmaxRegression.json"
);
