package follow

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox/clienttest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

func TestTheTokenIsInNoLogAndNoError(t *testing.T) {
	var out bytes.Buffer
	log := logrus.New()
	log.SetOutput(&out)
	log.SetLevel(logrus.TraceLevel)
	s := netboxtest.New(t, netboxtest.Config{})
	s.Fail(netboxtest.Fault{Kind: netboxtest.TokenExpired})
	c := clienttest.Connect(t, s.URL(), clienttest.SecretToken, log)
	f := New(c, Config{Log: log})
	err := f.cycle(t.Context())
	f.report(err)
	if !strings.Contains(out.String(), "Token expired") {
		t.Errorf("log lacks the reason: %s", out.String())
	}
	for _, text := range []string{out.String(), err.Error(), fmt.Sprintf("%+v %#v", err, c.URL())} {
		if strings.Contains(text, "0123456789") {
			t.Errorf("the token is told: %s", text)
		}
	}
}
