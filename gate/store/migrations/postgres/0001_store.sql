-- Times are BIGINT microseconds since 1970 UTC, 0 for never; flags are INTEGER 0 or 1; documents are JSON as
-- written and are never searched.

-- +goose Up
CREATE TABLE inbox (
    seq         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    forge       TEXT    NOT NULL,
    delivery_id TEXT    NOT NULL,
    event       TEXT    NOT NULL,
    thread      TEXT    NOT NULL,
    body        BYTEA   NOT NULL,
    received_at BIGINT  NOT NULL,
    done_at     BIGINT  NOT NULL DEFAULT 0,
    due_at      BIGINT  NOT NULL,
    lease_owner TEXT    NOT NULL DEFAULT '',
    lease_until BIGINT  NOT NULL DEFAULT 0,
    tries       INTEGER NOT NULL DEFAULT 0,
    why         TEXT    NOT NULL DEFAULT '',
    UNIQUE (forge, delivery_id)
);
CREATE INDEX inbox_open ON inbox (seq) WHERE done_at = 0;
CREATE INDEX inbox_open_thread ON inbox (forge, thread, seq) WHERE done_at = 0;

CREATE TABLE requests (
    id            TEXT    PRIMARY KEY,
    forge         TEXT    NOT NULL,
    repository_id BIGINT  NOT NULL,
    stream        TEXT    NOT NULL,
    commit_sha    TEXT    NOT NULL,
    code          TEXT    NOT NULL,
    ask_hash      TEXT    NOT NULL,
    attempt       INTEGER NOT NULL,
    document      TEXT    NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('waiting', 'granted', 'signing', 'signed', 'published',
                                                    'denied', 'withdrawn', 'expired', 'void', 'failed')),
    ended         INTEGER NOT NULL,
    version       BIGINT  NOT NULL,
    thread_number BIGINT  NOT NULL DEFAULT 0,
    thread_issue  INTEGER NOT NULL DEFAULT 0,
    decision      TEXT    NOT NULL DEFAULT '',
    signing       INTEGER NOT NULL DEFAULT 0,
    orphans       INTEGER NOT NULL DEFAULT 0,
    rung          BIGINT  NOT NULL DEFAULT 0,
    heard         BIGINT  NOT NULL DEFAULT 0,
    due_at        BIGINT  NOT NULL,
    lease_owner   TEXT    NOT NULL DEFAULT '',
    lease_until   BIGINT  NOT NULL DEFAULT 0,
    created_at    BIGINT  NOT NULL,
    updated_at    BIGINT  NOT NULL,
    signed_at     BIGINT  NOT NULL DEFAULT 0,
    CHECK (ended = CASE WHEN state IN ('waiting', 'granted', 'signing', 'signed') THEN 0 ELSE 1 END),
    UNIQUE (ask_hash, attempt)
);
CREATE UNIQUE INDEX requests_open_ask ON requests (ask_hash) WHERE ended = 0;
CREATE UNIQUE INDEX requests_open_code ON requests (forge, repository_id, code) WHERE ended = 0;
CREATE INDEX requests_due ON requests (due_at) WHERE ended = 0;
CREATE INDEX requests_repository ON requests (forge, repository_id, created_at);
CREATE INDEX requests_created ON requests (created_at);
CREATE INDEX requests_released ON requests (forge, repository_id, stream, signed_at) WHERE signed_at > 0;

CREATE TABLE actors (
    request_id TEXT    NOT NULL REFERENCES requests (id),
    position   INTEGER NOT NULL,
    forge      TEXT    NOT NULL,
    account_id BIGINT  NOT NULL,
    login      TEXT    NOT NULL,
    human      INTEGER NOT NULL,
    PRIMARY KEY (request_id, position),
    UNIQUE (request_id, forge, account_id)
);

CREATE TABLE token_uses (
    issuer     TEXT   NOT NULL,
    token_id   TEXT   NOT NULL,
    request_id TEXT   NOT NULL REFERENCES requests (id),
    expires_at BIGINT NOT NULL,
    bound_at   BIGINT NOT NULL,
    PRIMARY KEY (issuer, token_id)
);

CREATE TABLE decisions (
    request_id TEXT   NOT NULL REFERENCES requests (id),
    version    BIGINT NOT NULL,
    outcome    TEXT   NOT NULL CHECK (outcome IN ('denied', 'waiting', 'granted')),
    state      TEXT   NOT NULL,
    document   TEXT   NOT NULL,
    made_at    BIGINT NOT NULL,
    PRIMARY KEY (request_id, version)
);

