package netbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Version is a NetBox release line. Features are chosen from it and never
// probed for, since NetBox ignores parameters it does not know.
type Version struct {
	Major, Minor int
}

// oldest is the first release with MAC address objects.
func oldest() Version { return Version{4, 2} }

// Newest is the newest release line this package was run against.
func Newest() Version { return Version{4, 7} }

// String gives "4.7".
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// AtLeast reports whether v is the given release line or a later one.
func (v Version) AtLeast(major, minor int) bool {
	return v.Major > major || v.Major == major && v.Minor >= minor
}

// parseVersion reads "4.7" and longer forms such as "4.7.3-Docker-3.5.0".
func parseVersion(s string) (Version, error) {
	parts := strings.SplitN(strings.TrimPrefix(strings.TrimSpace(s), "v"), ".", 3)
	if len(parts) < 2 {
		return Version{}, fmt.Errorf("NetBox version %.40q: want MAJOR.MINOR", s)
	}
	minor, _, _ := strings.Cut(parts[1], "-")
	major, err := strconv.ParseUint(parts[0], 10, 15)
	if err != nil {
		return Version{}, fmt.Errorf("NetBox version %.40q: want MAJOR.MINOR", s)
	}
	n, err := strconv.ParseUint(minor, 10, 15)
	if err != nil {
		return Version{}, fmt.Errorf("NetBox version %.40q: want MAJOR.MINOR", s)
	}
	return Version{int(major), int(n)}, nil
}

// Version tells the server's release line, from its last answer or by asking.
// A NetBox older than 4.2 is an *Error of kind TooOld.
func (c *Client) Version(ctx context.Context) (Version, error) {
	v := c.version.Load()
	if v == nil {
		if err := c.Reach(ctx); err != nil {
			return Version{}, err
		}
		v = c.version.Load()
	}
	if v == nil {
		return Version{}, &Error{Kind: NotNetBox, Op: "read the version", Message: "the answer names no NetBox version"}
	}
	if !v.AtLeast(oldest().Major, oldest().Minor) {
		return *v, &Error{Kind: TooOld, Op: "use this NetBox", Message: fmt.Sprintf("it is NetBox %s", v)}
	}
	return *v, nil
}

// Reach reads the status page. Its error is what keeps this program from
// talking to NetBox: address, TLS, token, or something that is not NetBox.
func (c *Client) Reach(ctx context.Context) error {
	answer, err := c.get(ctx, status, "", nil)
	if err != nil {
		return err
	}
	var page struct {
		Release string `json:"netbox-version"`
	}
	if err := json.Unmarshal(answer.body, &page); err != nil || page.Release == "" {
		return notNetBox(answer, http.MethodGet, status)
	}
	if c.version.Load() == nil {
		v, err := parseVersion(page.Release)
		if err != nil {
			return &Error{Kind: NotNetBox, Op: "read the version", Err: err}
		}
		c.version.Store(&v)
	}
	return nil
}

// noteVersion keeps the release line that a response header names.
func (c *Client) noteVersion(header http.Header) {
	if v, err := parseVersion(header.Get("API-Version")); err == nil {
		if old := c.version.Load(); old == nil || *old != v {
			c.version.Store(&v)
		}
	}
}

// ChangelogMessage is a message as NetBox's change log keeps it: at most 200
// characters, and empty before 4.4, which has no place for it. It is sent as
// changelog_message.
func (v Version) ChangelogMessage(message string) string {
	if !v.AtLeast(4, 4) {
		return ""
	}
	runes := []rune(message)
	return string(runes[:min(len(runes), maxMessageLength)])
}
