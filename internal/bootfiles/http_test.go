package bootfiles

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// request2 sends a request as it is written, on a connection of its own, and
// returns status, header and body.
func request2(t testing.TB, r running, method, path string, header ...string) (int, http.Header, []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", r.HTTPAddr().String())
	if err != nil {
		t.Error(err)
		return 0, nil, nil
	}
	defer conn.Close()
	lines := append([]string{method + " " + path + " HTTP/1.1", "Host: boot", "Connection: close"}, header...)
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		t.Error(err)
		return 0, nil, nil
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Errorf("%s %s: %v", method, path, err)
		return 0, nil, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, resp.Header, body
}

func TestHTTPServesWholeFilesAndParts(t *testing.T) {
	content := noise(100_000)
	r := serve(t, map[string][]byte{"sub/a": content}, nil)
	old := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(r.dir, "sub", "a"), old, old); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		method string
		header []string
		code   int
		want   []byte
		length string
	}{
		"GET":                    {"GET", nil, 200, content, "100000"},
		"HEAD":                   {"HEAD", nil, 200, nil, "100000"},
		"the first bytes":        {"GET", []string{"Range: bytes=0-9"}, 206, content[:10], "10"},
		"the last bytes":         {"GET", []string{"Range: bytes=-7"}, 206, content[len(content)-7:], "7"},
		"from the middle on":     {"GET", []string{"Range: bytes=50000-"}, 206, content[50000:], "50000"},
		"one byte":               {"GET", []string{"Range: bytes=99999-99999"}, 206, content[99999:], "1"},
		"past the end":           {"GET", []string{"Range: bytes=100000-"}, 416, []byte("invalid range: failed to overlap\n"), "33"},
		"not changed since":      {"GET", []string{"If-Modified-Since: Fri, 02 Jan 2026 03:04:05 GMT"}, 304, nil, ""},
		"changed since":          {"GET", []string{"If-Modified-Since: Thu, 01 Jan 2026 03:04:05 GMT"}, 200, content, "100000"},
		"a query is no matter":   {"GET", nil, 200, content, "100000"},
		"a part of another file": {"GET", []string{"Range: bytes=0-9", "If-Range: Thu, 01 Jan 2026 03:04:05 GMT"}, 200, content, "100000"},
	} {
		path := "/sub/a"
		if name == "a query is no matter" {
			path += "?mac=02:00:00:00:00:01"
		}
		code, header, body := request2(t, r, tt.method, path, tt.header...)
		if code != tt.code || !bytes.Equal(body, tt.want) || header.Get("Content-Length") != tt.length {
			t.Errorf("%s: %d, length %q, %d bytes", name, code, header.Get("Content-Length"), len(body))
		}
	}
}

func TestHTTPOnlyReads(t *testing.T) {
	r := serve(t, map[string][]byte{"a": []byte("old")}, nil)
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"} {
		code, header, _ := request2(t, r, method, "/a", "Content-Length: 0")
		if code != http.StatusMethodNotAllowed || header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, Allow %q", method, code, header.Get("Allow"))
		}
	}
	if content, err := os.ReadFile(filepath.Join(r.dir, "a")); err != nil || string(content) != "old" {
		t.Errorf("%q, %v", content, err)
	}
}

func TestHTTPStaysInTheFolderAndListsNothing(t *testing.T) {
	folder := maze(t)
	r := serve(t, nil, func(c *Config) { c.Folder = string(folder) })
	for path, want := range map[string]int{
		"/a":                            200,
		"/sub/b":                        200,
		"//a":                           200,
		"/sub%2Fb":                      200,
		"/%61":                          200,
		"/link-in-dir/b":                200,
		"/":                             404,
		"/sub/":                         404,
		"/sub":                          404,
		"/link-out":                     404,
		"/link-absolute":                404,
		"/link-device":                  404,
		"/pipe":                         404,
		"/%252e%252e/secret":            404,
		"/../secret":                    400,
		"/%2e%2e/secret":                400,
		"/..%2fsecret":                  400,
		"/..%5csecret":                  400,
		"/sub/%2e%2e/%2e%2e/secret":     400,
		"/a%00":                         400,
		"/C:/a":                         400,
		"/" + strings.Repeat("a/", 600): 400,
	} {
		code, _, body := request2(t, r, "GET", path)
		if code != want || code == 200 && string(body) != "inside" || bytes.Contains(body, []byte("outside")) || bytes.Contains(body, []byte("deep")) {
			t.Errorf("%s: %d %q, want %d", path, code, body, want)
		}
	}
}

