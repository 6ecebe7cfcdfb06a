package guard

import (
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
)

func TestHandler4(t *testing.T) {
	log, hook := test.NewNullLogger()
	limited := quiet.New(log, time.Minute, time.Now)
	req, resp := new(dhcpv4.DHCPv4), new(dhcpv4.DHCPv4)

	called := false
	pass := Handler4(limited, "netbox_dns", func(_, resp *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		called = true
		return resp, false
	})
	if got, stop := pass(req, nil); got != nil || !stop || called { // B-5
		t.Errorf("without a reply: %v, stop %v, called %v", got, stop, called)
	}
	if got, stop := pass(req, resp); got != resp || stop || !called {
		t.Errorf("with a reply: %v, stop %v, called %v", got, stop, called)
	}

	broken := Handler4(limited, "netbox_dns", func(_, _ *dhcpv4.DHCPv4) (*dhcpv4.DHCPv4, bool) {
		panic("bug")
	})
	for range 2 {
		if got, stop := broken(req, resp); got != nil || !stop { // B-3
			t.Errorf("after a panic: %v, stop %v", got, stop)
		}
	}
	if len(hook.Entries) != 1 { // B-2
		t.Fatalf("%d log lines for two panics, want 1", len(hook.Entries))
	}
	e := hook.LastEntry()
	if e.Level != logrus.ErrorLevel || e.Data["plugin"] != "netbox_dns" || !strings.Contains(e.Data["stack"].(string), "guard_test.go") {
		t.Errorf("log line %v %v", e.Level, e.Data)
	}
}
