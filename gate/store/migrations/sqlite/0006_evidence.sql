-- Evidence: the ledger as a Merkle tree, what was published of it, and what proves a release. Full tiles are kept, so
-- that proofs read a few rows; what a tile's hashes lead to stands beside them for the level above. leaf_keys finds
-- entries by the first 64 bits of a hash: the leaf's own, or the digest that a signature is over.

-- +goose Up
CREATE TABLE tiles (
    level  INTEGER NOT NULL CHECK (level BETWEEN 0 AND 7),
    idx    INTEGER NOT NULL CHECK (idx >= 0),
    root   BLOB NOT NULL CHECK (length(root) = 32),
    hashes BLOB NOT NULL CHECK (length(hashes) = 8192),
    PRIMARY KEY (level, idx)
) STRICT;
CREATE INDEX tiles_root ON tiles (level, idx, root); -- many at a time, without their hashes

CREATE TABLE leaf_keys (
    word INTEGER NOT NULL,
    idx  INTEGER NOT NULL,
    PRIMARY KEY (word, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    origin    TEXT NOT NULL,
    size      INTEGER NOT NULL CHECK (size >= 0),
    witnesses INTEGER NOT NULL,
    document  TEXT NOT NULL,
    kept_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX checkpoints_origin ON checkpoints (origin, size, seq);

CREATE TABLE epochs (
    number   INTEGER PRIMARY KEY CHECK (number >= 1),
    origin   TEXT NOT NULL UNIQUE,
    document TEXT NOT NULL,
    begun_at INTEGER NOT NULL
) STRICT;

CREATE TABLE certificates (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL,
    der        BLOB NOT NULL,
    not_before INTEGER NOT NULL,
    not_after  INTEGER NOT NULL,
    kept_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX certificates_name ON certificates (name, seq);

CREATE TABLE trusted_roots (
    version  INTEGER PRIMARY KEY CHECK (version >= 1),
    document BLOB NOT NULL,
    kept_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE seals (
    request_id TEXT PRIMARY KEY REFERENCES requests (id),
    document   TEXT NOT NULL,
    sealed_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE verdicts (
    request_id TEXT PRIMARY KEY REFERENCES requests (id),
    document   TEXT NOT NULL,
    kept_at    INTEGER NOT NULL
) STRICT;

-- released_at is when the signatures were on record; signed_at when they could be handed out. unsaid marks what was
-- denied and has no signed verdict.
ALTER TABLE requests ADD COLUMN released_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN unsaid INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN unsealed_why TEXT NOT NULL DEFAULT '';
UPDATE requests SET released_at = signed_at;
UPDATE requests SET unsaid = 1 WHERE state = 'denied';
DROP INDEX requests_released;
CREATE INDEX requests_released ON requests (forge, repository_id, stream, released_at) WHERE released_at > 0;
CREATE INDEX requests_unsaid ON requests (unsaid, id) WHERE unsaid = 1;

-- What a signature's entry is for is told by a document that nothing commits to: it has no salt.
CREATE TABLE documents_next (
    idx      INTEGER PRIMARY KEY REFERENCES leaves (idx),
    salt     BLOB    NOT NULL CHECK (length(salt) IN (0, 32)),
    document BLOB    NOT NULL
) STRICT;
INSERT INTO documents_next (idx, salt, document) SELECT idx, salt, document FROM documents;
DROP TABLE documents;
ALTER TABLE documents_next RENAME TO documents;
-- +goose StatementBegin
CREATE TRIGGER documents_no_update BEFORE UPDATE ON documents
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: UPDATE on documents');
END;
-- +goose StatementEnd

CREATE TABLE posts_next (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    id            TEXT    NOT NULL UNIQUE,
    request_id    TEXT    NOT NULL,
    forge         TEXT    NOT NULL,
    repository_id INTEGER NOT NULL,
    target        TEXT    NOT NULL CHECK (target IN ('status', 'check', 'comment', 'reply', 'reaction', 'thread', 'deployment',
                                                     'assets', 'attestations')),
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
                        state, due_at, lease_owner, lease_until, tries, why, made_at, ended_at, refusals, once)
SELECT seq, id, request_id, forge, repository_id, target, post_key, latest_only, threadless, document,
       state, due_at, lease_owner, lease_until, tries, why, made_at, ended_at, refusals, once FROM posts;
DROP TABLE posts;
ALTER TABLE posts_next RENAME TO posts;
CREATE INDEX posts_open ON posts (forge, repository_id, due_at, seq) WHERE state = 'open';
CREATE INDEX posts_open_key ON posts (forge, repository_id, target, post_key, seq) WHERE state = 'open';
CREATE INDEX posts_open_request ON posts (request_id) WHERE state = 'open';
CREATE UNIQUE INDEX posts_once ON posts (forge, repository_id, target, post_key) WHERE once = 1;
CREATE INDEX posts_given_up ON posts (ended_at) WHERE state = 'given up';
CREATE INDEX posts_given_up_request ON posts (request_id) WHERE state = 'given up';
CREATE INDEX posts_open_made ON posts (state, seq) WHERE state = 'open';

-- +goose StatementBegin
CREATE TRIGGER tiles_no_update BEFORE UPDATE ON tiles
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: UPDATE on tiles');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER tiles_no_delete BEFORE DELETE ON tiles
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: DELETE on tiles');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER tiles_no_replace BEFORE INSERT ON tiles
WHEN EXISTS (SELECT 1 FROM tiles WHERE level = NEW.level AND idx = NEW.idx)
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: REPLACE on tiles');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER checkpoints_no_update BEFORE UPDATE ON checkpoints
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: UPDATE on checkpoints');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER checkpoints_no_delete BEFORE DELETE ON checkpoints
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: DELETE on checkpoints');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER checkpoints_no_replace BEFORE INSERT ON checkpoints
WHEN EXISTS (SELECT 1 FROM checkpoints WHERE seq = NEW.seq)
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: REPLACE on checkpoints');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER epochs_no_update BEFORE UPDATE ON epochs
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: UPDATE on epochs');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER epochs_no_delete BEFORE DELETE ON epochs
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: DELETE on epochs');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER epochs_no_replace BEFORE INSERT ON epochs
WHEN EXISTS (SELECT 1 FROM epochs WHERE number = NEW.number)
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: REPLACE on epochs');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER certificates_no_update BEFORE UPDATE ON certificates
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: UPDATE on certificates');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER certificates_no_delete BEFORE DELETE ON certificates
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: DELETE on certificates');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER certificates_no_replace BEFORE INSERT ON certificates
WHEN EXISTS (SELECT 1 FROM certificates WHERE seq = NEW.seq)
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: REPLACE on certificates');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER trusted_roots_no_update BEFORE UPDATE ON trusted_roots
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: UPDATE on trusted_roots');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER trusted_roots_no_delete BEFORE DELETE ON trusted_roots
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: DELETE on trusted_roots');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER trusted_roots_no_replace BEFORE INSERT ON trusted_roots
WHEN EXISTS (SELECT 1 FROM trusted_roots WHERE version = NEW.version)
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: REPLACE on trusted_roots');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER seals_no_update BEFORE UPDATE ON seals
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: UPDATE on seals');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER seals_no_delete BEFORE DELETE ON seals
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: DELETE on seals');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER seals_no_replace BEFORE INSERT ON seals
WHEN EXISTS (SELECT 1 FROM seals WHERE request_id = NEW.request_id)
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: REPLACE on seals');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER verdicts_no_update BEFORE UPDATE ON verdicts
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: UPDATE on verdicts');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER verdicts_no_delete BEFORE DELETE ON verdicts
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: DELETE on verdicts');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER verdicts_no_replace BEFORE INSERT ON verdicts
WHEN EXISTS (SELECT 1 FROM verdicts WHERE request_id = NEW.request_id)
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: REPLACE on verdicts');
END;
-- +goose StatementEnd
