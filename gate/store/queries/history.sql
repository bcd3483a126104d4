-- The leaves about a request itself. Documents come only where nothing else tells what they say.
-- name: LeavesAbout :many
SELECT l.idx, l.kind, l.made_at, d.document
FROM leaves AS l LEFT JOIN documents AS d
    ON d.idx = l.idx AND l.kind IN ('request-joined', 'late-signature-discarded', 'failed')
WHERE l.leaf_id = @request_id
ORDER BY l.idx;

-- name: DecisionsOf :many
SELECT outcome, state, why FROM decisions WHERE request_id = @request_id ORDER BY version;

-- name: StatementsOf :many
SELECT l.idx, l.made_at, a.document FROM approvals AS a JOIN leaves AS l ON l.leaf_id = a.id
WHERE a.request_id = @request_id
ORDER BY l.idx;

-- An attempt ends as one: the leaves of its intents follow that of the first.
-- name: AttemptsOf :many
SELECT i.attempt, i.key_lineage, i.key_version, i.state, i.made_at,
       (SELECT COUNT(*) FROM intents AS c WHERE c.request_id = i.request_id AND c.attempt = i.attempt) AS intents,
       CAST(COALESCE(l.idx, -1) AS BIGINT) AS idx, CAST(COALESCE(l.made_at, 0) AS BIGINT) AS ended_at
FROM intents AS i LEFT JOIN leaves AS l ON l.leaf_id = i.id AND l.kind IN ('signature', 'orphaned')
WHERE i.request_id = @request_id AND i.position = 0
ORDER BY i.attempt;
