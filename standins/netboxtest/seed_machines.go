package netboxtest

import (
	"cmp"
	"fmt"
	"net/http"
	"testing"
)

// machines makes devices, clusters and VMs with all they need.
func (s *Seeded) machines(t testing.TB, w World) {
	t.Helper()
	for _, d := range w.Devices {
		s.device(t, d)
	}
	for _, c := range w.Cables {
		s.make(t, cablesPath, c.A+" - "+c.B, object{"a_terminations": s.end(t, c.A), "b_terminations": s.end(t, c.B)})
	}
	for _, c := range w.Clusters {
		kind := s.once(t, clusterTypesPath, cmp.Or(c.Type, "Cluster type"), nil)
		f := object{"name": c.Name, "type": kind}
		if c.Site != "" {
			f["scope_type"], f["scope_id"] = "dcim.site", s.ID(t, sitesPath, c.Site)
		}
		s.make(t, clustersPath, c.Name, f)
	}
	for _, vm := range w.VMs {
		s.vm(t, vm)
	}
}

// once makes a named object with a slug unless the seed has made it before.
func (s *Seeded) once(t testing.TB, path, name string, more object) int64 {
	t.Helper()
	if id, ok := s.ids[path][name]; ok {
		return id
	}
	f := object{"name": name, "slug": slugOf(name)}
	for k, v := range more {
		f[k] = v
	}
	return s.make(t, path, name, f)
}

func (s *Seeded) deviceType(t testing.TB, name, maker string) int64 {
	t.Helper()
	if id, ok := s.ids[typesPath][name]; ok {
		return id
	}
	id := s.once(t, "dcim/manufacturers", maker, nil)
	return s.make(t, typesPath, name, object{"model": name, "slug": slugOf(name), "manufacturer": id})
}

func (s *Seeded) device(t testing.TB, d Device) {
	t.Helper()
	f := object{"name": d.Name, "device_type": s.deviceType(t, cmp.Or(d.Type, "Generic"), cmp.Or(d.Maker, "Maker")),
		"role": s.once(t, rolesPath, cmp.Or(d.Role, "Server"), object{"color": "9e9e9e"}), "site": s.ID(t, sitesPath, d.Site)}
	s.host(t, f, d.Status, d.Platform, d.Tenant, d.LocalContext)
	s.ref(t, f, "location", locationsPath, d.Location)
	id := s.make(t, devicesPath, d.Name, s.tagged(t, f, d.Tags, d.CustomFields))
	for _, i := range d.Interfaces {
		fields := object{"device": id, "type": cmp.Or(i.Type, "1000base-t")}
		s.ref(t, fields, "lag", interfacesPath, named(d.Name, i.LAG))
		s.port(t, interfacesPath, "dcim.interface", d.Name, i, fields)
	}
	for _, name := range d.Panel {
		s.pass(t, d.Name, id, name)
	}
	primary := object{}
	s.primary(t, primary, "primary_ip4", d.Interfaces, d.PrimaryIP4)
	s.primary(t, primary, "oob_ip", d.Interfaces, d.OOBIP)
	s.patch(t, devicesPath, id, primary)
}

// pass makes a front port and its rear port.
func (s *Seeded) pass(t testing.TB, owner string, device int64, name string) {
	t.Helper()
	rear := s.make(t, rearPortsPath, owner+" "+name+" rear", object{"device": device, "name": name + " rear", "type": "8p8c", "positions": 1})
	s.make(t, frontPortsPath, owner+" "+name, FrontPort(s.admin.version(t), device, name, rear))
}

// FrontPort is the body of a front port that leads to a rear port: up to 4.4 it has one, from 4.5 on a list.
func FrontPort(v Version, device int64, name string, rear int64) map[string]any {
	f := object{"device": device, "name": name, "type": "8p8c"}
	if !v.atLeast(5) {
		f["rear_port"] = rear
		return f
	}
	f["rear_ports"] = []object{{"position": 1, "rear_port": rear, "rear_port_position": 1}}
	return f
}

