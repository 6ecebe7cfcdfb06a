//go:build linux

package packages

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// parent is a commit from before there were packages; its programs stand for the
// version before while no release has a tag.
const parent = "d7c04489"

// before makes the packages of an older version: those of the last tag before this
// commit, by its own recipe; while there is none, the programs of an older commit by
// today's recipe. In a shallow clone today's programs get a lower number, and the
// log says so.
func before(t *testing.T) string {
	t.Helper()
	out := filepath.Join(shared, "old")
	commit, recipe := parent, "../.."
	if tag, err := exec.CommandContext(t.Context(), "git", "-c", "safe.directory=*", "describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^").Output(); err == nil {
		commit, recipe = strings.TrimSpace(string(tag)), ""
	}
	checkout := t.TempDir()
	if said, err := exec.CommandContext(t.Context(), "sh", "-ec", `git -C ../.. -c safe.directory="*" archive --format=tar -o "$1/old.tar" "$2" && tar -C "$1" -xf "$1/old.tar" && rm "$1/old.tar"`,
		"sh", checkout, commit).CombinedOutput(); err != nil {
		t.Logf("SHALLOW: %s is not in this clone, so this checkout stands for the version before: %v %s", commit, err, said)
		if err := build("../..", out, older, "-only", "packages"); err != nil {
			t.Fatal(err)
		}
		return out
	}
	if recipe == "" {
		if err := build(checkout, out, older, "-only", "packages"); err != nil {
			t.Fatal(err)
		}
		return out
	}
	programs := t.TempDir()
	for _, name := range []string{"coredhcp-netbox", "netbox-dhcp-sync"} {
		cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", filepath.Join(programs, name+"_linux_"+architecture), "./cmd/"+name)
		cmd.Dir = checkout
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", commit, err, said)
		}
	}
	if err := build(recipe, out, older, "-only", "packages", "-programs", programs); err != nil {
		t.Fatal(err)
	}
	return out
}

// debs are the packages of a release, server first.
func debs(t *testing.T, folder string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(folder, "*.deb"))
	if err != nil || len(found) != 2 {
		t.Fatalf("%v %v", found, err)
	}
	slices.Sort(found)
	return found
}

const inventory = `prefixes: [{prefix: 10.77.0.0/24}]
ip_addresses:
  - {address: 10.77.0.1/24, tags: [Gateway]}
  - {address: 10.77.0.100-10.77.0.109/24, tags: [DHCP]}
`

const settings = `# edited here
server4:
  listen: ["%served"]
  plugins: [netbox: , netbox_gateway: , nak: authoritative]
netbox:
  inventory: /etc/coredhcp-netbox/inventory.yml
`

// PK-3, PK-8, PK-10: install, serve, upgrade, remove and purge on a clean Debian.
func TestPackagesComeAndGoOnACleanDebian(t *testing.T) {
	needs(t, "qemu-system-x86_64", "mmdebstrap", "mke2fs", "git")
	old, fresh := debs(t, before(t)), debs(t, release(t))
	began := time.Now()
	g := start(t, append(slices.Clone(old), fresh...)...)
	step := func(what string) { t.Logf("%5.1f s: %s", time.Since(began).Seconds(), what) }
	step("started")
	in := func(paths []string) string {
		return "/root/" + filepath.Base(paths[0]) + " /root/" + filepath.Base(paths[1])
	}
	clean := g.files()

	g.do("dpkg -i " + in(old))
	step("installed the version before")
	g.installed()

	g.serve()
	step("the service runs")
	g.privileges()
	address := g.lease("")
	step("a client has " + address)
	g.do("systemctl start netbox-dhcp-sync.timer")
	// It has no token yet; what matters is that it says so itself, and is not killed.
	g.says("exit-code", "systemctl start netbox-dhcp-sync.service 2>/dev/null; systemctl show -P Result netbox-dhcp-sync.service")

	pid := g.do("systemctl show -P MainPID coredhcp-netbox")
	g.do("dpkg -i " + in(fresh))
	step("upgraded")
	g.upgraded(pid, address)

	g.do("dpkg -r coredhcp-netbox netbox-dhcp-sync")
	step("removed")
	g.removed()

	g.do("dpkg -i " + in(fresh))
	g.do("systemctl start coredhcp-netbox")
	if again := g.lease(address); again != address {
		t.Errorf("after removal and a new installation the client gets %s, and had %s", again, address)
	}
	step("installed and served again")

	g.do("dpkg -P coredhcp-netbox netbox-dhcp-sync")
	step("purged")
	g.says("", "dpkg-query -W -f '${Package} ${Status}\n' 'coredhcp-netbox' 'netbox-dhcp-sync' 2>/dev/null")
	if diff := cmp.Diff(clean, g.files()); diff != "" {
		t.Errorf("the purge leaves (-clean +after):\n%s", diff)
	}
	g.says("coredhcp-netbox netbox-dhcp-sync", "getent passwd coredhcp-netbox netbox-dhcp-sync | cut -d: -f1 | xargs") // they stay
}

