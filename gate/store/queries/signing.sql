-- name: InsertIntent :exec
INSERT INTO intents (id, request_id, attempt, position, digest, key_lineage, key_version, document,
                     state, owner, lease_until, made_at)
VALUES (@id, @request_id, @attempt, @position, @digest, @key_lineage, @key_version, @document,
        'open', @owner, @lease_until, @made_at);

-- name: IntentsOfAttempt :many
SELECT * FROM intents WHERE request_id = @request_id AND attempt = @attempt ORDER BY position;

-- name: EndIntent :execrows
UPDATE intents SET state = @state, ended_at = @ended_at WHERE id = @id AND state = 'open';

-- name: InsertSignature :exec
INSERT INTO signatures (intent_id, request_id, signature, signed_at)
VALUES (@intent_id, @request_id, @signature, @signed_at);

-- name: SignedIntents :many
SELECT i.document, s.intent_id, s.signature, s.signed_at
FROM signatures AS s JOIN intents AS i ON i.id = s.intent_id
WHERE s.request_id = @request_id
ORDER BY i.attempt, i.position;
