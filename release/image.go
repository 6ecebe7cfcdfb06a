package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	oci "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/version"
)

// nobody is user and group of the program in an image: of no account of a host.
const nobody = 65532

// entry is a file or a folder (no text, a name that ends in a slash) of an image.
type entry struct {
	name  string
	mode  int64
	owner int
	text  []byte
	caps  []byte // extended attribute security.capability
}

// entries are all that is in an image (PK-9).
func (t tree) entries() ([]entry, error) {
	program, err := os.ReadFile(t.binary())
	if err != nil {
		return nil, err
	}
	accounts := fmt.Sprintf("root:x:0:0:root:/:/\n%s:x:%d:%d:%s:/var/lib/%s:/\n", t.name, nobody, nobody, t.title, t.name)
	groups := fmt.Sprintf("root:x:0:\n%s:x:%d:\n", t.name, nobody)
	licences, err := os.ReadFile(t.at("doc", "THIRD-PARTY.gz"))
	if err != nil {
		return nil, err
	}
	own, err := os.ReadFile(t.at("licenses", "LICENSE"))
	if err != nil {
		return nil, err
	}
	list := []entry{
		{name: "etc/", mode: 0o755},
		{name: "etc/" + t.name + "/", mode: 0o755},
		{name: "etc/group", mode: 0o644, text: []byte(groups)},
		{name: "etc/passwd", mode: 0o644, text: []byte(accounts)},
		{name: "etc/ssl/", mode: 0o755},
		{name: "etc/ssl/certs/", mode: 0o755},
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, text: authorities()},
		{name: "run/", mode: 0o755},
		{name: "run/" + t.name + "/", mode: 0o750, owner: nobody},
		{name: "usr/", mode: 0o755},
		{name: "usr/bin/", mode: 0o755},
		{name: "usr/bin/" + t.name, mode: 0o755, text: program},
		{name: "usr/share/", mode: 0o755},
		{name: "usr/share/licenses/", mode: 0o755},
		{name: "usr/share/licenses/LICENSE", mode: 0o644, text: own},
		{name: "usr/share/licenses/THIRD-PARTY.gz", mode: 0o644, text: licences},
		{name: "var/", mode: 0o755},
		{name: "var/lib/", mode: 0o755},
		{name: "var/lib/" + t.name + "/", mode: 0o700, owner: nobody},
	}
	for i := range list {
		if t.raw && list[i].name == "usr/bin/"+t.name {
			list[i].caps = capabilities()
		}
	}
	return list, nil
}

// Linux: include/uapi/linux/capability.h.
const (
	capNetBindService = 10
	capNetRaw         = 13
	vfsCapRevision2   = 0x02000000
	vfsCapEffective   = 1
)

// capabilities is cap_net_bind_service,cap_net_raw=ep as the kernel keeps it with
// a file.
func capabilities() []byte {
	permitted := uint32(1<<capNetBindService | 1<<capNetRaw)
	var b []byte
	for _, word := range []uint32{vfsCapRevision2 | vfsCapEffective, permitted, 0, 0, 0} {
		b = binary.LittleEndian.AppendUint32(b, word)
	}
	return b
}

// authorities are the certificate authorities that Mozilla trusts, of the pinned
// module and not of the machine that builds. Those with a constraint that a file
// cannot say stay out.
func authorities() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			// A buffer takes everything.
			_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return b.Bytes()
}

// layer packs entries; diff is the digest of what is packed.
func layer(list []entry, date time.Time) (packed []byte, diff digest.Digest, err error) {
	var out bytes.Buffer
	hash := digest.SHA256.Digester()
	zip, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, "", err
	}
	w := tar.NewWriter(io.MultiWriter(zip, hash.Hash()))
	for _, e := range list {
		header := &tar.Header{Name: e.name, Mode: e.mode, Uid: e.owner, Gid: e.owner, Size: int64(len(e.text)), ModTime: date, Format: tar.FormatPAX}
		if e.name[len(e.name)-1] == '/' {
			header.Typeflag = tar.TypeDir
		}
		if e.caps != nil {
			header.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": string(e.caps)}
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, "", err
		}
		if _, err := w.Write(e.text); err != nil {
			return nil, "", err
		}
	}
	if err := w.Close(); err != nil {
		return nil, "", err
	}
	if err := zip.Close(); err != nil {
		return nil, "", err
	}
	return out.Bytes(), hash.Digest(), nil
}

// layout is an OCI image layout that grows in memory, as one archive.
type layout struct {
	w    *tar.Writer
	date time.Time
	seen map[digest.Digest]bool
}

