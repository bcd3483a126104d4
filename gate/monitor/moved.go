package monitor

import (
	"context"
	"fmt"
	"slices"
)

// moved holds the tree against the place: it has to be the same, grown. It returns the place
// in the new tree, with the entries that are still to be read.
func (m *Monitor) moved(ctx context.Context, old Place, known bool, t *tree, note []byte) (Place, error) {
	next := old
	if known && t.head == old.Head {
		return old, nil
	}
	if known {
		var err error
		if next, err = m.grown(ctx, old, t, note); err != nil {
			return old, err
		}
	} else if root, err := t.root(t.head.Size); err != nil || root != t.head.Root {
		if err == nil {
			err = inTiles(fmt.Errorf("the root of the first checkpoint is that of no tree of %d entries", t.head.Size))
		}
		return old, m.stopAt(ctx, t, err)
	}
	edge, err := t.edge()
	if err != nil {
		return old, m.stopAt(ctx, t, err)
	}
	next.Note, next.Head, next.Edge = note, t.head, edge
	return next, nil
}

// grown checks that the tree begins with the one that was seen before. In a new epoch it
// may not, where leaves were lost: that is told, and read on from where both agree.
func (m *Monitor) grown(ctx context.Context, old Place, t *tree, note []byte) (Place, error) {
	why, err := contradiction(old, t)
	if err != nil {
		return old, m.stopAt(ctx, t, err)
	}
	switch {
	case slices.Contains(old.Left, t.head.Origin):
		why = "it goes back to an epoch that had ended"
		fallthrough
	case why != "" && t.head.Origin == old.Head.Origin:
		a := alert(KindFork, "the log contradicts what it showed before: it was forked or rolled back", why,
			"trust nothing that was signed since; the two checkpoints here prove it to anybody, whoever runs the log")
		a.Notes = []string{string(old.Note), string(note)}
		return old, m.stop(ctx, t.head, a)
	case t.head.Origin == old.Head.Origin:
		return old, nil
	}
	next := old
	next.Left = append(slices.Clone(old.Left), old.Head.Origin)
	if why == "" {
		return next, m.report(ctx, t.head, notice(KindEpoch, "the log goes on in a new epoch, with all that was in it before", "before it was "+old.Head.Origin))
	}
	common, err := t.common(old.Head.Size, old.Edge)
	if err != nil {
		return old, m.stopAt(ctx, t, err)
	}
	next.Next = min(old.Next, common)
	m.recent = recent{} // they are of a tree that is no more
	a := alert(KindLost, "the log goes on in a new epoch without entries that were published", fmt.Sprintf("%s; it is read on from entry %d", why, next.Next),
		"compare with the epoch's document, which names what was lost and who signed for it")
	a.Notes = []string{string(old.Note), string(note)}
	return next, m.report(ctx, t.head, a)
}

// contradiction says in which way the tree does not begin with the place's; "" where it does.
func contradiction(old Place, t *tree) (string, error) {
	was, is := old.Head, t.head
	if is.Size < was.Size {
		return fmt.Sprintf("expected at least %d entries, got %d", was.Size, is.Size), nil
	}
	root := is.Root
	if is.Size > was.Size {
		var err error
		if root, err = t.root(was.Size); err != nil {
			return "", err
		}
	}
	if root != was.Root {
		return fmt.Sprintf("expected root %s over the first %d entries, got %s", was.Root, was.Size, root), nil
	}
	return "", nil
}
