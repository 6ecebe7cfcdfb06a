package launch

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/coredhcp/coredhcp/config"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/docs/spec"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/control"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/receive"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// question is a message to be explained, as its flags say.
type question struct {
	mac        string
	message    string
	relay      string
	local      string
	device     string
	source     string
	request    string
	current    string
	serverID   string
	arch       int
	class      string
	userClass  string
	secs       int
	broadcast  bool
	options    []string
	subOptions []string
	circuit    string
	remote     string
	capture    string
	frame      int
	anew       bool
	asJSON     bool
}

func (a *app) explainCommand() *cobra.Command {
	var q question
	cmd := &cobra.Command{
		Use:   "explain (--mac MAC | --packet FILE) (--relay ADDR | --local ADDR | --interface NAME) [flags]",
		Short: "Say what a client would be answered, and why; nothing is sent or stored",
		Long: `Say what a client would be answered, and why. The whole chain of the settings
file decides about a message that is made up from the flags, or taken from a
capture. Nothing is sent, and nothing is stored.

While the server runs it is asked over its control socket, so the answer is what
it would say now. Otherwise its files are read: the copy of NetBox and the
leases, without a lock and without a write. Where there are no files yet, NetBox
is read. Plugins that may keep leases of their own, such as range, are left out,
and the answer says so.

Exit code 0 means that the answer was found, also if it is silence; 64 that the
command line or the settings are wrong; 1 that there was trouble.`,
		Example: `  coredhcp-netbox explain -c config.yml --mac 52:54:00:12:34:56 --relay 10.0.0.1
  coredhcp-netbox explain -c config.yml --mac 52:54:00:12:34:56 --relay 10.0.0.1 --message init-reboot --request 10.0.0.99
  coredhcp-netbox explain -c config.yml --mac 52:54:00:12:34:56 --local 10.0.0.2 --arch 7
  coredhcp-netbox explain -c config.yml --mac 52:54:00:12:34:56 --interface eth1 --option 60=PXEClient --option 55=1,3,66,67
  coredhcp-netbox explain -c config.yml --mac 52:54:00:12:34:56 --relay 10.0.0.1 --sub-option 5=10.20.0.0
  coredhcp-netbox explain -c config.yml --mac 52:54:00:12:34:56 --relay 10.0.0.1 --circuit-id Gi1/0/5 --remote-id sw1
  tcpdump -c 1 -w seen.pcap port 67; coredhcp-netbox explain -c config.yml --packet seen.pcap --interface eth1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.explain(cmd, q) },
	}
	f := cmd.Flags()
	f.StringVar(&q.mac, "mac", "", "the client's hardware address")
	f.StringVar(&q.message, "message", "discover", "discover, request (after an offer), init-reboot, renew, rebind, inform, release, decline, bootp or proxy-request (to port 4011)")
	f.StringVar(&q.relay, "relay", "", "address of the relay the message came through (giaddr)")
	f.StringVar(&q.local, "local", "", "address of the receiving interface, for a client without relay")
	f.StringVar(&q.device, "interface", "", "name of the receiving interface")
	f.StringVar(&q.source, "source", "", "address the packet was sent from; default: that of the relay or of the client")
	f.StringVar(&q.request, "request", "", "address the client asks for (option 50), in any message")
	f.StringVar(&q.current, "current", "", "address the client has or had (ciaddr), in any message")
	f.StringVar(&q.serverID, "server-id", "", "our server identifier, where the settings have no server_id line")
	f.IntVar(&q.arch, "arch", -1, "boot architecture (option 93): 0 BIOS, 7 UEFI x64, 11 UEFI ARM64, 16 UEFI x64 by HTTP")
	f.StringVar(&q.class, "class", "", "vendor class (option 60); default for --arch: what such firmware says")
	f.StringVar(&q.userClass, "user-class", "", "user class (option 77), such as iPXE")
	f.IntVar(&q.secs, "secs", 0, "seconds the client says it has waited")
	f.BoolVar(&q.broadcast, "broadcast", false, "the client asks for answers by broadcast (flags)")
	f.StringArrayVar(&q.options, "option", nil, "CODE=VALUE, any option: text, hex:0a0b, an address, in 55 a list of numbers; may be repeated")
	f.StringArrayVar(&q.subOptions, "sub-option", nil, "CODE=VALUE, any sub-option of option 82, such as 1 (circuit), 2 (remote), 5, 11, 19, 150 or 152; may be repeated")
	f.StringVar(&q.circuit, "circuit-id", "", "circuit-id that the relay adds (option 82, sub-option 1): text, or hex:000400140105")
	f.StringVar(&q.remote, "remote-id", "", "remote-id that the relay adds (option 82, sub-option 2): text, or hex:0006001b54010203")
	f.StringVar(&q.capture, "packet", "", "file with the message: pcap, pcapng, a hex dump of frame or message, or its bytes; - is standard input")
	f.IntVar(&q.frame, "frame", 1, "which message of a client in --packet")
	f.BoolVar(&q.anew, "read-netbox", false, "read NetBox now, instead of asking the server or its files")
	f.BoolVar(&q.asJSON, "json", false, "answer as JSON")
	for _, other := range []string{"mac", "message", "relay", "request", "current", "arch", "class", "user-class", "secs", "broadcast", "option", "sub-option", "circuit-id", "remote-id"} {
		cmd.MarkFlagsMutuallyExclusive("packet", other)
	}
	return cmd
}

// asked is a question as it goes to the server: a message on the wire, and how it
// came.
type asked struct {
	Packet     []byte        `json:"packet"`
	Ingress    dhcp4.Ingress `json:"ingress"`
	Identifier netip.Addr    `json:"identifier"`
}

func (a *app) explain(cmd *cobra.Command, q question) error {
	file, err := a.readSettings()
	if err != nil {
		return err
	}
	if !file.Chain.Has(settings.PluginNetBox) {
		return usageError{errors.New("explain needs the netbox plugin in the chain")}
	}
	what, err := q.asked(file.Chain, os.ReadFile)
	if err != nil {
		return usageError{err}
	}
	if what.Ingress.BootPort && !slices.Contains(file.NetBox.PXE.ProxyDHCP, what.Ingress.Interface) {
		return usageError{fmt.Errorf("--message %s needs an --interface of netbox.pxe.proxy_dhcp", proxyRequest)}
	}
	var result answer
	err = control.ErrNoServer
	if !q.anew {
		err = askServer(cmd.Context(), file, "explain", what, &result)
	}
	if errors.Is(err, control.ErrNoServer) {
		result, err = a.explainFromFiles(cmd, file, what, q.anew)
	}
	if err != nil {
		return err
	}
	if q.asJSON {
		return a.printJSON(result)
	}
	return result.print(a.stdout)
}

// explainFromFiles answers without a server.
func (a *app) explainFromFiles(cmd *cobra.Command, file *settings.File, what asked, anew bool) (answer, error) {
	w, err := a.rehearsal(cmd, file, rehearsalOf{anew: anew})
	if err != nil {
		return answer{}, err
	}
	defer w.close()
	result := what.answer(&w.chain, w.instance)
	result.RestsOn = append(w.instance.RestsOn(), notAsked(file.Chain)...)
	return result, nil
}

// only leaves the plugins of a chain whose names are wanted.
func only(wanted func(plugin string) bool) func([]config.PluginConfig) []config.PluginConfig {
	return func(chain []config.PluginConfig) []config.PluginConfig {
		return slices.DeleteFunc(chain, func(p config.PluginConfig) bool { return !wanted(p.Name) })
	}
}

// harmless says that a plugin keeps nothing of a message, so that explain may ask
// it: ours, and those of CoreDHCP that only fill in options (C-1).
func harmless(plugin string) bool {
	switch plugin {
	case settings.PluginNetBox, settings.PluginGateway, settings.PluginDNS, settings.PluginPXE, settings.PluginNak,
		"autoconfigure", "dns", "ipv6only", "lease_time", "mtu", "nbp", "netmask", "router", "searchdomains", "server_id", "staticroute":
		return true
	}
	return false
}

// notAsked names the plugins that explain leaves out.
func notAsked(chain settings.Chain) (lines []string) {
	for _, p := range chain.Plugins {
		if !harmless(p.Name) {
			lines = append(lines, "the plugin "+p.Name+" was not asked, since it may keep what it is told")
		}
	}
	return lines
}

// answer is what explain found out.
type answer struct {
	Message string            `json:"message"`
	Verdict string            `json:"verdict"`
	Rule    string            `json:"rule"`
	Reason  lease.Reason      `json:"reason"`
	Address string            `json:"address,omitempty"`
	Network string            `json:"network,omitempty"`
	Client  string            `json:"client,omitempty"`
	Circuit *explainedCircuit `json:"circuit,omitempty"`
	Why     []lease.Step      `json:"why"`
	Reply   map[string]string `json:"reply,omitempty"`
	Options []explainedOption `json:"options,omitempty"`
	RestsOn []string          `json:"rests_on,omitempty"`

	static, refusal bool // the address is assigned in NetBox; the reply is a NAK
}

// answer reads the message as the receive loop does and answers it.
func (w asked) answer(chain *receive.Chain, i *instance.Instance) answer {
	req, why := receive.Decode(w.Packet)
	if why != "" {
		return answer{
			Message: "unreadable", Verdict: lease.Silent.String(), Rule: "D-0", Reason: lease.Reason(why), Client: notInNetBox,
			Why: []lease.Step{{Rule: "D-0", Text: "the message is dropped before any plugin is asked: " + string(why)}},
		}
	}
	return rehearse(chain, i, req, w.Ingress, w.Identifier)
}

// rehearse answers a message as the receive loop does, but sends nothing.
func rehearse(chain *receive.Chain, i *instance.Instance, req *dhcpv4.DHCPv4, in dhcp4.Ingress, identifier netip.Addr) answer {
	trace := new(lease.Trace)
	out := chain.Answer(req, in, identifier, trace)
	var result answer
	if out.Proxied {
		result = explainProxy(out, i, req, in)
	} else {
		result = explainLease(out, req)
		if x := out.Exchange; x != nil && x.Asked {
			result.Circuit = explainCircuit(x, i)
		}
		result.Why = append(result.Why, trace.Steps...)
	}
	if out.Reply != nil {
		result.refusal = dhcp4.TypeOf(out.Reply) == dhcpv4.MessageTypeNak
		result.Reply = dhcp4.Describe(out.Reply.Library())
		result.Options = explainOptions(out)
	}
	return result
}

// explainLease says what the netbox plugin decided, or what another plugin
// answered before it.
func explainLease(out receive.Outcome, req *dhcpv4.DHCPv4) answer {
	x := out.Exchange
	result := answer{Message: lease.MessageType(req.MessageType()).String(), Verdict: lease.Silent.String(), Client: notInNetBox}
	if x == nil || !x.Asked {
		result.Reason = lease.Reason(out.Drop)
		result.Why = []lease.Step{{Text: "the chain ended before the netbox plugin"}}
		if out.Reply != nil {
			result.Verdict, result.Reason = strings.ToLower(dhcp4.TypeOf(out.Reply).String()), "other_plugin"
			result.Address = dhcp4.Describe(out.Reply.Library())["yiaddr"]
		}
		return result
	}
	d := x.Decision
	result.Verdict, result.Rule, result.Reason, result.static = d.Verdict.String(), d.Rule, d.Reason, d.Static
	if d.Addr.IsValid() {
		result.Address = d.Addr.String()
	}
	result.locate(d.Subnet, d.Machine)
	return result
}

const notInNetBox = "not in NetBox"

// locate says where the client is, and who.
func (r *answer) locate(subnet *ipam.Subnet, machine *ipam.Machine) {
	if subnet != nil {
		r.Network = subnet.Prefix.Prefix.String()
	}
	if machine != nil {
		r.Client = machine.ID.Kind.String() + " " + machine.Name
	}
}

func (r answer) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	verdict := fmt.Sprintf("%s (%s)", r.Verdict, r.Reason)
	if rule, ok := spec.Lookup(r.Rule); ok {
		verdict += ": " + rule.Title
	}
	fmt.Fprintf(t, "%s\t%s\n", r.Message, cite(verdict, r.Rule))
	fmt.Fprintf(t, "client\t%s\n", r.Client)
	if r.Network != "" {
		fmt.Fprintf(t, "network\t%s\n", r.Network)
	}
	if r.Address != "" {
		fmt.Fprintf(t, "address\t%s\n", r.Address)
	}
	r.Circuit.print(t)
	fmt.Fprintln(t, "\nwhy\t")
	for _, step := range r.Why {
		fmt.Fprintf(t, "  %s\n", cite(step.Text, step.Rule))
	}
	if len(r.Reply) > 0 {
		fmt.Fprintln(t, "\nreply\t")
		for _, name := range slices.Sorted(maps.Keys(r.Reply)) {
			fmt.Fprintf(t, "  %s\t%s\n", name, r.Reply[name])
		}
	}
	printOptions(t, r.Options)
	if len(r.RestsOn) > 0 {
		fmt.Fprintln(t, "\nrests on\t")
		for _, line := range r.RestsOn {
			fmt.Fprintf(t, "  %s\n", line)
		}
	}
	return t.Flush()
}

// cite puts the id of the rule behind the reason in words.
func cite(words, rule string) string {
	if rule == "" {
		return words
	}
	return words + " (rule " + rule + ")"
}
