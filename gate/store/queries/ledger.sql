-- The head row is the last lock of a transaction: whoever holds it only has inserts left to do.
-- name: GrowLedger :one
UPDATE ledger_head SET size = size + @leaves WHERE id = 1 RETURNING size;

-- name: LedgerSize :one
SELECT size FROM ledger_head WHERE id = 1;

-- name: InsertLeaf :exec
INSERT INTO leaves (idx, kind, leaf_id, leaf, made_at) VALUES (@idx, @kind, @leaf_id, @leaf, @made_at);

-- name: InsertDocument :exec
INSERT INTO documents (idx, salt, document) VALUES (@idx, @salt, @document);

-- name: Leaves :many
SELECT l.idx, l.leaf, l.made_at, d.salt, d.document
FROM leaves AS l JOIN documents AS d ON d.idx = l.idx
WHERE l.idx >= @first
ORDER BY l.idx LIMIT @most;

-- name: LedgerSizeForUpdate :one
SELECT size FROM ledger_head WHERE id = 1;

-- name: LastDocument :one
SELECT d.document FROM leaves AS l JOIN documents AS d ON d.idx = l.idx
WHERE l.leaf_id = @leaf_id AND l.kind = @kind
ORDER BY l.idx DESC LIMIT 1;
