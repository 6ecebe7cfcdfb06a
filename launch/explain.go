package launch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/docs/spec"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/receive"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// question is a message to be explained, as its flags say.
type question struct {
	mac       string
	message   string
	relay     string
	local     string
	device    string
	request   string
	current   string
	serverID  string
	arch      int
	class     string
	userClass string
	asJSON    bool
}

func (a *app) explainCommand() *cobra.Command {
	var q question
	cmd := &cobra.Command{
		Use:   "explain --mac MAC (--relay ADDR | --local ADDR) [flags]",
		Short: "Say what a client would be answered, and why; nothing is sent or stored",
		Long: `Say what a client would be answered, and why. The whole chain of the settings
file runs on a made-up message with NetBox as it is now. Nothing is sent to the
client and nothing is stored. While a server is running on the same store, its
leases are taken from the records in NetBox.`,
		Example: `  coredhcp-netbox explain -c config.yml --mac 52:54:00:12:34:56 --relay 10.0.0.1
  coredhcp-netbox explain -c config.yml --mac 52:54:00:12:34:56 --relay 10.0.0.1 --message init-reboot --request 10.0.0.99
  coredhcp-netbox explain -c config.yml --mac 52:54:00:12:34:56 --local 10.0.0.2 --arch 7
  coredhcp-netbox explain -c config.yml --mac 52:54:00:12:34:56 --local 10.0.0.2 --arch 7 --interface eth1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.explain(cmd, q) },
	}
	f := cmd.Flags()
	f.StringVar(&q.mac, "mac", "", "the client's hardware address (required)")
	f.StringVar(&q.message, "message", "discover", "discover, request (after an offer), init-reboot, renew, rebind, inform, release, decline or proxy-request (to port 4011)")
	f.StringVar(&q.relay, "relay", "", "address of the relay the message came through (giaddr)")
	f.StringVar(&q.local, "local", "", "address of the receiving interface, for a client without relay")
	f.StringVar(&q.device, "interface", "", "name of the receiving interface, for those of pxe.proxy_dhcp")
	f.StringVar(&q.request, "request", "", "address the client asks for (option 50)")
	f.StringVar(&q.current, "current", "", "address the client has (ciaddr), for renew, rebind, inform and release")
	f.StringVar(&q.serverID, "server-id", "", "our server identifier, where the settings have no server_id line")
	f.IntVar(&q.arch, "arch", -1, "boot architecture (option 93): 0 BIOS, 7 UEFI x64, 11 UEFI ARM64, 16 UEFI x64 by HTTP")
	f.StringVar(&q.class, "class", "", "vendor class (option 60); default for --arch: what such firmware says")
	f.StringVar(&q.userClass, "user-class", "", "user class (option 77), such as iPXE")
	f.BoolVar(&q.asJSON, "json", false, "answer as JSON")
	return cmd
}

func (a *app) explain(cmd *cobra.Command, q question) error {
	file, err := a.readSettings()
	if err != nil {
		return err
	}
	if !file.Chain.Has(settings.PluginNetBox) {
		return usageError{errors.New("explain needs the netbox plugin in the chain")}
	}
	identifier, err := q.identifier(file.Chain)
	if err != nil {
		return usageError{err}
	}
	req, in, err := q.packet(identifier)
	if err != nil {
		return usageError{err}
	}
	if !cmd.Flags().Changed("loglevel") {
		a.logLevel = "error"
	}
	log, err := a.logger()
	if err != nil {
		return err
	}
	pool := instance.Default
	pool.Rehearse = true
	_, handlers, err := a.loadChain(pool, file.Path)
	if err != nil {
		return err
	}
	defer func() { _ = pool.Close() }() // a rehearsal keeps nothing
	i, err := pool.Join("", log)
	if err != nil {
		return err
	}
	chain, err := chainOf(pool, file, handlers)
	if err != nil {
		return err
	}
	if in.BootPort && !slices.Contains(chain.Proxy.Interfaces, q.device) {
		return usageError{fmt.Errorf("--message %s needs an --interface of netbox.pxe.proxy_dhcp", proxyRequest)}
	}
	result := rehearse(&chain, i, req, in, identifier)
	if q.asJSON {
		encoder := json.NewEncoder(a.stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(result)
	}
	return result.print(a.stdout)
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
	Why     []lease.Step      `json:"why"`
	Reply   map[string]string `json:"reply,omitempty"`
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
		result.Why = append(result.Why, trace.Steps...)
	}
	if out.Reply != nil {
		result.Reply = describe(out.Reply)
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
			result.Verdict, result.Reason = strings.ToLower(out.Reply.MessageType().String()), "other_plugin"
			result.Address = describe(out.Reply)["yiaddr"]
		}
		return result
	}
	d := x.Decision
	result.Verdict, result.Rule, result.Reason = d.Verdict.String(), d.Rule, d.Reason
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

// describe lists what a reply carries, by header field and option.
func describe(resp *dhcpv4.DHCPv4) map[string]string {
	fields := make(map[string]string)
	for code, value := range resp.Options {
		name := dhcpv4.OptionCode(dhcpv4.GenericOptionCode(code)).String()
		one := dhcpv4.Options{code: value}.String()
		fields[fmt.Sprintf("option %3d", code)] = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(one), name+":"))
	}
	if dhcp4.HeaderAddr(resp.YourIPAddr).IsValid() {
		fields["yiaddr"] = resp.YourIPAddr.String()
	}
	if dhcp4.HeaderAddr(resp.ServerIPAddr).IsValid() {
		fields["siaddr"] = resp.ServerIPAddr.String()
	}
	if resp.BootFileName != "" {
		fields["file"] = resp.BootFileName
	}
	return fields
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
	return t.Flush()
}

// cite puts the id of the rule behind the reason in words.
func cite(words, rule string) string {
	if rule == "" {
		return words
	}
	return words + " (rule " + rule + ")"
}

// identifier is the option 54 the receive loop or the server_id plugin would
// give.
func (q question) identifier(chain settings.Chain) (netip.Addr, error) {
	for _, text := range []string{chain.ServerID(), q.serverID, q.local, ownAddress(chain.Listen)} {
		if text == "" {
			continue
		}
		addr, err := netip.ParseAddr(text)
		if err != nil || !addr.Is4() {
			return netip.Addr{}, fmt.Errorf("server identifier: want an IPv4 address, not %q", text)
		}
		return addr, nil
	}
	return netip.Addr{}, errors.New("the settings have no server_id line, and no address of this machine tells: name our address with --server-id")
}

// ownAddress is the address of this machine that a client behind a relay would
// be told: that of an interface in server4.listen, else of any. It is
// empty if there is none.
func ownAddress(listen []settings.Listener) string {
	for _, l := range listen {
		if !l.Addr.IsUnspecified() {
			return l.Addr.String()
		}
		if device, err := net.InterfaceByName(l.Interface); err == nil {
			if own := firstAddress(device.Addrs); own != "" {
				return own
			}
		}
	}
	return firstAddress(net.InterfaceAddrs)
}

// firstAddress is the first IPv4 address beyond loopback, or the first at all.
func firstAddress(read func() ([]net.Addr, error)) (first string) {
	addrs, err := read()
	if err != nil {
		return ""
	}
	for _, addr := range addrs {
		prefix, err := netip.ParsePrefix(addr.String())
		switch {
		case err != nil || !prefix.Addr().Is4():
		case !prefix.Addr().IsLoopback():
			return prefix.Addr().String()
		case first == "":
			first = prefix.Addr().String()
		}
	}
	return first
}

// packet makes the message; identifier is our option 54.
func (q question) packet(identifier netip.Addr) (*dhcpv4.DHCPv4, dhcp4.Ingress, error) {
	var b messageBuilder
	in := dhcp4.Ingress{Delivery: lease.DeliveryBroadcast}
	mac, err := net.ParseMAC(q.mac)
	if err != nil {
		b.fail("--mac: want a hardware address such as 52:54:00:12:34:56, not %q", q.mac)
	}
	relay, local := b.addr("--relay", q.relay), b.addr("--local", q.local)
	request, current := b.addr("--request", q.request), b.addr("--current", q.current)
	if local.IsValid() {
		in.Interface, in.Addrs = "(--local)", []netip.Addr{local}
	}
	if q.device != "" {
		in.Interface = q.device
	}
	in.BootPort = q.message == proxyRequest
	if q.message == "renew" || in.BootPort {
		in.Delivery = lease.DeliveryUnicast
	}
	if !relay.IsValid() && !local.IsValid() && q.message != "renew" {
		b.fail("where is the client? give --relay or --local")
	}
	req := b.message(q.message, mac, request, current, identifier)
	if len(b.problems) > 0 {
		return nil, in, errors.Join(b.problems...)
	}
	if relay.IsValid() {
		req.GatewayIPAddr = relay.AsSlice()
	}
	in.Source = netip.AddrPortFrom(sender(req), dhcpv4.ClientPort)
	q.addBoot(req)
	return req, in, nil
}

// sender is where the message comes from: the relay itself, else the client,
// which may have no address yet.
func sender(req *dhcpv4.DHCPv4) netip.Addr {
	for _, ip := range []net.IP{req.GatewayIPAddr, req.ClientIPAddr} {
		if addr := dhcp4.HeaderAddr(ip); addr.IsValid() {
			return addr
		}
	}
	return netip.IPv4Unspecified()
}

// addBoot makes the message one of boot firmware.
func (q question) addBoot(req *dhcpv4.DHCPv4) {
	class := q.class
	if q.arch >= 0 {
		req.UpdateOption(dhcpv4.OptClientArch(iana.Arch(q.arch))) //nolint:gosec // G115: two bytes on the wire
		req.UpdateOption(dhcpv4.OptParameterRequestList(append(req.ParameterRequestList(), dhcpv4.OptionTFTPServerName, dhcpv4.OptionBootfileName)...))
		if class == "" {
			class = fmt.Sprintf("PXEClient:Arch:%05d:UNDI:003016", q.arch)
		}
	}
	if class != "" {
		req.UpdateOption(dhcpv4.OptClassIdentifier(class))
	}
	if q.userClass != "" {
		req.UpdateOption(dhcpv4.OptUserClass(q.userClass))
	}
}

// messageBuilder collects all mistakes of a question.
type messageBuilder struct {
	problems []error
}

func (b *messageBuilder) fail(format string, args ...any) {
	b.problems = append(b.problems, fmt.Errorf(format, args...))
}

func (b *messageBuilder) addr(flag, text string) netip.Addr {
	if text == "" {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || !addr.Is4() {
		b.fail("%s: want an IPv4 address, not %q", flag, text)
	}
	return addr
}

// message builds a client message of the named state (RFC 2131 section 4.3.2).
func (b *messageBuilder) message(state string, mac net.HardwareAddr, request, current, identifier netip.Addr) *dhcpv4.DHCPv4 {
	kinds := map[string]struct {
		kind                       dhcpv4.MessageType
		request, current, serverID bool
	}{
		"discover":    {kind: dhcpv4.MessageTypeDiscover},
		"request":     {kind: dhcpv4.MessageTypeRequest, request: true, serverID: true},
		"init-reboot": {kind: dhcpv4.MessageTypeRequest, request: true},
		"renew":       {kind: dhcpv4.MessageTypeRequest, current: true},
		"rebind":      {kind: dhcpv4.MessageTypeRequest, current: true},
		proxyRequest:  {kind: dhcpv4.MessageTypeRequest, current: true},
		"inform":      {kind: dhcpv4.MessageTypeInform, current: true},
		"release":     {kind: dhcpv4.MessageTypeRelease, current: true, serverID: true},
		"decline":     {kind: dhcpv4.MessageTypeDecline, request: true, serverID: true},
	}
	k, ok := kinds[state]
	if !ok {
		b.fail("--message: want one of %s, not %q", strings.Join(slices.Sorted(maps.Keys(kinds)), ", "), state)
		return nil
	}
	if k.request && !request.IsValid() {
		b.fail("--message %s needs --request", state)
	}
	if k.current && !current.IsValid() {
		b.fail("--message %s needs --current", state)
	}
	req, err := dhcpv4.New(dhcpv4.WithHwAddr(mac), dhcpv4.WithMessageType(k.kind), dhcpv4.WithRequestedOptions(
		dhcpv4.OptionSubnetMask, dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer, dhcpv4.OptionHostName,
		dhcpv4.OptionDomainName, dhcpv4.OptionInterfaceMTU, dhcpv4.OptionBroadcastAddress, dhcpv4.OptionNTPServers,
		dhcpv4.OptionDNSDomainSearchList, dhcpv4.OptionClasslessStaticRoute))
	if err != nil {
		b.fail("make the message: %v", err)
		return nil
	}
	if request.IsValid() {
		req.UpdateOption(dhcpv4.OptRequestedIPAddress(request.AsSlice()))
	}
	if current.IsValid() {
		req.ClientIPAddr = current.AsSlice()
	}
	if k.serverID {
		req.UpdateOption(dhcpv4.OptServerIdentifier(identifier.AsSlice()))
	}
	return req
}
