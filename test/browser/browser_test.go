package browser

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease/pebblestore"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	mirrorpage "github.com/coredhcp-netbox/coredhcp-netbox/sync/status"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/integration"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/relay"
)

// hostile is a name as a client may tell it.
var hostile = "</td><script>document.title='taken'</script>\u202eevil" + strings.Repeat("-very-long", 20)

const leases = 50_000

// tab is a page of a browser, and what went wrong in it.
type tab struct {
	context.Context
	t       *testing.T
	mu      sync.Mutex
	trouble []string
}

// size is a kind of screen.
type size struct {
	name          string
	width, height int64
	dark          bool
}

var sizes = []size{{"phone", 390, 844, false}, {"phone_dark", 390, 844, true}, {"desktop", 1280, 900, false}, {"desktop_dark", 1280, 900, true}}

// chromium starts the browser once for a test.
func chromium(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	switch {
	case os.Getenv("REQUIRE_INTEGRATION") != "" && err != nil:
		t.Fatal("REQUIRE_INTEGRATION: ", err)
	case os.Getenv("INTEGRATION") == "" || err != nil:
		t.Skip("needs INTEGRATION=1 and chromium: test/netns/install.sh")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WSURLReadTimeout(time.Minute))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// open makes a tab; at the end nothing may have gone wrong in it.
func open(t *testing.T, browser context.Context, s size) *tab {
	t.Helper()
	ctx, stop := chromedp.NewContext(browser)
	t.Cleanup(stop)
	p := &tab{Context: ctx, t: t}
	hear := func(event any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch e := event.(type) {
		case *log.EventEntryAdded: // of a policy that forbids something, too
			if e.Entry.Level == log.EntryLevelError || e.Entry.Source == log.EntrySourceSecurity {
				p.trouble = append(p.trouble, e.Entry.Text)
			}
		case *runtime.EventExceptionThrown:
			p.trouble = append(p.trouble, e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			p.trouble = append(p.trouble, "the console says something: "+string(e.Type))
		}
	}
	p.run() // makes the tab
	if err := chromedp.Listen(ctx, hear); err != nil {
		t.Fatal(err)
	}
	scheme := map[bool]string{true: "dark", false: "light"}[s.dark]
	p.run(command(log.Enable, cdp.Empty{}), chromedp.EmulateViewport(s.width, s.height),
		command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}))
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, text := range p.trouble {
			t.Error("in the browser: ", text)
		}
	})
	return p
}

// command is a command to the browser as a step.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, c, params)
		return err
	})
}

