package main

import (
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/internal/pki"
)

func newCertsCACommand(a *app) *cobra.Command {
	var dir, cluster string
	var life int
	cmd := &cobra.Command{
		Use:   "ca --ca-dir DIR --cluster-id UUID",
		Short: "Make the authority that signs a cluster's certificates",
		Long: "Make the authority that signs a cluster's certificates: DIR/ca.crt, which every member and client gets, and\n" +
			"DIR/ca.key. Whoever has ca.key can make certificates of every role: keep DIR off the members and clients.\n" +
			"Nothing is overwritten.",
		Example: "  ballast certs ca --ca-dir ca --cluster-id $(uuidgen)",
		Args:    args(),
	}
	cmd.RunE = func(*cobra.Command, []string) error {
		if dir == "" {
			return usagef("--ca-dir is missing: the directory for the authority's files")
		}
		id, err := uuid.Parse(cluster)
		if err != nil || id == uuid.Nil {
			return usagef("--cluster-id %q: expected a UUID that is not zero, the one that ballastd init gets", cluster)
		}
		duration, err := days("days", life)
		if err != nil {
			return err
		}
		authority, err := pki.NewAuthority(id, duration, time.Now())
		if err != nil {
			return err
		}
		if err := makeDirectory(dir); err != nil {
			return err
		}
		if err := pki.Write(dir, authorityName, authority.Pair()); err != nil {
			return err
		}
		certificate, key := pki.Paths(dir, authorityName)
		a.note("made %s (give it to every member and client) and %s (keep it here, and secret)", certificate, key)
		return a.writeFile(certificate)
	}
	flags := cmd.Flags()
	flags.StringVar(&dir, "ca-dir", "", "`directory` for the authority's files; made where it is missing")
	flags.StringVar(&cluster, "cluster-id", "", "the cluster's `UUID`")
	flags.IntVar(&life, "days", int(pki.DefaultAuthorityLife/day), "how many days it is believed")
	return cmd
}
