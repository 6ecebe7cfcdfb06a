package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/settings"
)

// confVariable names the settings file where --conf does not.
const confVariable = "NETBOX_DHCP_SYNC_CONF"

func (p *program) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "netbox-dhcp-sync",
		Short: "Mirror Windows DHCP servers into NetBox",
		Long: `Mirror Windows DHCP servers into NetBox: scopes, leases, reservations,
exclusions, failover relationships and options; and write back what the
settings allow. Every change is planned first and shown with its reason.

The first time:
  netbox-dhcp-sync doctor       is everything there? each problem with its fix
  netbox-dhcp-sync bootstrap    create custom fields, tags and a role in NetBox
  netbox-dhcp-sync import       record scopes and failover relationships
  netbox-dhcp-sync plan         what would a run do, and why?
Every hour, from cron or a timer:
  netbox-dhcp-sync sync --quiet

Exit codes of all commands:
   0  done, or nothing to do
   1  finished with errors
   2  there are differences (plan and drift with --detailed-exitcode)
   3  another run holds the lock
   4  losses wait for a person: see --allow-deletes
  64  the command line or the settings are wrong, or NetBox is not prepared`,
		Args:          noSuchCommand,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&p.conf, "conf", "c", "", "settings file; default: $"+confVariable+" or "+defaultConf())
	flags.BoolVarP(&p.quiet, "quiet", "q", false, "say nothing unless there is something to look at")
	flags.CountVarP(&p.verbose, "verbose", "v", "say more; -vv and -vvv log details")
	flags.StringVar(&p.logFormat, "log-format", "text", "format of the log on standard error: text or json")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(p.syncCommand(), p.planCommand(), p.applyCommand(), p.importCommand(), p.migrateCommand(), p.retireCommand(),
		p.driftCommand(), p.doctorCommand(), p.bootstrapCommand(), p.certCommand(), p.validateCommand(), p.configCommand(), p.whoCommand(), p.historyCommand(), p.windowsScriptCommand(), p.ruleCommand(), p.versionCommand())
	return root
}

// noSuchCommand refuses words that are no command.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usagef("unknown command %q; see %s --help", args[0], cmd.CommandPath())
}

// noArguments refuses arguments as what they are: a mistake on the command
// line.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no argument, not %q", cmd.CommandPath(), args[0])
	}
	return nil
}

// defaultConf is where the settings are if neither flag nor variable says otherwise.
func defaultConf() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(os.Getenv("ProgramData"), "netbox-dhcp-sync", "config.yml")
	}
	return "/etc/netbox-dhcp-sync/config.yml"
}

func (p *program) load() (*settings.File, error) { return p.loadWith(settings.Options{}) }

func (p *program) loadWith(o settings.Options) (*settings.File, error) {
	path := p.conf
	if path == "" {
		path = os.Getenv(confVariable)
	}
	if path == "" {
		path = defaultConf()
	}
	f, err := o.Load(path)
	var problems settings.Problems
	switch {
	case err == nil:
		return f, nil
	case errors.As(err, &problems):
		return nil, problems
	case errors.Is(err, fs.ErrNotExist):
		return nil, usagef("%w; name the file with --conf", err)
	}
	return nil, usageError{err}
}

// logger writes to standard error: warnings, and more with --verbose.
func (p *program) logger(level logrus.Level) (logrus.FieldLogger, error) {
	log := logrus.New()
	log.SetOutput(p.screen)
	log.SetLevel(max(level, min(logrus.WarnLevel+logrus.Level(min(p.verbose, 3)), logrus.TraceLevel))) //nolint:gosec // G115: 0 to 3
	if p.quiet {
		log.SetLevel(logrus.WarnLevel)
	}
	switch p.logFormat {
	case "text":
		// Without colours every value is quoted that could steer a terminal.
		log.SetFormatter(&logrus.TextFormatter{DisableColors: true, FullTimestamp: true})
	case "json":
		log.SetFormatter(&logrus.JSONFormatter{})
	default:
		return nil, usagef("--log-format: want text or json, not %q", p.logFormat)
	}
	return log, nil
}
