package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/server/node"
)

func recoverCommand(io stdio) *cobra.Command {
	var compare []string
	var phrase string
	cmd := &cobra.Command{
		Use:   "recover [--config FILE] [--data-dir D] [--compare DIR]... [--phrase P]",
		Short: "Have a stopped member go on alone, where the majority of its cluster is lost for good",
		Long: "Have the stopped member whose data directory is D go on as the only member of its cluster, where the majority is\n" +
			"lost for good (docs/runbooks/quorum-lost.md). Without --phrase it says what may be lost and which phrase it needs,\n" +
			"and changes nothing. Disks of other stopped members, or copies of them, are compared with --compare: one that has\n" +
			"more is to be recovered instead. What there is is kept aside within D. All other members are refused for ever.",
		Args: cobra.NoArgs,
	}
	load := configFlags(cmd, io)
	cmd.Flags().StringArrayVar(&compare, "compare", nil, "data `directory` of another stopped member; may be repeated")
	cmd.Flags().StringVar(&phrase, "phrase", "", "the phrase that this recovery needs, exactly")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		loaded, err := load()
		if err != nil {
			return err
		}
		certificates, err := node.OpenTLS(loaded.Config)
		if err != nil {
			return err
		}
		plan, err := node.PlanRecovery(cmd.Context(), node.RecoverOptions{
			Config: loaded.Config, TLS: certificates, Compare: compare,
			Logger: hclog.New(&hclog.LoggerOptions{Name: "ballastd", Level: hclog.Warn, Output: io.err}),
		})
		if err != nil {
			return failed(err)
		}
		if phrase == "" {
			if _, err := fmt.Fprint(io.out, recoveryStatement(plan)); err != nil {
				return failed(err)
			}
			return failed(errors.New("nothing was changed: repeat the command with the phrase"))
		}
		epoch, err := plan.Do(phrase)
		if errors.Is(err, node.ErrPhrase) {
			return failed(fmt.Errorf("--phrase: expected %q, found %q; nothing was changed: read what the command says without --phrase", plan.Phrase(), phrase))
		}
		if err != nil {
			return failed(err)
		}
		_, err = fmt.Fprint(io.out, recoveredText(plan, epoch))
		return failed(err)
	}
	return cmd
}

// recoveryStatement says what a recovery does and what it costs.
func recoveryStatement(r *node.Recovery) string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("member          %s of cluster %s, recovery epoch %d", r.Identity.Name, r.Identity.ClusterID, r.Identity.RecoveryEpoch)
	say("data directory  %s", r.Dir)
	say("newest change   index %d of term %d, written %s; newest snapshot: index %d", r.Index, r.Term, written(r.At), r.Snapshot)
	say("given up        %s", r.Lost())
	for _, c := range r.Compared {
		say("compared        %s of %s: index %d of term %d, written %s: it has nothing that is not here", c.Dir, c.Identity.Name, c.Index, c.Term, written(c.At))
	}
	if len(r.Compared) == 0 {
		say("compared        nothing: if another member's disk, or a newer copy of one, can still be read, stop and give it with --compare")
	}
	for _, f := range r.Missing {
		say("journal         %s: statements that reach back to it will be refused; balances and ids are right", f.What)
	}
	say("")
	say("What is lost:   every change that was acknowledged after index %d, on the disks of a majority without this one.", r.Index)
	say("What appears:   changes up to index %d whose callers were told nothing take effect; a retry with the same id finds them.", r.Index)
	say("For good:       every other member is refused from then on, its data is not taken back. The host joins again with a new one.")
	say("Kept:           what this directory holds now, in %s/before-recovery-EPOCH.", r.Dir)
	say("")
	say("To go on, give the same command and --phrase %q", r.Phrase())
	return b.String()
}

func written(at time.Time) string {
	if at.IsZero() {
		return "at a time that is not known"
	}
	return at.UTC().Format(time.RFC3339)
}

// recoveredText says how to go on.
func recoveredText(r *node.Recovery, epoch uint64) string {
	return fmt.Sprintf(`recovered %s as the only member of cluster %s, recovery epoch %d; what was there is in %s/before-recovery-%d
1. start this member, and look at it: ballast status
2. on each other host, with its old data directory moved away and never started again:
   ballastd init --data-dir DIR --cluster-id %s --name NAME --recovery-epoch %d
3. start it, then: ballast members add ITS_OPERATOR_ADDRESS
`, r.Identity.Name, r.Identity.ClusterID, epoch, r.Dir, epoch, r.Identity.ClusterID, epoch)
}
