package network

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

var errNoOwner = errors.New("no member's process has the other end of the connection")

// owner finds which of the processes has dialled a connection that we accepted on loopback, by the kernel's table of
// sockets. It returns the place in pids.
func owner(accepted net.Conn, pids []int) (int, error) {
	remote, ok := accepted.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("expected a TCP connection, found %T", accepted.RemoteAddr())
	}
	local, ok := accepted.LocalAddr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("expected a TCP connection, found %T", accepted.LocalAddr())
	}
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return 0, err
	}
	inode := socketInode(string(table), remote.Port, local.Port)
	if inode == "" {
		return 0, errNoOwner
	}
	for i, pid := range pids {
		if pid > 0 && holds(pid, "socket:["+inode+"]") {
			return i, nil
		}
	}
	return 0, errNoOwner
}

// socketInode finds the socket with these ports in the text of /proc/net/tcp. Columns: number, local address, remote
// address, state, queues, timer, retransmits, uid, timeout, inode.
func socketInode(table string, localPort, remotePort int) string {
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 10 {
			continue
		}
		if portOf(fields[1]) == localPort && portOf(fields[2]) == remotePort {
			return fields[9]
		}
	}
	return ""
}

// portOf reads the port of "0100007F:1F90".
func portOf(address string) int {
	_, hex, _ := strings.Cut(address, ":")
	port, err := strconv.ParseUint(hex, 16, 16)
	if err != nil {
		return -1
	}
	return int(port)
}

func holds(pid int, socket string) bool {
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && target == socket {
			return true
		}
	}
	return false
}
