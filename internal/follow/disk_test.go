package follow

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

func TestADiskCopyServesWhileNetBoxIsDown(t *testing.T) { // H-1
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	path := filepath.Join(t.TempDir(), "netbox.copy")
	keep := func(c *Config) { c.DiskPath = path }
	first := follow(t, s, s.TokenV2(), keep)
	first.must(t)
	first.disk.save(first.clock, first.tables, first.confirmed, time.Minute)

	s.Down()
	w := follow(t, s, s.TokenV2(), keep)
	w.clock = w.clock.Add(time.Hour)
	w.restore()
	if w.snapshot == nil || w.address("10.0.0.5") == nil {
		t.Fatal("nothing came from the disk copy")
	}
	if len(w.confirms) != 1 || !w.confirms[0].Equal(first.confirms[0]) {
		t.Errorf("confirmed as of %v, want %v: the copy is as old as it is", w.confirms, first.confirms)
	}
	if err := w.cycle(t.Context()); err == nil {
		t.Fatal("a poll without NetBox succeeded")
	}
	s.Up()
	s.Edit(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24"), map[string]any{"status": "reserved"})
	s.Delete(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.101/24"))
	w.must(t)
	if w.address("10.0.0.101") != nil || w.address("10.0.0.100").Status != "reserved" {
		t.Error("the copy was not caught up")
	}
	checkBack := follow(t, s, s.TokenV2())
	checkBack.must(t)
	if !w.tables.equal(checkBack.tables) {
		t.Error("caught up and freshly read snapshots differ")
	}
}

func TestTheDiskCopyIsRenewedWithNewsAndOnceAnHourWithout(t *testing.T) {
	s, seeded := netboxtest.ServeOffice(t, netboxtest.V47)
	path := filepath.Join(t.TempDir(), "netbox.copy")
	w := follow(t, s, s.TokenV2(), func(c *Config) { c.DiskPath = path })
	saves := func(after time.Duration) bool {
		t.Helper()
		w.clock = w.clock.Add(after)
		w.must(t)
		before := w.disk.saved
		w.disk.saveIfDue(w.clock, w.tables, w.confirmed)
		if !w.disk.await(time.After(time.Minute)) {
			t.Fatal("the write does not end")
		}
		if w.disk.saved.Equal(before) {
			return false
		}
		disk, err := ipam.ReadDiskFile(path)
		if err != nil || !disk.Taken.Equal(w.disk.saved) {
			t.Errorf("the copy is of %v (%v), want %v", disk.Taken, err, w.disk.saved)
		}
		return true
	}
	if !saves(0) {
		t.Error("no copy after the first read")
	}
	if saves(30 * time.Minute) {
		t.Error("a copy without news after half an hour")
	}
	if !saves(31 * time.Minute) {
		t.Error("no copy after an hour: it would be taken for older than it is")
	}
	s.Edit(t, "ipam/ip-addresses", seeded.ID(t, "ipam/ip-addresses", "10.0.0.100/24"), map[string]any{"status": "reserved"})
	if saves(time.Minute) {
		t.Error("a copy one minute after the last")
	}
	if !saves(saveEvery) {
		t.Error("no copy of the news after some minutes")
	}
}

// H-1, C-7: not by a server, and not by a command that reads its files.
func TestADiskCopyOfSomethingElseIsNotUsed(t *testing.T) {
	s, _ := netboxtest.ServeOffice(t, netboxtest.V47)
	path := filepath.Join(t.TempDir(), "netbox.copy")
	first := follow(t, s, s.TokenV2(), func(c *Config) { c.DiskPath = path })
	first.must(t)
	first.disk.save(first.clock, first.tables, first.confirmed, time.Minute)
	for name, change := range map[string]func(*Config){
		"another context key":  func(c *Config) { c.ContextKey = "dhcp" },
		"other gate fields":    func(c *Config) { c.GateFields = []string{"install"} },
		"no such file":         func(c *Config) { c.DiskPath += ".missing" },
		"a folder of the name": func(c *Config) { c.DiskPath = filepath.Dir(path) },
	} {
		w := follow(t, s, s.TokenV2(), func(c *Config) { c.DiskPath = path }, change)
		w.restore()
		if w.snapshot != nil {
			t.Errorf("%s: the copy was used", name)
		}
		if _, err := Stored(s.URL(), w.config); err == nil || err.Error() != w.disk.unusable.Error() {
			t.Errorf("%s: without the server: %v, want %v", name, err, w.disk.unusable)
		}
	}
	other, _ := netboxtest.ServeOffice(t, netboxtest.V47)
	w := follow(t, other, other.TokenV2(), func(c *Config) { c.DiskPath = path })
	w.restore()
	if w.snapshot != nil {
		t.Error("the copy of another NetBox was used")
	}
	if _, err := Stored(other.URL(), w.config); !errors.Is(err, ErrForeign) {
		t.Errorf("without the server: %v", err)
	}
}

// H-1, N-9: a copy of before VLANs were kept serves, and the first poll fills
// them in, although no prefix has changed since.
func TestADiskCopyWithoutVLANsIsCaughtUp(t *testing.T) {
	s, _ := netboxtest.ServeOffice(t, netboxtest.V47)
	path := filepath.Join(t.TempDir(), "netbox.copy")
	keep := func(c *Config) { c.DiskPath = path }
	first := follow(t, s, s.TokenV2(), keep)
	first.must(t)
	first.tables.objects.NoVLANs = true
	first.disk.save(first.clock, first.tables, first.confirmed, time.Minute)

	w := follow(t, s, s.TokenV2(), keep)
	w.restore()
	if w.snapshot == nil || !w.snapshot.Objects().NoVLANs {
		t.Fatal("the copy does not say that it lacks VLANs")
	}
	w.must(t)
	if w.snapshot.Objects().NoVLANs {
		t.Error("the VLANs are still unknown after NetBox was read")
	}
}

// H-1, I-7: a copy of before bridges and parents were kept serves, and says that
// it lacks them until everything was read.
func TestADiskCopyWithoutLinksIsCaughtUp(t *testing.T) {
	s := netboxtest.New(t, netboxtest.Config{})
	netboxtest.Seed(t, s.URL(), s.TokenV1(), linked())
	path := filepath.Join(t.TempDir(), "netbox.copy")
	keep := func(c *Config) { c.DiskPath = path }
	first := follow(t, s, s.TokenV2(), keep)
	first.must(t)
	first.tables.objects.NoLinks = true
	for id, port := range first.tables.objects.Interfaces {
		bare := *port
		bare.Bridge, bare.Parent = 0, 0
		first.tables.objects.Interfaces[id] = &bare
	}
	first.disk.save(first.clock, first.tables, first.confirmed, time.Minute)

	w := follow(t, s, s.TokenV2(), keep)
	w.restore()
	if w.snapshot == nil || !w.snapshot.Objects().NoLinks {
		t.Fatal("the copy does not say that it lacks links")
	}
	w.must(t)
	if w.snapshot.Objects().NoLinks {
		t.Error("the links are still unknown after NetBox was read")
	}
	fresh := follow(t, s, s.TokenV2())
	fresh.must(t)
	if !w.tables.equal(fresh.tables) {
		t.Error("caught up and freshly read snapshots differ")
	}
}

// H-9: a disk that hangs stops neither the polls nor the end, and what it holds
// afterwards is the newest.
func TestADiskThatHangsDoesNotStopThePolls(t *testing.T) {
	s, _ := netboxtest.ServeOffice(t, netboxtest.V47)
	var told []error
	w := follow(t, s, s.TokenV2(), func(c *Config) {
		c.DiskPath, c.OnCopy = filepath.Join(t.TempDir(), "netbox.copy"), func(err error) { told = append(told, err) }
	})
	hung, began := make(chan error), make(chan time.Time, 8)
	w.disk.write = func(_ string, d ipam.Disk) error {
		began <- d.Taken
		return <-hung
	}
	round := func() {
		w.clock = w.clock.Add(2 * renewEvery)
		w.must(t)
		w.disk.saveIfDue(w.clock, w.tables, w.confirmed)
	}
	round()
	first := <-began
	round()
	round()
	w.disk.save(w.clock, w.tables, w.confirmed, 0)
	if len(began) != 0 {
		t.Fatal("a second write began beside the one that hangs")
	}
	hung <- errors.New("no space left")
	if !w.disk.await(time.After(time.Minute)) || !w.disk.saved.IsZero() || !w.disk.changed {
		t.Fatalf("a failed write counts: saved %v", w.disk.saved)
	}
	round()
	if taken := <-began; !taken.Equal(w.confirmed) || !taken.After(first) {
		t.Errorf("the second copy is of %v, want the newest, %v", taken, w.confirmed)
	}
	hung <- nil
	if !w.disk.await(time.After(time.Minute)) || !w.disk.saved.Equal(w.confirmed) {
		t.Errorf("saved %v, want %v", w.disk.saved, w.confirmed)
	}
	if len(told) != 2 || told[0] == nil || told[1] != nil {
		t.Errorf("told of the writes: %v", told)
	}
}

// H-10, C-7: without the first copy, or with one that is damaged or of something
// else, the second serves, and says so to a command that reads the files.
func TestASecondDiskCopyServesWithoutTheFirst(t *testing.T) {
	s, _ := netboxtest.ServeOffice(t, netboxtest.V47)
	path, second := filepath.Join(t.TempDir(), "netbox.copy"), filepath.Join(t.TempDir(), "netbox.copy")
	both := func(c *Config) { c.DiskPath, c.DiskCopy = path, second }
	first := follow(t, s, s.TokenV2(), both)
	first.must(t)
	first.disk.save(first.clock, first.tables, first.confirmed, time.Minute)
	s.Down()
	for _, c := range []struct {
		name string
		harm func(string) error
		used string
		why  error // of the first copy
	}{
		{"both are there", func(string) error { return nil }, path, nil},
		{"the first is of another NetBox", func(p string) error {
			return ipam.WriteDiskFile(p, ipam.Disk{URL: "https://other.example.org", Objects: new(ipam.Objects)})
		}, second, ErrForeign},
		{"the first is damaged", func(p string) error { return os.WriteFile(p, []byte("damaged"), 0o600) }, second, ipam.ErrDiskFormat},
		{"there is no first", os.Remove, second, fs.ErrNotExist},
	} {
		if err := c.harm(path); err != nil {
			t.Fatal(err)
		}
		w := follow(t, s, s.TokenV2(), both)
		w.restore()
		if w.snapshot == nil || w.address("10.0.0.5") == nil {
			t.Errorf("%s: nothing came from the copies", c.name)
		}
		stored, err := Stored(s.URL(), w.config)
		if err != nil || stored.Path != c.used || !errors.Is(stored.Passed, c.why) || !stored.Taken.Equal(first.confirmed) {
			t.Errorf("%s: without the server: %+v, %v; want %s, %v", c.name, stored, err, c.used, c.why)
		}
	}
	if err := os.WriteFile(second, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Stored(s.URL(), first.config); !errors.Is(err, ipam.ErrDiskFormat) {
		t.Errorf("no copy is of use: %v", err)
	}
}
