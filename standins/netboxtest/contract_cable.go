package netboxtest

import (
	"fmt"
	"net/http"
	"testing"
)

func cableFacts() []fact {
	return []fact{
		{"a cable joins two interfaces, which show each other", 0, func(t *testing.T, c *contract) {
			r := c.rack(t)
			made := c.cable(t, "dcim.interface", r.port, "dcim.interface", r.nic)
			expect(t, made, http.StatusCreated, map[string]any{"a_terminations.0.object_type": "dcim.interface", "a_terminations.0.object_id": r.port,
				"b_terminations.0.object.name": "eth0", "status": object{"value": "connected", "label": "Connected"}, "label": "", "type": nil})
			expect(t, c.interfaceOf(t, r.port), http.StatusOK, map[string]any{"cable.id": made.id(), "cable_end": "A", "link_peers.0.id": r.nic, "link_peers_type": "dcim.interface",
				"connected_endpoints.0.id": r.nic, "connected_endpoints.0.device.name": r.name + " server", "connected_endpoints_type": "dcim.interface",
				"connected_endpoints_reachable": true, "_occupied": true})
			expect(t, c.interfaceOf(t, r.nic), http.StatusOK, map[string]any{"cable_end": "B", "connected_endpoints.0.id": r.port})
			expect(t, c.call(t, http.MethodDelete, detailPath(cablesPath, made.id()), nil), http.StatusNoContent, nil)
			expect(t, c.interfaceOf(t, r.port), http.StatusOK, map[string]any{"cable": nil, "cable_end": nil, "link_peers": []any{}, "link_peers_type": nil,
				"connected_endpoints": nil, "connected_endpoints_type": nil, "connected_endpoints_reachable": false, "_occupied": false})
		}},
		{"a port takes one cable", 0, func(t *testing.T, c *contract) {
			r := c.rack(t)
			made := c.cable(t, "dcim.interface", r.port, "dcim.interface", r.nic)
			g := c.call(t, http.MethodPost, cablesPath+"/", cableBody("dcim.interface", r.spare, "dcim.interface", r.nic))
			expect(t, g, http.StatusBadRequest, map[string]any{"__all__.0": fmt.Sprintf("Duplicate termination found for dcim.interface %d: cable %d", r.nic, made.id())})
		}},
		{"a cable that is planned is an end, and not reachable", 0, func(t *testing.T, c *contract) {
			r := c.rack(t)
			made := c.cable(t, "dcim.interface", r.port, "dcim.interface", r.nic)
			c.quietly(t, r.port, "dcim.cable", "update", func() {
				expect(t, c.call(t, http.MethodPatch, detailPath(cablesPath, made.id()), object{"status": "planned"}), http.StatusOK, nil)
			})
			expect(t, c.interfaceOf(t, r.port), http.StatusOK, map[string]any{"connected_endpoints.0.id": r.nic, "connected_endpoints_reachable": false})
		}},
		{"a cable with two ends on a side has two endpoints", 0, func(t *testing.T, c *contract) {
			r := c.rack(t)
			made := c.cable(t, "dcim.interface", r.port, "dcim.interface", r.nic)
			both := []object{{"object_type": "dcim.interface", "object_id": r.nic}, {"object_type": "dcim.interface", "object_id": r.second}}
			c.quietly(t, r.port, "dcim.cabletermination", "create", func() {
				expect(t, c.call(t, http.MethodPatch, detailPath(cablesPath, made.id()), object{"b_terminations": both}), http.StatusOK, nil)
			})
			expect(t, c.interfaceOf(t, r.port), http.StatusOK, map[string]any{"connected_endpoints.0.id": r.nic, "connected_endpoints.1.id": r.second})
			expect(t, c.interfaceOf(t, r.nic), http.StatusOK, map[string]any{"connected_endpoints.0.id": r.port})
			c.quietly(t, r.port, "dcim.cabletermination", "delete", func() {
				expect(t, c.call(t, http.MethodPatch, detailPath(cablesPath, made.id()), object{"b_terminations": both[1:]}), http.StatusOK, nil)
			})
			expect(t, c.interfaceOf(t, r.port), http.StatusOK, map[string]any{"connected_endpoints.0.id": r.second})
			expect(t, c.interfaceOf(t, r.nic), http.StatusOK, map[string]any{"cable": nil})
		}},
		{"a path leads through patch panels, and shows nothing before it is whole", 0, throughPanels},
		{"deleting an end leaves the cable and the other end's last_updated", 0, func(t *testing.T, c *contract) {
			r := c.rack(t)
			made := c.cable(t, "dcim.interface", r.port, "dcim.interface", r.nic)
			c.quietly(t, r.port, "dcim.cabletermination", "delete", func() {
				expect(t, c.call(t, http.MethodDelete, detailPath(interfacesPath, r.nic), nil), http.StatusNoContent, nil)
			})
			expect(t, c.interfaceOf(t, r.port), http.StatusOK, map[string]any{"cable.id": made.id(), "connected_endpoints": nil, "connected_endpoints_reachable": false})
			expect(t, c.call(t, http.MethodGet, detailPath(cablesPath, made.id()), nil), http.StatusOK, map[string]any{"b_terminations": []any{}})
		}},
		{"interfaces are found by their devices and their aggregates", 0, func(t *testing.T, c *contract) {
			r := c.rack(t)
			bond := c.create(t, interfacesPath, object{"device": r.server, "name": "bond0", "type": "lag"}).id()
			expect(t, c.call(t, http.MethodPatch, detailPath(interfacesPath, r.nic), object{"lag": bond}), http.StatusOK, nil)
			c.list(t, fmt.Sprintf("%s/?lag_id=%d&lag_id=%d&ordering=id&fields=id,name", interfacesPath, bond, r.port), "name", "eth0")
			c.list(t, fmt.Sprintf("%s/?device_id=%d&device_id=%d&ordering=id&fields=id,name", interfacesPath, r.device, r.server), "name", "Gi1/0/1", "Gi1/0/2", "eth0", "eth1", "bond0")
		}},
		{"far ends and records of cables need no permission for cables", 0, func(t *testing.T, c *contract) {
			r := c.rack(t)
			made := c.cable(t, "dcim.interface", r.port, "dcim.interface", r.nic)
			limited := newAdmin(c.target.URL, c.target.Limit(t, true, Grant{Object: "dcim.interface", Actions: []string{"view"}}, Grant{Object: "core.objectchange", Actions: []string{"view"}}))
			expect(t, c.callAs(t, limited, http.MethodGet, detailPath(cablesPath, made.id()), nil, nil), http.StatusForbidden, nil)
			expect(t, c.callAs(t, limited, http.MethodGet, detailPath(interfacesPath, r.port), nil, nil), http.StatusOK, map[string]any{"connected_endpoints.0.id": r.nic})
			query := fmt.Sprintf("%s/?changed_object_type=dcim.cable&changed_object_id=%d&action=create&fields=id,changed_object_id", changesPath, made.id())
			expect(t, c.callAs(t, limited, http.MethodGet, query, nil, nil), http.StatusOK, map[string]any{"results.0.changed_object_id": made.id()})
		}},
	}
}

