// Package integration is what tests of the built server share: the program, a
// port for it, a real NetBox as its administrator sees it, and the rights of the
// server's token. It must not reach into the server under test.
package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

// Program is the server under test: the file that COREDHCP_NETBOX_BIN names,
// or one built from this checkout. It is for tests in folders two below the
// top.
func Program(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("COREDHCP_NETBOX_BIN"); path != "" {
		return path
	}
	return build(t)
}

// SteppingProgram is the server built from this checkout with a clock that the
// test can set: it is ahead by what the file says that the environment variable
// COREDHCP_NETBOX_CLOCK_STEP names. The machine's clock is never set.
func SteppingProgram(t *testing.T) string { return build(t, "-tags", "clockstep") }

func build(t *testing.T, flags ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "coredhcp-netbox")
	args := append(append([]string{"build"}, flags...), "-o", path, "../../cmd/coredhcp-netbox")
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// FreePort is an address of loopback whose port nothing uses, by UDP nor TCP. It
// is below the ports that the kernel gives to whom names none, so that no other
// test gets it meanwhile.
func FreePort(t testing.TB) string {
	t.Helper()
	for range 100 {
		at := net.JoinHostPort("127.0.0.1", strconv.Itoa(20_000+rand.IntN(12_000)))
		udp, err := net.ListenPacket("udp4", at)
		if err != nil {
			continue
		}
		tcp, err := net.Listen("tcp4", at)
		_ = udp.Close()
		if err == nil {
			_ = tcp.Close()
			return at
		}
	}
	t.Fatal("no port is free")
	return ""
}

// LeastPrivilege is the table of the README: what the server's token needs.
func LeastPrivilege() []netboxtest.Grant {
	var grants []netboxtest.Grant
	for object := range strings.FieldsSeq(`
		dcim.macaddress dcim.interface dcim.device dcim.site dcim.location dcim.region dcim.sitegroup
		virtualization.vminterface virtualization.virtualmachine
		ipam.iprange ipam.prefix ipam.vrf
		tenancy.tenant extras.configcontext extras.tag extras.customfield core.objectchange`) {
		grants = append(grants, netboxtest.Grant{Object: object, Actions: []string{"view"}})
	}
	return append(grants, netboxtest.Grant{Object: "ipam.ipaddress", Actions: []string{"view", "change"}})
}

// NetBox is a real NetBox as its administrator sees it over the REST API.
type NetBox struct {
	URL, Token string
}

// RealNetBox finds the NetBox of the environment: see netboxtest.Real.
func RealNetBox(t *testing.T) NetBox {
	t.Helper()
	url, token := netboxtest.Real(t)
	return NetBox{URL: url, Token: token}
}

// Addr is where NetBox listens.
func (n NetBox) Addr(t *testing.T) netip.AddrPort {
	t.Helper()
	u, err := url.Parse(n.URL)
	if err != nil {
		t.Fatal(err)
	}
	at, err := netip.ParseAddrPort(u.Host)
	if err != nil {
		t.Fatalf("NETBOX_URL must name a loopback address and a port: %v", err)
	}
	return at
}

// Call makes one request below /api/, with body in JSON unless it is nil, and
// decodes the answer unless into is nil. A refusal fails the test. It works in
// cleanups too.
func (n NetBox) Call(t testing.TB, method, path string, body, into any) {
	t.Helper()
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, n.URL+"/api/"+path, in)
	if err != nil {
		t.Fatal(err)
	}
	scheme := "Token "
	if strings.HasPrefix(n.Token, "nbt_") {
		scheme = "Bearer "
	}
	req.Header.Set("Authorization", scheme+n.Token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, out, err)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
}
