-- What judgement over time needs: policies that are watched, protections as they were, jobs that wait for the gate,
-- changes to look at; posts that are given up, and those that go once.

-- +goose Up
CREATE TABLE watched (
    forge         TEXT    NOT NULL,
    repository_id BIGINT  NOT NULL,
    proposal      TEXT    NOT NULL DEFAULT '',
    looked_at     BIGINT  NOT NULL DEFAULT 0,
    due_at        BIGINT  NOT NULL DEFAULT 0,
    rung          BIGINT  NOT NULL DEFAULT 0,
    heard         BIGINT  NOT NULL DEFAULT 0,
    claim         BIGINT  NOT NULL DEFAULT 0,
    lease_owner   TEXT    NOT NULL DEFAULT '',
    lease_until   BIGINT  NOT NULL DEFAULT 0,
    PRIMARY KEY (forge, repository_id)
);
CREATE INDEX watched_due ON watched (due_at) WHERE due_at > 0;
CREATE INDEX watched_looked ON watched (looked_at);
INSERT INTO watched (forge, repository_id) SELECT DISTINCT forge, repository_id FROM adoptions;

CREATE TABLE protected_refs (
    forge         TEXT   NOT NULL,
    repository_id BIGINT NOT NULL,
    ref           TEXT   NOT NULL,
    changes       BIGINT NOT NULL,
    PRIMARY KEY (forge, repository_id, ref)
);

CREATE TABLE snapshots (
    seq           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    forge         TEXT   NOT NULL,
    repository_id BIGINT NOT NULL,
    ref           TEXT   NOT NULL,
    read_at       BIGINT NOT NULL,
    until_at      BIGINT NOT NULL,
    rules         TEXT   NOT NULL,
    document      TEXT   NOT NULL
);
CREATE INDEX snapshots_ref ON snapshots (forge, repository_id, ref, read_at, seq);

CREATE TABLE deployments (
    forge         TEXT   NOT NULL,
    repository_id BIGINT NOT NULL,
    run_id        BIGINT NOT NULL,
    environment   TEXT   NOT NULL,
    requested_at  BIGINT NOT NULL,
    verdict       TEXT   NOT NULL DEFAULT '' CHECK (verdict IN ('', 'approved', 'rejected')),
    request_id    TEXT   NOT NULL DEFAULT '',
    ended_at      BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (forge, repository_id, run_id, environment)
);

CREATE TABLE policy_changes (
    forge         TEXT    NOT NULL,
    repository_id BIGINT  NOT NULL,
    number        BIGINT  NOT NULL,
    due_at        BIGINT  NOT NULL,
    rung          BIGINT  NOT NULL DEFAULT 1,
    heard         BIGINT  NOT NULL DEFAULT 0,
    claim         BIGINT  NOT NULL DEFAULT 0,
    lease_owner   TEXT    NOT NULL DEFAULT '',
    lease_until   BIGINT  NOT NULL DEFAULT 0,
    why           TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (forge, repository_id, number)
);
CREATE INDEX policy_changes_due ON policy_changes (due_at);

-- Where a statement was made: one that is read again in its thread is known by it.
ALTER TABLE approvals ADD COLUMN comment TEXT NOT NULL DEFAULT '';
UPDATE approvals SET comment = concat_ws(' ', document::json #>> '{source,repository}',
        document::json #>> '{source,thread,number}', document::json #>> '{source,thread,issue}',
        document::json #>> '{source,id}')
WHERE document::json #>> '{source,id}' <> '0';
CREATE INDEX approvals_comment ON approvals (comment) WHERE comment <> '';

ALTER TABLE posts DROP CONSTRAINT posts_target_check;
ALTER TABLE posts ADD CONSTRAINT posts_target_check
    CHECK (target IN ('status', 'check', 'comment', 'reply', 'reaction', 'thread', 'deployment'));
ALTER TABLE posts DROP CONSTRAINT posts_state_check;
ALTER TABLE posts ADD CONSTRAINT posts_state_check CHECK (state IN ('open', 'done', 'dropped', 'given up'));
ALTER TABLE posts ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;
ALTER TABLE posts ADD COLUMN once INTEGER NOT NULL DEFAULT 0;
UPDATE posts SET once = 1 WHERE seq IN (
    SELECT MIN(seq) FROM posts WHERE target IN ('reply', 'reaction')
    GROUP BY forge, repository_id, target, post_key);
CREATE UNIQUE INDEX posts_once ON posts (forge, repository_id, target, post_key) WHERE once = 1;
CREATE INDEX posts_given_up ON posts (ended_at) WHERE state = 'given up';
CREATE INDEX posts_given_up_request ON posts (request_id) WHERE state = 'given up';
