package bootfiles

import (
	"errors"
	"io"
	"os"
	"time"
)

const (
	// afreshRate is how many files a second are looked at anew. Beyond it,
	// a look up to pictureAge old will do: a flood asks for one file without end.
	afreshRate  = 500
	pictureAge  = time.Second
	maxPictures = 1024
)

// picture is what a file was when a request for it was answered.
type picture struct {
	info os.FileInfo
	head []byte // the first block, shorter only if the file is
	err  error  // why it is not served
	at   time.Time
}

// same reports whether f is still the file of the picture.
func (p picture) same(f *content) bool {
	info, err := f.file.Stat()
	return err == nil && os.SameFile(info, p.info) && f.size == p.info.Size() && f.modified.Equal(p.info.ModTime())
}

// pictures looks at files and remembers some. It is for one goroutine.
type pictures struct {
	folder Folder
	second int64
	looks  int // in this second
	known  map[string]picture
}

// look says what the named file is.
func (p *pictures) look(name string, now time.Time) picture {
	if second := now.Unix(); second != p.second {
		p.second, p.looks = second, 0
	}
	if known, ok := p.known[name]; ok && p.looks >= afreshRate && now.Sub(known.at) < pictureAge {
		return known
	}
	p.looks++
	pic := p.folder.picture(name)
	pic.at = now
	if p.known == nil {
		p.known = make(map[string]picture)
	}
	for other := range p.known {
		if len(p.known) < maxPictures {
			break
		}
		delete(p.known, other)
	}
	p.known[name] = pic
	return pic
}

func (d Folder) picture(name string) picture {
	f, err := d.open(name)
	if err != nil {
		return picture{err: err}
	}
	defer func() { _ = f.Close() }() // nothing was written
	info, err := f.file.Stat()
	if err != nil {
		return picture{err: err}
	}
	head := make([]byte, defaultBlock)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return picture{err: err}
	}
	return picture{info: info, head: head[:n]}
}
