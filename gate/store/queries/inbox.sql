-- Queries whose names end in ForUpdate or SkipLocked take row locks on PostgreSQL.

-- name: InsertDelivery :execrows
INSERT INTO inbox (forge, delivery_id, event, thread, tenant, body, received_at, due_at)
VALUES (@forge, @delivery_id, @event, @thread, @tenant, @body, @received_at, @due_at)
ON CONFLICT (forge, delivery_id) DO NOTHING;

-- name: OpenDeliverySkipLocked :one
SELECT seq, forge, delivery_id, event, thread, tenant, body, received_at FROM inbox AS i
WHERE i.forge = @forge AND i.tenant = @tenant AND i.done_at = 0 AND i.due_at <= @now AND i.lease_until <= @now
  AND (i.thread = '' OR NOT EXISTS (
    SELECT 1 FROM inbox AS e
    WHERE e.forge = i.forge AND e.thread = i.thread AND e.done_at = 0 AND e.seq < i.seq))
ORDER BY i.due_at, i.seq
LIMIT 1;

-- name: NextDelivery :one
SELECT CAST(COALESCE(MIN(CASE WHEN due_at > @now THEN due_at WHEN lease_until > @now THEN lease_until ELSE CAST(@blocked AS BIGINT) END), 0)
    AS BIGINT) AS at
FROM inbox WHERE forge = @forge AND tenant = @tenant AND done_at = 0;

-- name: LeaseDelivery :exec
UPDATE inbox SET lease_owner = @lease_owner, lease_until = @lease_until, tries = tries + 1
WHERE seq = @seq;

-- name: FinishDelivery :one
UPDATE inbox SET done_at = @done_at, lease_owner = '', lease_until = 0
WHERE forge = @forge AND delivery_id = @delivery_id AND done_at = 0
RETURNING tenant;

-- name: DeferDelivery :one
UPDATE inbox SET due_at = @due_at, why = @why, lease_owner = '', lease_until = 0
WHERE forge = @forge AND delivery_id = @delivery_id AND done_at = 0
RETURNING tenant;

-- The body goes some days after the work: a delivery is a doorbell, and only its id is needed then.
-- name: KeptBodiesSkipLocked :many
SELECT seq FROM inbox WHERE done_at > 0 AND length(body) > 0 AND done_at <= @before ORDER BY done_at LIMIT @most;

-- name: DropBody :exec
UPDATE inbox SET body = @nothing WHERE seq = @seq;

-- name: DeliveryForUpdate :one
SELECT seq, forge, thread, tenant, done_at, lease_until, CAST(length(body) AS BIGINT) AS size FROM inbox WHERE seq = @seq;

-- name: OpenOfThreadForUpdate :many
SELECT seq, lease_until FROM inbox WHERE forge = @forge AND thread = @thread AND done_at = 0 ORDER BY seq;

-- name: ReopenDelivery :exec
UPDATE inbox SET done_at = 0, due_at = @due_at, tenant = @tenant, why = '' WHERE seq = @seq;

-- name: Received :many
SELECT seq, forge, delivery_id, event, received_at, done_at, tries, why FROM inbox
WHERE seq < @before ORDER BY seq DESC LIMIT @most;

-- name: ReceivedOpen :many
SELECT seq, forge, delivery_id, event, received_at, done_at, tries, why FROM inbox
WHERE done_at = 0 AND seq < @before ORDER BY seq DESC LIMIT @most;
