package instance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus/hooks/test"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/option"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// OPT-12: what a class matched is known after a restart, and one that matched no
// client for 30 days is named.
func TestClassesThatMatchNobodyAreNamed(t *testing.T) {
	s := settings.NetBox{Store: settings.Store{Path: filepath.Join(t.TempDir(), "state")}}
	start := func() *Instance {
		log, _ := test.NewNullLogger()
		i := &Instance{Settings: s, Log: log, Quiet: quiet.New(log, time.Minute, time.Now)}
		i.recallClasses()
		return i
	}
	set, _ := option.Compile([]option.Layer{{Source: "x", Data: map[string]any{
		"vendor_classes": map[string]any{"Cisco": map[string]any{"pool_tag": "a"}, "Yealink": map[string]any{"pool_tag": "b"}},
		"mac_prefixes":   map[string]any{"02:00": map[string]any{"pool_tag": "c"}},
	}}})
	i := start()
	i.WriteClasses()
	if _, err := os.Stat(classesPath(s)); err == nil {
		t.Error("a file without a class")
	}
	i.knowClasses(set.Classes())
	i.SawClient(set, option.Client{VendorClass: []byte("Cisco AP")})
	i.WriteClasses()
	age(t, s, 31*24*time.Hour)
	if got, err := UnusedClasses(s); err != nil || len(got) != 0 { // a file that is not renewed proves nothing
		t.Errorf("%v, %v", got, err)
	}
	i = start()
	i.knowClasses(set.Classes())
	i.SawClient(set, option.Client{VendorClass: []byte("Cisco AP"), MAC: []byte{2, 1}})
	i.knowClasses(set.Classes()) // as each new snapshot does
	i.WriteClasses()
	want := []string{`mac_prefixes "02:00"`, `vendor_classes "Yealink"`}
	if got, err := UnusedClasses(s); err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	i.knowClasses(nil)
	i.WriteClasses()
	if got, err := UnusedClasses(s); err != nil || len(got) != 0 {
		t.Errorf("classes that are no more: %q, %v", got, err)
	}
}

// age moves all times of the file back.
func age(t *testing.T, s settings.NetBox, by time.Duration) {
	t.Helper()
	f, err := readClasses(s)
	must(t, err)
	f.Written = f.Written.Add(-by)
	for name, r := range f.Classes {
		r.Since = r.Since.Add(-by)
		if !r.Last.IsZero() {
			r.Last = r.Last.Add(-by)
		}
		f.Classes[name] = r
	}
	text, err := json.Marshal(f)
	must(t, err, os.WriteFile(classesPath(s), text, 0o600))
}

// OPT-12: the file is read after the first snapshot came, or never: both lose nothing
// else.
func TestAClassFileThatCannotBeReadBeginsAnew(t *testing.T) {
	s := settings.NetBox{Store: settings.Store{Path: t.TempDir()}}
	must(t, os.WriteFile(classesPath(s), []byte("{"), 0o600))
	if _, err := UnusedClasses(s); err == nil {
		t.Error("no error")
	}
	log, hook := test.NewNullLogger()
	i := &Instance{Settings: s, Log: log, Quiet: quiet.New(log, time.Minute, time.Now)}
	i.knowClasses([]string{"a"})
	i.recallClasses()
	if len(hook.AllEntries()) != 1 || !strings.Contains(hook.LastEntry().Message, "begin anew") {
		t.Errorf("%d lines", len(hook.AllEntries()))
	}
	i.WriteClasses()
	old := time.Now().Add(-40 * 24 * time.Hour)
	f, err := readClasses(s)
	must(t, err)
	f.Classes["a"] = classRecord{Since: old, Last: old.Add(time.Hour)}
	text, err := json.Marshal(f)
	must(t, err, os.WriteFile(classesPath(s), text, 0o600))
	again := &Instance{Settings: s, Log: log, Quiet: quiet.New(log, time.Minute, time.Now)}
	again.knowClasses([]string{"a"})
	again.recallClasses()
	again.WriteClasses()
	if got, err := UnusedClasses(s); err != nil || !slices.Equal(got, []string{"a"}) {
		t.Errorf("%q, %v", got, err)
	}
}
