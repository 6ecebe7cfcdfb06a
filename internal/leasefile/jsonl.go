package leasefile

import (
	"encoding/json"
	"io"
	"net/netip"
	"strings"
	"time"
)

// jsonLease is one line of JSON lines.
type jsonLease struct {
	Address  netip.Addr `json:"address"`
	Client   string     `json:"client"`
	Hardware string     `json:"hardware,omitempty"` // of a client that is told by its identifier
	State    string     `json:"state"`
	Ends     time.Time  `json:"ends,omitzero"` // zero: never
	Name     string     `json:"name,omitempty"`
}

// String names the state as JSON lines do.
func (s State) String() string {
	switch s {
	case Leased:
		return "leased"
	case Abandoned:
		return "abandoned"
	case Ended:
		return "ended"
	case Withdrawn:
		return "withdrawn"
	}
	return "unknown"
}

// stateOf reads the name of a state; 0: it is none.
func stateOf(name string) State {
	for s := Leased; s <= Withdrawn; s++ {
		if s.String() == name {
			return s
		}
	}
	return 0
}

func (f *File) jsonl(r io.Reader) error {
	return f.eachLine(r, func(number int, line string) {
		line = strings.TrimPrefix(line, "\ufeff")
		if strings.TrimSpace(line) == "" {
			return
		}
		var l jsonLease
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			f.problem(number, "no lease in JSON as leases export writes it: %v", err)
			return
		}
		state := stateOf(l.State)
		switch {
		case !l.Address.IsValid():
			f.problem(number, "address is missing")
			return
		case !l.Address.Is4():
			f.Others++
			return
		case state == 0:
			f.problem(number, "state: want leased, abandoned, ended or withdrawn, not %.60q", l.State)
			return
		}
		e := Entry{Line: number, Addr: l.Address, State: state, Ends: l.Ends.UTC(), Name: l.Name}
		if l.Hardware == "" && !strings.HasPrefix(l.Client, keyPrefix) && state == Leased {
			hardware, err := keyOf(l.Client)
			if err != nil {
				f.problem(number, "client: %v", err)
				return
			}
			e.Key = hardware
		} else if state == Leased {
			hardware, err := keyOf(l.Hardware)
			if err != nil {
				f.problem(number, "hardware: %v", err)
				return
			}
			id, err := keyOf(strings.TrimPrefix(l.Client, keyPrefix))
			if err != nil {
				f.problem(number, "client: %v", err)
				return
			}
			e.Hardware, e.Key = hardware, keyPrefix+id
		}
		f.add(e)
	})
}

// keyPrefix begins the keys of clients that are told by their identifier.
const keyPrefix = "id/"

// keyOf is a client key in its one form.
func keyOf(text string) (string, error) {
	bytes, err := parseHex(text)
	return Hex(bytes), err
}

// add takes an entry over that is whole.
func (f *File) add(e Entry) {
	if err := e.whole(); err != nil {
		f.problem(e.Line, "the lease of %s: %v", e.Addr, err)
		return
	}
	f.Entries = append(f.Entries, e)
}
