package netboxtest

import (
	"cmp"
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestContractOfTheStandIn(t *testing.T) {
	for _, v := range Versions() {
		t.Run(string(v), func(t *testing.T) {
			s := New(t, Config{Version: v, MaxPageSize: 30})
			token := s.TokenV1()
			if v.atLeast(5) {
				token = s.TokenV2()
			}
			Contract(t, Target{URL: s.URL(), Token: token, MaxPage: 30, Limit: limitStandIn(s),
				Hook: func(t *testing.T, w Webhook) { t.Cleanup(s.AddWebhook(w)) }})
		})
	}
}

func limitStandIn(s *Server) func(t *testing.T, readOnly bool, grants ...Grant) string {
	return func(_ *testing.T, readOnly bool, grants ...Grant) string {
		token := Token{Value: strings.Repeat("a", 40), User: "limited", ReadOnly: readOnly, Grants: grants}
		s.AddToken(token)
		return token.Value
	}
}

func TestContractOfARealNetBox(t *testing.T) {
	url, token := Real(t)
	size, err := strconv.Atoi(cmp.Or(os.Getenv("NETBOX_MAX_PAGE_SIZE"), "1000"))
	if err != nil {
		t.Fatalf("NETBOX_MAX_PAGE_SIZE: %v", err)
	}
	Contract(t, Target{URL: url, Token: token, MaxPage: size})
}
