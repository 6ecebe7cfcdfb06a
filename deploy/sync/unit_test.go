// Package sync tests the files with which the mirror runs as a service, and the
// recipe of docs/sync/README.md beside them. It must not install anything.
package sync

import (
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/coredhcp-netbox/coredhcp-netbox/deploy"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/sshtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
)

// uid belongs to no account on a Debian machine.
const uid = 59068

func units() []string { return []string{"netbox-dhcp-sync.service", "netbox-dhcp-sync-daemon.service"} }

// missing skips a test, or fails it where everything has to run.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("REQUIRE_INTEGRATION") == "1" {
		t.Fatalf("REQUIRE_INTEGRATION=1, but %s", what)
	}
	t.Skip(what)
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The units must be ones that systemd takes without a word. The program they start
// and their user need not be there, so others stand in for them.
func TestSystemdLikesTheUnits(t *testing.T) {
	verify, err := exec.LookPath("systemd-analyze")
	if err != nil {
		missing(t, "no systemd-analyze on this machine")
	}
	for _, name := range units() {
		unit := filepath.Join(t.TempDir(), name)
		stands := strings.NewReplacer("/usr/local/bin/netbox-dhcp-sync", "/bin/true", "User=netbox-dhcp-sync", "User=daemon", "Group=netbox-dhcp-sync", "Group=daemon").Replace(read(t, name))
		if err := os.WriteFile(unit, []byte(stands), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), verify, "verify", "--man=no", unit).CombinedOutput()
		if err != nil || strings.Contains(string(out), name+":") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// asTheUnit runs a program with what the units give it: a user without rights, and one
// folder that may be written to; all else is read-only.
const asTheUnit = `
	mount --bind "$1" "$1"
	mount -o remount,bind,ro /
	if touch /var/lib/written 2>/dev/null; then echo "/ can be written to"; exit 1; fi
	umask 0027
	shift
	exec setpriv --reuid "$0" --regid "$0" --clear-groups --no-new-privs --inh-caps=-all --ambient-caps=-all --bounding-set=-all "$@"`

// rule 3.8 point 26: the recipe of the README, its lines as they stand there but for the
// places and the user, then the service's user and root by turns.
func TestTheServiceWorksAfterTheRecipeAndAfterRoot(t *testing.T) {
	if os.Getenv("INTEGRATION") == "" {
		t.Skip("INTEGRATION is not set")
	}
	for _, tool := range []string{"setpriv", "unshare", "install"} {
		if _, err := exec.LookPath(tool); err != nil || os.Geteuid() != 0 {
			missing(t, "not root, or no "+tool)
		}
	}
	for _, unit := range units() {
		for _, line := range []string{"User=netbox-dhcp-sync", "Group=netbox-dhcp-sync", "StateDirectory=netbox-dhcp-sync", "CapabilityBoundingSet="} {
			if !regexp.MustCompile("(?m)^" + line + "$").MatchString(read(t, unit)) {
				t.Errorf("%s: no line %s", unit, line)
			}
		}
	}
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	dh1 := l.Add(psutest.Example("dh1.corp.example"))
	l.Add(psutest.World{})
	dh1.Configure(func(c *psutest.Config) { c.Script = psutest.Own })
	door := sshtest.New(t, sshtest.Config{Windows: dh1, Listen: dh1.Host(), Shell: sshtest.Shell{Accept: sshtest.Accept(t, deploy.Sums)}})
	l.File("dh1.key", read(t, door.KeyFile)) // the recipe makes another one
	l.Settings("sync_ips_from_dhcp: true\n", map[string]string{dh1.Host(): fmt.Sprintf("transport: ssh\nssh: {user: %s, port: %d, key_file: dh1.key}\n", door.User, door.Port)})
	place := recipe(t, l)
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(read(t, filepath.Join(place, "etc", "dh1.key.pub"))))
	if err != nil {
		t.Fatal(err)
	}
	door.Authorize(t, key)

	program := []string{filepath.Join(place, "bin"), "--conf", filepath.Join(place, "etc", "config.yml")}
	root := func(args ...string) {
		t.Helper()
		do(t, exec.CommandContext(t.Context(), program[0], append(slices.Clone(program[1:]), args...)...))
	}
	service := func(args ...string) {
		t.Helper()
		command := append([]string{"--mount", "sh", "-e", "-c", asTheUnit, fmt.Sprint(uid), filepath.Join(place, "state")}, program...)
		do(t, exec.CommandContext(t.Context(), "unshare", append(command, args...)...))
	}
	root("bootstrap", "--yes")
	secure := filepath.Join(place, "etc", "secure.yml") // of a server with a certificate
	text := read(t, filepath.Join(place, "etc", "config.yml"))
	if err := os.WriteFile(secure, []byte(strings.ReplaceAll(text, "https: false", "https: true")), 0o600); err != nil {
		t.Fatal(err)
	}
	root("cert", "trust", "dh1.corp.example", "--fingerprint", door.Fingerprint())
	root("cert", "trust", "dh2.corp.example", "--file", authority(t), "--conf", secure)
	root("import")
	service("sync")
	service("cert", "show")
	root("sync")
	service("sync")
	files := 0
	err = filepath.WalkDir(filepath.Join(place, "state"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files++
		if owner := info.Sys().(*syscall.Stat_t).Uid; owner != uid {
			t.Errorf("%s belongs to %d", path, owner)
		}
		return nil
	})
	if err != nil || files < 5 {
		t.Errorf("%d files, %v", files, err)
	}
}

// recipe carries out the lines of the README that make folders and place files, and
// returns the folder with bin, etc and state.
func recipe(t *testing.T, l *mirrortest.Lab) string {
	t.Helper()
	place := t.TempDir()
	if err := os.Chmod(filepath.Dir(place), 0o711); err != nil { // the folder of all temporary folders is closed to other users
		t.Fatal(err)
	}
	if err := os.Chmod(place, 0o711); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(place, "bin"), "../../cmd/netbox-dhcp-sync")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	do(t, build)
	conf := strings.Replace(read(t, filepath.Join(l.Folder, "config.yml")), "state_dir: state", "state_dir: "+filepath.Join(place, "state"), 1)
	if err := os.WriteFile(filepath.Join(l.Folder, "config.yml"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile("sudo ((?:install -(?:d|m 640)|ssh-keygen|chown) [^`\n]*)").FindAllStringSubmatch(read(t, "../../docs/sync/README.md"), -1)
	if len(lines) != 7 {
		t.Fatalf("%d lines of the recipe, want two folders, two tokens, two for a key and the settings", len(lines))
	}
	for _, line := range lines {
		name := filepath.Base(strings.Fields(line[1])[len(strings.Fields(line[1]))-1])
		command := strings.NewReplacer("sudo ", "", "/etc/netbox-dhcp-sync", filepath.Join(place, "etc"), "/var/lib/netbox-dhcp-sync", filepath.Join(place, "state"),
			"netbox-dhcp-sync", fmt.Sprint(uid), "/dev/stdin", filepath.Join(l.Folder, name), " config.yml", " "+filepath.Join(l.Folder, "config.yml")).Replace(line[1])
		do(t, exec.CommandContext(t.Context(), "sh", "-c", "umask 077; "+command))
	}
	return place
}

func do(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
}

// authority writes a certificate to trust.
func authority(t *testing.T) string {
	t.Helper()
	made, err := psutest.SelfSigned("corp-root")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made.Certificate[0]}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
