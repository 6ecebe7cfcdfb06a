// Package who is what the commands who and history erase of both programs share: the
// questions that people may ask of a history, and how spans are shown to them, on the
// server's page as well. It must not know where a history comes from.
package who

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/circuit"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/history"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
)

// Asked are the flags of a question.
type Asked struct {
	mac, client, name, circuit, at, from, to string
	limit                                    int
}

// AddKeys adds the flags that say whose spans are meant.
func (a *Asked) AddKeys(f *pflag.FlagSet) {
	f.StringVar(&a.mac, "mac", "", "hardware address of the client, such as 52:54:00:12:34:56")
	f.StringVar(&a.client, "client", "", "client key as the table shows it, such as id/FF:01:02:03")
	f.StringVar(&a.name, "name", "", "name that the client says it has, or has in NetBox; whole, or its first label")
}

// AddTo adds all flags of a question.
func (a *Asked) AddTo(f *pflag.FlagSet) {
	a.AddKeys(f)
	f.StringVar(&a.circuit, "circuit", "", "circuit-id or remote-id of option 82, as text or hex:0004000a0105")
	f.StringVar(&a.at, "at", "", "who had it then: 2026-11-01T14:05Z, 2026-11-01T14:05+01:00, a whole day 2026-11-01, or 2h for two hours ago")
	f.StringVar(&a.from, "from", "", "who had it then or later")
	f.StringVar(&a.to, "to", "", "who had it then or earlier")
	f.IntVar(&a.limit, "limit", 1000, "how many spans are shown at most, the latest ones")
}

// Query is the question. args are those of the command: an address or a prefix, or
// nothing. An error says in words what cannot be understood.
func (a *Asked) Query(args []string, now time.Time) (q history.Query, err error) {
	if len(args) > 1 {
		return q, errors.New("want one address or prefix")
	}
	if len(args) == 1 {
		if q.Prefix, err = prefix(args[0]); err != nil {
			return q, err
		}
	}
	if a.mac != "" && a.client != "" {
		return q, errors.New("--mac and --client contradict each other")
	}
	if q.Client = a.client; a.mac != "" {
		mac, err := net.ParseMAC(a.mac)
		if err != nil {
			return q, fmt.Errorf("--mac: want a hardware address such as 52:54:00:12:34:56, not %q", a.mac)
		}
		q.Client = strings.ToUpper(mac.String())
	}
	q.Name = a.name
	if q.Circuit = a.circuit; strings.HasPrefix(a.circuit, "hex:") {
		id, err := hex.DecodeString(strings.TrimPrefix(a.circuit, "hex:"))
		if err != nil || len(id) == 0 {
			return q, fmt.Errorf("--circuit: want text, or hex: and pairs of digits, not %q", a.circuit)
		}
		q.Circuit = circuit.Text(id)
	}
	if a.limit < 0 || a.limit > history.MaxFound {
		return q, fmt.Errorf("--limit: want 0 to %d, not %d", history.MaxFound, a.limit)
	}
	q.Limit = a.limit
	return q, a.times(&q, now)
}

// Erasure is the question that an erasure asks: whose spans are meant. address is one, or
// a prefix; empty: any. An error says in words what is missing or cannot be understood.
func (a *Asked) Erasure(address string, now time.Time) (history.Query, error) {
	var args []string
	if address != "" {
		args = []string{address}
	}
	q, err := a.Query(args, now)
	if err == nil && !Whose(q) {
		err = errors.New("say what is to be erased: --mac, --client, --name or --address")
	}
	return q, err
}

// Whose reports whether the question names whose spans are meant, as an erasure must.
func Whose(q history.Query) bool { return q.Prefix.IsValid() || q.Client != "" || q.Name != "" }

func prefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("want an address such as 10.1.2.3 or a prefix such as 10.1.2.0/24, not %q", text)
	}
	return p.Masked(), nil
}

func (a *Asked) times(q *history.Query, now time.Time) (err error) {
	if a.at != "" && (a.from != "" || a.to != "") {
		return errors.New("--at contradicts --from and --to")
	}
	for _, t := range []struct {
		flag, text string
		first      *time.Time
		last       *time.Time
	}{{"--at", a.at, &q.From, &q.To}, {"--from", a.from, &q.From, nil}, {"--to", a.to, nil, &q.To}} {
		if t.text == "" {
			continue
		}
		first, last, err := ParseTime(t.text, now)
		if err != nil {
			return fmt.Errorf("%s: %w", t.flag, err)
		}
		if t.first != nil {
			*t.first = first
		}
		if t.last != nil {
			*t.last = last
		}
	}
	if !q.From.IsZero() && !q.To.IsZero() && q.To.Before(q.From) {
		return errors.New("--to is before --from")
	}
	return nil
}

