//go:build linux

package packages

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// one finds the result of a program by the end of its name.
func one(t *testing.T, program, suffix string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(release(t), program+"*"+suffix))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s%s: %v %v", program, suffix, found, err)
	}
	return found[0]
}

// Lintian knows Debian's policy. What it may say is in deploy/packages/*.lintian, with
// the reason.
func TestLintianHasNothingToSayOfTheDebs(t *testing.T) {
	needs(t, "lintian")
	for _, program := range []string{"coredhcp-netbox", "netbox-dhcp-sync"} {
		out, err := exec.CommandContext(t.Context(), "lintian", "--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0", one(t, program, "_amd64.deb")).CombinedOutput()
		if err != nil || regexp.MustCompile(`(?m)^[EW]: `).Match(out) {
			t.Errorf("%s: %v\n%s", program, err, out)
		}
	}
}

func TestShellcheckHasNothingToSayOfTheScripts(t *testing.T) {
	needs(t, "shellcheck")
	scripts, err := filepath.Glob("../../deploy/packages/*.sh")
	if err != nil || len(scripts) != 7 {
		t.Fatalf("%v %v", scripts, err)
	}
	run(t, "shellcheck", append(scripts, "guest.sh", "../../release/version.sh")...)
}

// PK-3, PK-8, PK-10: what rpm says of the packages, since no Fedora is at hand.
func TestTheRPMsHaveWhatTheDebsHave(t *testing.T) {
	needs(t, "rpm", "rpm2cpio", "cpio", "sh")
	for program, tt := range map[string]struct {
		files   []string
		presets string
		restart string
	}{
		"coredhcp-netbox": {
			files: []string{"drwxr-x--- root coredhcp-netbox /etc/coredhcp-netbox", "-rw-r----- root coredhcp-netbox /etc/coredhcp-netbox/config.yml",
				"-rwxr-xr-x root root /usr/bin/coredhcp-netbox", "-rw-r--r-- root root /usr/lib/systemd/system/coredhcp-netbox.service",
				"-rw-r--r-- root root /usr/lib/sysctl.d/90-coredhcp-netbox.conf", "-rw-r--r-- root root /usr/lib/sysusers.d/coredhcp-netbox.conf",
				"-rw-r--r-- root root /usr/lib/tmpfiles.d/coredhcp-netbox.conf", "-rw-r--r-- root root /usr/share/man/man8/coredhcp-netbox.8.gz",
				"-rw-r--r-- root root /usr/share/zsh/site-functions/_coredhcp-netbox", "-rw-r--r-- root root /usr/share/licenses/coredhcp-netbox/LICENSE",
				"-rw-r--r-- root root /usr/share/doc/coredhcp-netbox/THIRD-PARTY.gz"},
			presets: "systemctl --no-reload preset coredhcp-netbox.service", restart: "systemctl try-restart coredhcp-netbox.service",
		},
		"netbox-dhcp-sync": {
			files: []string{"drwxr-x--- root netbox-dhcp-sync /etc/netbox-dhcp-sync", "-rw-r----- root netbox-dhcp-sync /etc/netbox-dhcp-sync/config.yml",
				"-rwxr-xr-x root root /usr/bin/netbox-dhcp-sync", "-rw-r--r-- root root /usr/lib/systemd/system/netbox-dhcp-sync.service",
				"-rw-r--r-- root root /usr/lib/systemd/system/netbox-dhcp-sync.timer", "-rw-r--r-- root root /usr/lib/systemd/system/netbox-dhcp-sync-daemon.service",
				"-rw-r--r-- root root /usr/lib/tmpfiles.d/netbox-dhcp-sync.conf"},
			presets: "systemctl --no-reload preset netbox-dhcp-sync.timer netbox-dhcp-sync.service netbox-dhcp-sync-daemon.service",
			restart: "systemctl try-restart netbox-dhcp-sync.timer netbox-dhcp-sync-daemon.service",
		},
	} {
		t.Run(program, func(t *testing.T) {
			file := one(t, program, ".rpm")
			query := func(args ...string) string {
				return run(t, "rpm", append([]string{"-qp", "--nosignature"}, append(args, file)...)...)
			}
			have := query("--qf", `[%{FILEMODES:perms} %{FILEUSERNAME} %{FILEGROUPNAME} %{FILENAMES}\n]`)
			for _, want := range tt.files {
				if !strings.Contains("\n"+have, "\n"+want+"\n") {
					t.Errorf("no %q in\n%s", want, have)
				}
			}
			if got, want := query("--qf", `%{VERSION}-%{RELEASE} %{ARCH} %{LICENSE}`), newer+"-1 x86_64 MIT"; got != want {
				t.Errorf("%q, want %q", got, want)
			}
			// What rpm itself brings, and what every machine with systemd has.
			for line := range strings.Lines(query("--requires")) {
				if name, _, _ := strings.Cut(strings.TrimSpace(line), " "); name != "systemd" && name != "/bin/sh" && !strings.HasPrefix(name, "rpmlib(") {
					t.Errorf("requires %s", line)
				}
			}
			// Unit files and the sysusers file do not name the folder of hand-made installations.
			folder := t.TempDir()
			run(t, "sh", "-ec", `rpm2cpio "$1" | (cd "$2" && cpio --quiet -id)`, "sh", file, folder)
			if out, err := exec.CommandContext(t.Context(), "grep", "-r", "/usr/local", filepath.Join(folder, "usr/lib")).CombinedOutput(); err == nil {
				t.Errorf("a unit starts a program that the package does not have:\n%s", out)
			}
			scripts := query("--scripts")
			for _, want := range []string{tt.presets, tt.restart, "u " + program + ` - "`, "systemd-tmpfiles --create '" + program + ".conf'"} {
				if !strings.Contains(scripts, want) {
					t.Errorf("no %q in the scripts:\n%s", want, scripts)
				}
			}
			if strings.Contains(scripts, "rm -") || strings.Contains(scripts, "@") {
				t.Errorf("the scripts delete, or have an open place:\n%s", scripts)
			}
			if got := query("--configfiles"); strings.TrimSpace(got) != "/etc/"+program+"/config.yml" {
				t.Errorf("settings files %q", got)
			}
			if flags := query("--qf", `[%{FILENAMES} %{FILEFLAGS:fflags}\n]`); !strings.Contains(flags, "config.yml cn\n") {
				t.Errorf("an upgrade would replace the settings:\n%s", flags)
			}
		})
	}
}

