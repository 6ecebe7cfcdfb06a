package page

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// hosts are the names under which the page answers. Under any other name that
// points here, a foreign page could read this one and press its buttons (DNS
// rebinding).
type hosts struct {
	names map[string]bool
	// any address will do: the page listens on all of them. An address cannot
	// be made to point elsewhere.
	any bool
}

func newHosts(key, listen, address string) (hosts, error) {
	h := hosts{names: map[string]bool{"localhost": true}}
	if listen != "" {
		host, _, err := net.SplitHostPort(listen)
		if err != nil {
			return h, fmt.Errorf("listen %q: %w", listen, err)
		}
		addr, err := netip.ParseAddr(host)
		h.any = host == "" || err == nil && addr.IsUnspecified()
		h.names[canonical(host)] = true
	}
	if u, err := url.Parse(address); err != nil {
		return h, fmt.Errorf("%s.url: %w", key, err)
	} else if u.Hostname() != "" {
		h.names[canonical(u.Hostname())] = true
	}
	delete(h.names, "")
	return h, nil
}

func canonical(host string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().String()
	}
	return host
}

// serve reports whether the Host header of a request is one of them, whatever
// the port.
func (h hosts) serve(header string) bool {
	host, _, err := net.SplitHostPort(header)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(header, "["), "]")
	}
	host = canonical(host)
	if addr, err := netip.ParseAddr(host); err == nil && (h.any || addr.IsLoopback()) {
		return true
	}
	return h.names[host]
}

// LongestQuery is the longest text that a page searches for, in bytes.
const LongestQuery = 200

// Guarded lets requests through that people or programs meant for this page, and
// tells browsers to be strict about it. listen is where it listens, empty for a
// socket, and address how people reach it; key is the section of both in the
// settings. The error is one of the settings.
func Guarded(next http.Handler, key, listen, address string) (http.Handler, error) {
	hosts, err := newHosts(key, listen, address)
	if err != nil {
		return nil, err
	}
	// A form of a foreign page must not start a run.
	cross := http.NewCrossOriginProtection()
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		// Behind a proxy the Host header may not be what the browser shows.
		if err := cross.AddTrustedOrigin(strings.ToLower(u.Scheme + "://" + u.Host)); err != nil {
			return nil, fmt.Errorf("%s.url: %w", key, err)
		}
	}
	next = cross.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", barePolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		// Not no-referrer: with it browsers send no Origin along with the form.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		switch {
		case !hosts.serve(r.Host):
			Line(w, http.StatusMisdirectedRequest, "this page does not answer under that name: see "+key+".url")
		case len(r.URL.RawQuery) > longestRawQuery || len(r.URL.Path) > 200:
			Line(w, http.StatusRequestURITooLong, "the request is too long")
		default:
			next.ServeHTTP(w, r)
		}
	}), nil
}

// longestRawQuery bounds the query of a request, whose other parameters are short.
const longestRawQuery = LongestQuery*3 + 400

// barePolicy is for everything but the pages, which name their style.
const barePolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
