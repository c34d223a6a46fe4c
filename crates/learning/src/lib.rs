//! Data sets, encoding to samples, initial training in floats, quantising to the numbers of the contracts.
