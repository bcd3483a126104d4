-- name: ArriveInTurn :one
INSERT INTO turns (queue, forge, tenant, open, turn, due_at, changes)
VALUES (@queue, @forge, @tenant, @open,
        (SELECT COALESCE(MAX(t.turn), 0) + 1 FROM turns AS t WHERE t.queue = @queue AND t.open > 0), @due_at, 1)
ON CONFLICT (queue, forge, tenant) DO UPDATE SET
    open = turns.open + excluded.open, changes = turns.changes + 1,
    turn = CASE WHEN turns.open = 0 THEN excluded.turn ELSE turns.turn END,
    due_at = CASE WHEN turns.open > 0 AND turns.due_at < excluded.due_at THEN turns.due_at ELSE excluded.due_at END
RETURNING open;

-- name: ChangeTurn :execrows
UPDATE turns SET open = open - @closed, changes = changes + 1,
                 due_at = CASE WHEN due_at < @due_at THEN due_at ELSE @due_at END
WHERE queue = @queue AND forge = @forge AND tenant = @tenant;

-- Whoever found the row under way in this very moment must not put the tenant off for it.
-- name: ServeTurn :exec
UPDATE turns
SET turn = (SELECT COALESCE(MAX(t.turn), 0) + 1 FROM turns AS t WHERE t.queue = @queue AND t.open > 0),
    changes = turns.changes + 1, due_at = CASE WHEN turns.due_at < @now THEN turns.due_at ELSE @now END
WHERE turns.queue = @queue AND turns.forge = @forge AND turns.tenant = @tenant;

-- Nothing is put off where something came in since it was found that there was nothing to claim.
-- name: PutTurnOff :exec
UPDATE turns SET due_at = @due_at
WHERE queue = @queue AND forge = @forge AND tenant = @tenant AND changes = @changes;

-- name: AnyTurn :one
SELECT EXISTS (SELECT 1 FROM turns WHERE queue = @queue AND open > 0 AND due_at <= @now) AS due;

-- The plus keeps the query on the index of turns: sorting all who are due would cost more.
-- name: NextTurns :many
SELECT * FROM turns WHERE queue = @queue AND open > 0 AND +due_at <= @now
ORDER BY turn, forge, tenant LIMIT @most;

-- name: OpenInTurn :one
SELECT open FROM turns WHERE queue = @queue AND forge = @forge AND tenant = @tenant;