// run takes steps, for half a minute at most.
func (p *tab) run(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, stop := context.WithTimeout(p, 30*time.Second)
	defer stop()
	if len(steps) == 0 {
		ctx = p.Context // a tab ends with the context that made it
	}
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// get takes a step that returns something.
func get[T any](p *tab, step chromedp.Action[T]) T {
	p.t.Helper()
	ctx, stop := context.WithTimeout(p, 30*time.Second)
	defer stop()
	value, err := chromedp.Run(ctx, step)
	if err != nil {
		p.t.Fatal(err)
	}
	return value
}

// shows loads a page, and checks that it fits the screen.
func (p *tab) shows(address string) {
	p.t.Helper()
	p.run(chromedp.Navigate(address), chromedp.WaitVisible(chromedp.CSS("h1")))
	p.fits(address)
}

// fits checks that nobody has to scroll sideways, and takes a picture.
func (p *tab) fits(what string) {
	p.t.Helper()
	widths := get(p, chromedp.Evaluate[[]int](`[document.documentElement.scrollWidth, document.documentElement.clientWidth]`))
	if widths[0] > widths[1] {
		p.t.Errorf("%s is %d wide on a screen of %d", what, widths[0], widths[1])
	}
	if folder := os.Getenv("BROWSER_PICTURES"); folder != "" {
		picture := get(p, chromedp.FullScreenshot(100))
		u, _ := url.Parse(what)
		name := strings.NewReplacer("/", "_", ":", "", "%", "").Replace(p.t.Name() + u.Path + u.RawQuery)
		if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
}

// text is what an element says.
func (p *tab) text(selector string) string {
	p.t.Helper()
	return get(p, chromedp.Text(chromedp.CSS(selector)))
}

// waits until an expression of the page is true.
func (p *tab) waits(expression string) {
	p.t.Helper()
	get(p, chromedp.Poll[bool](expression, chromedp.WithPollingTimeout(20*time.Second)))
}

// server is the built server with many leases, and its page.
func server(t *testing.T) (address string, clients *relay.Agent) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	dhcp, page := integration.FreePort(t), integration.FreePort(t)
	write(t, filepath.Join(dir, "inventory.yml"), `
prefixes: [{prefix: 10.0.0.0/16}, {prefix: 10.2.0.0/29}, {prefix: 10.77.0.0/24}]
ip_ranges: [{start_address: 10.0.0.10/16, end_address: 10.0.255.200/16, tags: [DHCP]}]
ip_addresses:
  - {address: 10.0.0.1/16, tags: [Gateway]}
  - {address: 10.2.0.2/29, tags: [DHCP]}
  - {address: 10.77.0.100-10.77.0.110/24, tags: [DHCP]}
devices:
  - {name: web1, interfaces: [{name: eth0, mac_address: "52:54:00:00:00:01", ip_addresses: [{address: 10.77.0.10/24}]}]}
  - {name: web2, interfaces: [{name: eth0, mac_address: "52:54:00:00:00:01"}]}
`)
	conf := filepath.Join(dir, "config.yml")
	write(t, conf, fmt.Sprintf(`
server4:
  listen: "%s"
  plugins: [{netbox: }, {netbox_gateway: }, {netbox_dns: }, {nak: authoritative}]
netbox:
  inventory: inventory.yml
  network: {relays: [127.0.0.2]}
  lease: {probe: 0s}
  store: {path: state}
  control: {folder: run}
  status: {listen: "%s"}
`, dhcp, page))
	fill(t, filepath.Join(dir, "state", "leases"))
	cmd := exec.Command(integration.Program(t), "serve", "--conf", conf, "--loglevel", "warning")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	address = "http://" + page + "/"
	await(t, address+"healthz")
	clients, err := relay.New(dhcp, netip.MustParseAddr("10.77.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = clients.Close() })
	return address, clients
}

// fill writes leases into the store, one of them with a hostile name.
func fill(t *testing.T, folder string) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	quiet := logrus.New()
	quiet.SetLevel(logrus.ErrorLevel)
	store, err := pebblestore.Open(folder, quiet)
	if err != nil {
		t.Fatal(err)
	}
	group := make([]lease.Change, 0, 1000)
	for i := range leases {
		at := i + 10
		l := lease.Lease{
			Addr: netip.AddrFrom4([4]byte{10, 0, byte(at >> 8), byte(at)}), Client: lease.ClientID(fmt.Sprintf("3C:52:82:%02X:%02X:%02X", i>>16, i>>8&255, i&255)),
			State: lease.Bound, Expires: time.Now().Add(20 * time.Hour).Truncate(time.Second), Hostname: fmt.Sprintf("PC-%05d.corp.example", i),
		}
		if i == 7 {
			l.Hostname = hostile
		}
		if group = append(group, lease.Change{Next: l}); len(group) == cap(group) {
			for _, err := range store.CommitGroup(t.Context(), group) {
				if err != nil {
					t.Fatal(err)
				}
			}
			group = group[:0]
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// message is one of the client with this number.
func message(t *testing.T, client byte, mods ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	t.Helper()
	m, err := dhcpv4.NewDiscovery(net.HardwareAddr{0x02, 0, 0, 0, 0x77, client}, mods...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// WEB-4, WEB-5: what an operator looks at, on each screen, by day and by night.
func TestPagesOfTheServer(t *testing.T) {
	browser := chromium(t)
	address, clients := server(t)
	offer, err := clients.Exchange(message(t, 1, dhcpv4.WithOption(dhcpv4.OptHostName(hostile))))
	if err != nil {
		t.Fatal(err)
	}
	leased := offer.YourIPAddr.String()
	if _, err := clients.Exchange(message(t, 1, dhcpv4.WithOption(dhcpv4.OptHostName(hostile)), dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(offer.ServerIdentifier())), dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(offer.YourIPAddr)))); err != nil {
		t.Fatal(err)
	}
	_, _ = clients.Exchange(message(t, 2, dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(10, 77, 0, 66))), dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest), dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.IPv4(10, 77, 0, 101)))))
	for _, s := range sizes {
		t.Run(s.name, func(t *testing.T) {
			p := open(t, browser, s)
			for _, path := range []string{
				"", "leases", "leases?q=3C:52:82:00:00:07", "ip/10.0.0.17", "client/3C:52:82:00:00:07", "ip/" + leased, "client/02:00:00:00:77:01", "live", "network", "unserved",
				"explain?mac=02:00:00:00:77:01&message=discover&relay=10.77.0.1", "explain", "rules/WEB-1", "login",
			} {
				p.shows(address + path)
			}
		})
	}
	t.Run("a lease is found among 50 000", func(t *testing.T) {
		p := open(t, browser, sizes[2])
		p.shows(address)
		began := time.Now()
		p.run(chromedp.SendKeys(chromedp.CSS("#q"), "pc-31234\n"), chromedp.WaitVisible(`//h1[contains(., "1 lease")]`))
		t.Logf("found after %s", time.Since(began).Round(time.Millisecond))
		p.run(chromedp.Click(chromedp.CSS("tbody th a")), chromedp.WaitVisible(chromedp.CSS("dl")))
		if text := p.text("main"); !strings.Contains(text, "PC-31234.corp.example") || !strings.Contains(text, "running") {
			t.Error(text)
		}
		p.shows(address + "leases?offset=49900")
		if text := p.text("nav.pager"); !strings.Contains(text, "50\u202f000") {
			t.Error(text)
		}
	})
	t.Run("a hostile name is only text", func(t *testing.T) {
		p := open(t, browser, sizes[0])
		p.shows(address + "ip/10.0.0.17")
		title := get(p, chromedp.Title())
		if text := p.text("main"); title != "10.0.0.17 - coredhcp-netbox" || !strings.Contains(text, "<script>") || strings.Contains(text, "\u202e") {
			t.Errorf("%q: %s", title, text)
		}
	})
	t.Run("a hostile name in the history is only text", func(t *testing.T) {
		p := open(t, browser, sizes[0])
		p.shows(address + "ip/" + leased)
		if text := p.text(`section[aria-labelledby="past"]`); !strings.Contains(text, "<script>") || !strings.Contains(text, "02:00:00:00:77:01") || strings.Contains(text, "\u202e") {
			t.Error(text)
		}
	})
	t.Run("a message is followed to its explanation", func(t *testing.T) {
		p := open(t, browser, sizes[2])
		p.shows(address + "live?q=02:00:00:00:77:03")
		p.waits(`document.getElementById("state").textContent === "live"`)
		if _, err := clients.Exchange(message(t, 4)); err != nil { // of another client
			t.Fatal(err)
		}
		if _, err := clients.Exchange(message(t, 3, dhcpv4.WithOption(dhcpv4.OptHostName(hostile[:200])))); err != nil {
			t.Fatal(err)
		}
		p.waits(`document.querySelectorAll("#messages tr").length === 1`)
		if text := p.text("#messages"); !strings.Contains(text, "02:00:00:00:77:03") || !strings.Contains(text, "OFFER") || strings.Contains(text, "\u202e") {
			t.Error(text)
		}
		p.fits("followed")
		p.run(chromedp.Click(`//tbody//a[contains(., "explain")]`), chromedp.WaitVisible(chromedp.CSS("ol.steps")))
		if text := p.text("main"); !strings.Contains(text, "DHCPDISCOVER: OFFER 10.77.0.1") {
			t.Error(text)
		}
	})
	t.Run("messages wait while the list is paused", func(t *testing.T) {
		p := open(t, browser, sizes[0])
		p.shows(address + "live?q=02:00:00:00:77:05")
		p.waits(`document.getElementById("state").textContent === "live"`)
		p.run(chromedp.Click(chromedp.CSS("#pause")))
		if _, err := clients.Exchange(message(t, 5)); err != nil {
			t.Fatal(err)
		}
		p.waits(`document.getElementById("state").textContent === "1 held back"`)
		p.run(chromedp.Click(chromedp.CSS("#pause")))
		p.waits(`document.querySelectorAll("#messages tr").length === 1`)
		p.fits("paused")
	})
	t.Run("without scripts the list loads itself again", func(t *testing.T) {
		p := open(t, browser, sizes[0])
		p.run(command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}), chromedp.Navigate(address+"live"))
		if _, err := clients.Exchange(message(t, 6)); err != nil {
			t.Fatal(err)
		}
		p.run(chromedp.WaitVisible(`//code[contains(., "02:00:00:00:77:06")]`))
	})
}

