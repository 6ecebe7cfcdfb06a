package version

import (
	"runtime/debug"
	"testing"
)

// PK-1: what a program says of itself, by how it was built.
func TestAProgramKnowsItsVersionHoweverItWasBuilt(t *testing.T) {
	const commit = "fb54829b92a2698569fc8417dd05fa77a04d5e3b"
	own := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Path: Module, Version: version}, Settings: settings}
	}
	foreign := func(version string) *debug.BuildInfo {
		return &debug.BuildInfo{
			Main: debug.Module{Path: "dhcp.example.org/ours", Version: "v7.0.0"}, Deps: []*debug.Module{{Path: Module, Version: version}},
			Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef0123"}},
		}
	}
	revision := debug.BuildSetting{Key: "vcs.revision", Value: commit}
	for name, tt := range map[string]struct {
		stamped string
		info    *debug.BuildInfo
		want    string
	}{
		"make, of a tag":                            {"1.2.3", own("(devel)"), "1.2.3"},
		"make, of a commit":                         {"0.0.0+fb54829b92a2", own("(devel)"), "0.0.0+fb54829b92a2"},
		"what make stamps goes before all else":     {"1.2.3", own("v9.9.9", revision), "1.2.3"},
		"go install of a released version":          {"", own("v1.2.3"), "1.2.3"},
		"go install of a pre-release":               {"", own("v1.2.3-rc.1"), "1.2.3-rc.1"},
		"go install of a commit":                    {"", own("v0.0.0-20261129211200-fb54829b92a2"), "0.0.0+fb54829b92a2"},
		"go install of a commit after a release":    {"", own("v1.2.4-0.20261129211200-fb54829b92a2"), "0.0.0+fb54829b92a2"},
		"go build in a checkout that was changed":   {"", own("v0.0.0-20261129211200-fb54829b92a2+dirty"), "0.0.0+fb54829b92a2.dirty"},
		"an older go build in a checkout":           {"", own("(devel)", revision), "0.0.0+fb54829b92a2"},
		"the same, changed":                         {"", own("(devel)", revision, debug.BuildSetting{Key: "vcs.modified", Value: "true"}), "0.0.0+fb54829b92a2.dirty"},
		"go build without a word of git":            {"", own("(devel)"), "0.0.0+unknown"},
		"go build of a tag that was changed":        {"", own("v1.2.3+dirty"), "1.2.3+dirty"},
		"a program of the generator":                {"", foreign("v1.2.3"), "1.2.3"},
		"a program of the generator, of a checkout": {"", foreign("v0.0.0-00010101000000-000000000000"), "0.0.0+unknown"},
		"a program that says nothing of us":         {"", &debug.BuildInfo{}, "0.0.0+unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := of(tt.stamped, tt.info); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestModulesOfAProgramHaveTheVersionOfGoMod(t *testing.T) {
	info := &debug.BuildInfo{Main: debug.Module{Path: Module, Version: "(devel)"}, Deps: []*debug.Module{{Path: "example.org/a", Version: "v1.0.0"}}}
	for path, want := range map[string]string{Module: "(devel)", "example.org/a": "v1.0.0", "example.org/b": ""} {
		if got := moduleVersion(info, path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
