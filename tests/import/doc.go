// Package importtest runs the programs as a user does: a development cluster that loses its leader while a real bank's
// transactions are loaded, and one that loses its majority.
//
// The bank's data are not part of the project: without ../shared/data/czech-bank beside the repository that test says so
// and is skipped.
package importtest