// files lists what is on the disk, without what systems write all the time.
func (g *guest) files() []string {
	g.t.Helper()
	list := strings.Split(g.do(`find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /dev -o -path /tmp -o -path /var/tmp -o -path /root -o -path /var/log -o -path /var/cache/man -o -path '/var/lib/systemd/random-seed' -o -path /var/lib/systemd/timers \) -prune -o -print | sort`), "\n")
	// Copies that tools keep of a file they change, and what accounts of a user are.
	kept := regexp.MustCompile(`^/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|^/etc/\.(pwd|updated)|^/var/lib/dpkg/|^/var/\.updated|^/var/cache/(ldconfig|debconf)/`)
	return slices.DeleteFunc(list, kept.MatchString)
}

// installed looks at a machine on which the packages are, and nothing else.
func (g *guest) installed() {
	g.t.Helper()
	g.says("0.0.1-1 0.0.1-1", "dpkg-query -W -f '${Version} ' coredhcp-netbox netbox-dhcp-sync | xargs")
	for _, unit := range []string{"coredhcp-netbox.service", "netbox-dhcp-sync.timer", "netbox-dhcp-sync-daemon.service"} {
		g.says("disabled", "systemctl is-enabled "+unit)
		g.says("inactive", "systemctl is-active "+unit)
	}
	g.says("750 root:coredhcp-netbox\n640 root:coredhcp-netbox\n600 root:root\n700 coredhcp-netbox:coredhcp-netbox\n700 coredhcp-netbox:coredhcp-netbox",
		"stat -c '%a %U:%G' /etc/coredhcp-netbox /etc/coredhcp-netbox/config.yml /etc/coredhcp-netbox/token /var/lib/coredhcp-netbox /var/cache/coredhcp-netbox")
	g.says("750 root:netbox-dhcp-sync\n640 root:netbox-dhcp-sync\n750 netbox-dhcp-sync:netbox-dhcp-sync",
		"stat -c '%a %U:%G' /etc/netbox-dhcp-sync /etc/netbox-dhcp-sync/config.yml /var/lib/netbox-dhcp-sync")
	g.says("4194304", "cat /proc/sys/net/core/rmem_max")
	g.says("/usr/share/man/man8/coredhcp-netbox-serve.8.gz\n/usr/share/man/man8/netbox-dhcp-sync-cert-trust.8.gz", "man -w coredhcp-netbox-serve netbox-dhcp-sync-cert-trust")
	g.says("/usr/sbin/nologin", "getent passwd coredhcp-netbox | cut -d: -f7")
}

