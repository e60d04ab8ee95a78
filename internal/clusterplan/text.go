package clusterplan

import (
	"fmt"
	"net"
	"strings"
)

const authorityReadme = `# The authority

ca.key makes certificates of every role, for members and operators: keep this folder off all hosts of the cluster, offline and
backed up. Without it no certificate can be renewed when it ends.
`

const memberConfiguration = `# %s. Every key: docs/configuration.md.
data_dir         = "%s"
client_address   = "%s"
member_address   = "%s"
operator_address = "%s"
tls_ca           = "%s/ca.crt"
tls_certificate  = "%s/member.crt"
tls_key          = "%s/member.key"
`

const memberReadme = `# %s, on host %s

Copy this folder to the host, and to no other. As root, in it, with the package installed:

~~~sh
install -m 0644 ballastd.toml /etc/ballast/ballastd.toml
install -m 0644 ca.crt member.crt /etc/ballast/tls/
install -m 0640 -g ballast member.key /etc/ballast/tls/
runuser -u ballast -- ballastd config check --config /etc/ballast/ballastd.toml
runuser -u ballast -- ballastd init --config /etc/ballast/ballastd.toml --cluster-id %s --name %s
systemctl enable --now ballastd
rm member.key
~~~

It waits then, until the cluster is formed: operator/README.md. Run init once in this member's life: where its data are
lost, remove the member from the cluster first.
`

const memberReadmeInPlace = `# %s, at %s

In this folder:

~~~sh
ballastd config check --config ballastd.toml
ballastd init --config ballastd.toml --cluster-id %s --name %s
ballastd run --config ballastd.toml 2> ballastd.log &
~~~

It waits then, until the cluster is formed: operator/README.md.
`

// operatorReadme has the commands that form the cluster, in order.
func (p Plan) operatorReadme() string {
	var endpoints, joins []string
	for i, host := range p.Hosts {
		endpoints = append(endpoints, net.JoinHostPort(host, clientPort))
		if i > 0 {
			joins = append(joins, "ballast cluster join --node "+net.JoinHostPort(host, operatorPort)+"\n")
		}
	}
	return fmt.Sprintf(`# Forming the cluster %s

When every member runs as the README.md in its folder says, in this folder, once in the cluster's life:

~~~sh
export BALLAST_CA=ca.crt BALLAST_CERT=operator.crt BALLAST_KEY=operator.key
export BALLAST_ENDPOINTS=%s
ballast cluster bootstrap --node %s
%sballast status
~~~

Whoever has operator.key may do anything with the cluster.
`, p.Name, strings.Join(endpoints, ","), net.JoinHostPort(p.Hosts[0], operatorPort), strings.Join(joins, ""))
}
