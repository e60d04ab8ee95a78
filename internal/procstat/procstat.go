// Package procstat reads what processes use from Linux' /proc.
package procstat

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Usage is what processes have used since they started.
type Usage struct {
	// CPU time, user and system.
	CPU time.Duration
	// Written bytes, as they were given to the disk.
	Written int64
}

// clockTick is the unit of CPU times in /proc: USER_HZ, which is 100 on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// Own is this process's.
func Own() Usage {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // cannot fail for oneself
	written, _ := Field(os.Getpid(), "io", "write_bytes")
	return Usage{CPU: time.Duration(r.Utime.Nano() + r.Stime.Nano()), Written: written}
}

// Of adds up the processes and their descendants, those that have been waited for included. A root that has ended is an
// error.
func Of(roots []int) (Usage, error) {
	var u Usage
	for _, pid := range family(roots) {
		stat, err := readStat(pid)
		if err != nil {
			if slices.Contains(roots, pid) {
				return u, fmt.Errorf("process %d has ended: %w", pid, err)
			}
			continue // a child that has just gone counts with its parent
		}
		u.CPU += max(stat.own, threads(pid)) + stat.children
		written, err := Field(pid, "io", "write_bytes")
		if err != nil && slices.Contains(roots, pid) {
			return u, err
		}
		u.Written += written
	}
	return u, nil
}

// Minus is what was used since v.
func (u Usage) Minus(v Usage) Usage { return Usage{u.CPU - v.CPU, u.Written - v.Written} }

// Plus adds up.
func (u Usage) Plus(v Usage) Usage { return Usage{u.CPU + v.CPU, u.Written + v.Written} }

// Resident is the anonymous memory of the largest root with its descendants, in bytes; 0 where none runs.
func Resident(roots []int) (most int64) {
	for _, root := range roots {
		sum := int64(0)
		for _, pid := range family([]int{root}) {
			anonymous, _ := Field(pid, "status", "RssAnon") // 0 for what has just gone
			sum += anonymous
		}
		most = max(most, sum)
	}
	return most
}

// family are the processes and all below them.
func family(roots []int) []int {
	children := map[int][]int{}
	paths, _ := filepath.Glob("/proc/[0-9]*") // the pattern is well-formed
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			continue
		}
		if stat, err := readStat(pid); err == nil {
			children[stat.parent] = append(children[stat.parent], pid)
		}
	}
	all := slices.Clone(roots)
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

type stat struct {
	parent int
	// own CPU time, and that of children that have been waited for, in whole ticks.
	own, children time.Duration
}

// threads is the CPU time of a process's threads to the nanosecond; 0 where the kernel does not tell. Those that have ended
// are missing from it. Ticks lose up to 10 ms of every process, all at the same time where many do alike.
func threads(pid int) (sum time.Duration) {
	paths, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid)) // the pattern is well-formed
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has just ended
		}
		text, _, _ := strings.Cut(string(data), " ")
		if ns, err := strconv.ParseInt(text, 10, 64); err == nil {
			sum += time.Duration(ns)
		}
	}
	return sum
}

// readStat reads /proc/PID/stat, proc(5). A process's name may hold anything; the fields begin behind its last bracket.
func readStat(pid int) (s stat, err error) {
	path := fmt.Sprintf("/proc/%d/stat", pid)
	data, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	const parent, firstTime, times = 1, 11, 4 // utime, stime, cutime, cstime
	if len(fields) < firstTime+times {
		return s, fmt.Errorf("%s: %d fields behind the name, expected at least %d", path, len(fields), firstTime+times)
	}
	s.parent, err = strconv.Atoi(fields[parent])
	for i, field := range fields[firstTime : firstTime+times] {
		ticks, failed := strconv.ParseInt(field, 10, 64)
		if failed != nil {
			err = failed
		}
		if i < times/2 {
			s.own += time.Duration(ticks) * clockTick
		} else {
			s.children += time.Duration(ticks) * clockTick
		}
	}
	return s, err
}

// Field reads one "name: value" line of a file of /proc/PID, such as VmRSS of status; values in kB become bytes.
func Field(pid int, file, name string) (int64, error) {
	path := fmt.Sprintf("/proc/%d/%s", pid, file)
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		text, ok := strings.CutPrefix(line, name+":")
		fields := strings.Fields(text)
		if !ok || len(fields) == 0 {
			continue
		}
		value, err := strconv.ParseInt(fields[0], 10, 64)
		if len(fields) > 1 && fields[1] == "kB" {
			value *= 1024
		}
		return value, err
	}
	return 0, fmt.Errorf("%s has no line %q", path, name)
}
