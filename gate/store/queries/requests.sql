-- name: InsertRequest :execrows
INSERT INTO requests (id, forge, repository_id, stream, commit_sha, code, ask_hash, attempt, key_lineage,
                      document, state, ended, version, due_at, created_at, updated_at)
VALUES (@id, @forge, @repository_id, @stream, @commit_sha, @code, @ask_hash, @attempt, @key_lineage,
        @document, 'waiting', 0, 1, @due_at, @created_at, @updated_at)
ON CONFLICT DO NOTHING;

-- name: Request :one
SELECT * FROM requests WHERE id = @id;

-- name: RequestForUpdate :one
SELECT * FROM requests WHERE id = @id;

-- name: OpenByAskForUpdate :one
SELECT * FROM requests WHERE ask_hash = @ask_hash AND ended = 0;

-- name: LastAttempt :one
SELECT CAST(COALESCE(MAX(attempt), 0) AS INTEGER) AS attempt FROM requests WHERE ask_hash = @ask_hash;

-- name: OpenOfRepository :many
SELECT * FROM requests WHERE forge = @forge AND repository_id = @repository_id AND ended = 0
ORDER BY created_at, id;

-- name: OpenOfRepositoryForUpdate :many
SELECT * FROM requests WHERE forge = @forge AND repository_id = @repository_id AND ended = 0
ORDER BY id;

-- name: RecentOfRepository :many
SELECT * FROM requests WHERE forge = @forge AND repository_id = @repository_id
ORDER BY created_at DESC, id DESC LIMIT @most;

-- name: Released :many
SELECT commit_sha FROM requests
WHERE forge = @forge AND repository_id = @repository_id AND stream = @stream AND released_at > 0
GROUP BY commit_sha
ORDER BY MAX(released_at) DESC, MAX(id) DESC LIMIT @most;

-- name: DueRequestSkipLocked :one
SELECT * FROM requests
WHERE forge = @forge AND repository_id = @repository_id AND ended = 0 AND state IN ('waiting', 'granted', 'signing')
  AND due_at > 0 AND due_at <= @now AND lease_until <= @now
ORDER BY due_at, id
LIMIT 1;

-- name: NextRequest :one
SELECT CAST(COALESCE(MIN(CASE WHEN due_at > @now THEN due_at WHEN lease_until > @now THEN lease_until ELSE CAST(@blocked AS BIGINT) END), 0)
    AS BIGINT) AS at
FROM requests
WHERE forge = @forge AND repository_id = @repository_id AND ended = 0 AND state IN ('waiting', 'granted', 'signing')
  AND due_at > 0;

-- name: LeaseRequest :exec
UPDATE requests SET lease_owner = @lease_owner, lease_until = @lease_until, heard = rung
WHERE id = @id;

-- name: SaveRequest :execrows
UPDATE requests SET state = @state, ended = @ended, version = @version, thread_number = @thread_number,
                    thread_issue = @thread_issue, decision = @decision, signing = @signing,
                    orphans = @orphans, due_at = @due_at, lease_owner = @lease_owner,
                    lease_until = @lease_until, updated_at = @updated_at, signed_at = @signed_at,
                    released_at = @released_at, unsaid = @unsaid
WHERE id = @id AND version = @old_version;

-- name: ScheduleRequest :exec
UPDATE requests SET due_at = @due_at, lease_owner = @lease_owner, lease_until = @lease_until WHERE id = @id;

-- name: RingRequest :exec
UPDATE requests SET rung = rung + 1, due_at = @due_at WHERE id = @id AND ended = 0;

-- name: InsertActor :execrows
INSERT INTO actors (request_id, position, forge, account_id, login, human)
VALUES (@request_id, @position, @forge, @account_id, @login, @human)
ON CONFLICT (request_id, forge, account_id) DO NOTHING;

-- name: Actors :many
SELECT * FROM actors WHERE request_id = @request_id ORDER BY position;

-- A page's requests come with one query for many of them. What sqlc makes of a list differs between the engines.
-- name: ActorsOf :many
SELECT * FROM actors WHERE request_id IN (@id0, @id1, @id2, @id3, @id4, @id5, @id6, @id7, @id8, @id9)
ORDER BY request_id, position;

-- name: BindToken :execrows
INSERT INTO token_uses (issuer, token_id, request_id, expires_at, bound_at)
VALUES (@issuer, @token_id, @request_id, @expires_at, @bound_at)
ON CONFLICT (issuer, token_id) DO NOTHING;

-- name: TokenRequest :one
SELECT request_id FROM token_uses WHERE issuer = @issuer AND token_id = @token_id;

-- name: DeferSealing :exec
UPDATE requests SET due_at = @due_at, lease_owner = '', lease_until = 0, unsealed_why = @why WHERE id = @id;
