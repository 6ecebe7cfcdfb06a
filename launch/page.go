package launch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/receive"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/status"
)

// servePage serves the status page until stop is called, where the settings have one.
func servePage(i *instance.Instance, file *settings.File, chain receive.Chain, probes http.Handler, log *logrus.Entry) (stop func()) {
	if i == nil || file.NetBox.Status.Listen == "" {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { status.Serve(ctx, pageOf(i, file, chain, probes, log)) })
	return func() {
		cancel()
		serving.Wait()
	}
}

// pageOf is what the status page shows of a server that answers by chain.
func pageOf(i *instance.Instance, file *settings.File, chain receive.Chain, probes http.Handler, log logrus.FieldLogger) status.Config {
	plugins := chain.Handlers
	chain.Handlers = slices.DeleteFunc(slices.Clone(chain.Handlers), func(l receive.Link) bool { return !harmless(l.Plugin) })
	chain.FromMemory = true
	return status.Config{
		Instance: i, Probes: probes, Log: log,
		Plugins: func() (list []status.Plugin) {
			for n, c := range chain.Tally.Counts() {
				list = append(list, status.Plugin{Name: plugins[n].Plugin, Calls: c.Calls, Ends: c.Ends, Panics: c.Panics})
			}
			return list
		},
		Explain: func(form url.Values) (*status.Explanation, error) {
			q, err := formQuestion(form)
			if err != nil {
				return nil, err
			}
			what, err := q.asked(file.Chain, nil)
			if err != nil {
				return nil, onPage(err)
			}
			result := what.answer(&chain, i)
			result.RestsOn = append([]string{"what the running server knows now"}, notAsked(file.Chain)...)
			return shown(&result), nil
		},
	}
}

// formQuestion reads a question from the form of the page; it names no file.
func formQuestion(form url.Values) (question, error) {
	q := question{
		mac: form.Get("mac"), message: form.Get("message"), relay: form.Get("relay"), local: form.Get("local"), device: form.Get("interface"),
		request: form.Get("request"), current: form.Get("current"), circuit: form.Get("circuit_id"), remote: form.Get("remote_id"), arch: -1,
	}
	if q.message == "" {
		q.message = "discover"
	}
	empty := func(text string) bool { return text == "" }
	q.options = slices.DeleteFunc(slices.Clone(form["option"]), empty)
	q.subOptions = slices.DeleteFunc(slices.Clone(form["sub_option"]), empty)
	if text := form.Get("arch"); text != "" {
		arch, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return q, fmt.Errorf("arch: want a number from 0 to 65535, not %q", text)
		}
		q.arch = int(arch)
	}
	return q, nil
}

// onPage says what is wrong with the flags of a command in the words of the form.
func onPage(err error) error {
	return errors.New(strings.NewReplacer("--circuit-id", "circuit-id", "--remote-id", "remote-id", "--", "").Replace(err.Error()))
}

// shown is an answer as the page shows it.
func shown(r *answer) *status.Explanation {
	e := &status.Explanation{
		Answer: r, Message: r.Message, Verdict: r.Verdict, Rule: r.Rule, Reason: string(r.Reason), Client: r.Client, Network: r.Network, Address: r.Address,
		Why: r.Why, RestsOn: r.RestsOn,
	}
	for _, name := range slices.Sorted(maps.Keys(r.Reply)) {
		e.Reply = append(e.Reply, status.Named{Name: name, Value: r.Reply[name]})
	}
	for _, o := range r.Options {
		e.Options = append(e.Options, status.Named{Name: fmt.Sprintf("option %d %s", o.Code, o.Name), Value: o.words()})
	}
	if c := r.Circuit; c != nil {
		for _, line := range []status.Named{
			{Name: "Circuit", Value: c.Circuit}, {Name: "Remote", Value: c.Remote}, {Name: "Means", Value: strings.Join(c.Means, ", or ")}, {Name: "Switch", Value: c.Switch},
			{Name: "Port", Value: c.Port}, {Name: "Leads to", Value: c.LeadsTo},
		} {
			if line.Value != "" {
				e.Circuit = append(e.Circuit, line)
			}
		}
	}
	return e
}
