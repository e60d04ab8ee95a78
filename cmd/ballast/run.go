package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/internal/manpages"
	"github.com/ballastdb/ballast/internal/version"
)

// stdio is what a run reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// run runs one command line and returns its exit code.
func run(ctx context.Context, args []string, io stdio) int {
	a := &app{stdio: io}
	defer a.close()
	root := newRoot(a)
	addCompletion(root)
	root.SetArgs(args)
	root.SetIn(io.in)
	root.SetOut(io.out)
	root.SetErr(io.err)
	err := root.ExecuteContext(ctx)
	code := exitCode(err)
	switch {
	case err == nil || err.Error() == "":
	case code == exitUnavailable:
		fmt.Fprintln(io.err, "error: unavailable:", inWords(err))
		if a.ca == "" && strings.Contains(err.Error(), noPreface) {
			fmt.Fprintln(io.err, "the member may answer TLS only: give --ca, --cert and --key, or BALLAST_CA, BALLAST_CERT and BALLAST_KEY")
		}
		fmt.Fprintln(io.err, "`ballast status` tells which members answer and what to do; reads work with --stale as long as one does")
	default:
		fmt.Fprintln(io.err, "error:", inWords(err))
	}
	return code
}

// noPreface is what gRPC says of a member that speaks something else, such as TLS.
const noPreface = "server preface"

const rootHelp = `Ballast keeps account balances correct on three or more machines.

Exit codes: 0 done; 1 refused or failed; 2 usage; 3 unavailable, nothing done;
4 outcome unknown: retry with the same id.`

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "ballast",
		Short:         "Keep balances on a replicated ledger",
		Long:          rootHelp,
		Example:       "  ballast dev                                # a cluster on this machine\n  ballast account get alice --stale -o json",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version.String(),
		Args:          cobra.ArbitraryArgs,
		RunE:          chooseVerb,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return a.checkFlags()
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = false
	root.SetFlagErrorFunc(flagError)
	flags := root.PersistentFlags()
	flags.StringVarP(&a.output, "output", "o", "table", "output `format`: table, json or csv")
	flags.StringVar(&a.endpoints, "endpoints", endpointsFromEnvironment(), "client addresses of members, comma-separated; also BALLAST_ENDPOINTS")
	flags.DurationVar(&a.timeout, "timeout", defaultTimeout, "how long to wait for the cluster")
	flags.StringVar(&a.ca, "ca", os.Getenv("BALLAST_CA"), "PEM `file` of the authority that members are believed by; also BALLAST_CA")
	flags.StringVar(&a.cert, "cert", os.Getenv("BALLAST_CERT"), "PEM `file` of your certificate; also BALLAST_CERT")
	flags.StringVar(&a.key, "key", os.Getenv("BALLAST_KEY"), "PEM `file` of its private key; also BALLAST_KEY")
	root.AddCommand(
		newDevCommand(a),
		group("cluster", "Form and upgrade a cluster", newClusterPlanCommand(a), newClusterBootstrapCommand(a), newClusterJoinCommand(a),
			newClusterUpgradeCommand(a), newClusterRaiseVersionCommand(a), newClusterDoctorCommand(a), newClusterRecoverCommand(a)),
		group("members", "Look at and change who the members are", newMembersListCommand(a), newMembersAddCommand(a),
			newMembersPromoteCommand(a), newMembersRemoveCommand(a), newMembersReplaceCommand(a)),
		group("leader", "Look after leadership", newLeaderTransferCommand(a)),
		newStatusCommand(a),
		group("clock", "Look at clocks, and mend log time", newClockShowCommand(a), newClockMendCommand(a)),
		newAuditCommand(a),
		group("debug", "Collect what helps to find a fault", newDebugBundleCommand(a)),
		group("settings", "Read and change what is the same on every member", newSettingsGetCommand(a), newSettingsSetCommand(a), newSettingsHistoryCommand(a)),
		group("snapshot", "Take, look at and verify snapshots", newSnapshotTakeCommand(a), newSnapshotListCommand(a),
			newSnapshotInspectCommand(a), newSnapshotVerifyCommand(a)),
		newBackupCommand(a),
		group("certs", "Make and look at certificates", newCertsCACommand(a), newCertsIssueCommand(a), newCertsRenewCommand(a),
			newCertsShowCommand(a)),
		group("ledger", "Make and list ledgers", newLedgerCreateCommand(a), newLedgerListCommand(a)),
		group("account", "Make, read and change accounts", newAccountCreateCommand(a), newAccountGetCommand(a), newAccountListCommand(a),
			newAccountSetCommand(a), newAccountCapCommand(a), newAccountLowCommand(a), newAccountFreezeCommand(a), newAccountThawCommand(a), newAccountCloseCommand(a)),
		newCreditCommand(a), newDebitCommand(a), newTransferCommand(a), newTransferUpToCommand(a), newReverseCommand(a), newApplyCommand(a),
		group("hold", "Set money aside, and take it or give it back", newHoldCreateCommand(a), newHoldGetCommand(a), newHoldListCommand(a),
			newHoldCaptureCommand(a), newHoldVoidCommand(a), newHoldExtendCommand(a)),
		group("topup", "Top up accounts before they are empty", newTopUpPolicyCommand(a), newTopUpListCommand(a), newTopUpGetCommand(a),
			newTopUpLeaseCommand(a), newTopUpSettleCommand(a)),
		newStatementCommand(a), newBalanceAtCommand(a), newWatchCommand(a),
		group("operation", "Look up operations", newOperationGetCommand(a)),
		newImportCommand(a),
		newReconcileCommand(a),
		group("sink", "Keep another store up to date from the feed", newSinkPostgresCommand(a)),
		group("export", "Write whole books, as they are at one point of the log, into a file", newExportAccountsCommand(a), newExportEntriesCommand(a)),
		newBenchCommand(a),
		newVersionCommand(a),
		manpages.Command(func(err error) error { return err }),
	)
	root.SetVersionTemplate("ballast {{.Version}}\n")
	return root
}

// addCompletion adds cobra's own verb, which takes a wrong shell for help, and makes it a noun as the others.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, child := range root.Commands() {
		if child.Name() == "completion" {
			child.Args, child.RunE = cobra.ArbitraryArgs, chooseVerb
		}
	}
}

// group is a noun that verbs hang below.
func group(name, short string, verbs ...*cobra.Command) *cobra.Command {
	noun := &cobra.Command{Use: name, Short: short, Args: cobra.ArbitraryArgs, RunE: chooseVerb}
	noun.AddCommand(verbs...)
	return noun
}

// chooseVerb answers a noun without a verb, or with one that it does not have.
func chooseVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		cmd.SetOut(cmd.ErrOrStderr())
		if err := cmd.Help(); err != nil {
			return err
		}
		return usageError{}
	}
	text := fmt.Sprintf("%s has no command %q", cmd.CommandPath(), args[0])
	cmd.SuggestionsMinimumDistance = 2
	for _, name := range cmd.SuggestionsFor(args[0]) {
		text += fmt.Sprintf("; did you mean %q?", name)
	}
	return usagef("%s (see: %s --help)", text, cmd.CommandPath())
}