// The scripts of rpm run on a machine without systemd as well, such as a container.
func TestTheScriptsOfRPMWorkWithoutSystemd(t *testing.T) {
	needs(t, "rpm", "sh")
	file := one(t, "coredhcp-netbox", ".rpm")
	for script, argument := range map[string]string{"PREIN": "1", "POSTIN": "1", "PREUN": "0", "POSTUN": "0"} {
		text := run(t, "rpm", "-qp", "--nosignature", "--qf", fmt.Sprintf("%%{%s}", script), file)
		for range 2 { // a script that failed half way runs again
			cmd := exec.CommandContext(t.Context(), "/bin/sh", "-e", "-c", text, script, argument)
			cmd.Env = []string{"PATH=" + t.TempDir()}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", script, err, out)
			}
		}
	}
}

// PK-1: archives hold programs that know their version, and what goes with them.
func TestArchivesHaveProgramAndPapers(t *testing.T) {
	needs(t, "tar")
	for _, program := range []string{"coredhcp-netbox", "netbox-dhcp-sync"} {
		file, folder := one(t, program, ".tar.gz"), t.TempDir()
		run(t, "tar", "-C", folder, "--strip-components=1", "-xzf", file)
		if got := run(t, filepath.Join(folder, "bin", program), "version"); !strings.HasPrefix(got, program+" "+newer+" (") {
			t.Errorf("says %q", got)
		}
		for _, name := range []string{"doc/THIRD-PARTY.gz", "doc/copyright", "doc/packages.md", "doc/examples/config.yml", "licenses/LICENSE", "completions/zsh", "man/" + program + ".8.gz", "sysusers.conf", "tmpfiles.conf"} {
			if info, err := os.Stat(filepath.Join(folder, name)); err != nil || info.Size() == 0 {
				t.Errorf("%s: %s: %v", program, name, err)
			}
		}
	}
}
