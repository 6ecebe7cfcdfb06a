package strictyaml

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// shelf has lists that may be long.
type shelf struct {
	Name  string     `yaml:"name"`
	Books List[book] `yaml:"books"`
	Discs List[book] `yaml:"discs"`
}

type book struct {
	Title string   `yaml:"title"`
	Tags  []string `yaml:"tags"`
	Pages int      `yaml:"pages"`
}

// reading is all that comes of a file.
type reading struct {
	name         string
	books, discs []book
	problems     string
}

// readShelf reads a file as an owner of lists does; size 0: whole. cut tells whether the
// lists were read in parts.
func readShelf(data string, size int) (got reading, cut bool) {
	decode := func(out *shelf) *Report { return decodeInParts("shelf.yml", []byte(data), out, size) }
	if size == 0 {
		decode = func(out *shelf) *Report { return DecodeWhole("shelf.yml", []byte(data), out) }
	}
	var s shelf
	r := decode(&s)
	got = s.walk(r)
	if r.Torn() {
		return readShelf(data, 0)
	}
	return got, len(r.parts) > 0
}

func (s *shelf) walk(r *Report) reading {
	got := reading{name: s.Name}
	for i, b := range s.Books.All() {
		got.books = append(got.books, b)
		if b.Title == "" {
			r.Addf(fmt.Sprintf("books[%d].title", i), "want a title")
		}
	}
	for i, b := range s.Discs.All() {
		got.discs = append(got.discs, b)
		if b.Pages != 0 {
			r.Addf(fmt.Sprintf("discs[%d].pages", i), "a disc has no pages")
		}
	}
	got.problems = fmt.Sprint(r.Problems(), r.Has("books"), r.Has("discs[1].title"), r.Line("books[1].tags[0]"), r.Line("discs[0]"), r.Line("books[7]"))
	return got
}

// shelves are files with lists of more entries than one; cut says that they are
// read in parts.
func shelves() []struct {
	text string
	cut  bool
} {
	return []struct {
		text string
		cut  bool
	}{
		{"books:\n  - title: a\n  - {title: b, tags: [x, y]}\n  - title: c\n    pages: 3\nname: n\n", true},
		{"books:\n- title: a\n- title: b\n- title: c\nname: n\ndiscs:\n  - title: d\n  - title: e\n  - title: f", true},
		{"# one\nbooks: # two\n\n  # three\n  - title: a\n\n# four\n  - title: b # five\n  - title: c\n# six\nname: n\n", true},
		{"books:\r\n  - title: a\r\n  - title: b\r\n  - title: c\r\nname: n\r\n", true},
		{"books:\n  - title: |\n      - no entry\n       # no comment\n\n  - title: >+\n\n     b\n\n\n  - title: plain\n      - text\n", true},
		{"books:\n  -\n    title: a\n  -   title: b\n  -\ttitle: c\n  - - title: d\n", true},
		// Mistakes stand on their lines.
		{"books:\n  - title: a\n  - titel: b\n  - title: c\n    title: d\n  - tags: [x, 1, {}]\n  -\n  - [a]\ndiscs:\n  - pages: 1\n  - pages: 2\n  - pages: x\n", true},
		{"books:\n  - title: a\n  - title: b\n  - title: c\nbooks:\n  - title: d\n  - title: e\n  - title: f\n", false},
		// What has to do with what is around it is read whole.
		{"books:\n  - &one {title: a}\n  - *one\n  - {<<: *one, pages: 2}\ndiscs:\n  - title: x\n  - title: y\n  - title: z\n", true},
		{"name: &n n\nbooks:\n  - title: *n\n  - title: b\n  - title: c\n", true},
		{"books:\n  - title: &n a\n  - title: b\n  - title: c\nname: *n\n", false},
		{"books:\n  - title: \"a\n  - b\"\n  - title: b\n  - title: c\n", true},
		{"books:\n  - {title: a,\n  tags: [b,\n  c]}\n  - title: b\n  - title: c\n", false},
		{"books:\n  - title: a\n  - title: b\n - title: c\n", false},
		{"books:\n  - title: a\n  - title: b\n  title: c\n", false},
		{"books:\n  - title: a\n  - title: b\n  - title: [c\nname: n\n", true},
		{"books:\n  - title: a\n  - title: b\n---\nbooks:\n  - title: a\n  - title: b\n", false},
		{"--- |\nbooks:\n  - title: a\n  - title: b\n", false},
		{"name: \"\nbooks:\n  - title: a\n  - title: b\n\"\n", false},
		{"name:\n  books:\n  - title: a\n", false},
		{"books: [{title: a}, {title: b}, {title: c}]\n", false},
		{"books:\n  title: a\n", false},
		{"books: \ndiscs: none\n", false},
		{"books:\n  - title: a\u0085  - title: b\n  - title: c\n", false},
		{"\ufeffbooks:\n  - title: a\n  - title: b\n", false},
		{"{books:\n  - title: a\n  - title: b\n}\n", false},
		{"", false},
	}
}

func TestLongListsAreReadInParts(t *testing.T) {
	for _, c := range shelves() {
		want, _ := readShelf(c.text, 0)
		for size := 1; size < 4; size++ {
			if got, _ := readShelf(c.text, size); !reflect.DeepEqual(got, want) {
				t.Errorf("%d at a time:\n%s\ngives %+v\nwant  %+v", size, c.text, got, want)
			}
		}
		var s shelf
		if r := decodeInParts("shelf.yml", []byte(c.text), &s, 1); (len(r.parts) > 0) != c.cut {
			t.Errorf("cut: %v, want %v:\n%s", len(r.parts) > 0, c.cut, c.text)
		}
	}
}

// What cannot be told from the text alone is read whole after it was tried.
func TestTornLists(t *testing.T) {
	for _, text := range []string{"  - &one {title: a}\n  - *one\n", "  - title: \"a\n  - b\"\n", "  - {title: a\n  - title: b\n"} {
		var s shelf
		r := decodeInParts("shelf.yml", []byte("books:\n"+text), &s, 1)
		s.walk(r)
		if !r.Torn() {
			t.Errorf("not torn: %s", text)
		}
	}
}

func FuzzParts(f *testing.F) {
	for _, c := range shelves() {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, data string) {
		if strings.Count(data, "*") > 20 {
			t.Skip() // aliases of aliases take long
		}
		want, _ := readShelf(data, 0)
		for _, size := range []int{1, 2} {
			if got, cut := readShelf(data, size); !reflect.DeepEqual(got, want) {
				t.Errorf("%d at a time, cut %v:\n%q\ngives %+v\nwant  %+v", size, cut, data, got, want)
			}
		}
	})
}
