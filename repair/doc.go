// Package repair finds damage before somebody needs what is damaged, and mends it from other members. README.md is its
// design. It knows neither raft's log nor money; what it works on comes through small interfaces.
package repair
