-- A change that was deferred is looked at at once where it rings.
-- name: RingChange :one
INSERT INTO policy_changes (forge, repository_id, number, due_at, since) VALUES (@forge, @repository_id, @number, @due_at, @due_at)
ON CONFLICT (forge, repository_id, number)
DO UPDATE SET rung = policy_changes.rung + 1,
              due_at = CASE WHEN policy_changes.due_at < excluded.due_at THEN policy_changes.due_at ELSE excluded.due_at END
RETURNING rung;

-- name: DueChangeSkipLocked :one
SELECT * FROM policy_changes
WHERE forge = @forge AND repository_id = @repository_id AND due_at <= @now AND lease_until <= @now
ORDER BY due_at, number LIMIT 1;

-- name: NextChange :one
SELECT CAST(COALESCE(MIN(CASE WHEN due_at > @now THEN due_at WHEN lease_until > @now THEN lease_until ELSE CAST(@blocked AS BIGINT) END), 0)
    AS BIGINT) AS at
FROM policy_changes WHERE forge = @forge AND repository_id = @repository_id;

-- name: LeaseChange :exec
UPDATE policy_changes SET lease_owner = @lease_owner, lease_until = @lease_until, heard = rung, claim = @claim
WHERE forge = @forge AND repository_id = @repository_id AND number = @number;

-- name: ChangeForUpdate :one
SELECT * FROM policy_changes WHERE forge = @forge AND repository_id = @repository_id AND number = @number;

-- name: ScheduleChange :exec
UPDATE policy_changes SET due_at = @due_at, why = @why, lease_owner = '', lease_until = 0
WHERE forge = @forge AND repository_id = @repository_id AND number = @number;

-- name: EndChange :exec
DELETE FROM policy_changes WHERE forge = @forge AND repository_id = @repository_id AND number = @number;
