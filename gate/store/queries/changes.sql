-- A change that was deferred is looked at at once where it rings.
-- name: RingChange :exec
INSERT INTO policy_changes (forge, repository_id, number, due_at) VALUES (@forge, @repository_id, @number, @due_at)
ON CONFLICT (forge, repository_id, number)
DO UPDATE SET rung = policy_changes.rung + 1,
              due_at = CASE WHEN policy_changes.due_at < excluded.due_at THEN policy_changes.due_at ELSE excluded.due_at END;

-- name: DueChangeSkipLocked :one
SELECT * FROM policy_changes WHERE due_at <= @now AND lease_until <= @now
ORDER BY due_at, forge, repository_id, number LIMIT 1;

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
