-- What judgement over time needs: policies that are watched, protections as they were, jobs that wait for the gate,
-- changes to look at; posts that are given up, and those that go once.

-- +goose Up
CREATE TABLE watched (
    forge         TEXT    NOT NULL,
    repository_id INTEGER NOT NULL,
    proposal      TEXT    NOT NULL DEFAULT '',
    looked_at     INTEGER NOT NULL DEFAULT 0,
    due_at        INTEGER NOT NULL DEFAULT 0,
    rung          INTEGER NOT NULL DEFAULT 0,
    heard         INTEGER NOT NULL DEFAULT 0,
    claim         INTEGER NOT NULL DEFAULT 0,
    lease_owner   TEXT    NOT NULL DEFAULT '',
    lease_until   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (forge, repository_id)
) STRICT;
CREATE INDEX watched_due ON watched (due_at) WHERE due_at > 0;
CREATE INDEX watched_looked ON watched (looked_at);
INSERT INTO watched (forge, repository_id) SELECT DISTINCT forge, repository_id FROM adoptions;

CREATE TABLE protected_refs (
    forge         TEXT    NOT NULL,
    repository_id INTEGER NOT NULL,
    ref           TEXT    NOT NULL,
    changes       INTEGER NOT NULL,
    PRIMARY KEY (forge, repository_id, ref)
) STRICT;

CREATE TABLE snapshots (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    forge         TEXT    NOT NULL,
    repository_id INTEGER NOT NULL,
    ref           TEXT    NOT NULL,
    read_at       INTEGER NOT NULL,
    until_at      INTEGER NOT NULL,
    rules         TEXT    NOT NULL,
    document      TEXT    NOT NULL
) STRICT;
CREATE INDEX snapshots_ref ON snapshots (forge, repository_id, ref, read_at, seq);

CREATE TABLE deployments (
    forge         TEXT    NOT NULL,
    repository_id INTEGER NOT NULL,
    run_id        INTEGER NOT NULL,
    environment   TEXT    NOT NULL,
    requested_at  INTEGER NOT NULL,
    verdict       TEXT    NOT NULL DEFAULT '' CHECK (verdict IN ('', 'approved', 'rejected')),
    request_id    TEXT    NOT NULL DEFAULT '',
    ended_at      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (forge, repository_id, run_id, environment)
) STRICT;

CREATE TABLE policy_changes (
    forge         TEXT    NOT NULL,
    repository_id INTEGER NOT NULL,
    number        INTEGER NOT NULL,
    due_at        INTEGER NOT NULL,
    rung          INTEGER NOT NULL DEFAULT 1,
    heard         INTEGER NOT NULL DEFAULT 0,
    claim         INTEGER NOT NULL DEFAULT 0,
    lease_owner   TEXT    NOT NULL DEFAULT '',
    lease_until   INTEGER NOT NULL DEFAULT 0,
    why           TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (forge, repository_id, number)
) STRICT;
CREATE INDEX policy_changes_due ON policy_changes (due_at);

-- Where a statement was made: one that is read again in its thread is known by it.
ALTER TABLE approvals ADD COLUMN comment TEXT NOT NULL DEFAULT '';
UPDATE approvals SET comment = (document ->> '$.source.repository') || ' ' || (document ->> '$.source.thread.number') || ' '
        || CASE document ->> '$.source.thread.issue' WHEN 1 THEN 'true' ELSE 'false' END || ' ' || (document ->> '$.source.id')
WHERE document ->> '$.source.id' <> 0;
CREATE INDEX approvals_comment ON approvals (comment) WHERE comment <> '';

-- SQLite changes no constraint of a table: it is made anew.
CREATE TABLE posts_next (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    id            TEXT    NOT NULL UNIQUE,
    request_id    TEXT    NOT NULL,
    forge         TEXT    NOT NULL,
    repository_id INTEGER NOT NULL,
    target        TEXT    NOT NULL CHECK (target IN ('status', 'check', 'comment', 'reply', 'reaction', 'thread', 'deployment')),
    post_key      TEXT    NOT NULL,
    latest_only   INTEGER NOT NULL,
    threadless    INTEGER NOT NULL,
    document      TEXT    NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('open', 'done', 'dropped', 'given up')),
    due_at        INTEGER NOT NULL,
    lease_owner   TEXT    NOT NULL DEFAULT '',
    lease_until   INTEGER NOT NULL DEFAULT 0,
    tries         INTEGER NOT NULL DEFAULT 0,
    why           TEXT    NOT NULL DEFAULT '',
    made_at       INTEGER NOT NULL,
    ended_at      INTEGER NOT NULL DEFAULT 0,
    refusals      INTEGER NOT NULL DEFAULT 0,
    once          INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO posts_next (seq, id, request_id, forge, repository_id, target, post_key, latest_only, threadless, document,
                        state, due_at, lease_owner, lease_until, tries, why, made_at, ended_at)
SELECT seq, id, request_id, forge, repository_id, target, post_key, latest_only, threadless, document,
       state, due_at, lease_owner, lease_until, tries, why, made_at, ended_at FROM posts;
DROP TABLE posts;
ALTER TABLE posts_next RENAME TO posts;
CREATE INDEX posts_open ON posts (seq) WHERE state = 'open';
CREATE INDEX posts_open_key ON posts (forge, repository_id, target, post_key, seq) WHERE state = 'open';
CREATE INDEX posts_open_request ON posts (request_id) WHERE state = 'open';
UPDATE posts SET once = 1 WHERE seq IN (
    SELECT MIN(seq) FROM posts WHERE target IN ('reply', 'reaction')
    GROUP BY forge, repository_id, target, post_key);
CREATE UNIQUE INDEX posts_once ON posts (forge, repository_id, target, post_key) WHERE once = 1;
CREATE INDEX posts_given_up ON posts (ended_at) WHERE state = 'given up';
CREATE INDEX posts_given_up_request ON posts (request_id) WHERE state = 'given up';
