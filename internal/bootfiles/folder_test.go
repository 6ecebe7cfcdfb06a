package bootfiles

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// maze is a folder with ways out of it, and things that are no files.
func maze(t testing.TB) Folder {
	t.Helper()
	top := t.TempDir()
	put(t, top, "secret", []byte("outside"))
	put(t, top, "elsewhere/secret", []byte("outside"))
	put(t, top, "boot-old/secret", []byte("outside"))
	dir := filepath.Join(top, "boot")
	for _, name := range []string{"a", "sub/b", "sub/deep/c", "Boot/BCD", "grub/x86_64-efi/core.efi", "..a", "ä.efi"} {
		put(t, dir, name, []byte("inside"))
	}
	for link, to := range map[string]string{
		"link-in": "a", "link-in-dir": "sub", "sub/link-up": "../a",
		"link-out": "../secret", "link-out-dir": "../elsewhere", "link-absolute": filepath.Join(top, "secret"),
		"link-to-self": filepath.Join(dir, "a"), "sub/link-far": "../../elsewhere/secret", "link-loop": "link-loop",
		"link-device": "/dev/zero", "link-proc": "/proc/self/environ", "link-gone": "nothing",
	} {
		if err := os.Symlink(to, filepath.Join(dir, filepath.FromSlash(link))); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "socket")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	return Folder(dir)
}

// names are names of files in maze and what becomes of them.
func names(folder Folder) map[string]error {
	top := filepath.Dir(string(folder))
	return map[string]error{
		"a":                          nil,
		"/a":                         nil,
		"//a":                        nil,
		"./a":                        nil,
		"sub/b":                      nil,
		"sub//deep/./c":              nil,
		`\Boot\BCD`:                  nil, // as the Windows boot loader asks
		`sub\b`:                      nil,
		"grub/x86_64-efi/core.efi":   nil,
		"..a":                        nil,
		"ä.efi":                      nil,
		"link-in":                    nil,
		"link-in-dir/b":              nil,
		"sub/link-up":                nil,
		"A":                          ErrNotFound,
		"nothing":                    ErrNotFound,
		"a/b":                        ErrNotFound,
		"a/":                         nil,
		"":                           ErrNotFound,
		"/":                          ErrNotFound,
		".":                          ErrNotFound,
		"sub":                        ErrNotFound,
		"sub/":                       ErrNotFound,
		"pipe":                       ErrNotFound,
		"socket":                     ErrNotFound,
		"link-out":                   ErrNotFound,
		"link-out-dir/secret":        ErrNotFound,
		"link-absolute":              ErrNotFound,
		"link-to-self":               ErrNotFound, // an absolute link leaves, wherever it leads
		"sub/link-far":               ErrNotFound,
		"link-loop":                  ErrNotFound,
		"link-gone":                  ErrNotFound,
		"link-device":                ErrNotFound,
		"link-proc":                  ErrNotFound,
		"boot-old/secret":            ErrNotFound,
		filepath.Join(top, "secret"): ErrNotFound,
		"/etc/passwd":                ErrNotFound,
		"..":                         ErrName,
		"../secret":                  ErrName,
		"/../secret":                 ErrName,
		"sub/../../secret":           ErrName,
		"sub/../a":                   ErrName,
		`..\secret`:                  ErrName,
		`sub\..\..\secret`:           ErrName,
		`\..\secret`:                 ErrName,
		"a\x00.efi":                  ErrName,
		"\x00":                       ErrName,
		"a\n":                        ErrName,
		"C:a":                        ErrName,
		`C:\a`:                       ErrName,
		"/c:/a":                      ErrName,
		"..\u2215secret":             ErrNotFound, // a slash to people only
		"\xc0\xae\xc0\xae/secret":    ErrName,     // overlong UTF-8 for ".."
		strings.Repeat("a", 256):     ErrName,
		strings.Repeat("a/", 600):    ErrName,
		"%2e%2e/secret":              ErrNotFound,
	}
}

func TestOnlyRegularFilesInTheFolderAreOpened(t *testing.T) {
	folder := maze(t)
	for name, want := range names(folder) {
		f, err := folder.open(name)
		if !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
		if err != nil {
			continue
		}
		content, err := io.ReadAll(f)
		if err != nil || string(content) != "inside" {
			t.Errorf("%q: %q, %v", name, content, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if err := folder.Has(name); err != nil {
			t.Errorf("Has %q: %v", name, err)
		}
	}
}

// With every name, what is opened is one of the files inside.
func FuzzNothingOutsideIsOpened(f *testing.F) {
	folder := maze(f)
	for name := range names(folder) {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		file, err := folder.open(name)
		if err != nil {
			return
		}
		defer file.Close()
		content, err := io.ReadAll(file)
		if err != nil || string(content) != "inside" {
			t.Errorf("%q: %q, %v", name, content, err)
		}
		path, err := clean(name)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := clean(path); err != nil || again != path || !filepath.IsLocal(path) {
			t.Errorf("%q: cleaned to %q, and again to %q, %v", name, path, again, err)
		}
	})
}

// A link that is put in the way at the worst moment changes nothing.
func TestALinkPutThereMeanwhileDoesNotLeadOut(t *testing.T) {
	folder := maze(t)
	dir := string(folder)
	good, evil := filepath.Join(dir, "good"), filepath.Join(dir, "evil")
	put(t, dir, "good/secret", []byte("inside"))
	if err := os.Symlink("../elsewhere", evil); err != nil {
		t.Fatal(err)
	}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
				if err := unix.Renameat2(unix.AT_FDCWD, good, unix.AT_FDCWD, evil, unix.RENAME_EXCHANGE); err != nil {
					t.Error(err)
					return
				}
			}
		}
	}()
	opened, kept := 0, 0
	for range 20_000 {
		f, err := folder.open("good/secret")
		if err != nil {
			kept++
			continue
		}
		opened++
		if content, err := io.ReadAll(f); err != nil || string(content) != "inside" {
			t.Errorf("%q, %v", content, err)
		}
		f.Close()
	}
	close(stop)
	<-ended
	if opened == 0 || kept == 0 {
		t.Errorf("%d opened, %d not: the race was not run", opened, kept)
	}
}

func TestTheFolderMayBeReplacedAsAWhole(t *testing.T) {
	top := t.TempDir()
	put(t, top, "one/a", []byte("one"))
	put(t, top, "two/a", []byte("two"))
	link := filepath.Join(top, "boot")
	for _, release := range []string{"one", "two"} {
		if err := os.Symlink(release, link+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link+".new", link); err != nil {
			t.Fatal(err)
		}
		f, err := Folder(link).open("a")
		if err != nil {
			t.Fatal(err)
		}
		if content, err := io.ReadAll(f); err != nil || string(content) != release {
			t.Errorf("%q, %v", content, err)
		}
		f.Close()
	}
}

func TestTroubleIsNotTakenForAMissingFile(t *testing.T) {
	if err := Folder(filepath.Join(t.TempDir(), "gone")).Has("a"); errors.Is(err, ErrNotFound) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if err := notServed(&os.PathError{Op: "openat", Path: "a", Err: unix.EACCES}); errors.Is(err, ErrNotFound) || !errors.Is(err, os.ErrPermission) {
		t.Errorf("no right to read: %v", err)
	}
}