// UEFI goes by the type before it looks at the name.
func TestHTTPTellsFirmwareWhatAFileIs(t *testing.T) {
	files := map[string]string{
		"shim.efi": "application/efi", "BOOT.EFI": "application/efi", "disk.iso": "application/vnd.efi-iso",
		"disk.img": "application/vnd.efi-img", "index.html": "application/octet-stream", "vmlinuz": "application/octet-stream",
	}
	r := serve(t, nil, nil)
	for name, want := range files {
		put(t, r.dir, name, []byte("<html>"))
		if _, header, _ := request2(t, r, "GET", "/"+name); header.Get("Content-Type") != want || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", name, header)
		}
	}
}

func TestHTTPCutsOffAFileThatChanges(t *testing.T) {
	for name, change := range map[string]func(*os.File) error{
		"truncated":   func(f *os.File) error { return f.Truncate(5_000_000) },
		"overwritten": func(f *os.File) error { _, err := f.WriteAt([]byte("new"), 19_000_000); return err },
		"longer":      func(f *os.File) error { return f.Truncate(30_000_000) },
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, nil, nil)
			path := filepath.Join(r.dir, "a")
			if err := os.WriteFile(path, make([]byte, 20_000_000), 0o600); err != nil {
				t.Fatal(err)
			}
			resp, err := http.Get("http://" + r.HTTPAddr().String() + "/a")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			defer http.DefaultClient.CloseIdleConnections()
			if _, err := io.ReadFull(resp.Body, make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := change(f); err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) || n+1000 >= 20_000_000 {
				t.Errorf("%d bytes, %v", n+1000, err)
			}
			r.ended(t, "http", changed, 1)
		})
	}
}

func TestHTTPConnectionsAreLimited(t *testing.T) {
	r := serve(t, map[string][]byte{"a": []byte("a")}, func(c *Config) { c.MaxTransfers, c.MaxPerClient = 4, 2 })
	dial := func(from int) net.Conn {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 7, byte(from))}}
		conn, err := d.DialContext(t.Context(), "tcp", r.HTTPAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	get := func(conn net.Conn) error {
		if _, err := fmt.Fprint(conn, "GET /a HTTP/1.1\r\nHost: boot\r\n\r\n"); err != nil {
			return err
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	idle := func(connections int) {
		t.Helper()
		until(t, "idle connections", func() bool {
			slots := r.http.slots
			slots.mu.Lock()
			defer slots.mu.Unlock()
			return len(slots.working) == 0 && slots.pending.Len() == connections
		})
	}
	first, second := dial(1), dial(1)
	if err := errors.Join(get(first), get(second)); err != nil {
		t.Fatal(err)
	}
	idle(2)
	if err := get(dial(1)); err == nil {
		t.Error("a third connection of one client is served")
	}
	r.ended(t, "http", surplus, 1)
	if err := get(first); err != nil {
		t.Errorf("the first connection suffers: %v", err)
	}
	idle(2)
	// Six clients in the place of four: idle connections give way, the oldest first.
	for from := 2; from <= 6; from++ {
		if err := get(dial(from)); err != nil {
			t.Errorf("client %d: %v", from, err)
		}
		idle(min(from+1, 4))
	}
	if err := get(second); err == nil {
		t.Error("the connection that was idle for longest is still there")
	}
}
