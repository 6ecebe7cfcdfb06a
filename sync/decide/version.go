package decide

import (
	"strconv"
	"strings"
)

// versionAtLeast compares a release line such as "4.7".
func versionAtLeast(version string, major, minor int) bool {
	a, rest, _ := strings.Cut(version, ".")
	c, _, _ := strings.Cut(rest, ".")
	have, errA := strconv.Atoi(a)
	haveMinor, errB := strconv.Atoi(c)
	return errA == nil && errB == nil && (have > major || have == major && haveMinor >= minor)
}
