-- The files of signed releases at their forges, which are compared with what was signed for a while. said stands for
-- what was told of them last; a file that was found to differ is told once.

-- +goose Up
CREATE TABLE asset_watches (
    request_id    TEXT PRIMARY KEY REFERENCES requests (id),
    forge         TEXT    NOT NULL,
    repository_id BIGINT  NOT NULL,
    ref           TEXT    NOT NULL,
    due_at        BIGINT  NOT NULL,
    lease_until   BIGINT  NOT NULL DEFAULT 0,
    ends_at       BIGINT  NOT NULL,
    said          TEXT    NOT NULL DEFAULT ''
);
CREATE INDEX asset_watches_due ON asset_watches (due_at, request_id);
CREATE INDEX asset_watches_ref ON asset_watches (forge, repository_id, ref);

CREATE TABLE asset_mismatches (
    request_id TEXT    NOT NULL REFERENCES requests (id),
    name       TEXT    NOT NULL,
    digest     TEXT    NOT NULL,
    found_at   BIGINT  NOT NULL,
    PRIMARY KEY (request_id, name, digest)
);
