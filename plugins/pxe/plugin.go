// Package pxe is the CoreDHCP plugin that tells machines what to boot, from
// their config context in NetBox: BIOS and UEFI by TFTP, UEFI by HTTP, iPXE and
// Raspberry Pi. It serves no files, and it never touches the redeploy switch
// that it obeys.
package pxe

import (
	"context"
	"errors"

	chain "github.com/coredhcp/coredhcp/handler"
	"github.com/coredhcp/coredhcp/logger"
	"github.com/coredhcp/coredhcp/plugins"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
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
	h := &handler{Instance: i, redeploy: i.Redeploy}
	i.SetBoots(asks)
	i.SetProxy(h.proxy4)
	return pool.Handler(stock.Plugin{Name: "netbox_pxe", Log: i.Quiet}, h.handle4), nil
}

// handler adds boot data from one instance.
type handler struct {
	*instance.Instance
	redeploy func(context.Context, *ipam.Machine) (bool, error)
}

func (h *handler) handle4(x *dhcp4.Exchange, req, resp *dhcp4.Packet) (*dhcp4.Packet, bool) {
	if !asks(req) || !dhcp4.Configures(req, resp) {
		return resp, false
	}
	facts := h.BootsBy(x, h.Facts(x, req, resp))
	c, b, ok, err := h.bootData(x, req, facts)
	if err != nil { // without boot data the client would start what is on its disk
		return nil, true
	}
	if !ok {
		return resp, false
	}
	b.apply(resp)
	if facts.Explained() {
		for code := range b.options { // OPT-13
			facts.From(resp, "boot data of "+facts.Context(), dhcpv4.GenericOptionCode(code))
		}
	}
	x.Booted = true
	h.warn(req, resp, facts, c, b)
	return resp, false
}

// bootData finds what the client of req is to boot. Where ok is false the client
// gets no boot data; the reason was logged if something is wrong. An error says
// that it cannot be known now, and the client is to ask again (B-9).
func (h *handler) bootData(x *dhcp4.Exchange, req *dhcp4.Packet, facts instance.Facts) (c client, b boot, ok bool, err error) {
	if !facts.Known || facts.Machine == nil && h.Settings.PXE.Unknown != "site" {
		h.note(x, "neither the machine nor a place for unknown ones is in NetBox")
		return c, b, false, nil
	}
	if c, ok = recognise(req, facts.Config, h.Settings.PXE.DefaultArch); !ok {
		h.note(x, "the client tells no architecture")
		return c, b, false, nil
	}
	b, why := c.answer(facts.Config)
	if why == "" {
		open, err := h.allowed(x, facts)
		switch {
		case errors.Is(err, lease.ErrCrowded):
			h.note(x, err.Error())
			h.Quiet.Warn("crowded", "no answer: too many boot clients wait for NetBox", about(req, facts, c, err.Error()))
			return c, b, false, err
		case err != nil: // trouble, which is no fault of the machine
			h.note(x, string(notRead))
			f := about(req, facts, c, string(notRead))
			f[logrus.ErrorKey] = err
			h.Quiet.Warn("redeploy "+who(req, facts), "no boot data", f)
			return c, b, false, nil
		case !open:
			why = switchOff
		}
	}
	if why != "" {
		h.note(x, string(why))
		h.Quiet.Info(string(why)+" "+who(req, facts), "no boot data", about(req, facts, c, string(why)))
		return c, b, false, nil
	}
	return c, b, true, nil
}

// allowed asks the redeploy switch. A client NetBox does not know has
// none, which is no answer where one is required.
func (h *handler) allowed(x *dhcp4.Exchange, facts instance.Facts) (bool, error) {
	if facts.Machine == nil {
		return h.Settings.PXE.Gate != "on", nil
	}
	if x.FromMemory {
		return h.KnownRedeploy(facts.Machine), nil
	}
	return h.redeploy(context.Background(), facts.Machine)
}

// note leaves why for explain.
func (h *handler) note(x *dhcp4.Exchange, why string) {
	x.Note = why
}

// warn logs boot data that will probably not work.
func (h *handler) warn(req, resp *dhcp4.Packet, facts instance.Facts, c client, b boot) {
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
func who(req *dhcp4.Packet, facts instance.Facts) string {
	if facts.Machine != nil {
		return facts.Machine.Name
	}
	return req.ClientHWAddr.String()
}

func about(req *dhcp4.Packet, facts instance.Facts, c client, reason string) logrus.Fields {
	f := logrus.Fields{"mac": req.ClientHWAddr.String(), "arch": c.arch, "ipxe": c.ipxe, "reason": reason}
	if facts.Machine != nil {
		f["machine"] = facts.Machine.Name
	}
	return f
}
