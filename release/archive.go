package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// archive makes the archive for people who install by hand: program, units as
// deploy has them, manual pages, completions, documents, licences.
func (b *build) archive(t tree) (err error) {
	file, err := os.Create(b.file(t.product, t.arch, ".tar.gz"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	zip, err := gzip.NewWriterLevel(file, gzip.BestCompression)
	if err != nil {
		return err
	}
	w := tar.NewWriter(zip)
	top := strings.TrimSuffix(filepath.Base(file.Name()), ".tar.gz")
	err = filepath.WalkDir(t.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(t.root, path)
		if err != nil || !inArchive(name) {
			return err
		}
		return b.add(w, top+"/"+filepath.ToSlash(name), path)
	})
	if err != nil {
		return err
	}
	return errors.Join(w.Close(), zip.Close())
}

// inArchive leaves out what only packages need.
func inArchive(name string) bool {
	first, _, _ := strings.Cut(filepath.ToSlash(name), "/")
	switch first {
	case "scripts", "nfpm.yaml", "lintian", "doc-deb":
		return false
	}
	return true
}

// add puts one file into an archive, as root's and with the time of the commit.
func (b *build) add(w *tar.Writer, name, path string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // it was only read
	info, err := in.Stat()
	if err != nil {
		return err
	}
	header := &tar.Header{Name: name, Size: info.Size(), Mode: int64(info.Mode().Perm()), ModTime: b.date, Uname: "root", Gname: "root", Format: tar.FormatPAX}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(w, in)
	return err
}

// packages makes the packages of Debian and rpm with nfpm.
func (b *build) packages(ctx context.Context, t tree) error {
	out, err := filepath.Abs(b.out)
	if err != nil {
		return err
	}
	// It reads its sources below the folder that it is run in, which has no go.mod.
	tool, err := exec.CommandContext(ctx, "go", "tool", "-modfile=release/tools.mod", "-n", "nfpm").Output()
	if err != nil {
		return fmt.Errorf("build nfpm: %w", err)
	}
	for _, kind := range []string{"deb", "rpm"} {
		cmd := exec.CommandContext(ctx, strings.TrimSpace(string(tool)), "package", "--config", t.at("nfpm.yaml"), "--packager", kind, "--target", out)
		cmd.Dir = t.root
		cmd.Env = append(os.Environ(), "VERSION="+packageVersion(b.version), "ARCH="+t.arch, fmt.Sprintf("SOURCE_DATE_EPOCH=%d", b.date.Unix()))
		if said, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("nfpm makes a %s: %w\n%s", kind, err, said)
		}
	}
	return nil
}

// checksums writes SHA256SUMS over all results, in the order of their names.
func (b *build) checksums() error {
	files, err := os.ReadDir(b.out)
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, f := range files {
		in, err := os.Open(filepath.Join(b.out, f.Name()))
		if err != nil {
			return err
		}
		hash := sha256.New()
		_, err = io.Copy(hash, in)
		if err := errors.Join(err, in.Close()); err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", hash.Sum(nil), f.Name())
	}
	return os.WriteFile(filepath.Join(b.out, "SHA256SUMS"), []byte(sums.String()), 0o644)
}
