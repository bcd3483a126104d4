-- name: Watch :exec
INSERT INTO watched (forge, repository_id, due_at, rung) VALUES (@forge, @repository_id, @due_at, 1)
ON CONFLICT (forge, repository_id) DO UPDATE SET rung = watched.rung + 1, due_at = excluded.due_at;

-- A repository that keeps ringing does not go to the end of the line.
-- name: RingWatched :execrows
UPDATE watched SET rung = rung + 1, due_at = CASE WHEN due_at = 0 THEN @due_at ELSE due_at END
WHERE forge = @forge AND repository_id = @repository_id;

-- name: DueWatchedSkipLocked :one
SELECT * FROM watched WHERE due_at > 0 AND due_at <= @now AND lease_until <= @now
ORDER BY due_at, forge, repository_id LIMIT 1;

-- name: UnwatchedSkipLocked :one
SELECT * FROM watched WHERE looked_at <= @before AND lease_until <= @now
ORDER BY looked_at, forge, repository_id LIMIT 1;

-- name: LeaseWatched :exec
UPDATE watched SET lease_owner = @lease_owner, lease_until = @lease_until, heard = rung, claim = @claim
WHERE forge = @forge AND repository_id = @repository_id;

-- name: WatchedForUpdate :one
SELECT * FROM watched WHERE forge = @forge AND repository_id = @repository_id;

-- name: SaveWatched :exec
UPDATE watched SET proposal = @proposal, looked_at = @looked_at, due_at = @due_at, lease_owner = '', lease_until = 0
WHERE forge = @forge AND repository_id = @repository_id;

-- name: SetProposal :exec
UPDATE watched SET proposal = @proposal WHERE forge = @forge AND repository_id = @repository_id;

-- name: Proposal :one
SELECT proposal FROM watched WHERE forge = @forge AND repository_id = @repository_id;

-- Whoever changes the snapshots of a ref holds its row.
-- name: HoldRef :exec
INSERT INTO protected_refs (forge, repository_id, ref, changes) VALUES (@forge, @repository_id, @ref, 1)
ON CONFLICT (forge, repository_id, ref) DO UPDATE SET changes = protected_refs.changes + 1;

-- name: SnapshotBefore :one
SELECT * FROM snapshots
WHERE forge = @forge AND repository_id = @repository_id AND ref = @ref AND read_at <= @read_at
ORDER BY read_at DESC, seq DESC LIMIT 1;

-- name: SnapshotAfter :one
SELECT * FROM snapshots
WHERE forge = @forge AND repository_id = @repository_id AND ref = @ref AND read_at > @read_at
ORDER BY read_at, seq LIMIT 1;

-- name: EndSnapshot :exec
UPDATE snapshots SET until_at = @until_at WHERE seq = @seq;

-- name: BackdateSnapshot :exec
UPDATE snapshots SET read_at = @read_at WHERE seq = @seq;

-- name: InsertSnapshot :exec
INSERT INTO snapshots (forge, repository_id, ref, read_at, until_at, rules, document)
VALUES (@forge, @repository_id, @ref, @read_at, @until_at, @rules, @document);

-- name: Snapshots :many
SELECT * FROM snapshots
WHERE forge = @forge AND repository_id = @repository_id AND ref = @ref AND (until_at = 0 OR until_at >= @since)
ORDER BY read_at, seq;

-- name: Deployments :many
SELECT * FROM deployments
WHERE forge = @forge AND repository_id = @repository_id AND run_id = @run_id AND verdict = ''
ORDER BY requested_at, environment;

-- A job that runs again asks again, later than it asked before.
-- name: RememberDeployment :execrows
INSERT INTO deployments (forge, repository_id, run_id, environment, requested_at)
VALUES (@forge, @repository_id, @run_id, @environment, @requested_at)
ON CONFLICT (forge, repository_id, run_id, environment)
DO UPDATE SET requested_at = excluded.requested_at, verdict = '', request_id = '', ended_at = 0
WHERE deployments.verdict <> '' AND deployments.requested_at < excluded.requested_at;

-- A verdict that is told late must not end the wait of the job that asked since.
-- name: EndDeployment :exec
UPDATE deployments SET verdict = @verdict, request_id = @request_id, ended_at = @ended_at
WHERE forge = @forge AND repository_id = @repository_id AND run_id = @run_id AND environment = @environment
  AND verdict = '' AND (requested_at <= @requested_at OR CAST(@requested_at AS BIGINT) = 0);
