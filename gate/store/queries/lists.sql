-- One query for each way to narrow a list, each on an index of its own: the list goes on at an id.

-- name: ListAll :many
SELECT * FROM requests WHERE id < @before ORDER BY id DESC LIMIT @most;

-- name: ListRepository :many
SELECT * FROM requests WHERE forge = @forge AND repository_id = @repository_id AND id < @before
ORDER BY id DESC LIMIT @most;

-- name: ListUndecided :many
SELECT * FROM requests WHERE ended = 0 AND signed_at = 0 AND id < @before ORDER BY id DESC LIMIT @most;

-- name: ListUndecidedOfRepository :many
SELECT * FROM requests
WHERE forge = @forge AND repository_id = @repository_id AND ended = 0 AND signed_at = 0 AND id < @before
ORDER BY id DESC LIMIT @most;

-- name: ListSigned :many
SELECT * FROM requests WHERE key_lineage = @key_lineage AND signed_at > 0 AND id < @before
ORDER BY id DESC LIMIT @most;

-- name: ListSignedOfRepository :many
SELECT * FROM requests
WHERE key_lineage = @key_lineage AND forge = @forge AND repository_id = @repository_id AND signed_at > 0 AND id < @before
ORDER BY id DESC LIMIT @most;
