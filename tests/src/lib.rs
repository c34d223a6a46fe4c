//! Nothing to use: the tests are under `tests/`.
