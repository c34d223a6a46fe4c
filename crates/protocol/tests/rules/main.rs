//! The rules against independent statements of them: exact arithmetic, plain loops, tables.

mod centroids;
mod claiming;
mod contributing;
mod economy;
mod naive_bayes;
mod parameters;
mod perceptrons;
mod price;
mod records;
mod samples;
mod support;
mod words;
mod world;
