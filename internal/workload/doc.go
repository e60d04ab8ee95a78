// Package workload describes loads as data, runs them against a target and measures. It is the one benchmark of
// Ballast: `ballast bench`, `make bench` and every other benchmark are thin fronts of it.
//
// A Config says what is done; a Target does it: a cluster through the client library (NewClientTarget), or something to
// compare with. Run measures one Config once; Rows turns the Result into rows for people and programs.
//
// Latency counts from when a call was meant to start, not from when its caller got round to it: under an open loop
// (Config.Rate) a target that stalls is charged with all the calls that it held up.
package workload
