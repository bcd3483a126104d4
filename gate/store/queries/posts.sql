-- name: InsertPost :execrows
INSERT INTO posts (id, request_id, forge, repository_id, target, post_key, latest_only, threadless, once,
                   document, state, due_at, made_at)
VALUES (@id, @request_id, @forge, @repository_id, @target, @post_key, @latest_only, @threadless, @once,
        @document, 'open', @due_at, @made_at)
ON CONFLICT (forge, repository_id, target, post_key) WHERE once = 1 DO NOTHING;

-- name: OpenPostsOfKey :many
SELECT document FROM posts
WHERE forge = @forge AND repository_id = @repository_id AND target = @target AND post_key = @post_key
  AND state = 'open'
ORDER BY seq;

-- A post waits for every earlier one of its target and key that is under way, and for every earlier one at all
-- where each counts; where only the latest counts, the latest goes.
-- name: OpenPostSkipLocked :one
SELECT * FROM posts AS p
WHERE p.forge = @forge AND p.repository_id = @repository_id
  AND p.state = 'open' AND p.due_at <= @now AND p.lease_until <= @now
  AND (p.threadless = 0 OR EXISTS (
    SELECT 1 FROM requests AS r WHERE r.id = p.request_id AND r.thread_number > 0))
  AND NOT EXISTS (
    SELECT 1 FROM posts AS o
    WHERE o.forge = p.forge AND o.repository_id = p.repository_id AND o.target = p.target
      AND o.post_key = p.post_key AND o.state = 'open'
      AND ((o.seq < p.seq AND (p.latest_only = 0 OR o.lease_until > @now))
        OR (o.seq > p.seq AND p.latest_only = 1)))
ORDER BY p.due_at, p.seq
LIMIT 1;

-- name: NextPost :one
SELECT CAST(COALESCE(MIN(CASE WHEN due_at > @now THEN due_at WHEN lease_until > @now THEN lease_until ELSE CAST(@blocked AS BIGINT) END), 0)
    AS BIGINT) AS at
FROM posts WHERE forge = @forge AND repository_id = @repository_id AND state = 'open';

-- name: LeasePost :exec
UPDATE posts SET lease_owner = @lease_owner, lease_until = @lease_until, tries = tries + 1 WHERE id = @id;

-- name: DropOlderPosts :many
UPDATE posts SET state = 'dropped', ended_at = @now, lease_owner = '', lease_until = 0,
                 why = 'a newer one says more'
WHERE forge = @forge AND repository_id = @repository_id AND target = @target AND post_key = @post_key
  AND state = 'open' AND seq < @seq AND lease_until <= @now
RETURNING request_id;

-- name: OlderPosts :one
SELECT COUNT(*) FROM posts
WHERE forge = @forge AND repository_id = @repository_id AND target = @target AND post_key = @post_key
  AND state = 'open' AND seq < @seq;

-- name: Known :one
SELECT known FROM known_posts
WHERE forge = @forge AND repository_id = @repository_id AND target = @target AND post_key = @post_key;

-- name: Remember :exec
INSERT INTO known_posts (forge, repository_id, target, post_key, known, known_at)
VALUES (@forge, @repository_id, @target, @post_key, @known, @known_at)
ON CONFLICT (forge, repository_id, target, post_key)
DO UPDATE SET known = excluded.known, known_at = excluded.known_at;

-- name: EndPost :execrows
UPDATE posts SET state = 'done', ended_at = @ended_at, lease_owner = '', lease_until = 0
WHERE id = @id AND state = 'open';

-- name: DeferPost :execrows
UPDATE posts SET due_at = @due_at, why = @why, lease_owner = '', lease_until = 0
WHERE id = @id AND state = 'open';

-- name: RefusePost :one
UPDATE posts SET due_at = @due_at, why = @why, refusals = refusals + 1, lease_owner = '', lease_until = 0
WHERE id = @id AND state = 'open'
RETURNING refusals;

-- name: GiveUpPost :exec
UPDATE posts SET state = 'given up', ended_at = @ended_at WHERE id = @id AND state = 'open';

-- Without a thread, what was to be said in it cannot be.
-- name: GiveUpThreadless :execrows
UPDATE posts SET state = 'given up', ended_at = @ended_at, why = @why, lease_owner = '', lease_until = 0
WHERE request_id = @request_id AND state = 'open' AND threadless = 1;

-- name: OpenThreadPosts :one
SELECT COUNT(*) FROM posts WHERE request_id = @request_id AND state = 'open' AND target = 'thread';

-- name: GivenUp :many
SELECT * FROM posts WHERE state = 'given up' ORDER BY ended_at DESC, seq DESC LIMIT @most;

-- name: CountGivenUp :one
SELECT COUNT(*) FROM posts WHERE request_id = @request_id AND state = 'given up';

-- name: OpenPosts :one
SELECT COUNT(*) FROM posts WHERE request_id = @request_id AND state = 'open';

-- name: Post :one
SELECT * FROM posts WHERE id = @id;

-- name: PostForUpdate :one
SELECT * FROM posts WHERE id = @id;

-- What was told, or is to be told, after a post of the same key; what was given up says nothing.
-- name: NewerPosts :one
SELECT COUNT(*) FROM posts
WHERE forge = @forge AND repository_id = @repository_id AND target = @target AND post_key = @post_key
  AND state IN ('open', 'done') AND seq > @seq;

-- name: ReopenPost :exec
UPDATE posts SET state = 'open', due_at = @due_at, ended_at = 0, refusals = 0 WHERE id = @id;

-- name: GivenUpForThread :many
SELECT * FROM posts
WHERE request_id = @request_id AND state = 'given up' AND (target = 'thread' OR threadless = 1)
ORDER BY seq;
