package netboxtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

const (
	cablesPath       = "dcim/cables"
	terminationsPath = "dcim/cable-terminations"
	frontPortsPath   = "dcim/front-ports"
	rearPortsPath    = "dcim/rear-ports"
	mappingsPath     = "dcim/port-mappings" // not a page of NetBox: its rows are in the change log only
)

// nowhere is a minor version that no NetBox has.
const nowhere = 99

// terminationLabels are the ends of cables that are modelled.
func terminationLabels() []string {
	return []string{"dcim.interface", "dcim.frontport", "dcim.rearport"}
}

func cableModels() []*model {
	return []*model{cableModel(), terminationModel(), frontPortModel(), rearPortModel(), mappingModel()}
}

func cableModel() *model {
	ends := func(name string) field { return field{name: name, kind: document, hidden: true, def: unset{}} }
	return &model{path: cablesPath, label: "dcim.cable", class: "Cable", verbose: "cable",
		fields: commonFields(ends("a_terminations"), ends("b_terminations"), field{name: "type", kind: choice, set: "Cable.type", nullable: true, blank: true},
			choiceField("status", "Cable.status", "connected"), refField("tenant", tenantsPath).on(protect), textField("label", 100), textField("color", 6),
			field{name: "length", kind: decimal, nullable: true}, field{name: "length_unit", kind: choice, set: "Cable.length_unit", nullable: true, blank: true}),
		brief:    []string{"label", "description"},
		display:  func(_ *txn, r *row) string { return cmp.Or(r.str("label"), fmt.Sprintf("#%d", r.id)) },
		computed: map[string]func(*txn, *row) any{"owner": ownerOf, "a_terminations": shownEnds("A"), "b_terminations": shownEnds("B")},
		fixed:    map[string]any{"profile": sinceMinor{5, nil}, "bundle": sinceMinor{6, nil}},
		order:    func(_ *txn, a, b *row) int { return cmp.Compare(a.id, b.id) },
		prepare:  cleanCable, saved: plugIn, search: []string{"label"},
	}
}

// terminationModel is one end of a cable: what it is plugged into.
func terminationModel() *model {
	return &model{path: terminationsPath, label: "dcim.cabletermination", class: "CableTermination", verbose: "cable termination", plain: true,
		fields: append(genericFields("termination", cascade, terminationLabels()...), refField("cable", cablesPath).must().on(cascade),
			textField("cable_end", 1)),
		display: func(_ *txn, r *row) string {
			return fmt.Sprintf("%s %d", r.str("termination_type"), r.ref("termination_id"))
		},
		order: func(_ *txn, a, b *row) int { return cmp.Compare(a.id, b.id) },
	}
}

func portModel(path, label, class, verbose string, fields ...field) *model {
	columns := append([]field{refField("device", devicesPath).must().on(cascade), textField("name", 64).must(), textField("label", 64),
		{name: "type", kind: choice, set: "Port.type", required: true}, textField("color", 6), flagField("mark_connected", false), textField("description", 200)}, fields...)
	return &model{path: path, label: label, class: class, verbose: verbose, fields: columns,
		brief:    []string{"device", "name", "description", "cable", "_occupied"},
		computed: cabledColumns(label, map[string]func(*txn, *row) any{"owner": ownerOf}),
		fixed:    map[string]any{"module": nil}, search: []string{"name", "label"},
		order: func(_ *txn, a, b *row) int {
			return cmp.Or(cmp.Compare(a.ref("device"), b.ref("device")), cmp.Compare(a.str("name"), b.str("name")))
		},
	}
}

func rearPortModel() *model {
	m := portModel(rearPortsPath, "dcim.rearport", "RearPort", "rear port", field{name: "positions", kind: integer, def: int64(1)})
	m.computed["front_ports"] = func(t *txn, r *row) any {
		return t.shownMappings(func(at *row) (bool, map[string]any) {
			return at.ref("rear_port") == r.id, map[string]any{"position": at.cols["rear_port_position"], "front_port": at.ref("front_port"),
				"front_port_position": at.cols["front_port_position"]}
		})
	}
	return m
}

// frontPortModel is a front port, which has one rear port up to 4.4, and several from 4.5 on.
func frontPortModel() *model {
	m := portModel(frontPortsPath, "dcim.frontport", "FrontPort", "front port",
		refField("rear_port", rearPortsPath).must().on(cascade).until(5), field{name: "rear_port_position", kind: integer, def: int64(1)}.until(5),
		field{name: "positions", kind: integer, def: int64(1)}.from(5), field{name: "rear_ports", kind: document, hidden: true, def: unset{}}.from(5))
	m.computed["rear_ports"] = func(t *txn, r *row) any {
		return t.shownMappings(func(at *row) (bool, map[string]any) {
			return at.ref("front_port") == r.id, map[string]any{"position": at.cols["front_port_position"], "rear_port": at.ref("rear_port"),
				"rear_port_position": at.cols["rear_port_position"]}
		})
	}
	m.saved = savePortMappings
	return m
}

