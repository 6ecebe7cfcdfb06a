package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"

	"github.com/coredhcp/coredhcp/logger"
	"github.com/coredhcp/coredhcp/plugins"
	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/exit"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/logline"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/version"
)

// Main is the body of every program the generator makes: the commands of
// coredhcp-netbox with the given plugins. It does not return.
func Main(list ...*plugins.Plugin) {
	os.Exit(run(context.Background(), list, os.Args[1:], os.Stdout, os.Stderr))
}

// Command is the command line of coredhcp-netbox, for those who describe it:
// manual pages, completions.
func Command() *cobra.Command {
	return (&app{stdout: io.Discard, stderr: io.Discard}).rootCommand()
}

// usageError is an error about the command line or the settings; it ends with
// exit.Usage.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// errReported ends with exit.Failed and was printed already.
var errReported = errors.New("problems found")

func run(ctx context.Context, list []*plugins.Plugin, args []string, stdout, stderr io.Writer) int {
	a := &app{plugins: list, stdout: stdout, stderr: stderr}
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	code := exitCode(err)
	var problems settings.Problems
	switch {
	case err == nil || errors.Is(err, errReported) || errors.Is(err, errDiffers):
	case errors.As(err, &problems):
		fmt.Fprintln(stderr, problems.Error())
	default:
		fmt.Fprintln(stderr, root.Name()+":", err)
	}
	return code
}

// exitCode is what the program ends with (E-1).
func exitCode(err error) int {
	var problems settings.Problems
	var usage usageError
	switch {
	case err == nil:
		return exit.OK
	case errors.As(err, &problems):
		return exit.Usage
	case errors.Is(err, errReported):
		return exit.Failed
	case errors.Is(err, syscall.EAGAIN):
		return exit.Locked
	case errors.As(err, &usage):
		return exit.Usage
	case errors.As(err, new(troubleError)):
		return exit.Trouble
	}
	return exit.Failed
}

// errDiffers ends with exit.Failed, as diff does, and needs no further word (C-21).
var errDiffers = errors.New("there are differences")

// troubleError is trouble of a command whose exit.Failed says that things differ.
type troubleError struct{ error }

func (e troubleError) Unwrap() error { return e.error }

// troubled marks err as trouble, unless it says that things differ or that the command
// line or the settings are wrong.
func troubled(err error) error {
	var problems settings.Problems
	if err == nil || errors.Is(err, errDiffers) || errors.As(err, new(usageError)) || errors.As(err, &problems) {
		return err
	}
	return troubleError{err}
}

// app is what all commands share.
type app struct {
	plugins        []*plugins.Plugin
	stdout, stderr io.Writer

	conf      string
	logLevel  string
	logFile   string
	logFormat string
	noStdout  bool
	listNames bool
	metrics   string

	logTo *logline.File // --logfile; nil: none
}

func (a *app) rootCommand() *cobra.Command {
	serve := a.serveCommand()
	root := &cobra.Command{
		Use:   "coredhcp-netbox",
		Short: "DHCP straight from NetBox",
		Long: `DHCP straight from NetBox: a CoreDHCP whose addresses, gateways, name servers
and boot files come from NetBox. Without a command it serves.

Start with:
  coredhcp-netbox check     --conf config.yml   is everything there? with fixes
  coredhcp-netbox bootstrap --conf config.yml   create tags and custom fields
  coredhcp-netbox explain   --conf config.yml --mac 52:54:00:12:34:56 --relay 10.0.0.1
  coredhcp-netbox serve     --conf config.yml
  coredhcp-netbox leases    --conf config.yml`,
		Args:          noSuchCommand,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.listNames {
				for _, p := range a.plugins {
					fmt.Fprintln(a.stdout, p.Name)
				}
				return nil
			}
			return serve.RunE(cmd, args)
		},
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&a.conf, "conf", "c", "", "settings file; default: config.yml in ., $XDG_CONFIG_HOME/coredhcp, $HOME/.coredhcp or /etc/coredhcp")
	flags.StringVarP(&a.logLevel, "loglevel", "L", "info", "none, debug, info, warning, error or fatal")
	flags.StringVarP(&a.logFile, "logfile", "l", "", "file to append the log to")
	flags.StringVar(&a.logFormat, "log-format", "text", "format of the log: text or json")
	flags.BoolVarP(&a.noStdout, "nostdout", "N", false, "no log on standard error")
	root.Flags().BoolVarP(&a.listNames, "plugins", "P", false, "list the plugins in this binary")
	root.Flags().StringVar(&a.metrics, "metrics", "", "serve Prometheus metrics at this address, such as 127.0.0.1:9767")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(serve, a.checkCommand(), a.bootstrapCommand(), a.explainCommand(), a.testCommand(), a.replayCommand(), a.snapshotCommand(),
		a.leasesCommand(), a.whoCommand(), a.historyCommand(), a.unservedCommand(), a.circuitsCommand(), a.ddnsCommand(), a.quarantineCommand(), a.acceptCommand(),
		a.storeCommand(), a.ruleCommand(), a.versionCommand())
	return root
}

// logger sets up CoreDHCP's log as its flags say. All lines of the program go
// through it, those of other people's plugins too (B-7).
func (a *app) logger() (*logrus.Entry, error) {
	log := logger.GetLogger("main")
	if a.logFormat != "text" && a.logFormat != "json" {
		return nil, usageError{fmt.Errorf("--log-format: want text or json, not %q", a.logFormat)}
	}
	log.Logger.SetFormatter(withoutChatter{logline.Formatter{JSON: a.logFormat == "json"}})
	var out logline.Both
	if a.logLevel != "none" {
		level, err := logrus.ParseLevel(a.logLevel)
		if err != nil {
			return nil, usageError{fmt.Errorf("--loglevel: want none, debug, info, warning, error or fatal, not %q", a.logLevel)}
		}
		log.Logger.SetLevel(level)
		if !a.noStdout {
			out = append(out, a.stderr)
		}
	}
	if a.logFile != "" && a.logTo == nil {
		file, err := logline.OpenFile(a.logFile)
		if err != nil {
			return nil, fmt.Errorf("--logfile: %w", err)
		}
		a.logTo = file
	}
	if a.logTo != nil {
		out = append(out, a.logTo)
	}
	log.Logger.SetOutput(out)
	return log, nil
}

// withoutChatter leaves out what CoreDHCP's loader says of each plugin that it
// registers, finds and loads, unless the log is for debugging (B-12).
type withoutChatter struct{ logline.Formatter }

// Format implements logrus.Formatter.
func (f withoutChatter) Format(e *logrus.Entry) ([]byte, error) {
	if prefix := e.Data["prefix"]; e.Level == logrus.InfoLevel && !e.Logger.IsLevelEnabled(logrus.DebugLevel) && (prefix == "plugins" || prefix == "config") {
		return nil, nil
	}
	return f.Formatter.Format(e)
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version, Go version and the versions of CoreDHCP and the packet library",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintf(a.stdout, "coredhcp-netbox %s (%s)\n", version.String(), runtime.Version())
			for _, path := range []string{"github.com/coredhcp/coredhcp", "github.com/insomniacslk/dhcp", "github.com/netbox-community/go-netbox/v4", "github.com/cockroachdb/pebble/v2"} {
				fmt.Fprintf(a.stdout, "  %s %s\n", path, version.OfModule(path))
			}
			return nil
		},
	}
}
