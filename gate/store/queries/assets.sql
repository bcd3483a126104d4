-- name: WatchAssets :exec
INSERT INTO asset_watches (request_id, forge, repository_id, ref, due_at, ends_at)
VALUES (@request_id, @forge, @repository_id, @ref, @due_at, @ends_at)
ON CONFLICT (request_id) DO NOTHING;

-- name: DueAssetsSkipLocked :one
SELECT * FROM asset_watches WHERE due_at <= @now AND lease_until <= @now AND ends_at > @now
ORDER BY due_at, request_id LIMIT 1;

-- What rings during the look is due before the lease ends.
-- name: LeaseAssets :exec
UPDATE asset_watches SET lease_until = @lease_until, due_at = @lease_until WHERE request_id = @request_id;

-- name: RingAssets :execrows
UPDATE asset_watches SET due_at = @due_at
WHERE forge = @forge AND repository_id = @repository_id AND ref = @ref AND ends_at > @due_at;

-- name: LookedAtAssets :execrows
UPDATE asset_watches SET due_at = CASE WHEN due_at < lease_until THEN due_at ELSE @due_at END, lease_until = 0, said = @said
WHERE request_id = @request_id;

-- name: KeepMismatch :execrows
INSERT INTO asset_mismatches (request_id, name, digest, found_at)
VALUES (@request_id, @name, @digest, @found_at)
ON CONFLICT (request_id, name, digest) DO NOTHING;

-- name: RingAssetPosts :execrows
UPDATE posts SET due_at = @due_at
WHERE forge = @forge AND repository_id = @repository_id AND state = 'open' AND target = 'assets' AND due_at > @due_at;
