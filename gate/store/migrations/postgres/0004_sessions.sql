-- Sessions of signed-in people. A row is found by the hash of its token, and is worth nothing once it has expired.

-- +goose Up
CREATE TABLE sessions (
    token      TEXT   PRIMARY KEY,
    data       BYTEA  NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_expires ON sessions (expires_at);
