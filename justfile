# Short names for the commands of scripts/. `just` lists them.

_default:
    @just --list

# Install what the checks need
setup:
    scripts/setup

# Run every check, or some parts: contracts, crates, cli
test *PARTS:
    scripts/test {{ PARTS }}

# Format everything
fmt:
    cargo fmt --all
    node_modules/.bin/forge fmt

# Lint everything
lint:
    cargo clippy --locked --workspace --all-targets -- -D warnings

# Regenerate artifacts and gas figures after a change of contracts
contracts:
    scripts/artifacts
    scripts/gas

# Print the benchmark's figures
bench *ARGS:
    scripts/bench {{ ARGS }}
