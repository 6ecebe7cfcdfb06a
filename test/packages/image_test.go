//go:build linux

package packages

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	oci "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// image is an image as an engine reads it.
type image struct {
	config oci.Image
	layer  []byte // unpacked
}

// readImage follows index, manifest and configuration, and checks each digest.
func readImage(t *testing.T, path string) image {
	t.Helper()
	files := make(map[string][]byte)
	eachEntry(t, mustRead(t, path), func(h *tar.Header, text []byte) { files[h.Name] = text })
	if string(files["oci-layout"]) != `{"imageLayoutVersion":"1.0.0"}` {
		t.Errorf("oci-layout is %s", files["oci-layout"])
	}
	blob := func(d oci.Descriptor) []byte {
		text := files["blobs/sha256/"+d.Digest.Encoded()]
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != d.Digest.Encoded() || int64(len(text)) != d.Size {
			t.Fatalf("blob %s has %d bytes of another digest", d.Digest, len(text))
		}
		return text
	}
	decode := func(text []byte, into any) {
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	var outer, inner oci.Index
	var manifest oci.Manifest
	var img image
	decode(files["index.json"], &outer)
	decode(blob(outer.Manifests[0]), &inner)
	if p := inner.Manifests[0].Platform; p.OS != "linux" || p.Architecture != architecture {
		t.Errorf("platform %+v", p)
	}
	decode(blob(inner.Manifests[0]), &manifest)
	decode(blob(manifest.Config), &img.config)
	unzip, err := gzip.NewReader(bytes.NewReader(blob(manifest.Layers[0])))
	if err != nil {
		t.Fatal(err)
	}
	if img.layer, err = io.ReadAll(unzip); err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(img.layer); hex.EncodeToString(sum[:]) != img.config.RootFS.DiffIDs[0].Encoded() {
		t.Error("the configuration names another layer")
	}
	return img
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func eachEntry(t *testing.T, archive []byte, fn func(*tar.Header, []byte)) {
	t.Helper()
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		fn(h, text)
	}
}

// unpack lays an image out as an engine does, with owners and capabilities, in a
// folder that others may enter.
func (i image) unpack(t *testing.T) string {
	t.Helper()
	root, err := os.MkdirTemp("", "image-") //nolint:usetesting // others cannot enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	eachEntry(t, i.layer, func(h *tar.Header, text []byte) {
		path := filepath.Join(root, h.Name)
		if h.Typeflag == tar.TypeDir {
			err = os.Mkdir(path, 0o700)
		} else {
			err = os.WriteFile(path, text, 0o600)
		}
		if err = errors.Join(err, os.Chown(path, h.Uid, h.Gid), os.Chmod(path, os.FileMode(h.Mode))); err != nil {
			t.Fatal(err)
		}
		for name, value := range h.PAXRecords {
			if attribute, ok := strings.CutPrefix(name, "SCHILY.xattr."); ok {
				if err := unix.Setxattr(path, attribute, []byte(value), 0); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	return root
}

// PK-9
func TestAnImageHasTheProgramAndWhatItReads(t *testing.T) {
	needs(t, "getcap")
	for program, caps := range map[string]string{"coredhcp-netbox": "cap_net_bind_service,cap_net_raw=ep", "netbox-dhcp-sync": ""} {
		t.Run(program, func(t *testing.T) {
			img := readImage(t, one(t, program, "_image.tar"))
			var have []string
			eachEntry(t, img.layer, func(h *tar.Header, _ []byte) {
				have = append(have, fmt.Sprintf("%04o %d:%d %s", h.Mode, h.Uid, h.Gid, h.Name))
			})
			want := strings.NewReplacer("NAME", program).Replace(strings.TrimSpace(`
0755 0:0 etc/
0755 0:0 etc/NAME/
0644 0:0 etc/group
0644 0:0 etc/passwd
0755 0:0 etc/ssl/
0755 0:0 etc/ssl/certs/
0644 0:0 etc/ssl/certs/ca-certificates.crt
0755 0:0 run/
0750 65532:65532 run/NAME/
0755 0:0 usr/
0755 0:0 usr/bin/
0755 0:0 usr/bin/NAME
0755 0:0 usr/share/
0755 0:0 usr/share/licenses/
0644 0:0 usr/share/licenses/LICENSE
0644 0:0 usr/share/licenses/THIRD-PARTY.gz
0755 0:0 var/
0755 0:0 var/lib/
0700 65532:65532 var/lib/NAME/`))
			if got := strings.Join(have, "\n"); got != want {
				t.Errorf("the image has\n%s\nwant\n%s", got, want)
			}
			if c := img.config.Config; c.User != "65532:65532" || c.Entrypoint[0] != "/usr/bin/"+program || len(c.Env) != 0 {
				t.Errorf("configuration %+v", c)
			}
			root := img.unpack(t)
			if got := strings.TrimSpace(strings.TrimPrefix(run(t, "getcap", filepath.Join(root, "usr/bin", program)), filepath.Join(root, "usr/bin", program))); got != caps {
				t.Errorf("capabilities %q, want %q", got, caps)
			}
			if got := run(t, "chroot", "--userspec=65532:65532", root, "/usr/bin/"+program, "version"); !strings.HasPrefix(got, program+" "+newer) {
				t.Errorf("says %q", got)
			}
		})
	}
}

// PK-9: as an engine runs it: another root, user 65532, no capability but those of the
// file, a read-only disk with a volume; a real client gets a lease.
func TestTheImageServesAsAUserWithoutRights(t *testing.T) {
	needs(t, "unshare", "setpriv", "udhcpc")
	netns.Require(t, "udhcpc")
	root := readImage(t, one(t, "coredhcp-netbox", "_image.tar")).unpack(t)
	for name, text := range map[string]string{"config.yml": settings, "inventory.yml": inventory} {
		if err := os.WriteFile(filepath.Join(root, "etc/coredhcp-netbox", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	n := netns.New(t)
	server, client := n.Namespace("server"), n.Namespace("client")
	n.Link(server, "served", client, "eth0")
	server.AddAddr("served", netip.MustParsePrefix("10.77.0.2/24"))
	process, err := server.Start("unshare", "--mount", "sh", "-e", "-c", asAnEngine, "sh", root)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := process.WaitOutput(ctx, "ready: clients are served"); err != nil {
		t.Fatalf("%v\n%s", err, process.Output())
	}
	status := string(mustRead(t, fmt.Sprintf("/proc/%d/status", process.PID())))
	for name, want := range map[string]string{"Uid": "65532\\s+65532", "CapEff": "0000000000002400", "CapPrm": "0000000000002400", "CapAmb": "0000000000000000"} {
		if !regexp.MustCompile(`(?m)^` + name + `:\s+` + want + `\b`).MatchString(status) {
			t.Errorf("%s is not %s:\n%s", name, want, status)
		}
	}
	c := netns.Udhcpc(client, "eth0", netns.Options{Patience: time.Minute})
	if lease, err := c.Acquire(ctx); err != nil || lease.Addr != netip.MustParsePrefix("10.77.0.100/24") {
		t.Errorf("%v %v\n%s", lease, err, process.Output())
	}
	if err := process.Stop(); err != nil {
		t.Errorf("%v\n%s", err, process.Output())
	}
}

// asAnEngine runs the image in $1: user 65532, no capability but those that the file may
// raise, and a read-only root but for the two folders of volumes.
const asAnEngine = `
	for folder in var/lib/coredhcp-netbox run/coredhcp-netbox; do mount --bind "$1/$folder" "$1/$folder"; done
	mount --bind "$1" /mnt
	for folder in var/lib/coredhcp-netbox run/coredhcp-netbox; do mount --bind "$1/$folder" "/mnt/$folder"; done
	mount -o remount,bind,ro /mnt
	exec setpriv --bounding-set "-all,+net_bind_service,+net_raw,+setuid,+setgid,+sys_chroot" --inh-caps -all --ambient-caps -all \
		chroot --userspec=65532:65532 --groups=65532 /mnt /usr/bin/coredhcp-netbox serve --conf /etc/coredhcp-netbox/config.yml`
