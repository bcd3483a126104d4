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
SELECT l.idx, l.kind, l.leaf_id, l.leaf, l.made_at, d.salt, d.document
FROM leaves AS l JOIN documents AS d ON d.idx = l.idx
WHERE l.idx >= @first
ORDER BY l.idx LIMIT @most;

-- name: LedgerSizeForUpdate :one
SELECT size FROM ledger_head WHERE id = 1;

-- name: LastDocument :one
SELECT d.document FROM leaves AS l JOIN documents AS d ON d.idx = l.idx
WHERE l.leaf_id = @leaf_id AND l.kind = @kind
ORDER BY l.idx DESC LIMIT 1;

-- name: LeafBytes :many
SELECT leaf FROM leaves WHERE idx >= @first AND idx < @past ORDER BY idx;

-- name: InsertTile :exec
INSERT INTO tiles (level, idx, root, hashes) VALUES (@level, @idx, @root, @hashes);

-- name: TileHashes :one
SELECT hashes FROM tiles WHERE level = @level AND idx = @idx;

-- name: TileRoots :many
SELECT root FROM tiles WHERE level = @level AND idx >= @first AND idx < @past ORDER BY idx;

-- name: NextTile :one
SELECT CAST(COALESCE(MAX(idx), -1) + 1 AS BIGINT) AS idx FROM tiles WHERE level = @level;

-- name: InsertLeafKey :exec
INSERT INTO leaf_keys (word, idx) VALUES (@word, @idx) ON CONFLICT (word, idx) DO NOTHING;

-- name: HasLeafKey :one
SELECT COUNT(*) FROM leaf_keys WHERE word = @word AND idx = @idx;

-- name: LeavesOfKey :many
SELECT l.idx, l.leaf FROM leaf_keys AS k JOIN leaves AS l ON l.idx = k.idx
WHERE k.word = @word ORDER BY k.idx DESC LIMIT @most;

-- Entries are records of signatures: they have no salt. Of older releases signatures are committed to, and have none.
-- name: EntriesOfRequest :many
SELECT l.leaf_id, l.kind, l.idx, l.leaf
FROM signatures AS s JOIN leaves AS l ON l.leaf_id = s.intent_id AND l.kind IN ('signature', 'certificate-signature')
    JOIN documents AS d ON d.idx = l.idx AND length(d.salt) = 0
WHERE s.request_id = @request_id
ORDER BY l.idx;

-- name: EntriesAbout :many
SELECT l.idx, l.leaf FROM leaves AS l JOIN documents AS d ON d.idx = l.idx AND length(d.salt) = 0
WHERE l.leaf_id = @leaf_id AND l.kind = @kind ORDER BY l.idx;

-- What an entry belongs to is told by the row that its id names.
-- name: LedgerEntries :many
SELECT l.idx, l.kind, l.leaf_id, l.leaf, l.made_at, d.salt, d.document, CAST(COALESCE(r.id, '') AS TEXT) AS request_id,
       CAST(COALESCE(r.forge, p.forge, '') AS TEXT) AS forge,
       CAST(COALESCE(r.repository_id, p.repository_id, 0) AS BIGINT) AS repository_id
FROM leaves AS l LEFT JOIN documents AS d ON d.idx = l.idx
    LEFT JOIN intents AS i ON i.id = l.leaf_id
    LEFT JOIN approvals AS a ON a.id = l.leaf_id
    LEFT JOIN adoptions AS p ON p.id = l.leaf_id
    LEFT JOIN requests AS r ON r.id = COALESCE(i.request_id, a.request_id, l.leaf_id)
WHERE l.idx < @before
ORDER BY l.idx DESC LIMIT @most;

-- name: LedgerEntriesAbout :many
SELECT l.idx, l.kind, l.leaf_id, l.leaf, l.made_at, d.salt, d.document, CAST(COALESCE(r.id, '') AS TEXT) AS request_id,
       CAST(COALESCE(r.forge, p.forge, '') AS TEXT) AS forge,
       CAST(COALESCE(r.repository_id, p.repository_id, 0) AS BIGINT) AS repository_id
FROM leaves AS l LEFT JOIN documents AS d ON d.idx = l.idx
    LEFT JOIN intents AS i ON i.id = l.leaf_id
    LEFT JOIN approvals AS a ON a.id = l.leaf_id
    LEFT JOIN adoptions AS p ON p.id = l.leaf_id
    LEFT JOIN requests AS r ON r.id = COALESCE(i.request_id, a.request_id, l.leaf_id)
WHERE l.leaf_id IN (SELECT CAST(@id AS TEXT) UNION ALL SELECT o.id FROM intents AS o WHERE o.request_id = @id
    UNION ALL SELECT s.id FROM approvals AS s WHERE s.request_id = @id)
ORDER BY l.idx DESC LIMIT @most;
