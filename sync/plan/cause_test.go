package plan

import (
	"encoding/json"
	"net/netip"
	"testing"
)

func TestEveryCauseHasARule(t *testing.T) {
	for c := NoCause + 1; c <= CauseReadOnly; c++ {
		if c.Rule() == "" {
			t.Errorf("cause %d has none", c)
		}
	}
	if NoCause.Rule() != "" {
		t.Error("no cause has a rule")
	}
}

// The memory of every version so far stays readable, and no warning that it
// knows is shown as a new one.
func TestTheMemoryKeepsItsWordsForWhatWasTold(t *testing.T) {
	const saved = `{"told":{"3.5 row 11 10.8.4.0/24 10.8.4.33":true,"3.5 row 8 10.8.4.0/24 10.8.4.34":true}}`
	var m Memory
	if err := json.Unmarshal([]byte(saved), &m); err != nil {
		t.Fatal(err)
	}
	scope := netip.MustParsePrefix("10.8.4.0/24")
	for _, told := range []Told{
		{CauseLeased, scope, netip.MustParseAddr("10.8.4.33")},
		{CauseReserved, scope, netip.MustParseAddr("10.8.4.34")},
	} {
		if !m.Told[told] {
			t.Errorf("%+v is not known: %+v", told, m.Told)
		}
	}
	if raw, err := json.Marshal(m); err != nil || string(raw) != saved {
		t.Errorf("saved again as %s, %v", raw, err)
	}
	if err := json.Unmarshal([]byte(`{"told":{"a later version":true,"3.5 row 8 x y":true}}`), &m); err != nil {
		t.Errorf("of another version: %v", err)
	}
	if out := m.Clone(); len(out.Told) != 2 {
		t.Errorf("%+v", out.Told)
	}
}
