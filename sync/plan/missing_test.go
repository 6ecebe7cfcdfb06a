package plan

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Rule 3.7 guard g: since when a thing is missing outlives the run.
func TestWhatIsMissingIsRemembered(t *testing.T) {
	at := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	want := Memory{Missing: map[MissingKey]Sight{
		{ListLeases, Place{7, netip.MustParseAddr("10.8.4.33")}, "123"}:                      {First: at, Dated: at.Add(time.Second), Ends: at.Add(time.Hour), Held: true},
		{ListScopes, Place{0, netip.MustParseAddr("10.8.4.0")}, "failover east of the site"}: {First: at},
		{ListExclusions, Place{0, netip.MustParseAddr("10.8.4.0")}, ""}:                      {},
	}}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Memory
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(MissingKey{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, text := range []string{"", "leases", "leases 0/10.8.4.33", "leases x/10.8.4.33 1", "leases 0/x 1"} {
		if err := new(MissingKey).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}
