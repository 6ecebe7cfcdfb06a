//go:build !unix

package owned

// ownerOf knows no owners where files have access lists instead.
func ownerOf(string) (uid, gid int, ok bool, err error) { return 0, 0, false, nil }
