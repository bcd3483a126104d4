package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/gate"
	"github.com/countersign/countersign/gate/store/internal/db"
)

// Accept stores a proved delivery. It is durable when Accept returns; fresh is false
// where the forge sent it before. CodeDeliveriesFull where too many about the same
// tenant are open: the forge then shows it as failed, and it can be delivered again.
func (s *Store) Accept(ctx context.Context, d gate.Delivery) (fresh bool, err error) {
	if d.Forge == "" || d.ID == "" || !storable(d.ID) || !storable(d.Event) || !storable(d.Thread) ||
		!storable(d.Tenant) {
		return false, &gate.Error{
			Kind: gate.Invalid, Code: gate.CodeDeliveryMalformed, Text: "the delivery's headers cannot be stored",
			Expected: "a delivery id and an event in UTF-8", Got: fmt.Sprintf("%q and %q", d.ID, d.Event),
			Fix: "send it as the forge does",
		}
	}
	err = s.transact(ctx, "store a delivery", func(ctx context.Context, u *unit) error {
		n, err := u.q.InsertDelivery(ctx, db.InsertDeliveryParams{
			Forge: string(d.Forge), DeliveryID: d.ID, Event: d.Event, Thread: d.Thread, Tenant: deliveryTenant(d).name,
			Body: append([]byte{}, d.Body...), ReceivedAt: micros(d.Received), DueAt: u.at,
		})
		fresh = n == 1
		u.news = fresh
		if fresh {
			u.arrive(deliveryTenant(d))
		}
		return err
	})
	return fresh && err == nil, err
}

// deliveryTenant is whose turn a delivery waits for: what its adapter says, or else the
// repository that the name of its thread begins with.
func deliveryTenant(d gate.Delivery) tenant {
	name := d.Tenant
	if name == "" {
		name, _, _ = strings.Cut(d.Thread, "#")
		name, _, _ = strings.Cut(name, "!")
	}
	return tenant{queue: queueDelivery, forge: string(d.Forge), name: name}
}

// ClaimDelivery leases a delivery whose thread has no earlier open one: that of the tenant
// who was served longest ago, of those the one that is due longest.
func (s *Store) ClaimDelivery(ctx context.Context, owner string, lease time.Duration) (gate.Delivery, bool, error) {
	var d gate.Delivery
	ok, err := s.claimInTurn(ctx, "claim a delivery", queueDelivery, claimer{
		claim: func(ctx context.Context, u *unit, t db.Turn) (bool, error) {
			row, err := u.q.OpenDeliverySkipLocked(ctx, db.OpenDeliverySkipLockedParams{Forge: t.Forge, Tenant: t.Tenant, Now: u.at})
			if ok, err := found(err); err != nil || !ok {
				return false, err
			}
			d = gate.Delivery{
				Forge: gate.ForgeID(row.Forge), ID: row.DeliveryID, Event: row.Event, Body: row.Body,
				Received: fromMicros(row.ReceivedAt), Thread: row.Thread, Tenant: row.Tenant,
			}
			return true, u.q.LeaseDelivery(ctx, db.LeaseDeliveryParams{Seq: row.Seq, LeaseOwner: owner, LeaseUntil: u.until(lease)})
		},
		next: func(ctx context.Context, u *unit, t db.Turn) (int64, error) {
			return u.q.NextDelivery(ctx, db.NextDeliveryParams{Now: u.at, Blocked: u.blocked(), Forge: t.Forge, Tenant: t.Tenant})
		},
	})
	if !ok {
		d = gate.Delivery{}
	}
	return d, ok, err
}

// FinishDelivery ends the delivery and stores what it led to. A second one, of a
// worker whose lease ran out, gets CodeTransition and stores nothing.
func (s *Store) FinishDelivery(ctx context.Context, d gate.Delivery, heard gate.Heard) error {
	return s.transact(ctx, "finish delivery "+d.ID, func(ctx context.Context, u *unit) error {
		name, err := u.q.FinishDelivery(ctx, db.FinishDeliveryParams{
			Forge: string(d.Forge), DeliveryID: d.ID, DoneAt: u.at,
		})
		ok, err := found(err)
		if err != nil {
			return err
		}
		if !ok {
			return transition("delivery "+d.ID, "an open delivery", "one that is done or was never stored")
		}
		u.news = true // the next of its thread may go
		u.leave(tenant{queue: queueDelivery, forge: string(d.Forge), name: name}, 1)
		if err := u.dropBodies(ctx); err != nil {
			return err
		}
		return u.hear(ctx, heard)
	})
}