CREATE TABLE approvals (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         TEXT   NOT NULL UNIQUE,
    request_id TEXT   NOT NULL REFERENCES requests (id),
    verb       TEXT   NOT NULL,
    source     TEXT   NOT NULL,
    document   TEXT   NOT NULL,
    heard_at   BIGINT NOT NULL,
    UNIQUE (request_id, source)
);

CREATE TABLE intents (
    id          TEXT    PRIMARY KEY,
    request_id  TEXT    NOT NULL REFERENCES requests (id),
    attempt     INTEGER NOT NULL,
    position    INTEGER NOT NULL,
    digest      TEXT    NOT NULL,
    key_lineage TEXT    NOT NULL,
    key_version INTEGER NOT NULL,
    document    TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('open', 'done', 'orphaned')),
    owner       TEXT    NOT NULL,
    lease_until BIGINT  NOT NULL,
    made_at     BIGINT  NOT NULL,
    ended_at    BIGINT  NOT NULL DEFAULT 0,
    UNIQUE (request_id, attempt, position)
);

CREATE TABLE signatures (
    intent_id  TEXT   PRIMARY KEY REFERENCES intents (id),
    request_id TEXT   NOT NULL REFERENCES requests (id),
    signature  BYTEA  NOT NULL,
    signed_at  BIGINT NOT NULL
);
CREATE INDEX signatures_request ON signatures (request_id);

CREATE TABLE posts (
    seq           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            TEXT    NOT NULL UNIQUE,
    request_id    TEXT    NOT NULL,
    forge         TEXT    NOT NULL,
    repository_id BIGINT  NOT NULL,
    target        TEXT    NOT NULL CHECK (target IN ('status', 'check', 'comment', 'reply', 'reaction', 'thread')),
    post_key      TEXT    NOT NULL,
    latest_only   INTEGER NOT NULL,
    threadless    INTEGER NOT NULL,
    document      TEXT    NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('open', 'done', 'dropped')),
    due_at        BIGINT  NOT NULL,
    lease_owner   TEXT    NOT NULL DEFAULT '',
    lease_until   BIGINT  NOT NULL DEFAULT 0,
    tries         INTEGER NOT NULL DEFAULT 0,
    why           TEXT    NOT NULL DEFAULT '',
    made_at       BIGINT  NOT NULL,
    ended_at      BIGINT  NOT NULL DEFAULT 0
);
CREATE INDEX posts_open ON posts (seq) WHERE state = 'open';
CREATE INDEX posts_open_key ON posts (forge, repository_id, target, post_key, seq) WHERE state = 'open';
CREATE INDEX posts_open_request ON posts (request_id) WHERE state = 'open';

CREATE TABLE known_posts (
    forge         TEXT   NOT NULL,
    repository_id BIGINT NOT NULL,
    target        TEXT   NOT NULL,
    post_key      TEXT   NOT NULL,
    known         TEXT   NOT NULL,
    known_at      BIGINT NOT NULL,
    PRIMARY KEY (forge, repository_id, target, post_key)
);

CREATE TABLE adoptions (
    seq           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            TEXT   NOT NULL UNIQUE,
    forge         TEXT   NOT NULL,
    repository_id BIGINT NOT NULL,
    document      TEXT   NOT NULL,
    adopted_at    BIGINT NOT NULL
);
CREATE INDEX adoptions_repository ON adoptions (forge, repository_id, seq);

CREATE TABLE ledger_head (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    size BIGINT  NOT NULL CHECK (size >= 0)
);
INSERT INTO ledger_head (id, size) VALUES (1, 0);

CREATE TABLE leaves (
    idx     BIGINT PRIMARY KEY CHECK (idx >= 0),
    kind    TEXT   NOT NULL,
    leaf_id TEXT   NOT NULL,
    leaf    BYTEA  NOT NULL CHECK (octet_length(leaf) BETWEEN 1 AND 65535),
    made_at BIGINT NOT NULL
);
CREATE INDEX leaves_about ON leaves (leaf_id, kind);

CREATE TABLE documents (
    idx      BIGINT PRIMARY KEY REFERENCES leaves (idx),
    salt     BYTEA  NOT NULL CHECK (octet_length(salt) = 32),
    document BYTEA  NOT NULL
);

-- +goose StatementBegin
CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % on %', TG_OP, TG_TABLE_NAME;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER leaves_append_only BEFORE UPDATE OR DELETE ON leaves
    FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER leaves_no_truncate BEFORE TRUNCATE ON leaves
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER documents_unchanged BEFORE UPDATE ON documents
    FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only();
