//go:build lab

package lab

import "fmt"

// gateway is the address of the tests themselves on the hosts' network; addressOf those of the hosts.
const gateway = "10.77.0.254"

func addressOf(number int) string { return fmt.Sprintf("10.77.0.%d", number) }

// openBridge makes the network that hosts are plugged into, within the run's own network namespace.
func openBridge() error {
	return sh("ip link add br0 type bridge && ip link set br0 up && ip addr add %s/24 dev br0", gateway)
}

func closeBridge() error { return sh("ip link del br0") }

// plug makes the network namespace of a host at a file, and a cable from it to the bridge.
func plug(number int, file string) error {
	return sh(`: > %[2]s && unshare --net=%[2]s true
ip link add v%[1]d type veth peer name eth0 netns %[2]s
ip link set v%[1]d master br0 up
nsenter --net=%[2]s sh -euc 'ip link set lo up; ip link set eth0 up; ip addr add %[3]s/24 dev eth0'`, number, file, addressOf(number))
}

// cable takes a host off the network ("down") and puts it back ("up").
func cable(number int, state string) error { return sh("ip link set v%d %s", number, state) }

// unplug takes the cable and the namespace away.
func unplug(number int, file string) error {
	return sh("ip link del v%d; umount %s", number, file)
}
