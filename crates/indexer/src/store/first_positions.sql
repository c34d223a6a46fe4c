-- A transaction's contributions are named by the position of the first one; `batch` is a signed batch only.
ALTER TABLE contributions RENAME COLUMN batch TO first_position;
