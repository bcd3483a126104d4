-- name: Session :one
SELECT data FROM sessions WHERE token = @token AND expires_at > @now;

-- name: SaveSession :exec
INSERT INTO sessions (token, data, expires_at) VALUES (@token, @data, @expires_at)
ON CONFLICT (token) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at;

-- name: EndSession :exec
DELETE FROM sessions WHERE token = @token;

-- A few at a time, so that nobody's sign-in pays for everybody's.
-- name: ExpiredSessionsSkipLocked :many
SELECT token FROM sessions WHERE expires_at <= @now ORDER BY expires_at LIMIT @most;
