package netboxtest

import (
	"fmt"
	"strconv"
	"strings"
)

// Version is a NetBox release line, as the API-Version header names it. It switches every behaviour that differs
// between releases at once. The zero value stands for the newest one.
type Version string

// The release lines the stand-in knows.
const (
	V42 Version = "4.2"
	V44 Version = "4.4"
	V45 Version = "4.5"
	V46 Version = "4.6"
	V47 Version = "4.7"
)

// Versions lists the release lines the stand-in knows, oldest first.
func Versions() []Version { return []Version{V42, V44, V45, V46, V47} }

// release is the patch release whose behaviour is reproduced.
func (v Version) release() string {
	switch v {
	case V42:
		return "4.2.9"
	case V44:
		return "4.4.10"
	case V45:
		return "4.5.10"
	case V46:
		return "4.6.8"
	}
	return "4.7.3"
}

// atLeast reports whether v is 4.minor or newer. It takes any 4.x, so that the contract can run against releases
// between the ones the stand-in knows.
func (v Version) atLeast(minor int) bool {
	_, after, ok := strings.Cut(string(v), ".")
	if !ok {
		return true
	}
	after, _, _ = strings.Cut(after, ".")
	n, err := strconv.Atoi(after)
	return err != nil || n >= minor
}

func (v Version) check() error {
	for _, known := range Versions() {
		if v == known {
			return nil
		}
	}
	return fmt.Errorf("NetBox version %q is not one of %v", v, Versions())
}

// allErrors is the key of errors that belong to no single field of a serializer.
func (v Version) allErrors() string {
	if v.atLeast(7) {
		return "__all__"
	}
	return "non_field_errors"
}