// serve sets the server up for a client in a network namespace, and starts it.
func (g *guest) serve() {
	g.t.Helper()
	g.do("ip netns add client && ip link add served type veth peer name eth0 netns client && ip addr add 10.77.0.2/24 dev served && ip link set served up && " +
		"ip -n client link set lo up && ip -n client link set eth0 address 52:54:00:77:00:01 && ip -n client link set eth0 up")
	g.do("cat >/etc/coredhcp-netbox/config.yml <<'END'\n" + settings + "END")
	g.do("cat >/etc/coredhcp-netbox/inventory.yml <<'END'\n" + inventory + "END\nchgrp coredhcp-netbox /etc/coredhcp-netbox/inventory.yml; chmod 640 /etc/coredhcp-netbox/inventory.yml")
	g.do("systemctl enable --now coredhcp-netbox 2>&1")
}

// privileges reads what the kernel says of the running server.
func (g *guest) privileges() {
	g.t.Helper()
	g.says("coredhcp-netbox", "stat -c %U /proc/$(systemctl show -P MainPID coredhcp-netbox)")
	// CAP_NET_BIND_SERVICE is bit 10, CAP_NET_RAW bit 13.
	g.says("CapEff: 0000000000002400 CapBnd: 0000000000002400 NoNewPrivs: 1",
		"grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/$(systemctl show -P MainPID coredhcp-netbox)/status | xargs")
}

// lease is the address that a real client gets; it may ask for one.
func (g *guest) lease(wish string) string {
	g.t.Helper()
	ask := ""
	if wish != "" {
		ask = " -r " + wish
	}
	said := g.do("ip netns exec client udhcpc -i eth0 -f -n -q -t 10 -T 3 -s /bin/true" + ask + " 2>&1")
	m := regexp.MustCompile(`lease of ([0-9.]+) obtained`).FindStringSubmatch(said)
	if m == nil {
		g.t.Fatalf("no lease:\n%s", said)
	}
	return m[1]
}

// leases is what the server says of the client.
const leases = "coredhcp-netbox leases --conf /etc/coredhcp-netbox/config.yml --json 2>/dev/null | grep -c 52:54:00:77:00:01"

// upgraded looks at a machine whose packages were upgraded while the server ran as pid.
func (g *guest) upgraded(pid, address string) {
	g.t.Helper()
	g.says("active", "systemctl is-active coredhcp-netbox")
	g.says("enabled", "systemctl is-enabled coredhcp-netbox")
	g.says("active", "systemctl is-active netbox-dhcp-sync.timer")
	g.says("disabled", "systemctl is-enabled netbox-dhcp-sync.timer")
	if g.do("systemctl show -P MainPID coredhcp-netbox") == pid {
		g.t.Error("the old program goes on after the upgrade")
	}
	g.says("coredhcp-netbox "+newer, "coredhcp-netbox version | head -n 1 | cut -d' ' -f1,2")
	g.says("netbox-dhcp-sync "+newer, "netbox-dhcp-sync version | cut -d' ' -f1,2")
	g.says("# edited here", "head -n 1 /etc/coredhcp-netbox/config.yml")
	g.says("640 root:coredhcp-netbox", "stat -c '%a %U:%G' /etc/coredhcp-netbox/config.yml")
	if code, said := g.try(leases); code != "0" {
		g.t.Errorf("the upgraded server does not know the lease: %s", said)
	}
	if again := g.lease(address); again != address {
		g.t.Errorf("after the upgrade the client gets %s, and had %s", again, address)
	}
	g.privileges()
}

// removed looks at a machine that has no programs any more, and all that they kept.
func (g *guest) removed() {
	g.t.Helper()
	g.says("", "ls /usr/bin/coredhcp-netbox /usr/bin/netbox-dhcp-sync /usr/lib/systemd/system/coredhcp-netbox.service 2>/dev/null")
	g.says("", "pidof coredhcp-netbox netbox-dhcp-sync")
	g.says("# edited here", "head -n 1 /etc/coredhcp-netbox/config.yml")
	if g.do("find /var/lib/coredhcp-netbox -type f | wc -l") == "0" {
		g.t.Error("the removal deleted leases")
	}
	g.says("token", "cd /etc/coredhcp-netbox && ls token")
}
