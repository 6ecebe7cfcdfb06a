package netboxio

import (
	"context"
	"encoding/json"
	"net/url"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// Making is a request that makes objects and whose outcome is not known yet.
// NetBox carries it out, all of it or nothing, also if its sender was killed
// meanwhile. Where NetBox does not keep addresses unique, a run that reads before
// that would make every object a second time (rule 3.8 point 24).
type Making struct {
	Kind state.Kind `json:"kind"`
	// Value and Key are of one of the objects: what the list is filtered by, and
	// what identifies it there.
	Value string    `json:"value"`
	Key   string    `json:"key"`
	Sent  time.Time `json:"sent"`
}

// longestWork is how long NetBox may work on one request after its sender has
// gone: the time limit of its workers, as it is shipped.
const longestWork = 2 * time.Minute

// making notes a request that is about to be sent.
func (w *writer) making(sent []int) {
	first := w.writes[sent[0]]
	if natural := naturalKeys(first.Kind); natural != nil {
		w.note(&Making{Kind: first.Kind, Value: natural.value(first), Key: natural.of(first), Sent: time.Now()})
	}
}

// Await waits until NetBox is done with a request: its objects are there, or it
// has had as long as it can take. every is the pause between looks. An error is
// that of ctx; a NetBox that cannot be read is waited for like one at work.
func (m *Making) Await(ctx context.Context, c *netbox.Client, every time.Duration) error {
	left := min(longestWork-time.Since(m.Sent), longestWork) // a clock that was set back must not make it longer
	end := time.NewTimer(left)
	defer end.Stop()
	look := time.NewTicker(every)
	defer look.Stop()
	for !m.made(ctx, c) {
		select {
		case <-look.C:
		case <-end.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// made reports whether the object is there.
func (m *Making) made(ctx context.Context, c *netbox.Client) bool {
	natural := naturalKeys(m.Kind)
	if natural == nil {
		return true
	}
	found := false
	err := c.List(ctx, tableFor(m.Kind), url.Values{natural.filter: {m.Value}}, func(raw json.RawMessage) (int64, error) {
		row, err := netbox.DecodeShown(raw)
		if err != nil {
			return 0, err
		}
		found = found || natural.ofRow(row) == m.Key
		return row.ID(), nil
	})
	return err == nil && found
}
