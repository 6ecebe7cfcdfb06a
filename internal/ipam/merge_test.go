package ipam

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
)

func TestMergeConfig(t *testing.T) {
	for name, tc := range map[string]struct{ lower, higher, want string }{
		"keys of both are kept":           {`{"a":1}`, `{"b":2}`, `{"a":1,"b":2}`},
		"the higher wins":                 {`{"a":1,"b":1}`, `{"a":2}`, `{"a":2,"b":1}`},
		"objects merge at any depth":      {`{"a":{"b":{"c":1,"d":1}}}`, `{"a":{"b":{"c":2}}}`, `{"a":{"b":{"c":2,"d":1}}}`},
		"lists are not joined":            {`{"a":[1,2]}`, `{"a":[3]}`, `{"a":[3]}`},
		"null replaces":                   {`{"a":{"b":1}}`, `{"a":null}`, `{"a":null}`},
		"an empty object replaces":        {`{"a":{"b":1}}`, `{"a":{}}`, `{"a":{}}`},
		"so it does at the top":           {`{"a":1}`, `{}`, `{}`},
		"a scalar replaces an object":     {`{"a":1}`, `"text"`, `"text"`},
		"an object replaces a scalar":     {`[1]`, `{"a":1}`, `{"a":1}`},
		"null at the top replaces":        {`{"a":1}`, `null`, `null`},
		"an absent higher says nothing":   {`{"a":1}`, ``, `{"a":1}`},
		"an absent lower says nothing":    {``, `{"a":1}`, `{"a":1}`},
		"two absent ones stay absent":     {``, ``, ``},
		"a broken higher is ignored":      {`{"a":1}`, `{"a":`, `{"a":1}`},
		"a broken lower is ignored":       {`{"a":1} 2`, `{"b":1}`, `{"b":1}`},
		"numbers stay as they were":       {`{"a":9007199254740993,"b":1.10}`, `{"c":1e2}`, `{"a":9007199254740993,"b":1.10,"c":1e2}`},
		"a repeated key counts once more": {`{"a":1,"a":2}`, `{"b":0}`, `{"a":2,"b":0}`},
	} {
		t.Run(name, func(t *testing.T) {
			lower, higher := json.RawMessage(tc.lower), json.RawMessage(tc.higher)
			if got := MergeConfig(lower, higher); string(got) != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			if string(lower) != tc.lower || string(higher) != tc.higher {
				t.Error("an argument was changed")
			}
		})
	}
}

func FuzzMergeConfig(f *testing.F) {
	f.Add([]byte(`{"a":{"b":1},"c":[1]}`), []byte(`{"a":{"d":null},"c":{}}`))
	f.Add([]byte(`null`), []byte(`{"":{"":{}}}`))
	f.Add([]byte(`{"a":1}`), []byte(`{`))
	f.Fuzz(func(t *testing.T, lower, higher []byte) {
		merged := MergeConfig(lower, higher)
		over, errOver := decodeJSON(higher)
		under, errUnder := decodeJSON(lower)
		switch {
		case errOver != nil:
			if !slices.Equal(merged, lower) {
				t.Errorf("a broken higher value changed the lower to %s", merged)
			}
			return
		case errUnder != nil:
			if !slices.Equal(merged, higher) {
				t.Errorf("a broken lower value changed the higher to %s", merged)
			}
			return
		}
		result, err := decodeJSON(merged)
		if err != nil {
			t.Fatalf("merged to %s: %v", merged, err)
		}
		checkMerged(t, under, over, result)
		if again := MergeConfig(merged, higher); string(again) != string(merged) {
			t.Errorf("merging twice gave %s, then %s", merged, again)
		}
	})
}

// checkMerged says the rule a second way: each key of the result comes from
// the higher value if it has it, else from the lower.
func checkMerged(t *testing.T, under, over, result any) {
	t.Helper()
	base, _ := under.(map[string]any)
	keys, ok := over.(map[string]any)
	object, _ := result.(map[string]any)
	if !ok || len(keys) == 0 || base == nil {
		if !reflect.DeepEqual(over, result) {
			t.Errorf("want %v, got %v", over, result)
		}
		return
	}
	for key, value := range object {
		old, below := base[key]
		fresh, above := keys[key]
		switch {
		case above && below:
			checkMerged(t, old, fresh, value)
		case above && !reflect.DeepEqual(fresh, value), !above && !reflect.DeepEqual(old, value), !above && !below:
			t.Errorf("key %q: got %v", key, value)
		}
	}
	for _, side := range []map[string]any{base, keys} {
		for key := range side {
			if _, kept := object[key]; !kept {
				t.Errorf("key %q is lost", key)
			}
		}
	}
}