// rack is a switch with two ports and a server with two.
type rack struct {
	name           string
	device, server int64
	port, spare    int64
	nic, second    int64
}

func (c *contract) rack(t *testing.T) rack {
	t.Helper()
	r := rack{name: c.subnet().Addr().String()}
	port := func(device int64, name string) int64 {
		return c.create(t, interfacesPath, object{"device": device, "name": name, "type": "1000base-t"}).id()
	}
	r.device, r.server = c.device(t, r.name+" switch"), c.device(t, r.name+" server")
	c.discard(t, devicesPath, r.device)
	c.discard(t, devicesPath, r.server)
	r.port, r.spare, r.nic, r.second = port(r.device, "Gi1/0/1"), port(r.device, "Gi1/0/2"), port(r.server, "eth0"), port(r.server, "eth1")
	return r
}

func (c *contract) interfaceOf(t *testing.T, id int64) got {
	t.Helper()
	return c.call(t, http.MethodGet, detailPath(interfacesPath, id), nil)
}

func cableBody(kindA string, a int64, kindB string, b int64) object {
	return object{"a_terminations": []object{{"object_type": kindA, "object_id": a}}, "b_terminations": []object{{"object_type": kindB, "object_id": b}}}
}

func (c *contract) cable(t *testing.T, kindA string, a int64, kindB string, b int64) got {
	t.Helper()
	return c.create(t, cablesPath, cableBody(kindA, a, kindB, b))
}

