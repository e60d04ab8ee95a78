package catchup

import (
	"cmp"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ballastdb/ballast/internal/testcluster"
)

// Methods of the members' service that bring one up to date, by the name of their calls.
const (
	methodInstall  = "InstallSnapshot"
	methodPages    = "FetchPages"
	methodManifest = "FetchManifest"
	methodJournal  = "FetchJournal"
	methodAppend   = "AppendEntries"
)

// carried is what went over the wire, in bytes, to bring one member up to date.
type carried struct {
	// pages asked for and received, requests included, from the leader and from others.
	pagesLeader, pagesOthers int64
	// manifests, from wherever they came.
	manifests int64
	// install is what leaders have sent in calls of InstallSnapshot, the manifest that goes with them included.
	install int64
	// journal, from wherever it came.
	journal int64
	// appended is what was sent to it in appends.
	appended int64
}

func (c carried) minus(d carried) carried {
	return carried{
		c.pagesLeader - d.pagesLeader, c.pagesOthers - d.pagesOthers, c.manifests - d.manifests,
		c.install - d.install, c.journal - d.journal, c.appended - d.appended,
	}
}

// pages from anybody.
func (c carried) pages() int64 { return c.pagesLeader + c.pagesOthers }

func (c carried) String() string {
	return fmt.Sprintf("pages %d from the leader and %d from others, manifests %d, install %d, journal %d, appends %d bytes",
		c.pagesLeader, c.pagesOthers, c.manifests, c.install, c.journal, c.appended)
}

// carriedTo adds up what went to a member: what it asked others for, and what others sent it.
func (r *rig) carriedTo(m, leader *testcluster.Member) (c carried, err error) {
	own, err := m.Traffic()
	if err != nil {
		return c, err
	}
	for address, methods := range own {
		pages := methods[methodPages].Sent + methods[methodPages].Received
		if address == leader.MemberAddress {
			c.pagesLeader += pages
		} else {
			c.pagesOthers += pages
		}
		c.manifests += methods[methodManifest].Sent + methods[methodManifest].Received
		c.journal += methods[methodJournal].Sent + methods[methodJournal].Received
	}
	for _, other := range r.others(m) {
		traffic, err := other.Traffic()
		if err != nil {
			return c, err
		}
		to := traffic[m.MemberAddress]
		c.install += to[methodInstall].Sent + to[methodInstall].Received
		for method, amount := range to {
			if strings.HasPrefix(method, methodAppend) {
				c.appended += amount.Sent
			}
		}
	}
	return c, nil
}

// newestSnapshot is the index of the newest snapshot in a member's data directory, 0: none. Its manifest's name tells.
func newestSnapshot(m *testcluster.Member) (index uint64, manifest string, err error) {
	found, err := filepath.Glob(filepath.Join(m.DataDir(), "snapshots", "*.manifest"))
	if err != nil {
		return 0, "", err
	}
	for _, path := range found {
		text, _, _ := strings.Cut(filepath.Base(path), "-")
		i, err := strconv.ParseUint(text, 16, 64)
		if err != nil {
			return 0, "", fmt.Errorf("manifest %s: its name does not begin with an index", path)
		}
		if i >= index {
			index, manifest = i, path
		}
	}
	return index, manifest, nil
}

// filesOf are the regular files in a folder of a member's data directory and in the folders below, the largest first.
func filesOf(m *testcluster.Member, folder, suffix string) (paths []string, sizes []int64) {
	type file struct {
		path string
		size int64
	}
	var files []file
	_ = filepath.WalkDir(filepath.Join(m.DataDir(), folder), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || !strings.HasSuffix(path, suffix) {
			return nil // what has gone meanwhile does not count
		}
		if info, err := entry.Info(); err == nil {
			files = append(files, file{path, info.Size()})
		}
		return nil
	})
	slices.SortStableFunc(files, func(a, b file) int { return cmp.Compare(b.size, a.size) })
	for _, f := range files {
		paths, sizes = append(paths, f.path), append(sizes, f.size)
	}
	return paths, sizes
}

// sizeOf adds up those files.
func sizeOf(m *testcluster.Member, folder, suffix string) (sum int64) {
	_, sizes := filesOf(m, folder, suffix)
	for _, size := range sizes {
		sum += size
	}
	return sum
}
