-- Evidence: the ledger as a Merkle tree, what was published of it, and what proves a release. Full tiles are kept, so
-- that proofs read a few rows; what a tile's hashes lead to stands beside them for the level above. leaf_keys finds
-- entries by the first 64 bits of a hash: the leaf's own, or the digest that a signature is over.

-- +goose Up
CREATE TABLE tiles (
    level  INTEGER NOT NULL CHECK (level BETWEEN 0 AND 7),
    idx    BIGINT NOT NULL CHECK (idx >= 0),
    root   BYTEA NOT NULL CHECK (octet_length(root) = 32),
    hashes BYTEA NOT NULL CHECK (octet_length(hashes) = 8192),
    PRIMARY KEY (level, idx)
);
ALTER TABLE tiles ALTER COLUMN hashes SET STORAGE EXTERNAL; -- hashes do not compress

CREATE TABLE leaf_keys (
    word BIGINT NOT NULL,
    idx  BIGINT NOT NULL,
    PRIMARY KEY (word, idx)
);

CREATE TABLE checkpoints (
    seq       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    origin    TEXT NOT NULL,
    size      BIGINT NOT NULL CHECK (size >= 0),
    witnesses INTEGER NOT NULL,
    document  TEXT NOT NULL,
    kept_at   BIGINT NOT NULL
);
CREATE INDEX checkpoints_origin ON checkpoints (origin, size, seq);

CREATE TABLE epochs (
    number   INTEGER PRIMARY KEY CHECK (number >= 1),
    origin   TEXT NOT NULL UNIQUE,
    document TEXT NOT NULL,
    begun_at BIGINT NOT NULL
);

CREATE TABLE certificates (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       TEXT NOT NULL,
    der        BYTEA NOT NULL,
    not_before BIGINT NOT NULL,
    not_after  BIGINT NOT NULL,
    kept_at    BIGINT NOT NULL
);
CREATE INDEX certificates_name ON certificates (name, seq);

CREATE TABLE trusted_roots (
    version  INTEGER PRIMARY KEY CHECK (version >= 1),
    document BYTEA NOT NULL,
    kept_at  BIGINT NOT NULL
);

CREATE TABLE seals (
    request_id TEXT PRIMARY KEY REFERENCES requests (id),
    document   TEXT NOT NULL,
    sealed_at  BIGINT NOT NULL
);

CREATE TABLE verdicts (
    request_id TEXT PRIMARY KEY REFERENCES requests (id),
    document   TEXT NOT NULL,
    kept_at    BIGINT NOT NULL
);

-- released_at is when the signatures were on record; signed_at when they could be handed out. unsaid marks what was
-- denied and has no signed verdict.
ALTER TABLE requests ADD COLUMN released_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN unsaid INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN unsealed_why TEXT NOT NULL DEFAULT '';
UPDATE requests SET released_at = signed_at;
UPDATE requests SET unsaid = 1 WHERE state = 'denied';
DROP INDEX requests_released;
CREATE INDEX requests_released ON requests (forge, repository_id, stream, released_at) WHERE released_at > 0;
CREATE INDEX requests_unsaid ON requests (unsaid, id) WHERE unsaid = 1;

-- What a signature's entry is for is told by a document that nothing commits to: it has no salt.
ALTER TABLE documents DROP CONSTRAINT documents_salt_check;
ALTER TABLE documents ADD CONSTRAINT documents_salt_check CHECK (octet_length(salt) IN (0, 32));

ALTER TABLE posts DROP CONSTRAINT posts_target_check;
ALTER TABLE posts ADD CONSTRAINT posts_target_check CHECK (target IN ('status', 'check', 'comment', 'reply', 'reaction',
    'thread', 'deployment', 'assets', 'attestations'));

CREATE TRIGGER tiles_append_only BEFORE UPDATE OR DELETE ON tiles
    FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER tiles_no_truncate BEFORE TRUNCATE ON tiles
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER checkpoints_append_only BEFORE UPDATE OR DELETE ON checkpoints
    FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER checkpoints_no_truncate BEFORE TRUNCATE ON checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER epochs_append_only BEFORE UPDATE OR DELETE ON epochs
    FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER epochs_no_truncate BEFORE TRUNCATE ON epochs
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER certificates_append_only BEFORE UPDATE OR DELETE ON certificates
    FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER certificates_no_truncate BEFORE TRUNCATE ON certificates
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER trusted_roots_append_only BEFORE UPDATE OR DELETE ON trusted_roots
    FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER trusted_roots_no_truncate BEFORE TRUNCATE ON trusted_roots
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER seals_append_only BEFORE UPDATE OR DELETE ON seals
    FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER seals_no_truncate BEFORE TRUNCATE ON seals
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER verdicts_append_only BEFORE UPDATE OR DELETE ON verdicts
    FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER verdicts_no_truncate BEFORE TRUNCATE ON verdicts
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();