// ParseTime reads a time as people write it. A day is a span from its first to its last
// second, in UTC.
func ParseTime(text string, now time.Time) (first, last time.Time, err error) {
	text = strings.TrimSpace(text)
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		t := now.Add(-ago).UTC().Truncate(time.Second)
		return t, t, nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day, day.Add(24*time.Hour - time.Second), nil
	}
	form := strings.Replace(text, " ", "T", 1)
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(layout, form); err == nil {
			return t.UTC(), t.UTC(), nil
		}
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err := time.Parse(layout, form); err == nil {
			return t, t, fmt.Errorf("%q names no time zone: write %sZ for UTC, or %s+01:00 and the like", text, t.Format(layout), t.Format(layout))
		}
	}
	return first, last, fmt.Errorf("want 2026-11-01T14:05Z, 2026-11-01T14:05+01:00, a day such as 2026-11-01, or 2h for two hours ago, not %q", text)
}

// Show prints an answer as a table for people.
func Show(w io.Writer, a history.Answer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ADDRESS\tCLIENT\tNAME\tKIND\tFROM\tLAST HEARD\tUNTIL\tENDED\tWHERE")
	for i := range a.Spans {
		s := &a.Spans[i]
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Addr, client(s), Names(s), Kind(s), stamp(s.Begin), stamp(s.Heard), until(s), ended(s), Where(s))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprint(w, printable.Count(len(a.Spans), "span", "spans"))
	if a.More {
		fmt.Fprint(w, ", and earlier ones: name a time, or a larger --limit")
	}
	if a.Since != "" {
		fmt.Fprintf(w, "; ended ones are known since %s", a.Since)
	}
	if a.Damaged > 0 {
		fmt.Fprintf(w, "; %s of the files cannot be read", printable.Count(a.Damaged, "line", "lines"))
	}
	_, err := fmt.Fprintln(w)
	return err
}

// ShowEnd prints how the report of an erasure ends: what is beyond its reach, and whether
// it was done.
func ShowEnd(w io.Writer, unreached []string, done bool) error {
	fmt.Fprintln(w, "\nBeyond reach:")
	for _, what := range unreached {
		fmt.Fprintf(w, "  - %s\n", what)
	}
	end := "\nNothing was erased. Run again with --yes to do it."
	if done {
		end = "\nErased."
	}
	_, err := fmt.Fprintln(w, end)
	return err
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func client(s *history.Span) string {
	if s.Hardware != "" && s.Hardware != s.Client {
		return printable.Text(s.Client + " of " + s.Hardware)
	}
	return printable.Text(s.Client)
}

// Names are the client's own word, and the name in NetBox, fit to be shown.
func Names(s *history.Span) string {
	switch {
	case s.Machine == "" && s.Hostname == "":
		return "-"
	case s.Machine == "":
		return printable.Text(s.Hostname)
	case s.Hostname == "":
		return "(" + printable.Text(s.Machine) + ")"
	}
	return printable.Text(s.Hostname) + " (" + printable.Text(s.Machine) + ")"
}

// Kind says whether an address was static, dynamic or given by another server.
func Kind(s *history.Span) string {
	switch {
	case s.Server != "":
		return "by " + printable.Text(s.Server)
	case s.Static:
		return "static"
	}
	return "dynamic"
}

func until(s *history.Span) string {
	if s.Until.IsZero() {
		return "no end"
	}
	return stamp(s.Until)
}

func ended(s *history.Span) string {
	if s.End.IsZero() {
		return "-"
	}
	return stamp(s.End) + " " + s.How.Words()
}

// Where is the way of the last message that told it, fit to be shown.
func Where(s *history.Span) string {
	var parts []string
	if s.Network.IsValid() {
		parts = append(parts, s.Network.String())
	}
	if s.Relay.IsValid() {
		parts = append(parts, "relay "+s.Relay.String())
	}
	for _, p := range []struct{ what, text string }{{"on ", s.Interface}, {"circuit ", s.Circuit}, {"remote ", s.Remote}} {
		if p.text != "" {
			parts = append(parts, p.what+printable.Text(p.text))
		}
	}
	return strings.Join(parts, ", ")
}
