package launch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/option"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/policy"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

func (a *app) testCommand() *cobra.Command {
	var format, snapshot string
	cmd := &cobra.Command{
		Use:   "test FILE",
		Short: "Check what clients would be told against a file of cases; nothing is sent or stored",
		Long: `Check what clients would be told against a file of cases, each with a message and
what is expected of the answer. Answers come from where "explain" has them, so
nothing is sent or stored; from the snapshot or inventory that the file names, or
--snapshot, else from what the server would start with. A file looks like this:

  snapshot: inventory.yml            # a saved snapshot or an inventory, from the folder of this file
  clients:
    srv1: {mac: "52:54:00:00:00:01", relay: 10.0.0.1}
  cases:
    - name: srv1 has its address and the gateway
      client: srv1
      message: discover              # as in explain --message, which is what else there is
      expect: {address: 10.0.0.10, options: {router: 10.0.0.1}, absent: [bootfile-name]}
    - name: a stranger is in the pool
      mac: "52:54:00:ff:00:01"
      relay: 10.0.1.1
      expect: {address: 10.0.1.0/24}

Cases have the flags of explain as keys: mac, message, relay, local, interface,
source, request, current, server_id, arch, class, user_class, secs, broadcast,
options, sub_options, circuit_id, remote_id. Expected are: address (an address, a
prefix, static or dynamic), options by name or number, absent, boot_file,
boot_server, nak, silence, reason, rule.

Exit code 0 means that all cases passed, 1 that some did not, 2 that there was
trouble, 64 that the command line, the settings or FILE are wrong.`,
		Example: `  coredhcp-netbox test -c config.yml cases.yml
  coredhcp-netbox test -c config.yml cases.yml --snapshot after.snapshot
  coredhcp-netbox test -c config.yml cases.yml --format junit > policy.xml`,
		Args: exactlyOne("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(policy.Formats(), format) {
				return usageError{fmt.Errorf("--format: want %s, not %q", strings.Join(policy.Formats(), ", "), format)}
			}
			results, err := a.policyTest(cmd, args[0], snapshot)
			if err != nil {
				return troubled(err)
			}
			if err := results.Write(a.stdout, format); err != nil {
				return troubled(err)
			}
			if results.Failed() > 0 {
				return errReported
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text, tap (TAP version 14) or junit (XML)")
	cmd.Flags().StringVar(&snapshot, "snapshot", "", "snapshot or inventory to answer from, in place of the one in FILE")
	return cmd
}

// policyTest asks about all cases of a file.
func (a *app) policyTest(cmd *cobra.Command, path, snapshot string) (results policy.Results, err error) {
	file, err := a.readSettings()
	if err != nil {
		return results, err
	}
	if !file.Chain.Has(settings.PluginNetBox) {
		return results, usageError{errors.New("test needs the netbox plugin in the chain")}
	}
	data, err := os.ReadFile(path) //nolint:gosec // G304: the operator names the file
	if err != nil {
		return results, usageError{err}
	}
	cases, err := policy.Read(path, data, func(c policy.Case) []policy.Mistake { return mistakesIn(c, file.Chain) })
	if err != nil {
		return results, err
	}
	w, err := a.policyWorld(cmd, file, cases, path, snapshot)
	if err != nil {
		return results, err
	}
	defer w.close()
	results = policy.Results{File: path, Began: time.Now()}
	for _, c := range cases.Cases {
		q, _ := questionOf(c)                         // was checked
		what, err := q.asked(file.Chain, os.ReadFile) // was checked
		if err != nil {
			return results, err
		}
		began := time.Now()
		said := what.answer(&w.chain, w.instance)
		results.List = append(results.List, policy.Result{Case: c, Differs: policy.Judge(c.Expect, judged(said)), Took: time.Since(began)})
	}
	return results, nil
}

// policyWorld is what answers the cases of a file.
func (a *app) policyWorld(cmd *cobra.Command, file *settings.File, cases *policy.File, path, snapshot string) (w rehearsed, err error) {
	var of rehearsalOf
	if snapshot == "" && cases.Snapshot != "" {
		snapshot = cases.Snapshot
		if !filepath.IsAbs(snapshot) {
			snapshot = filepath.Join(filepath.Dir(path), snapshot)
		}
	}
	var known instance.Saved
	if snapshot != "" {
		known, err = readSaved(snapshot, file)
	} else {
		known, err = storedNow(file)
	}
	if err != nil {
		return w, err
	}
	of.saved = &known
	if cases.Leases == "none" {
		of.leases = new([]lease.Lease)
	}
	at := known.Taken
	if !cases.Moment.IsZero() {
		at = cases.Moment
	}
	if !at.IsZero() {
		of.now = func() time.Time { return at }
	}
	return a.rehearsal(cmd, file, of)
}

// judged is an answer as policy tests judge it.
func judged(said answer) policy.Answer {
	return policy.Answer{
		Verdict: said.Verdict, Reason: string(said.Reason), Cites: said.Rule, Address: said.Address,
		Static: said.static, NAK: said.refusal, Reply: said.Reply,
	}
}

// questionOf is the message of a case.
func questionOf(c policy.Case) (question, []policy.Mistake) {
	q := question{
		mac: c.MAC, message: c.Message, relay: c.Relay, local: c.Local, device: c.Interface, source: c.Source, request: c.Request, current: c.Current,
		serverID: c.ServerID, arch: -1, class: c.Class, userClass: c.UserClass, secs: c.Secs, broadcast: c.Broadcast, circuit: c.CircuitID, remote: c.RemoteID,
	}
	if q.message == "" {
		q.message = "discover"
	}
	if q.serverID == "" && q.local == "" {
		q.serverID = documentation
	}
	var wrong []policy.Mistake
	if arch := c.Arch; arch != "" {
		if word, known := policy.Architectures()[arch]; known {
			arch = word
		}
		n, err := strconv.ParseUint(arch, 10, 16)
		if err != nil {
			wrong = append(wrong, policy.Mistake{Key: "arch", Text: fmt.Sprintf("want bios, uefi, uefi-arm64, uefi-http, uefi-arm64-http or a number of option 93, not %q", c.Arch)})
		}
		q.arch = int(n)
	}
	var noOptions []policy.Mistake
	q.options, noOptions = assignments("options", c.Options, optionNumber)
	wrong = append(wrong, noOptions...)
	q.subOptions, noOptions = assignments("sub_options", c.SubOptions, func(key string) (string, error) { return key, nil })
	return q, append(wrong, noOptions...)
}

// documentation is our address where a file of cases names none (RFC 5737): the same on
// each machine.
const documentation = "192.0.2.1"

// assignments are options as explain takes them, in the order of their keys.
func assignments(key string, options map[string]string, number func(string) (string, error)) (list []string, wrong []policy.Mistake) {
	for name, value := range options {
		code, err := number(name)
		if err != nil {
			wrong = append(wrong, policy.Mistake{Key: key + "." + name, Text: err.Error()})
			continue
		}
		list = append(list, code+"="+value)
	}
	slices.Sort(list)
	return list, wrong
}

// mistakesIn are what is wrong with the message of a case.
func mistakesIn(c policy.Case, chain settings.Chain) []policy.Mistake {
	q, wrong := questionOf(c)
	if len(wrong) > 0 {
		return wrong
	}
	_, err := q.asked(chain, os.ReadFile)
	for _, one := range each(err) {
		key, text := keyOf(one.Error())
		wrong = append(wrong, policy.Mistake{Key: key, Text: text})
	}
	return wrong
}

// each lists the errors that were joined.
func each(err error) []error {
	var joined interface{ Unwrap() []error }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &joined):
		return joined.Unwrap()
	}
	return []error{err}
}

// keyOf finds the key of the flag that a complaint begins with, so that its line can be
// named; without one it is about the message as a whole.
func keyOf(complaint string) (key, text string) {
	flag, text, found := strings.Cut(complaint, ": ")
	flag, isFlag := strings.CutPrefix(flag, "--")
	if !found || !isFlag {
		return "message", complaint
	}
	flag, rest, _ := strings.Cut(flag, " ")
	if rest != "" {
		text = rest + ": " + text
	}
	switch flag {
	case "option":
		return "options", text
	case "sub-option":
		return "sub_options", text
	}
	return strings.ReplaceAll(flag, "-", "_"), text
}

// optionNumber is the number of an option by its name or number.
func optionNumber(key string) (string, error) {
	code, err := option.Code(key)
	return strconv.Itoa(int(code)), err
}
