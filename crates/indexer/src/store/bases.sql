-- The block after which the words of a model are those that are stored; NULL: that in which it was closed. A node
-- without old states gives only the words of now: logs until then do not teach them.
ALTER TABLE models ADD COLUMN base BIGINT;
ALTER TABLE models ADD COLUMN base_hash {bytes};
