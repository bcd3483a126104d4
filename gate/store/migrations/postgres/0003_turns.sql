-- Tenants are served in turn: whoever has much to do does not keep the others waiting.
-- A tenant has a row for each queue it was ever in: open counts what it has there, the smallest turn is served next,
-- and before due_at there is nothing to claim. changes counts all that may bring due_at forward.

-- +goose Up
CREATE TABLE turns (
    queue   TEXT   NOT NULL CHECK (queue IN ('delivery', 'request', 'post', 'change')),
    forge   TEXT   NOT NULL,
    tenant  TEXT   NOT NULL,
    open    BIGINT NOT NULL CHECK (open >= 0),
    turn    BIGINT NOT NULL,
    due_at  BIGINT NOT NULL,
    changes BIGINT NOT NULL,
    PRIMARY KEY (queue, forge, tenant)
);
CREATE INDEX turns_next ON turns (queue, turn, forge, tenant) WHERE open > 0;
CREATE INDEX turns_due ON turns (queue, due_at) WHERE open > 0;

ALTER TABLE inbox ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
UPDATE inbox SET tenant = split_part(split_part(thread, '#', 1), '!', 1) WHERE done_at = 0;

INSERT INTO turns (queue, forge, tenant, open, turn, due_at, changes)
SELECT 'delivery', forge, tenant, COUNT(*), MIN(seq), 0, 1 FROM inbox WHERE done_at = 0 GROUP BY forge, tenant;
INSERT INTO turns (queue, forge, tenant, open, turn, due_at, changes)
SELECT 'request', forge, CAST(repository_id AS TEXT), COUNT(*), 1, 0, 1 FROM requests WHERE ended = 0
GROUP BY forge, repository_id;
INSERT INTO turns (queue, forge, tenant, open, turn, due_at, changes)
SELECT 'post', forge, CAST(repository_id AS TEXT), COUNT(*), MIN(seq), 0, 1 FROM posts WHERE state = 'open'
GROUP BY forge, repository_id;
INSERT INTO turns (queue, forge, tenant, open, turn, due_at, changes)
SELECT 'change', forge, CAST(repository_id AS TEXT), COUNT(*), 1, 0, 1 FROM policy_changes GROUP BY forge, repository_id;

DROP INDEX inbox_open;
CREATE INDEX inbox_open ON inbox (forge, tenant, due_at, seq) WHERE done_at = 0;
DROP INDEX requests_due;
CREATE INDEX requests_due ON requests (forge, repository_id, due_at, id) WHERE ended = 0;
DROP INDEX posts_open;
CREATE INDEX posts_open ON posts (forge, repository_id, due_at, seq) WHERE state = 'open';
DROP INDEX policy_changes_due;
CREATE INDEX policy_changes_due ON policy_changes (forge, repository_id, due_at, number);
