// Package failover measures what callers notice when leadership changes: `make bench-failover`. Three real ballastd processes on
// loopback at default settings, each change once the cluster is whole again and the one before is over.
//
// A new write begins every few milliseconds through the client library, whatever became of those before it. So the time until
// writes are acknowledged again is known to that interval, and a write that waits is not the only one that there is.
//
//	killed: the leader's process gets SIGKILL and is started again after as long as the service unit waits. What counts is the
//	        time from the signal to the first answer to a write that began after the process was gone: answers that the
//	        dead leader had sent already do not count.
//	handed over: leadership is transferred. The slowest write of the seconds around each is held against the slowest of as many
//	        seconds before it.
//
// No call may fail, and in the end every account has what was acknowledged.
package failover
