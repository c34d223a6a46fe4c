-- One schema for SQLite and PostgreSQL: {bytes} and {serial} stand for what each calls them. Numbers are BIGINT,
-- money is 16 bytes in wei, big-endian, so that it sorts as a number. A change is a new file, never an edit of this one.

-- What is followed, and how far.
CREATE TABLE models (
    id {serial},
    chain_id BIGINT NOT NULL,
    trainer {bytes} NOT NULL,
    from_block BIGINT NOT NULL,
    from_time BIGINT NOT NULL,
    words {bytes} NOT NULL,
    block BIGINT NOT NULL,
    block_hash {bytes} NOT NULL,
    rollbacks BIGINT NOT NULL,
    UNIQUE (chain_id, trainer)
);

-- Hashes of blocks that were taken, to find where another branch leaves ours.
CREATE TABLE blocks (
    model BIGINT NOT NULL,
    number BIGINT NOT NULL,
    hash {bytes} NOT NULL,
    PRIMARY KEY (model, number)
);

-- Everything in the order in which it became known: the trainer's logs as they are (topics and data), and notes of
-- ours (a kind and JSON). Ids only rise; a rollback deletes logs and leaves a note. The state of a model is what
-- its logs make of its first words.
CREATE TABLE events (
    id {serial},
    model BIGINT NOT NULL,
    block BIGINT NOT NULL,
    log_index BIGINT,
    transaction_hash {bytes},
    topics {bytes},
    data {bytes},
    kind TEXT,
    detail TEXT
);
CREATE UNIQUE INDEX events_logs ON events (model, block, log_index);
CREATE INDEX events_of_model ON events (model, id);

CREATE TABLE contributions (
    model BIGINT NOT NULL,
    position BIGINT NOT NULL,
    batch BIGINT NOT NULL,
    author {bytes} NOT NULL,
    label BIGINT NOT NULL,
    deposit {bytes} NOT NULL,
    time BIGINT NOT NULL,
    sample {bytes} NOT NULL,
    block BIGINT NOT NULL,
    transaction_hash {bytes} NOT NULL,
    submission {bytes},
    settled BIGINT NOT NULL,
    taken {bytes} NOT NULL,
    PRIMARY KEY (model, position)
);
CREATE INDEX contributions_by_author ON contributions (model, author, position);
CREATE INDEX contributions_open ON contributions (model, position) WHERE settled < 2;

CREATE TABLE claims (
    model BIGINT NOT NULL,
    block BIGINT NOT NULL,
    log_index BIGINT NOT NULL,
    position BIGINT NOT NULL,
    kind BIGINT NOT NULL,
    account {bytes} NOT NULL,
    amount {bytes} NOT NULL,
    transaction_hash {bytes} NOT NULL,
    PRIMARY KEY (model, block, log_index)
);
CREATE INDEX claims_by_position ON claims (model, position);

CREATE TABLE accuracy (
    model BIGINT NOT NULL,
    contributions BIGINT NOT NULL,
    block BIGINT NOT NULL,
    time BIGINT NOT NULL,
    correct BIGINT NOT NULL,
    samples BIGINT NOT NULL,
    PRIMARY KEY (model, contributions)
);

-- Signed batches that were handed in. state: 0 waiting, 1 sent, 2 included, 3 refused.
CREATE TABLE submissions (
    seq {serial},
    id {bytes} NOT NULL UNIQUE,
    model BIGINT NOT NULL,
    author {bytes} NOT NULL,
    nonce BIGINT NOT NULL,
    deadline BIGINT NOT NULL,
    max_deposit {bytes} NOT NULL,
    fee {bytes} NOT NULL,
    items {bytes} NOT NULL,
    signature {bytes} NOT NULL,
    contributions BIGINT NOT NULL,
    received BIGINT NOT NULL,
    state BIGINT NOT NULL,
    outbox BIGINT,
    transaction_hash {bytes},
    block BIGINT,
    position BIGINT,
    reason TEXT,
    -- Transactions with it that failed on the chain.
    failures BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX submissions_by_outbox ON submissions (outbox) WHERE outbox IS NOT NULL;
-- An author's nonce is good for one batch: the next one has to wait until the first is refused.
CREATE UNIQUE INDEX submissions_nonce ON submissions (model, author, nonce) WHERE state < 3;
CREATE INDEX submissions_by_state ON submissions (model, state, seq);
CREATE INDEX submissions_by_offer ON submissions (model, max_deposit) WHERE state = 0;
CREATE INDEX submissions_by_deadline ON submissions (model, deadline) WHERE state = 0;
CREATE INDEX submissions_by_author ON submissions (model, author, seq);

-- Transactions of ours. They are stored before they are sent. state: 0 sent, 1 included, 2 final, 3 replaced by another.
CREATE TABLE transactions (
    id {serial},
    model BIGINT NOT NULL,
    purpose TEXT NOT NULL,
    sender {bytes} NOT NULL,
    nonce BIGINT NOT NULL,
    target {bytes} NOT NULL,
    data {bytes} NOT NULL,
    gas_limit BIGINT NOT NULL,
    created BIGINT NOT NULL,
    state BIGINT NOT NULL,
    block BIGINT,
    gas_used BIGINT
);
CREATE INDEX transactions_by_state ON transactions (state, id);

-- The same transaction at rising fees, each as it was signed.
CREATE TABLE attempts (
    transaction_id BIGINT NOT NULL,
    hash {bytes} NOT NULL PRIMARY KEY,
    raw {bytes} NOT NULL,
    max_fee {bytes} NOT NULL,
    priority_fee {bytes} NOT NULL,
    sent BIGINT NOT NULL
);
CREATE INDEX attempts_by_transaction ON attempts (transaction_id);

-- Accounts that ask the keeper to report for them.
CREATE TABLE delegations (
    model BIGINT NOT NULL,
    account {bytes} NOT NULL,
    until BIGINT NOT NULL,
    signature {bytes} NOT NULL,
    received BIGINT NOT NULL,
    PRIMARY KEY (model, account)
);
