-- name: InsertDecision :exec
INSERT INTO decisions (request_id, version, outcome, state, why, document, made_at)
VALUES (@request_id, @version, @outcome, @state, @why, @document, @made_at);

-- name: InsertApproval :execrows
INSERT INTO approvals (id, request_id, verb, source, comment, document, heard_at)
VALUES (@id, @request_id, @verb, @source, @comment, @document, @heard_at)
ON CONFLICT (request_id, source) DO NOTHING;

-- name: Approvals :many
SELECT document FROM approvals WHERE request_id = @request_id ORDER BY seq;

-- name: OnRecord :one
SELECT COUNT(*) FROM approvals WHERE comment = @comment AND comment <> '';

-- name: InsertAdoption :one
INSERT INTO adoptions (id, forge, repository_id, document, adopted_at)
VALUES (@id, @forge, @repository_id, @document, @adopted_at)
RETURNING seq;

-- name: InForce :one
SELECT document FROM adoptions WHERE forge = @forge AND repository_id = @repository_id
ORDER BY seq DESC LIMIT 1;

-- name: Adoptions :many
SELECT document FROM adoptions WHERE forge = @forge AND repository_id = @repository_id
ORDER BY seq DESC LIMIT @most;
