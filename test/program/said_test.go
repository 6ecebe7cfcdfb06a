package program

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/receive"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/integration"
)

// set adds lines to the section netbox of a lab's settings.
func set(t *testing.T, conf string, lines ...string) {
	t.Helper()
	change(t, conf, "inventory: inventory.yml", strings.Join(append([]string{"inventory: inventory.yml"}, lines...), "\n  "))
}

// change replaces a text in a file.
func change(t *testing.T, path, before, after string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), before) {
		t.Fatalf("%s does not hold %q", path, before)
	}
	write(t, path, strings.Replace(string(text), before, after, 1))
}

// E-1: a port that is taken is trouble of this machine, so that the service manager
// starts the server again.
func TestATakenPortIsTroubleOfThisMachine(t *testing.T) {
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tcp.Close() }()
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = udp.Close() }()
	folder := t.TempDir()
	for name, c := range map[string]struct {
		settings []string
		listen   string // of server4; empty: a free one
		args     []string
		port     string
	}{
		"of DHCP":                    {nil, udp.LocalAddr().String(), nil, udp.LocalAddr().String()},
		"of the metrics":             {[]string{`metrics: {listen: "` + tcp.Addr().String() + `"}`}, "", nil, tcp.Addr().String()},
		"of the metrics, by flag":    {nil, "", []string{"--metrics", tcp.Addr().String()}, tcp.Addr().String()},
		"of the boot files, by HTTP": {[]string{`boot_service: {folder: ` + folder + `, http_listen: "` + tcp.Addr().String() + `"}`}, "", nil, tcp.Addr().String()},
		"of the boot files, by TFTP": {[]string{`boot_service: {folder: ` + folder + `, tftp_listen: "` + udp.LocalAddr().String() + `"}`}, "", nil, udp.LocalAddr().String()},
	} {
		t.Run(name, func(t *testing.T) {
			conf, addr := lab(t, pool)
			set(t, conf, c.settings...)
			if c.listen != "" {
				change(t, conf, addr, c.listen)
			}
			_, stderr, code := run(t, append([]string{"serve", "--conf", conf}, c.args...)...)
			if code != 1 || !strings.Contains(stderr, c.port) || !strings.Contains(stderr, "address already in use") {
				t.Errorf("exit code %d, want 1 and the port %s:\n%s", code, c.port, stderr)
			}
		})
	}
}

// B-8: --metrics goes before netbox.metrics.listen.
func TestTheFlagForMetricsGoesBeforeTheSetting(t *testing.T) {
	conf, _ := lab(t, pool)
	setting, flag := integration.FreePort(t), integration.FreePort(t)
	set(t, conf, `metrics: {listen: "`+setting+`"}`)
	s := launch(t, nil, binary, "serve", "--conf", conf, "--metrics", flag)
	for _, page := range []string{"/metrics", "/healthz", "/readyz"} {
		if text := get(t, "http://"+flag+page); text == "" {
			t.Errorf("%s is empty", page)
		}
	}
	if !strings.Contains(get(t, "http://"+flag+"/metrics"), "coredhcp_netbox_build_info") {
		t.Error("the page has no metrics of ours")
	}
	if response, err := http.Get("http://" + setting + "/metrics"); err == nil {
		_ = response.Body.Close()
		t.Error("metrics are served where the setting says, too")
	}
	if lines := s.lines("serving metrics"); len(lines) != 1 || !strings.Contains(lines[0], flag) {
		t.Errorf("the log says %q", lines)
	}
}

// SET-1, REC-5: check prints what serve logs about an address that gets no broadcasts.
// That this machine does not have it is trouble, not a mistake.
func TestAnAddressWithoutBroadcastsIsToldByBoth(t *testing.T) {
	conf, addr := lab(t, pool)
	change(t, conf, addr, "192.0.2.1:6767")
	stdout, stderr, code := run(t, "check", "--conf", conf)
	if code != 0 || !strings.Contains(stdout, "warning  ") || !strings.Contains(stdout, "config.yml:2: server4.listen: 192.0.2.1 alone gets no broadcasts") {
		t.Errorf("check: exit code %d\n%s%s", code, stdout, stderr)
	}
	_, stderr, code = run(t, "serve", "--conf", conf)
	warned := slices.ContainsFunc(strings.Split(stderr, "\n"), func(line string) bool {
		return strings.Contains(line, "level=warning") && strings.Contains(line, "192.0.2.1 alone gets no broadcasts")
	})
	if code != 1 || !warned {
		t.Errorf("serve: exit code %d\n%s", code, stderr)
	}
}

// REC-5: check warns where the kernel keeps too few packets of a burst, and only there.
func TestCheckSaysWhetherABurstHasRoom(t *testing.T) {
	conf, _ := lab(t, pool)
	stdout, _, code := run(t, "check", "--conf", conf)
	small := receive.RoomForBursts()
	if code != 0 || (small != nil) != strings.Contains(stdout, "warning  ") || small != nil && !strings.Contains(stdout, "warning  "+small.Error()) {
		t.Errorf("the kernel: %v; check: exit code %d\n%s", small, code, stdout)
	}
}

