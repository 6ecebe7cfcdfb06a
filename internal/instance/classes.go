package instance

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/renameio/v2"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/option"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

const (
	// classesEvery is how often the file of the classes is written at most. What a crash
	// loses is an hour of thirty days.
	classesEvery = time.Hour
	// unusedAfter is how long a class may match no client (OPT-12).
	unusedAfter = 30 * 24 * time.Hour
)

// classes remembers when each class of the config contexts last matched a client
// (OPT-12). Packets only store a number; the file is written beside them.
type classes struct {
	known atomic.Pointer[map[string]*classUse]
	mu    sync.Mutex             // of what follows, of since, and of replacing known
	file  map[string]classRecord // what the start found
}

// classUse is one class of the snapshot.
type classUse struct {
	since int64        // seconds of Unix time when the class became known
	last  atomic.Int64 // when it last matched, the same; 0: never
}

// recall takes over what the file says of the class.
func (u *classUse) recall(r classRecord) {
	u.since = min(u.since, r.Since.Unix())
	if !r.Last.IsZero() {
		u.last.CompareAndSwap(0, r.Last.Unix())
	}
}

// classRecord is classUse in the file.
type classRecord struct {
	Since time.Time `json:"since"`
	Last  time.Time `json:"last,omitzero"`
}

// classFile is where the classes are kept.
type classFile struct {
	Written time.Time              `json:"written"`
	Classes map[string]classRecord `json:"classes"`
}

func classesPath(s settings.NetBox) string { return filepath.Join(s.Store.Path, "classes.json") }

// readClasses reads the file. One that does not exist is empty; so is one in a folder
// that cannot be, which the lease store tells of (H-5).
func readClasses(s settings.NetBox) (f classFile, err error) {
	text, err := os.ReadFile(classesPath(s))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return f, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	return f, err
}

// UnusedClasses names the classes in config contexts that matched no client for 30
// days before the server last wrote them down, sorted. It takes no lock (C-2).
func UnusedClasses(s settings.NetBox) (unused []string, err error) {
	f, err := readClasses(s)
	for name, c := range f.Classes {
		last := c.Since
		if c.Last.After(last) {
			last = c.Last
		}
		if f.Written.Sub(last) > unusedAfter {
			unused = append(unused, name)
		}
	}
	slices.Sort(unused)
	return unused, err
}

// knowClasses makes names the classes that are watched. What is known of one that
// stays is kept.
func (i *Instance) knowClasses(names []string) {
	c := &i.classes
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.known.Load()
	next := make(map[string]*classUse, len(names))
	for _, name := range names {
		if before != nil && (*before)[name] != nil {
			next[name] = (*before)[name]
			continue
		}
		use := &classUse{since: timeOfDay().Unix()}
		if r, ok := c.file[name]; ok {
			use.recall(r)
		}
		next[name] = use
	}
	c.known.Store(&next)
}

// SawClient notes which classes of set a client matched. It is for messages that
// gave a client something, not for each DISCOVER.
func (i *Instance) SawClient(set *option.Set, client option.Client) {
	known := i.classes.known.Load()
	if known == nil || len(*known) == 0 {
		return
	}
	var room [4]string
	for _, name := range set.Matched(room[:0], client) {
		if use := (*known)[name]; use != nil {
			use.last.Store(timeOfDay().Unix())
		}
	}
}

// keepClasses reads the file, and renews it until ctx ends and once more then.
func (i *Instance) keepClasses(ctx context.Context) {
	i.recallClasses()
	every(ctx, classesEvery, i.WriteClasses)
}

// recallClasses takes over what the server before this one wrote.
func (i *Instance) recallClasses() {
	f, err := readClasses(i.Settings)
	if err != nil {
		i.Log.WithError(err).Warn("when classes of config contexts last matched a client cannot be read: their 30 days begin anew")
		return
	}
	c := &i.classes
	c.mu.Lock()
	defer c.mu.Unlock()
	c.file = f.Classes
	known := c.known.Load()
	if known == nil {
		return
	}
	for name, use := range *known {
		if r, ok := f.Classes[name]; ok {
			use.recall(r)
		}
	}
}

// WriteClasses replaces the file. Where there is neither a class nor a file it does
// nothing.
func (i *Instance) WriteClasses() {
	f, ok := i.classes.list(timeOfDay())
	if !ok {
		return
	}
	text, err := json.MarshalIndent(f, "", "  ")
	if err == nil {
		err = os.MkdirAll(i.Settings.Store.Path, 0o700)
	}
	if err == nil {
		err = renameio.WriteFile(classesPath(i.Settings), append(text, '\n'), 0o600)
	}
	if err != nil {
		i.Quiet.Warn("classes", "when classes of config contexts last matched a client cannot be written", logrus.Fields{logrus.ErrorKey: err})
	}
}

// list returns what is to be written, and whether anything is.
func (c *classes) list(now time.Time) (f classFile, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.known.Load()
	if known == nil || len(*known) == 0 && len(c.file) == 0 {
		return f, false
	}
	f = classFile{Written: now.UTC(), Classes: make(map[string]classRecord, len(*known))}
	for name, use := range *known {
		r := classRecord{Since: time.Unix(use.since, 0).UTC()}
		if last := use.last.Load(); last != 0 {
			r.Last = time.Unix(last, 0).UTC()
		}
		f.Classes[name] = r
	}
	return f, true
}
