// Package catchup measures what it costs when members of a cluster catch up: the cases of `make bench-catchup`, each on
// real ballastd processes on loopback, with the cluster, its load and its faults made anew.
//
// A case ends with a Report: rows of figures, some held against a bar, tables and plots. What is measured comes from
// outside the processes: latency from callers through the client library, bytes on the wire from the connections' own
// count (internal/faults), memory and disk traffic from /proc. A member that is to be away is cut off: its connections
// stall both ways, while its process runs.
//
// All members, the callers and whatever else the machine does share its processors and its disk. Figures compare within a
// run; bars on latency are ratios within a run, for that reason.
package catchup
