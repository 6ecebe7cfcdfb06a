package netboxtest

import (
	"slices"
)

func coreModels() []*model {
	return []*model{{path: changesPath, label: "core.objectchange", class: "ObjectChange", verbose: "object change", plain: true, noTime: true, closed: true,
		fields: []field{{name: "time", kind: moment}, textField("user_name", 150), textField("request_id", 36),
			{name: "action", kind: choice, set: "ObjectChange.action"}, textField("changed_object_type", 100), numberField("changed_object_id"),
			textField("object_repr", 200), textField("message", 200).from(4), docField("prechange_data"), docField("postchange_data")},
		brief: []string{"time", "action"},
		display: func(_ *txn, r *row) string {
			return r.str("changed_object_type") + " " + r.str("object_repr") + " " + r.str("action")
		},
		computed: map[string]func(*txn, *row) any{"user": func(_ *txn, r *row) any { return map[string]any{"id": 1, "username": r.str("user_name")} },
			"changed_object": changedObject},
		filters: map[string]filterFunc{"time_after": changeTime(func(c int) bool { return c >= 0 }), "time_before": changeTime(func(c int) bool { return c <= 0 }),
			"changed_object_type": changedType, "user_name": changedBy},
		relations: map[string]filterFunc{"user": changedByUser, "action": lastAction},
		order:     func(_ *txn, a, b *row) int { return compareValues(b.cols["time"], a.cols["time"]) },
		search:    []string{"user_name", "object_repr", "message"},
	}}
}

func changedObject(t *txn, r *row) any {
	m := t.s.labelled(r.str("changed_object_type"))
	if m == nil {
		return nil
	}
	return t.nested(m.path, r.ref("changed_object_id"))
}

func changeTime(ok func(c int) bool) filterFunc {
	return func(_ *txn, values []string) (test, string) {
		at, valid := parseMoment(values[len(values)-1])
		if !valid {
			return nil, "Enter a valid date/time."
		}
		return func(r *row) bool { return ok(compareValues(r.cols["time"], at.UTC())) }, ""
	}
}

// changedType takes one value up to 4.4, the last one given; from 4.5 on any of several.
func changedType(t *txn, values []string) (test, string) {
	if !t.s.config.Version.atLeast(5) {
		values = values[len(values)-1:]
	}
	return func(r *row) bool { return slices.Contains(values, r.str("changed_object_type")) }, ""
}

// changedByUser takes names of users that exist: those of the tokens.
func changedByUser(t *txn, values []string) (test, string) {
	for _, v := range values {
		if !slices.ContainsFunc(t.s.tokens, func(tok *Token) bool { return tok.User == v }) {
			return nil, "Select a valid choice. " + v + " is not one of the available choices."
		}
	}
	return changedBy(t, values)
}

// lastAction takes one action, the last one given.
func lastAction(t *txn, values []string) (test, string) {
	return choiceFilter(&field{name: "action", set: "ObjectChange.action"}, "")(t, values[len(values)-1:])
}

func changedBy(_ *txn, values []string) (test, string) {
	return func(r *row) bool { return slices.Contains(values, r.str("user_name")) }, ""
}