// end is one side of a cable in one port.
func (s *Seeded) end(t testing.TB, name string) []object {
	t.Helper()
	for path, label := range map[string]string{interfacesPath: "dcim.interface", frontPortsPath: "dcim.frontport", rearPortsPath: "dcim.rearport"} {
		if id, ok := s.ids[path][name]; ok {
			return []object{{"object_type": label, "object_id": id}}
		}
	}
	t.Fatalf("the seed made no port %q", name)
	return nil
}

// host adds what devices and VMs have in common.
func (s *Seeded) host(t testing.TB, f object, status, platform, tenant string, local map[string]any) {
	t.Helper()
	put(f, "status", status)
	if platform != "" {
		f["platform"] = s.once(t, platformsPath, platform, nil)
	}
	s.ref(t, f, "tenant", tenantsPath, tenant)
	if local != nil {
		f["local_context_data"] = local
	}
}

func (s *Seeded) vm(t testing.TB, vm VM) {
	t.Helper()
	f := object{"name": vm.Name}
	s.host(t, f, vm.Status, vm.Platform, vm.Tenant, vm.LocalContext)
	s.ref(t, f, "site", sitesPath, vm.Site)
	s.ref(t, f, "cluster", clustersPath, vm.Cluster)
	if vm.Role != "" {
		f["role"] = s.once(t, rolesPath, vm.Role, object{"color": "9e9e9e"})
	}
	id := s.make(t, machinesPath, vm.Name, s.tagged(t, f, vm.Tags, vm.CustomFields))
	for _, i := range vm.Interfaces {
		s.port(t, vmInterfacesPath, "virtualization.vminterface", vm.Name, i, object{"virtual_machine": id})
	}
	primary := object{}
	s.primary(t, primary, "primary_ip4", vm.Interfaces, vm.PrimaryIP4)
	s.patch(t, machinesPath, id, primary)
}

func named(owner, name string) string {
	if name == "" {
		return ""
	}
	return owner + " " + name
}

// port makes an interface with its MACs and addresses.
func (s *Seeded) port(t testing.TB, path, label, owner string, i Interface, f object) {
	t.Helper()
	f["name"], f["enabled"] = i.Name, !i.Disabled
	s.ref(t, f, "vrf", vrfsPath, i.VRF)
	s.ref(t, f, "bridge", path, named(owner, i.Bridge))
	s.ref(t, f, "parent", path, named(owner, i.Parent))
	id := s.make(t, path, named(owner, i.Name), f)
	assigned := object{"assigned_object_type": label, "assigned_object_id": id}
	for _, mac := range i.MACs {
		s.make(t, macsPath, named(owner, i.Name)+" "+mac, object{"mac_address": mac, "assigned_object_type": label, "assigned_object_id": id})
	}
	if i.Primary != "" {
		s.patch(t, path, id, object{"primary_mac_address": s.ID(t, macsPath, named(owner, i.Name)+" "+i.Primary)})
	}
	s.addresses(t, i.IPs, assigned)
}

func (s *Seeded) primary(t testing.TB, f object, key string, ports []Interface, address string) {
	t.Helper()
	if address == "" {
		return
	}
	for _, i := range ports {
		for _, ip := range i.IPs {
			if ip.Address == address {
				f[key] = s.ID(t, addressesPath, inVRF(ip.VRF, address))
				return
			}
		}
	}
	t.Fatalf("no interface has the address %s", address)
}

func (s *Seeded) patch(t testing.TB, path string, id int64, f object) {
	t.Helper()
	if len(f) == 0 {
		return
	}
	if status, body := s.admin.do(t, http.MethodPatch, fmt.Sprintf("%s/%d/", path, id), f); status != http.StatusOK {
		t.Fatalf("seed %s %d: %d %s", path, id, status, body)
	}
}
