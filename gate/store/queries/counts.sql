-- Counts that pages read. Each is kept in the transaction that changes what it counts.

-- name: CountAsked :exec
INSERT INTO repositories (forge, repository_id, undecided, asked_at) VALUES (@forge, @repository_id, 1, @asked_at)
ON CONFLICT (forge, repository_id) DO UPDATE SET
    undecided = repositories.undecided + 1,
    asked_at = CASE WHEN repositories.asked_at > excluded.asked_at THEN repositories.asked_at ELSE excluded.asked_at END;

-- name: CountDecided :exec
UPDATE repositories SET undecided = undecided - 1, signed = signed + @signed
WHERE forge = @forge AND repository_id = @repository_id;

-- name: CountAdopted :exec
INSERT INTO repositories (forge, repository_id, adoption) VALUES (@forge, @repository_id, @adoption)
ON CONFLICT (forge, repository_id) DO UPDATE SET
    adoption = CASE WHEN repositories.adoption > excluded.adoption THEN repositories.adoption ELSE excluded.adoption END;

-- name: CountSigned :exec
INSERT INTO key_uses (lineage, version, signatures, releases, orphans, first_at, last_at)
VALUES (@lineage, @version, @signatures, 1, 0, @signed_at, @signed_at)
ON CONFLICT (lineage, version) DO UPDATE SET
    signatures = key_uses.signatures + excluded.signatures, releases = key_uses.releases + 1,
    first_at = CASE WHEN key_uses.first_at > 0 THEN key_uses.first_at ELSE excluded.first_at END,
    last_at = CASE WHEN key_uses.last_at > excluded.last_at THEN key_uses.last_at ELSE excluded.last_at END;

-- name: CountOrphaned :exec
INSERT INTO key_uses (lineage, version, signatures, releases, orphans, first_at, last_at)
VALUES (@lineage, @version, 0, 0, @orphans, 0, 0)
ON CONFLICT (lineage, version) DO UPDATE SET orphans = key_uses.orphans + excluded.orphans;

-- name: KeyUses :many
SELECT * FROM key_uses ORDER BY lineage, version;

-- name: Enrolled :many
SELECT r.undecided, r.signed, r.asked_at, a.document
FROM repositories AS r JOIN adoptions AS a ON a.seq = r.adoption
WHERE r.adoption > 0
ORDER BY r.asked_at DESC, r.repository_id DESC, r.forge DESC LIMIT @most;

-- name: LatestOfEnrolled :many
SELECT q.* FROM (
    SELECT forge, repository_id FROM repositories WHERE adoption > 0
    ORDER BY asked_at DESC, repository_id DESC, forge DESC LIMIT @most) AS r
JOIN requests AS q ON q.id = (
    SELECT MAX(l.id) FROM requests AS l WHERE l.forge = r.forge AND l.repository_id = r.repository_id);

-- name: InTurn :one
SELECT CAST(COALESCE(SUM(open), 0) AS BIGINT) AS open FROM turns WHERE queue = @queue AND open > 0;

-- name: Undecided :one
SELECT CAST(COALESCE(SUM(undecided), 0) AS BIGINT) AS undecided FROM repositories WHERE undecided > 0;

-- name: OldestDelivery :one
SELECT received_at FROM inbox WHERE done_at = 0 ORDER BY seq LIMIT 1;

-- name: OldestUndecided :one
SELECT created_at FROM requests WHERE ended = 0 AND signed_at = 0 ORDER BY id LIMIT 1;

-- name: OldestPost :one
SELECT made_at FROM posts WHERE state = 'open' ORDER BY seq LIMIT 1;

-- name: OldestChange :one
SELECT since FROM policy_changes ORDER BY since LIMIT 1;

-- name: SigningMicros :many
SELECT CAST(r.signed_at - i.made_at AS BIGINT) AS micros
FROM requests AS r JOIN intents AS i ON i.request_id = r.id AND i.attempt = r.signing AND i.position = 0
WHERE r.signed_at > 0 ORDER BY r.signed_at DESC LIMIT @most;
