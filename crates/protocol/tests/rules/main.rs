//! Tests of the rules against independent statements of them: exact arithmetic, plain loops,
//! tables.

mod accounts;
mod announcing;
mod bounds;
mod centroids;
mod changes;
mod claiming;
mod contributing;
mod delegating;
mod economy;
mod federated;
mod market;
mod market_economy;
mod naive_bayes;
mod parameters;
mod payloads;
mod perceptrons;
mod prediction_fees;
mod price;
mod records;
mod relaying;
mod samples;
mod signing;
mod support;
mod words;
mod world;
