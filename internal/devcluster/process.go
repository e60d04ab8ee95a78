package devcluster

import (
	"os"
	"strings"

	"github.com/ballastdb/ballast/internal/childproc"
)

// startProcess starts a program with its output appended to a file.
func startProcess(path string, args []string, logFile string) (*childproc.Process, error) {
	return childproc.Start(childproc.Spec{Path: path, Args: args, Env: memberEnvironment(os.Environ()), LogFile: logFile})
}

// memberEnvironment leaves out the settings of a ballastd that the caller may have set for another purpose: the
// environment wins over the configuration file that is written for the member.
func memberEnvironment(environment []string) []string {
	kept := []string{} // not nil, which would be everything
	for _, variable := range environment {
		name, _, _ := strings.Cut(variable, "=")
		switch name {
		case "BALLAST_DATA_DIR", "BALLAST_CLIENT_ADDRESS", "BALLAST_MEMBER_ADDRESS", "BALLAST_OPERATOR_ADDRESS":
		default:
			kept = append(kept, variable)
		}
	}
	return kept
}
