-- Ledger of the labeling service: its entries, oldest first, each with the version of its form. It holds hashes,
-- numbers, addresses and times, and nothing of what clients send.
CREATE TABLE payment_entries (
    number BIGINT PRIMARY KEY,
    version BIGINT NOT NULL,
    entry {bytes} NOT NULL
);

-- Names that the ledger has once, such as a payment's: a second entry with one is refused.
CREATE TABLE payment_names (
    name {bytes} PRIMARY KEY
);

-- What a rail must still know after a restart, such as a signed transfer or a channel's last voucher.
CREATE TABLE payment_states (
    rail TEXT NOT NULL,
    name {bytes} NOT NULL,
    state {bytes} NOT NULL,
    PRIMARY KEY (rail, name)
);
