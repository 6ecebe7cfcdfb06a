package netboxtest

import (
	"fmt"
	"net/http"
	"net/netip"
)

// availableIPs answers the free addresses of a prefix or range, and creates the next ones on POST.
func (t *txn) availableIPs(m *model, id int64, body any) *reply {
	parent := t.get(m.path, id)
	if parent == nil || !t.permits(m, "view", parent) {
		return detail(http.StatusNotFound, "No "+m.class+" matches the given query.")
	}
	switch t.call.Method {
	case http.MethodGet:
		return t.listAvailable(m, parent)
	case http.MethodPost:
		return t.takeAvailable(m, parent, body)
	}
	return methodNotAllowed(t.call.Method)
}

func (t *txn) listAvailable(m *model, parent *row) *reply {
	out := []any{}
	for _, p := range t.free(m, parent, t.limit()) {
		out = append(out, map[string]any{"family": familyNumber(p), "address": p.String(), "vrf": t.nested(vrfsPath, parent.ref("vrf"))})
	}
	return answer(http.StatusOK, out)
}

func familyNumber(p netip.Prefix) int {
	if p.Addr().Is4() {
		return 4
	}
	return 6
}

// free returns up to n free addresses, lowest first, with the parent's mask.
func (t *txn) free(m *model, parent *row, n int) []netip.Prefix {
	if m.path == rangesPath && parent.flag("mark_populated") {
		return nil
	}
	first, last, mask := freeBounds(m, parent)
	taken := map[netip.Addr]bool{}
	for _, r := range t.all(addressesPath) {
		if sameVRF(r, parent) {
			taken[r.prefix("address").Addr()] = true
		}
	}
	var out []netip.Prefix
	for a := first; len(out) < n && a.IsValid() && a.Compare(last) <= 0; a = a.Next() {
		populated := m.path == prefixesPath && t.populatedRange(parent, a) != nil
		if !taken[a] && !populated {
			out = append(out, netip.PrefixFrom(a, mask))
		}
	}
	return out
}

func freeBounds(m *model, parent *row) (first, last netip.Addr, mask int) {
	if m.path == rangesPath {
		return parent.prefix("start_address").Addr(), parent.prefix("end_address").Addr(), parent.prefix("start_address").Bits()
	}
	p := parent.prefix("prefix")
	first, last = p.Addr(), lastAddr(p)
	hosts := p.Addr().BitLen() - p.Bits()
	if parent.flag("is_pool") || hosts <= 1 {
		return first, last, p.Bits()
	}
	first = first.Next()
	if p.Addr().Is4() {
		last = last.Prev()
	}
	return first, last, p.Bits()
}

func (t *txn) takeAvailable(m *model, parent *row, body any) *reply {
	list, isList := body.([]any)
	if !isList {
		list = []any{body}
	}
	free := t.free(m, parent, len(list))
	if len(free) < len(list) {
		return detail(http.StatusConflict, "Insufficient resources are available to satisfy the request")
	}
	am := t.table(addressesPath).model
	var made []any
	for i, item := range list {
		in, _ := item.(map[string]any)
		if in == nil {
			in = map[string]any{}
		}
		p := free[i]
		if v, given := in["prefix_length"]; given && v != nil {
			bits, ok := toID(v)
			if !ok {
				return answer(http.StatusBadRequest, []any{map[string]any{"prefix_length": []any{"A valid integer is required."}}})
			}
			if int(bits) < p.Bits() {
				return answer(http.StatusBadRequest, []any{map[string]any{
					"prefix_length": fmt.Sprintf("Prefix length must be greater than or equal to the parent mask length (%d)", p.Bits())}})
			}
			p = netip.PrefixFrom(p.Addr(), int(bits))
		}
		in["address"], in["vrf"] = p.String(), nil
		if vrf := parent.ref("vrf"); vrf != 0 {
			in["vrf"] = fmt.Sprint(vrf)
		}
		r, bad, no := t.insert(am, in)
		if out := t.failed(bad, no); out != nil {
			return out
		}
		made = append(made, t.render(am, r, t.selection(am)))
	}
	if !isList {
		return answer(http.StatusCreated, made[0])
	}
	return answer(http.StatusCreated, made)
}
