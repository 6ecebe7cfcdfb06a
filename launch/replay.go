package launch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/capture"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/control"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/replay"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// replayed says what is replayed on what, as the flags say.
type replayed struct {
	path      string
	clients   string
	against   string
	and       string
	leases    string
	local     string
	device    string
	serverID  string
	inPlaceOf []string
	captured  bool
	asJSON    bool
}

func (a *app) replayCommand() *cobra.Command {
	var r replayed
	cmd := &cobra.Command{
		Use:   "replay (FILE.pcap | --clients leases) [--against OLD [--and NEW]] [flags]",
		Short: "Answer recorded or known clients again, and say whose answers a change of NetBox changes",
		Long: `Answer each message of a client in a capture with what is known of NetBox now, and
print a line for each: nothing is sent, and nothing is stored. The leases begin as
they are now, or empty, and are kept in memory while the clock follows the capture,
so that a REQUEST finds what its DISCOVER was offered. Two runs give the same.

With --against, each message is answered from two snapshots, and only the answers
that differ are printed: what would this change of NetBox do to my clients? Without
--and, OLD is compared with what the server knows now. Save OLD with "snapshot
save"; an inventory (.yml or .yaml) can stand for either.

Without a capture, --clients leases asks for each client with a running lease, and
for each MAC address that has a static address in NetBox, as it would ask after a
restart, and for leases also as it would renew.

Captures are pcap or pcapng, of Ethernet, Linux cooked, loopback or IP. Take one
where relays and clients send to the server:
  tcpdump -i any -w clients.pcap udp port 67

Exit code 0 means that all was answered, and with --against or --compare-captured
that nothing differs; 1 that something differs, or without them that there was
trouble; 2 that there was trouble and answers were to be compared; 64 that the
command line, the settings or a file are wrong.`,
		Example: `  coredhcp-netbox replay -c config.yml clients.pcap
  coredhcp-netbox replay -c config.yml clients.pcap --against before.snapshot
  coredhcp-netbox replay -c config.yml --clients leases --against before.snapshot --and after.snapshot
  coredhcp-netbox replay -c config.yml other-server.pcap --in-place-of 10.0.0.9 --leases none --compare-captured`,
		Args: atMostOne("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.path = append(args, "")[0]
			if err := r.check(); err != nil {
				return usageError{err}
			}
			err := a.replay(cmd, r)
			if r.compares() {
				return troubled(err)
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&r.clients, "clients", "", "leases: in place of a capture, ask for clients with leases and for static addresses")
	f.StringVar(&r.against, "against", "", "snapshot or inventory to compare with")
	f.StringVar(&r.and, "and", "", "snapshot or inventory to compare --against with; default: what the server knows now")
	f.StringVar(&r.leases, "leases", "current", "leases to begin with: current or none")
	f.StringVar(&r.local, "local", "", "our address where messages without a relay arrived")
	f.StringVar(&r.device, "interface", "", "our interface where messages without a relay arrived")
	f.StringVar(&r.serverID, "server-id", "", "our server identifier, where the settings have no server_id line")
	f.StringSliceVar(&r.inPlaceOf, "in-place-of", nil, "another server whose clients speak to us in the replay (option 54); all: any server")
	f.BoolVar(&r.captured, "compare-captured", false, "print the answers in the capture beside ours, and count those of another verdict or address")
	f.BoolVar(&r.asJSON, "json", false, "a line of JSON for each message")
	return cmd
}

// compares says that the exit code tells whether answers differ.
func (r *replayed) compares() bool { return r.against != "" || r.captured }

func (r *replayed) check() error {
	var problems []error
	fail := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	switch {
	case r.clients == "" && r.path == "":
		fail("want a capture, or --clients leases")
	case r.clients != "" && r.path != "":
		fail("want a capture or --clients, not both")
	case r.clients != "" && r.clients != "leases":
		fail("--clients: want leases, not %q", r.clients)
	case r.clients != "" && r.leases == "none":
		fail("--clients leases needs --leases current")
	case r.clients != "" && r.captured:
		fail("--compare-captured needs a capture")
	}
	if r.leases != "current" && r.leases != "none" {
		fail("--leases: want current or none, not %q", r.leases)
	}
	if r.and != "" && r.against == "" {
		fail("--and needs --against")
	}
	if r.captured && r.against != "" {
		fail("want --compare-captured or --against, not both")
	}
	if _, err := r.others(); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// others are the servers in whose place we answer; empty without an error: none, or
// any.
func (r *replayed) others() (addrs []netip.Addr, err error) {
	if slices.Contains(r.inPlaceOf, "all") {
		return nil, nil
	}
	for _, text := range r.inPlaceOf {
		addr, notAddr := netip.ParseAddr(text)
		if notAddr != nil || !addr.Is4() {
			err = errors.Join(err, fmt.Errorf("--in-place-of: want an IPv4 address or all, not %q", text))
		}
		addrs = append(addrs, addr)
	}
	return addrs, err
}

func (a *app) replay(cmd *cobra.Command, r replayed) error {
	file, err := a.readSettings()
	if err != nil {
		return err
	}
	if !file.Chain.Has(settings.PluginNetBox) {
		return usageError{errors.New("replay needs the netbox plugin in the chain")}
	}
	known, leases, err := a.knownTo(cmd, file, r)
	if err != nil {
		return err
	}
	run := replayRun{app: a, r: r, out: a.stdout}
	if err := run.ask(file, known, leases); err != nil {
		return err
	}
	began := time.Now()
	if r.clients == "" {
		began = run.began()
	}
	run.clock = replay.NewClock(began)
	if !cmd.Flags().Changed("loglevel") { // what a server logs of these messages is of no interest
		if err := cmd.Flags().Set("loglevel", "none"); err != nil {
			return err
		}
	}
	for i := range known {
		w, err := a.rehearsal(cmd, file, rehearsalOf{saved: &known[i], leases: leases, now: run.clock.Now})
		if err != nil {
			return err
		}
		defer w.close()
		run.worlds = append(run.worlds, &replay.World{Chain: &w.chain, Plays: r.clients == ""})
	}
	return run.all()
}

// knownTo is what the answers rest on: one snapshot, or two that are compared, and
// the leases; nil: those of the store.
func (a *app) knownTo(cmd *cobra.Command, file *settings.File, r replayed) (known []instance.Saved, leases *[]lease.Lease, err error) {
	for _, path := range []string{r.against, r.and} {
		if path == "" {
			continue
		}
		saved, err := readSaved(path, file)
		if err != nil {
			return nil, nil, err
		}
		known = append(known, saved)
	}
	if r.and == "" {
		disk, _, err := a.knownDisk(cmd, file, false)
		if err != nil {
			return nil, nil, err
		}
		now, err := instance.OpenSaved(disk, file.NetBox)
		if err != nil {
			return nil, nil, err
		}
		known = append(known, now)
	}
	if r.leases == "none" {
		return known, new([]lease.Lease), nil
	}
	told, err := askKnown(cmd.Context(), file, knownQuestion{Leases: true})
	switch {
	case err == nil:
		return known, &told.Leases, nil
	case !errors.Is(err, control.ErrNoServer):
		return nil, nil, err
	}
	stored, _, err := instance.StoredLeases(cmd.Context(), file.NetBox)
	if errors.Is(err, os.ErrNotExist) { // no server has run yet
		err = nil
	}
	return known, &stored, err
}

// replayRun is one replay.
type replayRun struct {
	app       *app
	r         replayed
	out       io.Writer
	questions []replay.Question
	replies   []capture.Message // beside the questions; nil: not compared
	worlds    []*replay.World   // one, or old and new
	clock     *replay.Clock
	left      replay.LeftOut
	damage    error // where the capture could not be read any further
	unasked   int

	differs int
	counts  map[string]int // of verdicts
}

// ask makes the questions.
func (run *replayRun) ask(file *settings.File, known []instance.Saved, leases *[]lease.Lease) error {
	q := question{local: run.r.local, device: run.r.device, serverID: run.r.serverID}
	identifier, err := q.identifier(file.Chain)
	if err != nil {
		return usageError{err}
	}
	if run.r.clients != "" {
		c := replay.Clients{Relays: file.NetBox.Network.RelayPrefixes(), Identifier: identifier, Now: time.Now(), Leases: *leases}
		for _, k := range known {
			c.Snapshots = append(c.Snapshots, k.Snapshot)
		}
		run.questions = c.Questions()
		run.unasked = c.Unasked
		return nil
	}
	return run.record(file, q, identifier)
}

// record takes the questions from the capture.
func (run *replayRun) record(file *settings.File, q question, identifier netip.Addr) error {
	in, err := os.Open(run.r.path)
	if err != nil {
		return usageError{err}
	}
	recording, err := replay.Read(in)
	_ = in.Close() // was only read
	switch {
	case errors.Is(err, capture.ErrFormat):
		return usageError{fmt.Errorf("%s: %w", run.r.path, err)}
	case err != nil:
		run.damage = fmt.Errorf("%s: %w", run.r.path, err)
	}
	run.left = recording.Left
	others, _ := run.r.others() // checked
	var b messageBuilder
	local := b.addr("--local", q.local)
	if len(b.problems) > 0 {
		return usageError{errors.Join(b.problems...)}
	}
	var where dhcp4.Ingress
	q.arrive(&where, local)
	for i, m := range recording.Requests {
		g := captured{m.Payload, m.Source, m.To}.way()
		g.Interface, g.Addrs, g.Bits = where.Interface, where.Addrs, where.Bits
		placed := replay.Relay(m.Payload).IsValid() || len(g.Addrs) > 0 || run.r.device != "" || file.NetBox.Network.Subnet.IsValid() ||
			g.Delivery == lease.DeliveryUnicast && replay.Current(m.Payload).IsValid()
		if !placed {
			run.left.Unplaced++
			continue
		}
		if len(run.r.inPlaceOf) > 0 {
			replay.Readdress(m.Payload, others, identifier)
		}
		run.questions = append(run.questions, replay.Question{At: m.At, Payload: m.Payload, Ingress: g, Identifier: identifier})
		if run.r.captured {
			run.replies = append(run.replies, recording.Replies[i])
		}
	}
	return nil
}

// began is when the first message came.
func (run *replayRun) began() time.Time {
	for _, q := range run.questions {
		if !q.At.IsZero() {
			return q.At
		}
	}
	return time.Now()
}

// line is what is printed about one message.
type replayLine struct {
	Time        time.Time           `json:"time,omitzero"`
	Client      string              `json:"client"`
	Message     string              `json:"message"`
	Relay       string              `json:"relay,omitempty"`
	Said        *replay.Said        `json:"answer,omitempty"`
	Captured    *replay.Said        `json:"captured,omitempty"` // of another server
	Old         *replay.Said        `json:"old,omitempty"`
	New         *replay.Said        `json:"new,omitempty"`
	Differences []replay.Difference `json:"differences,omitempty"`
}

// all answers all questions.
func (run *replayRun) all() error {
	run.counts = make(map[string]int)
	progress := newProgress(run.app.stderr, len(run.questions))
	for i, q := range run.questions {
		progress.step(i)
		run.clock.Set(q.At)
		line := lineOf(q)
		var said []replay.Said
		for _, w := range run.worlds {
			said = append(said, w.Answer(q))
		}
		if !run.tell(&line, said, i) {
			continue
		}
		if err := run.print(line); err != nil {
			return err
		}
	}
	progress.end()
	return run.conclude()
}

// tell completes a line; false: it is not printed.
func (run *replayRun) tell(line *replayLine, said []replay.Said, i int) bool {
	last := said[len(said)-1]
	run.counts[last.Verdict]++
	if len(said) == 2 {
		if replay.Same(said[0], last) {
			return false
		}
		run.differs++
		line.Old, line.New, line.Differences = &said[0], &said[1], replay.Differences(said[0], said[1])
		return true
	}
	line.Said = &last
	if run.replies == nil {
		return true
	}
	there, ok := replay.SaidThere(run.replies[i].Payload)
	if !ok {
		there = replay.Said{Verdict: lease.Silent.String(), Reason: "no_reply_captured"}
	}
	line.Captured = &there
	if !sameWords(last, there) {
		run.differs++
	}
	return true
}

// sameWords reports whether two servers say the same to a client in verdict and
// address.
func sameWords(ours, theirs replay.Said) bool {
	word := func(s replay.Said) string { first, _, _ := strings.Cut(s.Verdict, " "); return first }
	addr := func(s replay.Said) string { a, _, _ := strings.Cut(s.Address, "/"); return a }
	if word(ours) == "accepted," { // to a RELEASE or DECLINE nobody answers
		return theirs.Verdict == lease.Silent.String()
	}
	return word(ours) == word(theirs) && (addr(ours) == addr(theirs) || word(ours) == lease.Silent.String())
}

// lineOf is what the message itself says.
func lineOf(q replay.Question) replayLine {
	line := replayLine{Time: q.At, Message: "unreadable"}
	b := q.Payload
	line.Client = strings.ToUpper(net.HardwareAddr(b[28 : 28+min(int(b[2]), 16)]).String())
	if relay := replay.Relay(b); relay.IsValid() {
		line.Relay = relay.String()
	}
	if m, err := dhcpv4.FromBytes(b); err == nil {
		line.Message = lease.MessageType(m.MessageType()).String()
	}
	return line
}

func (run *replayRun) print(line replayLine) error {
	if run.r.asJSON {
		return json.NewEncoder(run.out).Encode(line)
	}
	at := "-"
	if !line.Time.IsZero() {
		at = line.Time.UTC().Format("2006-01-02T15:04:05.000000Z")
	}
	relay := line.Relay
	if relay == "" {
		relay = "-"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%-27s  %-17s  %-12s  %-15s  ", at, line.Client, line.Message, relay)
	switch {
	case line.Old != nil:
		fmt.Fprintf(&b, "%s -> %s%s", words(*line.Old), words(*line.New), details(line.Differences))
	case line.Captured != nil:
		fmt.Fprintf(&b, "%s; there %s %s", words(*line.Said), line.Captured.Verdict, line.Captured.Address)
	default:
		b.WriteString(words(*line.Said))
	}
	_, err := fmt.Fprintln(run.out, strings.TrimRight(b.String(), " "))
	return err
}

// words is an answer in one line.
func words(s replay.Said) string {
	text := s.Verdict
	if s.Address != "" && s.Verdict != lease.Silent.String() {
		text += " " + s.Address
	}
	return cite(fmt.Sprintf("%s (%s)", text, s.Reason), s.Rule)
}

// details are the differences that words does not tell.
func details(list []replay.Difference) string {
	var b strings.Builder
	for _, d := range list {
		if d.What != "verdict" && d.What != "address" {
			fmt.Fprintf(&b, "; %s: %s -> %s", d.What, shortened(d.Old), shortened(d.New))
		}
	}
	return printable.Text(b.String())
}

// conclude says what was done, and ends as the flags want it.
func (run *replayRun) conclude() error {
	out := run.out
	if run.r.asJSON {
		out = run.app.stderr
	}
	verdicts := make([]string, 0, len(run.counts))
	for _, v := range slices.Sorted(maps.Keys(run.counts)) {
		verdicts = append(verdicts, fmt.Sprintf("%d %s", run.counts[v], v))
	}
	summary := fmt.Sprintf("%s: %s", count(len(run.questions), "message", "messages"), strings.Join(verdicts, ", "))
	if run.r.compares() {
		summary = fmt.Sprintf("%s, %s", count(len(run.questions), "message", "messages"), count(run.differs, "answer differs", "answers differ"))
	}
	fmt.Fprintln(out, summary)
	if left := run.left.String(); left != "" {
		fmt.Fprintln(run.app.stderr, "left out:", left)
	}
	if run.unasked > 0 {
		fmt.Fprintf(run.app.stderr, "left out: %s of clients without a hardware address, or in no network of NetBox\n", count(run.unasked, "lease", "leases"))
	}
	if run.damage != nil {
		return run.damage
	}
	if run.r.compares() && run.differs > 0 {
		return errDiffers
	}
	return nil
}

// progress tells people at a terminal how far a long command is.
type progress struct {
	w    io.Writer // nil: it does not
	all  int
	told time.Time
}

// newProgress tells at w, if that is a terminal.
func newProgress(w io.Writer, all int) *progress {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		w = nil
	}
	return &progress{w: w, all: all, told: time.Now()}
}

func (p *progress) step(done int) {
	const often = 500 * time.Millisecond
	if p.w == nil || done%256 != 0 || time.Since(p.told) < often {
		return
	}
	p.told = time.Now()
	fmt.Fprintf(p.w, "\r%d of %d", done, p.all)
}

func (p *progress) end() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\033[K")
	}
}