// B-4: check prints a key of a config context that nothing reads, and serve logs it.
func TestAKeyOfAContextThatNothingReadsIsToldByBoth(t *testing.T) {
	const want = `is no key that is read: did you mean dns_servers?`
	t.Parallel()
	o := newOffice(t)
	o.netbox.Edit(t, "dcim/devices", o.seeded.ID(t, "dcim/devices", "web0"), map[string]any{
		"local_context_data": map[string]any{"pydhcp_configuration": map[string]any{"dns_server": []string{"10.77.0.53"}}}})
	o.server.await(t, want)
	if line := o.server.lines(want)[0]; !strings.Contains(line, "level=warning") || !strings.Contains(line, "web0") || !strings.Contains(line, "dns_server") {
		t.Errorf("the log says %s", line)
	}
	out, code := o.check()
	if code != 0 || !strings.Contains(out, "warning  ") || !strings.Contains(out, want) || !strings.Contains(out, "web0") {
		t.Errorf("check: exit code %d\n%s", code, out)
	}
	o.allAreServed("beside it")
}

// N-9, R-2, B-4: check of a NetBox prints what contradicts itself there, and serve logs
// it. Clients are served as before.
func TestNetworksThatContradictEachOtherAreToldByBoth(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	vrf, site := o.seeded.ID(t, "ipam/vrfs", "lab"), o.netbox.Add(t, "dcim/sites", map[string]any{"name": "Branch", "slug": "branch"})
	vlan := o.netbox.Add(t, "ipam/vlans", map[string]any{"name": "clients", "vid": 5})
	for prefix, site := range map[string]int64{"10.78.0.0/24": o.seeded.ID(t, "dcim/sites", "HQ"), "10.79.0.0/24": site} {
		o.netbox.Add(t, "ipam/prefixes", map[string]any{"prefix": prefix, "vrf": vrf, "vlan": vlan, "scope_type": "dcim.site", "scope_id": site})
	}
	o.netbox.Add(t, "ipam/ip-addresses", map[string]any{"address": "10.77.0.99/27", "vrf": vrf, "tags": o.ids("extras/tags", "DHCP")})
	out, code := o.check()
	for _, want := range []string{fmt.Sprintf("on the same VLAN (id %d) as prefix 10.7", vlan), "10.77.0.99/27"} {
		o.server.await(t, want)
		if line := o.server.lines(want)[0]; !strings.Contains(line, "level=warning") {
			t.Errorf("the log says %s", line)
		}
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("check: exit code %d, want %q in\n%s", code, want, out)
		}
	}
	o.allAreServed("beside it")
}

// S-15: a NetBox that is asked in clear is warned of at each start.
func TestANetBoxInClearIsWarnedOfAtEachStart(t *testing.T) {
	const warning = "NetBox is asked by http"
	for host, want := range map[string]int{
		"0.0.0.0":   1, // this machine, though no address of the loopback
		"127.0.0.1": 0,
		"localhost": 0,
	} {
		conf, _ := lab(t, pool)
		_, port, err := net.SplitHostPort(integration.FreePort(t))
		if err != nil {
			t.Fatal(err)
		}
		change(t, conf, "inventory: inventory.yml", "url: http://"+host+":"+port)
		for range 2 {
			s := launch(t, []string{"NETBOX_TOKEN=" + limitedToken}, binary, "serve", "--conf", conf)
			lines := s.lines(warning)
			if len(lines) != want || want > 0 && !strings.Contains(lines[0], "level=warning") {
				t.Errorf("%s: %q, want %d lines", host, lines, want)
			}
			if len(s.lines(limitedToken)) > 0 {
				t.Error("the token is in the log")
			}
			if err := s.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := s.Wait(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// REC-4: a token that is wrong at SIGHUP is told and costs no client its address; the
// right one is in use with the next request.
func TestAWrongTokenAtHangupCostsNoClientItsAddress(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, limitedToken)
	o := newOfficeAs(t, nil, "token_file: "+file)
	hangup := func() {
		t.Helper()
		if err := o.server.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	const wrong = "wrong00000000000000000000000000000000000"
	for _, c := range []struct {
		name, token string
		says        string // the log
	}{
		{"an empty file", "", "nothing was reloaded"},
		{"a token that NetBox does not know", wrong, "Invalid"},
	} {
		write(t, file, c.token)
		hangup()
		o.server.await(t, c.says)
		o.allAreServed(c.name)
	}
	if lines := append(o.server.lines(wrong), o.server.lines(limitedToken)...); len(lines) > 0 {
		t.Errorf("a token is in the log: %q", lines)
	}
	write(t, file, limitedToken)
	hangup()
	o.server.await(t, "reloaded inventory, token")
	o.polled()
	o.allAreServed("with the right token again")
}