// mappingModel says which position of a front port leads to which position of a rear port. It is an object of its own from 4.5 on.
func mappingModel() *model {
	return &model{path: mappingsPath, label: "dcim.portmapping", class: "PortMapping", verbose: "port mapping", plain: true, since: nowhere,
		fields: []field{refField("front_port", frontPortsPath).on(cascade), numberField("front_port_position"), refField("rear_port", rearPortsPath).on(cascade),
			numberField("rear_port_position")},
		display: func(_ *txn, r *row) string { return fmt.Sprint(r.id) },
		order:   func(_ *txn, a, b *row) int { return cmp.Compare(a.id, b.id) },
	}
}

func (t *txn) shownMappings(show func(*row) (bool, map[string]any)) any {
	if !t.s.config.Version.atLeast(5) {
		return absent{}
	}
	list := []any{}
	for _, at := range t.all(mappingsPath) {
		if wanted, shown := show(at); wanted {
			list = append(list, shown)
		}
	}
	return list
}

// savePortMappings makes the mappings of a front port what a request says.
func savePortMappings(t *txn, r, _ *row) {
	var wanted []any
	if t.s.config.Version.atLeast(5) {
		list, given := r.cols["rear_ports"].([]any)
		if !given {
			return
		}
		wanted = list
		changed := r.clone()
		changed.cols["rear_ports"] = unset{}
		t.put(frontPortsPath, changed)
	} else {
		wanted = []any{map[string]any{"position": int64(1), "rear_port": r.ref("rear_port"), "rear_port_position": r.cols["rear_port_position"]}}
	}
	m := t.table(mappingsPath).model
	for _, old := range t.all(mappingsPath) {
		if old.ref("front_port") == r.id {
			t.erase([]cascaded{{m, old}}, "")
		}
	}
	for _, one := range wanted {
		at, _ := one.(map[string]any)
		t.store(m, map[string]any{"front_port": r.id, "front_port_position": cmp.Or(toInt(at["position"]), 1), "rear_port": toInt(at["rear_port"]),
			"rear_port_position": cmp.Or(toInt(at["rear_port_position"]), 1)})
	}
}

func toInt(v any) int64 {
	n, _ := v.(int64)
	return n
}

// store makes a row that no request names.
func (t *txn) store(m *model, cols map[string]any) {
	r := &row{id: t.nextID(m.path), cols: cols, cf: map[string]any{}, tags: []int64{}, created: t.now(), updated: t.now()}
	t.put(m.path, r)
	t.logChange(m, "create", nil, r, "")
}

// plug is one end of a cable in a request.
type plug struct {
	Type string `json:"object_type"`
	ID   int64  `json:"object_id"`
}

// plugs reads the ends that a request names; given says whether it names any.
func plugs(r *row, column string) (ends []plug, given bool) {
	list, given := r.cols[column].([]any)
	b, err := json.Marshal(list)
	if err != nil || json.Unmarshal(b, &ends) != nil {
		return nil, given
	}
	return ends, given
}

// cleanCable refuses ends that do not exist, or that another cable is plugged into.
func cleanCable(t *txn, r, _ *row) problems {
	bad := problems{}
	for _, column := range []string{"a_terminations", "b_terminations"} {
		ends, _ := plugs(r, column)
		for _, end := range ends {
			m := t.s.labelled(end.Type)
			if m == nil || !slices.Contains(terminationLabels(), end.Type) || t.get(m.path, end.ID) == nil {
				bad.add(column, "Related object not found using the provided numeric ID: %d", end.ID)
				continue
			}
			if other := t.pluggedInto(end.Type, end.ID); other != nil && other.ref("cable") != r.id {
				bad.add("__all__", "Duplicate termination found for %s %d: cable %d", end.Type, end.ID, other.ref("cable"))
			}
		}
	}
	return bad
}

// plugIn makes the terminations of a cable what a request says. What is plugged in or pulled out gets a new last_updated;
// the ends of paths that lead through it do not.
func plugIn(t *txn, r, _ *row) {
	m := t.table(terminationsPath).model
	changed := r.clone()
	for side, column := range map[string]string{"A": "a_terminations", "B": "b_terminations"} {
		ends, given := plugs(r, column)
		changed.cols[column] = unset{}
		if !given {
			continue
		}
		for _, old := range t.terminations(r.id, side) {
			at := plug{old.str("termination_type"), old.ref("termination_id")}
			if i := slices.Index(ends, at); i >= 0 {
				ends = slices.Delete(ends, i, i+1)
				continue
			}
			t.erase([]cascaded{{m, old}}, "")
			t.touch(at)
		}
		for _, end := range ends {
			t.store(m, map[string]any{"cable": r.id, "cable_end": side, "termination_type": end.Type, "termination_id": end.ID})
			t.touch(end)
		}
	}
	t.put(cablesPath, changed)
}

// touch gives what a cable is plugged into a new last_updated.
func (t *txn) touch(at plug) {
	path := t.s.labelled(at.Type).path
	if r := t.get(path, at.ID); r != nil {
		changed := r.clone()
		changed.updated = t.now()
		t.put(path, changed)
	}
}

