package main

import (
	"fmt"
	"regexp"
	"strings"
)

var validVersion = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?(\+[0-9A-Za-z.]+)?$`)

func checkVersion(v string) error {
	if !validVersion.MatchString(v) {
		return fmt.Errorf("version %q: want X.Y.Z, X.Y.Z-PRE or X.Y.Z+BUILD, as a tag vX.Y.Z says", v)
	}
	return nil
}

// packageVersion is a version as dpkg and rpm sort it: the tilde of a
// pre-release puts 1.2.0~rc.1 before 1.2.0 (PK-2).
func packageVersion(v string) string { return strings.Replace(v, "-", "~", 1) }