func (l *layout) file(name string, text []byte) error {
	if err := l.w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), ModTime: l.date, Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err := l.w.Write(text)
	return err
}

// blob adds content once and describes it.
func (l *layout) blob(media string, text []byte) (oci.Descriptor, error) {
	d := oci.Descriptor{MediaType: media, Digest: digest.FromBytes(text), Size: int64(len(text))}
	if l.seen[d.Digest] {
		return d, nil
	}
	l.seen[d.Digest] = true
	return d, l.file("blobs/sha256/"+d.Digest.Encoded(), text)
}

func (l *layout) json(media string, v any) (oci.Descriptor, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return oci.Descriptor{}, err
	}
	return l.blob(media, text)
}

// image makes the image of a program for all architectures: one archive with an
// OCI layout, for skopeo, podman, docker and ctr.
func (b *build) image(trees []tree) (err error) {
	p := trees[0].product
	file, err := os.Create(filepath.Join(b.out, p.name+"_"+b.version+"_image.tar"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	l := &layout{w: tar.NewWriter(file), date: b.date, seen: make(map[digest.Digest]bool)}
	if err := l.file(oci.ImageLayoutFile, []byte(`{"imageLayoutVersion":"`+oci.ImageLayoutVersion+`"}`)); err != nil {
		return err
	}
	index := oci.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: oci.MediaTypeImageIndex, Annotations: b.annotations(p)}
	for _, t := range trees {
		manifest, err := b.manifest(l, t)
		if err != nil {
			return err
		}
		index.Manifests = append(index.Manifests, manifest)
	}
	all, err := l.json(oci.MediaTypeImageIndex, index)
	if err != nil {
		return err
	}
	all.Annotations = map[string]string{oci.AnnotationRefName: b.version}
	text, err := json.Marshal(oci.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: oci.MediaTypeImageIndex, Manifests: []oci.Descriptor{all}})
	if err != nil {
		return err
	}
	if err := l.file("index.json", text); err != nil {
		return err
	}
	return l.w.Close()
}

// manifest adds the image of one architecture.
func (b *build) manifest(l *layout, t tree) (oci.Descriptor, error) {
	list, err := t.entries()
	if err != nil {
		return oci.Descriptor{}, err
	}
	packed, diff, err := layer(list, b.date)
	if err != nil {
		return oci.Descriptor{}, err
	}
	files, err := l.blob(oci.MediaTypeImageLayerGzip, packed)
	if err != nil {
		return oci.Descriptor{}, err
	}
	config, err := l.json(oci.MediaTypeImageConfig, b.config(t, diff))
	if err != nil {
		return oci.Descriptor{}, err
	}
	d, err := l.json(oci.MediaTypeImageManifest, oci.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: oci.MediaTypeImageManifest, Config: config, Layers: []oci.Descriptor{files}, Annotations: b.annotations(t.product),
	})
	d.Platform = &oci.Platform{OS: "linux", Architecture: t.arch}
	return d, err
}

// config is what an engine runs.
func (b *build) config(t tree, diff digest.Digest) oci.Image {
	command := []string{"serve", "--conf", "/etc/" + t.name + "/config.yml"}
	if !t.raw {
		command = []string{"sync", "--service", "--conf", "/etc/" + t.name + "/config.yml"}
	}
	ports := make(map[string]struct{})
	for _, port := range t.ports {
		ports[port] = struct{}{}
	}
	return oci.Image{
		Created: &b.date, Platform: oci.Platform{OS: "linux", Architecture: t.arch}, Author: "The coredhcp-netbox authors",
		RootFS:  oci.RootFS{Type: "layers", DiffIDs: []digest.Digest{diff}},
		History: []oci.History{{Created: &b.date, CreatedBy: "make image"}},
		Config: oci.ImageConfig{
			User: fmt.Sprintf("%d:%d", nobody, nobody), ExposedPorts: ports, Entrypoint: []string{"/usr/bin/" + t.name}, Cmd: command,
			Volumes: map[string]struct{}{"/var/lib/" + t.name: {}}, WorkingDir: "/var/lib/" + t.name, Labels: b.annotations(t.product), StopSignal: "SIGTERM",
		},
	}
}

func (b *build) annotations(p product) map[string]string {
	return map[string]string{
		oci.AnnotationTitle: p.name, oci.AnnotationDescription: p.title, oci.AnnotationVersion: b.version, oci.AnnotationLicenses: "MIT",
		oci.AnnotationSource: "https://" + version.Module, oci.AnnotationCreated: b.date.Format(time.RFC3339),
	}
}
