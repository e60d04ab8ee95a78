// Package importtest loads a real bank's transactions into a development cluster whose leader is killed meanwhile, with
// the programs that a user runs. The data are not part of the project: without ../shared/data/czech-bank beside the
// repository the test says so and is skipped.
package importtest
