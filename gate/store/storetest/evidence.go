package storetest

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/ledger"
)

// rulesOfEvidence are those of what proves a release. Signatures of before releases were
// sealed are committed to: their documents have a salt.
func rulesOfEvidence() []rule {
	const entered = `EXISTS (SELECT 1 FROM signatures AS s JOIN leaves AS l ON l.leaf_id = s.intent_id AND l.kind = 'signature'
		JOIN documents AS d ON d.idx = l.idx AND length(d.salt) = 0 WHERE s.request_id = r.id)`
	return []rule{
		{"what was signed and entered in the ledger is sealed, and nothing else is", `
			SELECT id FROM requests AS r WHERE (state IN ('signed', 'published') AND ` + entered + `)
				<> EXISTS (SELECT 1 FROM seals AS e WHERE e.request_id = r.id)`},
		{"what waits for its seal is in the ledger, and comes back by itself", `
			SELECT id FROM requests AS r WHERE state = 'signing' AND released_at > 0 AND (NOT ` + entered + ` OR due_at = 0)`},
		{"a signature is entered by certificate once at most", `
			SELECT leaf_id FROM leaves WHERE kind = 'certificate-signature' GROUP BY leaf_id HAVING COUNT(*) > 1`},
		{"exactly what was denied and has no verdict waits for one", `
			SELECT id FROM requests AS r WHERE (unsaid = 1) <> (state = 'denied'
				AND NOT EXISTS (SELECT 1 FROM verdicts AS v WHERE v.request_id = r.id))`},
		{"every verdict has one leaf", leafCount("verdicts", "request_id", "verdict-signature", "1")},
		{"every epoch has its leaf", `SELECT 'epochs' WHERE (SELECT COUNT(*) FROM epochs)
			<> (SELECT COUNT(*) FROM leaves WHERE kind = 'epoch')`},
		{"every certificate has its leaf", `SELECT 'certificates' WHERE (SELECT COUNT(*) FROM certificates)
			<> (SELECT COUNT(*) FROM leaves WHERE kind = 'certificate')`},
		{"every trusted root has its leaf", `SELECT 'trusted roots' WHERE (SELECT COUNT(*) FROM trusted_roots)
			<> (SELECT COUNT(*) FROM leaves WHERE kind = 'trusted-root')`},
	}
}

// entry is one signature in the ledger, with its row.
type entry struct {
	request   string
	intent    gate.Intent
	signature []byte
	index     int64
	record    ledger.Record
}

// checkEvidence holds every entry against the signature that it is of, and every seal
// against the entries that it is to prove.
func checkEvidence(ctx context.Context, tx *sql.Tx) error {
	entries, err := readEntries(ctx, tx)
	if err != nil {
		return fmt.Errorf("read the entries of signatures: %w", err)
	}
	byRequest := map[string][]entry{}
	var errs []error
	for _, e := range entries {
		byRequest[e.request] = append(byRequest[e.request], e)
		if e.record.Digest != e.intent.Digest || !slices.Equal(e.record.Signature, e.signature) ||
			!e.record.Certificate && !slices.Equal(e.record.Key, e.intent.Key.SPKI) {
			errs = append(errs, fmt.Errorf("entry %d: expected the signature of intent %s, got another", e.index, e.intent.ID))
		}
	}
	seals, err := texts(ctx, tx, `SELECT document FROM seals`)
	if err != nil {
		return fmt.Errorf("read the seals: %w", err)
	}
	for _, doc := range seals {
		var s gate.Seal
		if err := json.Unmarshal([]byte(doc), &s); err != nil {
			return fmt.Errorf("read a seal: %w", err)
		}
		errs = append(errs, checkSeal(s, byRequest[s.Request]))
	}
	return errors.Join(errs...)
}

func checkSeal(s gate.Seal, entries []entry) error {
	for _, e := range entries {
		if e.index >= s.Checkpoint.Size {
			return fmt.Errorf("seal of %s: expected a checkpoint that covers entry %d, got one of %d", s.Request, e.index, s.Checkpoint.Size)
		}
		if e.intent.Kind != gate.IntentSums && len(s.Timestamps[e.intent.ID]) == 0 {
			return fmt.Errorf("seal of %s: expected a timestamp for %q, got none", s.Request, e.intent.Name)
		}
	}
	if len(entries) == 0 {
		return fmt.Errorf("seal of %s: expected entries, got none", s.Request)
	}
	return nil
}

func readEntries(ctx context.Context, tx *sql.Tx) (out []entry, err error) {
	rows, err := tx.QueryContext(ctx, `
		SELECT s.request_id, i.document, s.signature, l.idx, l.leaf
		FROM leaves AS l JOIN documents AS d ON d.idx = l.idx AND length(d.salt) = 0
			JOIN signatures AS s ON s.intent_id = l.leaf_id JOIN intents AS i ON i.id = s.intent_id
		ORDER BY l.idx`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var e entry
		var doc string
		var leaf []byte
		if err := rows.Scan(&e.request, &doc, &e.signature, &e.index, &leaf); err != nil {
			return nil, err
		}
		if e.record, err = ledger.ParseRecord(leaf); err != nil {
			return nil, fmt.Errorf("entry %d: %w", e.index, err)
		}
		if err := json.Unmarshal([]byte(doc), &e.intent); err != nil {
			return nil, fmt.Errorf("intent of entry %d: %w", e.index, err)
		}
		out = append(out, e)
	}
	return out, rows.Err()
}
