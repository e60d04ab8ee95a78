package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/internal/pki"
)

func newCertsRenewCommand(a *app) *cobra.Command {
	var dir, key string
	var life int
	cmd := &cobra.Command{
		Use:   "renew --ca-dir DIR CERTIFICATE.crt",
		Short: "Put a new end date on a certificate",
		Long: "Replace a certificate, which may have expired, by one for the same identity, hosts and key with a new\n" +
			"end date. The file is replaced in one step: whoever reads it sees the old or the new one. A member\n" +
			"reads it again at SIGHUP; clients notice by themselves. For a new key, or other hosts, issue a new\n" +
			"certificate.",
		Example: "  ballast certs renew --ca-dir ca node-1/node-1.crt",
		Args:    args("CERTIFICATE"),
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		duration, err := days("days", life)
		if err != nil {
			return err
		}
		authority, err := loadAuthority(dir)
		if err != nil {
			return err
		}
		if key == "" {
			base, found := strings.CutSuffix(args[0], ".crt")
			if !found {
				return usagef("%s: its key is not known: give --private-key", args[0])
			}
			key = base + ".key"
		}
		old, err := pki.Read(args[0], key)
		if err != nil {
			return err
		}
		pair, err := authority.Renew(old, duration, time.Now())
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		if err := pki.Replace(args[0], pair); err != nil {
			return err
		}
		a.note("renewed %s", args[0])
		return a.writeFile(args[0])
	}
	flags := cmd.Flags()
	flags.StringVar(&dir, "ca-dir", "", "`directory` of the authority's files")
	flags.StringVar(&key, "private-key", "", "`file` of the certificate's key; default: CERTIFICATE with .key in place of .crt")
	flags.IntVar(&life, "days", int(pki.DefaultLife/day), "how many days it is in force from now")
	return cmd
}
