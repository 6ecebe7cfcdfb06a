// Package pxe is the CoreDHCP plugin that tells machines what to boot, from
// their config context in NetBox: BIOS and UEFI by TFTP, UEFI by HTTP, iPXE and
// Raspberry Pi. It serves no files, and it never touches the redeploy switch
// that it obeys.
package pxe

import (
	"context"
	"errors"
	"time"

	chain "github.com/coredhcp/coredhcp/handler"
	"github.com/coredhcp/coredhcp/logger"
	"github.com/coredhcp/coredhcp/plugins"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/stock"
)

// Plugin is what a CoreDHCP main registers.
var Plugin = plugins.Plugin{Name: "netbox_pxe", Setup4: setup4}

func setup4(args ...string) (chain.Handler4, error) { return setup(instance.Default, args) }

// setup joins the instance that the netbox plugin opened.
func setup(pool *instance.Pool, args []string) (chain.Handler4, error) {
	path, args := instance.SplitArguments(args, false)
	if len(args) > 0 {
		return nil, errors.New("netbox_pxe: takes no arguments; its settings are those of netbox.pxe")
	}
	i, err := pool.Join(path, logger.GetLogger("plugins/netbox_pxe"))
	if err != nil {
		return nil, err
	}
	h := &handler{Instance: i, exchanges: &pool.Exchanges, reading: make(chan struct{}, maxReads)}
	i.SetProxy(h.proxy4)
	return pool.Handler(stock.Plugin{Name: "netbox_pxe", Log: i.Quiet}, h.handle4), nil
}

const (
	// maxReads of the redeploy switch are under way at once, so that a storm of
	// packets does not become one of requests to NetBox (L-8).
	maxReads = 32
	// readTime bounds the wait for one of them and the read itself.
	readTime = 2 * time.Second
)

// handler adds boot data from one instance.
type handler struct {
	*instance.Instance
	exchanges *dhcp4.Exchanges
	reading   chan struct{}
}

func (h *handler) handle4(req, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
	if !asks(req) || !dhcp4.Configures(req, resp) {
		return resp, false
	}
	facts := h.Facts(req, resp)
	c, b, ok := h.bootData(req, facts)
	if !ok {
		return resp, false
	}
	b.apply(resp)
	h.exchanges.Find(req).Booted = true
	h.warn(req, resp, facts, c, b)
	return resp, false
}

// bootData finds what the client of req is to boot. Where ok is false the client
// gets no boot data; the reason was logged if something is wrong.
func (h *handler) bootData(req *dhcpv4.DHCPv4, facts instance.Facts) (c client, b boot, ok bool) {
	if !facts.Known || facts.Machine == nil && h.Settings.PXE.Unknown != "site" {
		h.note(req, "neither the machine nor a place for unknown ones is in NetBox")
		return c, b, false
	}
	if c, ok = recognise(req, facts.Config, h.Settings.PXE.DefaultArch); !ok {
		h.note(req, "the client tells no architecture")
		return c, b, false
	}
	b, why := c.answer(facts.Config)
	if why == "" && !h.allowed(facts) {
		why = switchOff
	}
	if why != "" {
		h.note(req, string(why))
		h.Quiet.Info(string(why)+" "+who(req, facts), "no boot data", about(req, facts, c, string(why)))
		return c, b, false
	}
	return c, b, true
}

// allowed asks the redeploy switch. A client NetBox does not know has
// none, which is no answer where one is required.
func (h *handler) allowed(facts instance.Facts) bool {
	if facts.Machine == nil {
		return h.Settings.PXE.Gate != "on"
	}
	ctx, cancel := context.WithTimeout(context.Background(), readTime)
	defer cancel()
	select {
	case h.reading <- struct{}{}:
		defer func() { <-h.reading }()
	case <-ctx.Done():
		return false
	}
	return h.Redeploy(ctx, facts.Machine)
}

// note leaves why for explain.
func (h *handler) note(req *dhcpv4.DHCPv4, why string) {
	h.exchanges.Find(req).Note = why
}

// warn logs boot data that will probably not work.
func (h *handler) warn(req, resp *dhcpv4.DHCPv4, facts instance.Facts, c client, b boot) {
	if b.nameOnly {
		h.Quiet.Warn("name "+who(req, facts), "boot will hardly work", about(req, facts, c,
			"tftp_server is a name, and most firmware wants an IPv4 address"))
	}
	if b.needsResolver() && !resp.Options.Has(dhcpv4.OptionDomainNameServer) {
		h.Quiet.Warn("resolver "+who(req, facts), "boot will hardly work", about(req, facts, c,
			"the boot URL has a host name, and the reply names no DNS server"))
	}
}

// who names the client in keys of rate-limited lines.
func who(req *dhcpv4.DHCPv4, facts instance.Facts) string {
	if facts.Machine != nil {
		return facts.Machine.Name
	}
	return req.ClientHWAddr.String()
}

func about(req *dhcpv4.DHCPv4, facts instance.Facts, c client, reason string) logrus.Fields {
	f := logrus.Fields{"mac": req.ClientHWAddr.String(), "arch": c.arch, "ipxe": c.ipxe, "reason": reason}
	if facts.Machine != nil {
		f["machine"] = facts.Machine.Name
	}
	return f
}