// The mirror's page has the same look, and the same promises.
func TestPagesOfTheMirror(t *testing.T) {
	browser := chromium(t)
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	l.Add(psutest.Example("dh1.corp.example"))
	l.Add(psutest.World{})
	m := l.Open("sync_ips_from_dhcp: true", nil)
	if _, err := m.Sync(t.Context(), mirror.Options{Mode: plan.Import}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Sync(t.Context(), mirror.Options{}); err != nil {
		t.Fatal(err)
	}
	m.File.Sync.Status.Listen = integration.FreePort(t)
	ctx, stop := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := mirrorpage.Serve(ctx, m, logrus.New()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(serving.Wait)
	t.Cleanup(stop)
	address := "http://" + m.File.Sync.Status.Listen + "/"
	await(t, address+"healthz")
	for _, s := range sizes {
		t.Run(s.name, func(t *testing.T) {
			p := open(t, browser, s)
			for _, path := range []string{"", "search?q=10.8.4.0/24", "runs", "rules/3.7", "login", "drift"} {
				p.shows(address + path)
			}
		})
	}
	t.Run("a lease is found", func(t *testing.T) {
		p := open(t, browser, sizes[2])
		p.shows(address)
		p.run(chromedp.SendKeys(chromedp.CSS("#q"), "10.8.4.0/24\n"), chromedp.WaitVisible(`//h1[contains(., "10.8.4.0/24")]`),
			chromedp.Click(chromedp.CSS("tbody th a")), chromedp.WaitVisible(chromedp.CSS("dl")))
		p.fits("found")
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// await waits until an address answers.
func await(t *testing.T, address string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get(address)
		if err == nil {
			_ = answer.Body.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}