// Hear stores what was heard without a delivery, in a thread that was read again, as
// FinishDelivery does. Statements whose comment is on record, for whatever request, are
// left out.
func (s *Store) Hear(ctx context.Context, heard gate.Heard) error {
	return s.transact(ctx, "store what was heard", func(ctx context.Context, u *unit) error {
		var err error
		fresh := heard
		if fresh.Approvals, err = u.unheard(ctx, heard.Approvals); err != nil {
			return err
		}
		return u.hear(ctx, fresh)
	})
}

// hear stores everything that something heard leads to. Every transaction takes its locks
// in this order: requests, watched policies, deployments, changes, the ledger's head.
func (u *unit) hear(ctx context.Context, heard gate.Heard) error {
	if err := u.hearRequests(ctx, heard); err != nil {
		return err
	}
	if err := u.ringWatched(ctx, heard.DueRepositories); err != nil {
		return err
	}
	if err := u.rememberDeployments(ctx, heard.Deployments); err != nil {
		return err
	}
	if err := u.ringChanges(ctx, heard.Changes); err != nil {
		return err
	}
	if err := u.ringAssets(ctx, heard.Releases); err != nil {
		return err
	}
	return u.enqueue(ctx, heard.Posts)
}

// hearRequests stores the statements and makes due what they and the delivery are about.
// Requests are locked in the order of their ids, so that two deliveries that name the
// same ones do not block each other.
func (u *unit) hearRequests(ctx context.Context, heard gate.Heard) error {
	due := map[string][]gate.Approval{}
	for _, a := range heard.Approvals {
		due[a.Request] = append(due[a.Request], a)
	}
	for _, id := range heard.DueRequests {
		due[id] = append(due[id], nil...)
	}
	for _, r := range heard.DueRepositories {
		rows, err := u.q.OpenOfRepository(ctx, db.OpenOfRepositoryParams{Forge: string(r.Forge), RepositoryID: r.ID})
		if err != nil {
			return fmt.Errorf("list the open requests of %s: %w", r, err)
		}
		for _, row := range rows {
			due[row.ID] = append(due[row.ID], nil...)
		}
	}
	ids := make([]string, 0, len(due))
	for id := range due {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if err := u.hearOf(ctx, id, due[id]); err != nil {
			return err
		}
	}
	return nil
}

func (u *unit) hearOf(ctx context.Context, id string, approvals []gate.Approval) error {
	row, err := u.locked(ctx, id)
	if len(approvals) == 0 && gate.CodeOf(err) == gate.CodeRequestUnknown {
		return nil // a hint about nothing of ours
	}
	if err != nil {
		return err
	}
	fresh, err := u.addApprovals(ctx, approvals)
	if err != nil {
		return err
	}
	if !fresh {
		return u.ring(ctx, row)
	}
	if row.Ended == 1 {
		return nil // on record, and without effect
	}
	u.disturb(&row)
	return u.save(ctx, &row)
}

// DeferDelivery gives the lease back until after; the rest of its thread waits with it.
func (s *Store) DeferDelivery(ctx context.Context, d gate.Delivery, after time.Time, why string) error {
	return s.transact(ctx, "defer delivery "+d.ID, func(ctx context.Context, u *unit) error {
		name, err := u.q.DeferDelivery(ctx, db.DeferDeliveryParams{
			Forge: string(d.Forge), DeliveryID: d.ID, DueAt: micros(after), Why: plain(why),
		})
		ok, err := found(err)
		if err == nil && !ok {
			return transition("delivery "+d.ID, "an open delivery", "one that is done or was never stored")
		}
		u.stir(tenant{queue: queueDelivery, forge: string(d.Forge), name: name}, micros(after))
		return err
	})
}

// plain makes text from outside fit for a TEXT column.
func plain(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
}
