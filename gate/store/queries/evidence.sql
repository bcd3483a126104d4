-- name: InsertSeal :exec
INSERT INTO seals (request_id, document, sealed_at) VALUES (@request_id, @document, @sealed_at);

-- name: Seal :one
SELECT document FROM seals WHERE request_id = @request_id;

-- name: InsertVerdict :exec
INSERT INTO verdicts (request_id, document, kept_at) VALUES (@request_id, @document, @kept_at);

-- name: Verdict :one
SELECT document FROM verdicts WHERE request_id = @request_id;

-- name: Unsaid :many
SELECT * FROM requests WHERE unsaid = 1 ORDER BY id LIMIT @most;

-- name: SetSaid :exec
UPDATE requests SET unsaid = 0 WHERE id = @id;

-- name: InsertCheckpoint :exec
INSERT INTO checkpoints (origin, size, witnesses, document, kept_at)
VALUES (@origin, @size, @witnesses, @document, @kept_at);

-- name: LatestCheckpoint :one
SELECT document FROM checkpoints WHERE origin = @origin ORDER BY size DESC, seq DESC LIMIT 1;

-- name: FirstCheckpointOf :one
SELECT document FROM checkpoints WHERE origin = @origin AND size >= @size ORDER BY size, seq DESC LIMIT 1;

-- name: CoveringCheckpoint :one
SELECT document FROM checkpoints WHERE origin = @origin AND size >= @size AND witnesses >= @witnesses
ORDER BY size DESC, seq DESC LIMIT 1;

-- name: InsertEpoch :exec
INSERT INTO epochs (number, origin, document, begun_at) VALUES (@number, @origin, @document, @begun_at);

-- name: Epochs :many
SELECT document FROM epochs ORDER BY number;

-- name: InsertCertificate :exec
INSERT INTO certificates (name, der, not_before, not_after, kept_at)
VALUES (@name, @der, @not_before, @not_after, @kept_at);

-- name: NewestCertificate :one
SELECT name, der, not_before, not_after FROM certificates WHERE name = @name
ORDER BY seq DESC LIMIT 1;

-- name: Certificates :many
SELECT name, der, not_before, not_after FROM certificates ORDER BY seq;

-- name: InsertTrustedRoot :exec
INSERT INTO trusted_roots (version, document, kept_at) VALUES (@version, @document, @kept_at);

-- name: NewestTrustedRoot :one
SELECT version, document FROM trusted_roots ORDER BY version DESC LIMIT 1;

-- name: TrustedRoot :one
SELECT document FROM trusted_roots WHERE version = @version;
