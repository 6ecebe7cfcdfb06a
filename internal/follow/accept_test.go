package follow

import (
	"context"
	"errors"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
)

func TestAWordThatNobodyTakesEndsWithItsContext(t *testing.T) {
	s, _ := netboxtest.ServeOffice(t, netboxtest.V47)
	f := follow(t, s, s.TokenV2())
	ctx, stop := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	stop(reason)
	if _, err := f.Accept(ctx); !errors.Is(err, reason) {
		t.Errorf("got %v, want the cause", err)
	}
}