// quietly checks that an edit leaves no trace in an interface at the end of the path, and a record of the given type and
// action in the change log.
func (c *contract) quietly(t *testing.T, end int64, kind, action string, edit func()) {
	t.Helper()
	before := c.interfaceOf(t, end).at("last_updated")
	records := func() int64 {
		return number(t, c.call(t, http.MethodGet, fmt.Sprintf("%s/?limit=1&changed_object_type=%s&action=%s", changesPath, kind, action), nil).at("count"))
	}
	had := records()
	edit()
	if after := c.interfaceOf(t, end).at("last_updated"); after != before {
		t.Errorf("last_updated of the end of the path moved from %v to %v", before, after)
	}
	if has := records(); has <= had {
		t.Errorf("the change log has %d records of %s %s, as before", has, action, kind)
	}
}

func throughPanels(t *testing.T, c *contract) {
	r := c.rack(t)
	var fronts, rears []int64
	for _, side := range []string{"near", "far"} {
		panel := c.device(t, r.name+" "+side)
		c.discard(t, devicesPath, panel)
		rear := c.create(t, rearPortsPath, object{"device": panel, "name": "1 rear", "type": "8p8c", "positions": 1}).id()
		fronts = append(fronts, c.create(t, frontPortsPath, FrontPort(c.target.Version, panel, "1", rear)).id())
		rears = append(rears, rear)
	}
	c.cable(t, "dcim.interface", r.port, "dcim.frontport", fronts[0])
	expect(t, c.interfaceOf(t, r.port), http.StatusOK, map[string]any{"link_peers_type": "dcim.frontport", "connected_endpoints": nil, "connected_endpoints_reachable": false})
	c.cable(t, "dcim.frontport", fronts[1], "dcim.interface", r.nic)
	middle := c.call(t, http.MethodPost, cablesPath+"/", cableBody("dcim.rearport", rears[0], "dcim.rearport", rears[1]))
	expect(t, middle, http.StatusCreated, nil)
	whole := map[string]any{"connected_endpoints.0.id": r.nic, "connected_endpoints_reachable": true, "link_peers_type": "dcim.frontport"}
	expect(t, c.interfaceOf(t, r.port), http.StatusOK, whole)
	expect(t, c.interfaceOf(t, r.nic), http.StatusOK, map[string]any{"connected_endpoints.0.id": r.port})
	cut := map[string]any{"connected_endpoints": nil, "connected_endpoints_reachable": false}
	if c.atLeast(5) {
		front := detailPath(frontPortsPath, fronts[1])
		c.quietly(t, r.port, "dcim.portmapping", "delete", func() {
			expect(t, c.call(t, http.MethodPatch, front, object{"rear_ports": []object{}}), http.StatusOK, map[string]any{"rear_ports": []any{}})
		})
		expect(t, c.interfaceOf(t, r.port), http.StatusOK, cut)
		again := []object{{"position": 1, "rear_port": rears[1], "rear_port_position": 1}}
		expect(t, c.call(t, http.MethodPatch, front, object{"rear_ports": again}), http.StatusOK, nil)
		expect(t, c.interfaceOf(t, r.port), http.StatusOK, whole)
	}
	c.quietly(t, r.port, "dcim.cable", "delete", func() {
		expect(t, c.call(t, http.MethodDelete, detailPath(cablesPath, middle.id()), nil), http.StatusNoContent, nil)
	})
	expect(t, c.interfaceOf(t, r.port), http.StatusOK, cut)
	c.cable(t, "dcim.rearport", rears[0], "dcim.rearport", rears[1])
	expect(t, c.interfaceOf(t, r.port), http.StatusOK, whole)
	c.quietly(t, r.port, "dcim.rearport", "delete", func() {
		expect(t, c.call(t, http.MethodDelete, detailPath(rearPortsPath, rears[1]), nil), http.StatusNoContent, nil)
	})
	expect(t, c.interfaceOf(t, r.port), http.StatusOK, cut)
}