// terminations are the ends of one side of a cable.
func (t *txn) terminations(cable int64, side string) []*row {
	return slices.DeleteFunc(t.all(terminationsPath), func(r *row) bool { return r.ref("cable") != cable || r.str("cable_end") != side })
}

// pluggedInto is the end of a cable in a port, nil if there is none.
func (t *txn) pluggedInto(label string, id int64) *row {
	for _, r := range t.all(terminationsPath) {
		if r.ref("termination_id") == id && r.str("termination_type") == label {
			return r
		}
	}
	return nil
}

// peers are the ends at the other side of a cable.
func (t *txn) peers(end *row) []*row {
	other := map[string]string{"A": "B", "B": "A"}
	return t.terminations(end.ref("cable"), other[end.str("cable_end")])
}

// trace follows the cables from a port through patch panels. It returns the ends of a path that is whole, and whether all its
// cables are connected.
func (t *txn) trace(label string, id int64) (ends []*row, active bool) {
	var positions []int64
	active = true
	for range 32 {
		end := t.pluggedInto(label, id)
		if end == nil {
			return nil, false
		}
		active = active && t.get(cablesPath, end.ref("cable")).str("status") == "connected"
		peers := t.peers(end)
		if len(peers) > 0 && peers[0].str("termination_type") == "dcim.interface" {
			return peers, active
		}
		if len(peers) != 1 {
			return nil, false
		}
		label, id = peers[0].str("termination_type"), peers[0].ref("termination_id")
		if label, id, positions = t.through(label, id, positions); id == 0 {
			return nil, false
		}
	}
	return nil, false
}

// through crosses a patch panel. positions are those of the rear ports that the path went through and has not left yet.
func (t *txn) through(label string, id int64, positions []int64) (string, int64, []int64) {
	for _, at := range t.all(mappingsPath) {
		position := toInt(at.cols["rear_port_position"])
		switch {
		case label == "dcim.frontport" && at.ref("front_port") == id:
			return "dcim.rearport", at.ref("rear_port"), append(positions, position)
		case label == "dcim.rearport" && at.ref("rear_port") == id && len(positions) == 0 && toInt(t.get(rearPortsPath, id).cols["positions"]) == 1:
			return "dcim.frontport", at.ref("front_port"), nil
		case label == "dcim.rearport" && at.ref("rear_port") == id && len(positions) > 0 && positions[len(positions)-1] == position:
			return "dcim.frontport", at.ref("front_port"), positions[:len(positions)-1]
		}
	}
	return "", 0, nil
}

// shownEnds shows one side of a cable.
func shownEnds(side string) func(*txn, *row) any {
	return func(t *txn, r *row) any {
		list := []any{}
		for _, end := range t.terminations(r.id, side) {
			list = append(list, map[string]any{"object_type": end.str("termination_type"), "object_id": end.ref("termination_id"), "object": t.generic(end, "termination")})
		}
		return list
	}
}

// cabledColumns adds what everything that takes a cable shows of it.
func cabledColumns(label string, computed map[string]func(*txn, *row) any) map[string]func(*txn, *row) any {
	end := func(show func(*txn, *row) any) func(*txn, *row) any {
		return func(t *txn, r *row) any {
			if at := t.pluggedInto(label, r.id); at != nil {
				return show(t, at)
			}
			return nil
		}
	}
	computed["cable"] = end(func(t *txn, at *row) any { return t.nested(cablesPath, at.ref("cable")) })
	computed["cable_end"] = end(func(_ *txn, at *row) any { return at.str("cable_end") })
	computed["link_peers_type"] = end(func(t *txn, at *row) any { return typeOf(t.peers(at)) })
	computed["link_peers"] = func(t *txn, r *row) any {
		if at := t.pluggedInto(label, r.id); at != nil {
			return t.objectsAt(t.peers(at))
		}
		return []any{}
	}
	computed["_occupied"] = func(t *txn, r *row) any { return r.flag("mark_connected") || t.pluggedInto(label, r.id) != nil }
	return computed
}

// endColumns adds what interfaces show of the path of their cable.
func endColumns(label string, computed map[string]func(*txn, *row) any) map[string]func(*txn, *row) any {
	computed["connected_endpoints"] = func(t *txn, r *row) any {
		if ends, _ := t.trace(label, r.id); len(ends) > 0 {
			return t.objectsAt(ends)
		}
		return nil
	}
	computed["connected_endpoints_type"] = func(t *txn, r *row) any {
		ends, _ := t.trace(label, r.id)
		return typeOf(ends)
	}
	computed["connected_endpoints_reachable"] = func(t *txn, r *row) any {
		ends, active := t.trace(label, r.id)
		return active && len(ends) > 0
	}
	return cabledColumns(label, computed)
}

func typeOf(ends []*row) any {
	if len(ends) == 0 {
		return nil
	}
	return ends[0].str("termination_type")
}

func (t *txn) objectsAt(ends []*row) []any {
	list := []any{}
	for _, end := range ends {
		list = append(list, t.generic(end, "termination"))
	}
	return list
}
