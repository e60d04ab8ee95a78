package doctor

import (
	"fmt"
	"strings"
)

// common are the keys that are to have the same value on every member.
func common() []string { return []string{"heartbeat_timeout", "election_timeout"} }

// checkConfiguration looks for values that are not what they were, or will not be what they are.
func checkConfiguration(c *chart) {
	for _, m := range c.examined() {
		var drifted, pending []string
		for _, v := range m.Examination.GetConfiguration() {
			if v.GetDrifted() {
				drifted = append(drifted, fmt.Sprintf("%s was %q, is %q (%s)", v.GetKey(), v.GetLastGood(), v.GetValue(), v.GetOrigin()))
			}
			if v.GetChanged() {
				pending = append(pending, fmt.Sprintf("%s is %q, will be %q", v.GetKey(), v.GetValue(), v.GetPending()))
			}
		}
		if len(drifted) > 0 {
			c.add(Finding{
				Check: "drift", Severity: Warning, Member: m.Name, Page: pageConfiguration, What: "it is configured otherwise than at its last good run: " + strings.Join(drifted, "; "),
				Do: "if you did not mean that, put the old value back and restart it; if you did, the next start takes it for good", DoNot: "do not put the same change on the others before this one is known to do well",
			})
		}
		switch problem := m.Examination.GetConfigurationProblem(); {
		case problem != "":
			c.add(Finding{
				Check: "configuration-refused", Severity: Warning, Member: m.Name, Page: pageConfiguration,
				What: "it would not start again with its configuration as it is now: " + problem,
				Do:   "mend the file, and check it as the user that it runs as: ballastd config check --config /etc/ballast/ballastd.toml", DoNot: "do not restart it before: it would stay down, with exit code 78",
			})
		case len(pending) > 0:
			c.add(Finding{
				Check: "configuration-pending", Severity: Note, Member: m.Name, Page: pageConfiguration, What: "its configuration has changed since it started: " + strings.Join(pending, "; "),
				Do: "restart it when all others are well, and look again", DoNot: "do not restart two at a time",
			})
		}
	}
	for _, key := range common() {
		c.same(key)
	}
}

// same tells of a key that has not the same value everywhere.
func (c *chart) same(key string) {
	by := map[string][]string{}
	for _, m := range c.examined() {
		for _, v := range m.Examination.GetConfiguration() {
			if v.GetKey() == key {
				by[v.GetValue()] = append(by[v.GetValue()], m.Name)
			}
		}
	}
	if len(by) > 1 {
		c.add(Finding{
			Check: "configured-unlike", Severity: Warning, Page: pageConfiguration, What: key + " is not the same everywhere: " + groups(by),
			Do: "give every member the same value, one restart at a time", DoNot: "do not take the shortest for all: elections would come with every stall",
		})
	}
}

// checkVersions looks for programs that are not the same, and for a cluster version that could be raised.
func checkVersions(c *chart) {
	programs, formats := map[string][]string{}, map[string][]string{}
	lowest, version := uint32(0), uint32(0)
	for i, m := range c.answering() {
		s := m.Status
		programs[s.GetVersion()] = append(programs[s.GetVersion()], m.Name)
		version = max(version, s.GetClusterVersion())
		if i == 0 || s.GetNewestClusterVersion() < lowest {
			lowest = s.GetNewestClusterVersion()
		}
	}
	for _, m := range c.examined() {
		text := formatsText(m)
		formats[text] = append(formats[text], m.Name)
	}
	switch {
	case len(programs) > 1:
		c.add(Finding{
			Check: "programs-differ", Severity: Note, What: "not all members run the same program: " + groups(programs),
			Do: "finish the upgrade: ballast cluster upgrade --to VERSION goes on where it was", DoNot: "do not raise the cluster version before, and do not leave it so for long",
		})
	case lowest > version && version > 0:
		c.add(Finding{
			Check: "version-behind", Severity: Note, What: fmt.Sprintf("the cluster is at version %d, and every member's program applies %d", version, lowest),
			Do: "ballast cluster raise-version, once the new program has proved itself", DoNot: "do not raise it while you may want the old program back: there is no way back",
		})
	}
	if len(formats) > 1 {
		c.add(Finding{
			Check: "formats-differ", Severity: Note, What: "not all members write the same formats: " + groups(formats),
			Do: "finish the upgrade", DoNot: "do not put an older program on a disk that a newer one has written",
		})
	}
}

func formatsText(m *Member) string {
	var texts []string
	for _, f := range m.Examination.GetFormats() {
		texts = append(texts, fmt.Sprintf("%s %d", f.GetName(), f.GetVersion()))
	}
	return strings.Join(texts, ", ")
}
