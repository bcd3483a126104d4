-- What pages read, without a scan that grows with what was ever stored: lists by place, counts that are kept, reasons
-- beside decisions. Bodies of deliveries stay for some days after the work, so that it can be done again.

-- +goose Up
ALTER TABLE requests ADD COLUMN key_lineage TEXT NOT NULL DEFAULT '';
UPDATE requests SET key_lineage = COALESCE(document ->> '$.key', '');
CREATE INDEX requests_listed ON requests (forge, repository_id, id);
CREATE INDEX requests_undecided ON requests (ended, signed_at, id) WHERE ended = 0 AND signed_at = 0;
CREATE INDEX requests_undecided_listed ON requests (forge, repository_id, id) WHERE ended = 0 AND signed_at = 0;
CREATE INDEX requests_signed ON requests (key_lineage, id) WHERE signed_at > 0;
CREATE INDEX requests_signed_listed ON requests (key_lineage, forge, repository_id, id) WHERE signed_at > 0;
CREATE INDEX requests_signed_at ON requests (signed_at) WHERE signed_at > 0;
DROP INDEX requests_created;

ALTER TABLE decisions ADD COLUMN why TEXT NOT NULL DEFAULT '';
UPDATE decisions SET why = COALESCE((
    SELECT c.value ->> '$.reason' FROM json_each(decisions.document, '$.checks') AS c
    WHERE c.value ->> '$.outcome' <> 'granted' ORDER BY c.value ->> '$.outcome', c.key LIMIT 1), '');

CREATE TABLE repositories (
    forge         TEXT    NOT NULL,
    repository_id INTEGER NOT NULL,
    adoption      INTEGER NOT NULL DEFAULT 0,
    undecided     INTEGER NOT NULL DEFAULT 0 CHECK (undecided >= 0),
    signed        INTEGER NOT NULL DEFAULT 0,
    asked_at      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (forge, repository_id)
) STRICT;
INSERT INTO repositories (forge, repository_id, adoption, undecided, signed, asked_at)
SELECT forge, repository_id, MAX(adoption), SUM(undecided), SUM(signed), MAX(asked_at) FROM (
    SELECT forge, repository_id, 0 AS adoption, CASE WHEN ended = 0 AND signed_at = 0 THEN 1 ELSE 0 END AS undecided,
           CASE WHEN signed_at > 0 THEN 1 ELSE 0 END AS signed, created_at AS asked_at FROM requests
    UNION ALL SELECT forge, repository_id, seq, 0, 0, 0 FROM adoptions) AS every_one
GROUP BY forge, repository_id;
CREATE INDEX repositories_enrolled ON repositories (asked_at, repository_id, forge) WHERE adoption > 0;
CREATE INDEX repositories_undecided ON repositories (undecided) WHERE undecided > 0;

CREATE TABLE key_uses (
    lineage    TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    signatures INTEGER NOT NULL,
    releases   INTEGER NOT NULL,
    orphans    INTEGER NOT NULL,
    first_at   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    PRIMARY KEY (lineage, version)
) STRICT;
INSERT INTO key_uses (lineage, version, signatures, releases, orphans, first_at, last_at)
SELECT key_lineage, key_version, COUNT(*) FILTER (WHERE state = 'done'),
       COUNT(DISTINCT CASE WHEN state = 'done' THEN request_id END), COUNT(*) FILTER (WHERE state = 'orphaned'),
       COALESCE(MIN(CASE WHEN state = 'done' THEN ended_at END), 0),
       COALESCE(MAX(CASE WHEN state = 'done' THEN ended_at END), 0)
FROM intents WHERE state IN ('done', 'orphaned') GROUP BY key_lineage, key_version;

CREATE INDEX inbox_open_received ON inbox (done_at, seq) WHERE done_at = 0;
CREATE INDEX inbox_kept ON inbox (done_at) WHERE done_at > 0 AND length(body) > 0;
CREATE INDEX posts_open_made ON posts (state, seq) WHERE state = 'open';
ALTER TABLE policy_changes ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
UPDATE policy_changes SET since = due_at;
CREATE INDEX policy_changes_since ON policy_changes (since);
