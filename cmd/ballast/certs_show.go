package main

import (
	"time"

	"github.com/spf13/cobra"
)

func newCertsShowCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show FILE...",
		Short:   "Show whose certificates are and when they end",
		Long:    "Show every certificate of the files: whose it is, for which hosts, when it ends. Exits 1 where one is\nnot in force.",
		Example: "  ballast certs show /etc/ballast/*.crt",
		Args:    args("FILE..."),
	}
	cmd.RunE = func(_ *cobra.Command, files []string) error {
		now := time.Now()
		var views []certificateView
		for _, file := range files {
			list, err := viewFile(file, now)
			if err != nil {
				return err
			}
			views = append(views, list...)
		}
		if err := a.writeCertificates(views); err != nil {
			return err
		}
		for _, v := range views {
			if now.Before(v.NotBefore) || now.After(v.NotAfter) {
				return codeError{code: exitFailed}
			}
		}
		return nil
	}
	return cmd
}
