//go:build !unix

package settings

import "io/fs"

// openToOthers knows nothing where files have access lists instead of a mode.
func openToOthers(string, fs.FileInfo) string { return "" }
