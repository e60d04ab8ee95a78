package compare

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/ballastdb/ballast/config"
)

// DefaultLogStore is the kind of raft log that a member has where none is configured.
func DefaultLogStore() string {
	for _, key := range config.Keys() {
		if key.Name == "log_store" {
			return key.Default
		}
	}
	return ""
}

// FindProgram is ballastd as it was named, beside this program, or on PATH.
func FindProgram(named string) (string, error) {
	if named != "" {
		return exec.LookPath(named)
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), "ballastd")
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	found, err := exec.LookPath("ballastd")
	if err != nil {
		return "", fmt.Errorf("no ballastd beside this program or on PATH: build it (make build), or name it with --ballastd: %w", err)
	}
	return found, nil
}
