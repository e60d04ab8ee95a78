package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/ballastdb/ballast/internal/render"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

const (
	// slowWrite and verySlowWrite are how long half of the trial writes may take: a leader answers no write sooner than its disk.
	slowWrite     = 25 * time.Millisecond
	verySlowWrite = 250 * time.Millisecond
	// oddFactor is how many times the others' one disk's writes take before it is said, from oddWrite on.
	oddFactor = 4
	oddWrite  = 5 * time.Millisecond
)

// checkDisks looks at how fast disks are, and at their room.
func checkDisks(c *chart) {
	for _, m := range c.answering() {
		disk, trial := m.Status.GetDisk(), m.Examination.GetDisk()
		switch {
		case disk.GetProblem() != "", trial.GetProblem() != "":
			c.add(Finding{
				Check: "disk-not-writable", Severity: Critical, Member: m.Name, Page: pageDisk, What: "its disk cannot be written: " + cmp.Or(trial.GetProblem(), disk.GetProblem()),
				Do: "look at the disk of its host: dmesg, df -h, mount; replace it if it fails", DoNot: "do not restart the member in a loop, and do not wipe the directory: what can be read may still be needed",
			})
		case trial.GetMedian() != nil:
			c.speed(m, trial)
		}
		c.room(m, disk)
	}
}

func (c *chart) speed(m *Member, trial *ballastv1.DiskTrial) {
	median := trial.GetMedian().AsDuration()
	f := Finding{
		Check: "disk-slow", Severity: Warning, Member: m.Name, Page: pageSlow,
		What: fmt.Sprintf("half of %d trial writes took %s or longer, the slowest %s", trial.GetWrites(), median.Round(10*time.Microsecond), trial.GetSlowest().AsDuration().Round(10*time.Microsecond)),
		Do:   "see what else uses the disk (iostat -x 1), and whether it fails (dmesg, smartctl); if it leads, ballast leader transfer costs no call", DoNot: "do not wipe it to make it faster, and do not raise heartbeat_timeout to hide it",
	}
	var others []time.Duration
	for _, o := range c.examined() {
		if o != m && o.Examination.GetDisk().GetMedian() != nil {
			others = append(others, o.Examination.GetDisk().GetMedian().AsDuration())
		}
	}
	slices.Sort(others)
	switch {
	case median >= verySlowWrite:
		f.Severity = Critical
	case median >= slowWrite:
	case len(others) > 0 && median >= oddWrite && median >= oddFactor*others[len(others)/2]:
		f.Severity = Note
		f.What += fmt.Sprintf(", and %s on the others", others[len(others)/2].Round(10*time.Microsecond))
	default:
		return
	}
	c.add(f)
}

func (c *chart) room(m *Member, disk *ballastv1.DiskStatus) {
	f := Finding{
		Check: "disk-low", Severity: Critical, Member: m.Name, Page: pageFull,
		Do:    "make room outside the data directory (journalctl --vacuum-size, old packages and dumps), or make the disk larger; the rest follows by itself",
		DoNot: "do not delete anything in the data directory, the reserve included, and do not set disk_low to 0",
	}
	switch disk.GetRoom() {
	case ballastv1.DiskRoom_DISK_ROOM_LOW:
		f.Severity = Warning
		f.What = "its disk is low: it does not stay leader, and takes in no snapshot"
	case ballastv1.DiskRoom_DISK_ROOM_TIGHT:
		f.What = "its disk is nearly full: it takes no snapshot either"
	case ballastv1.DiskRoom_DISK_ROOM_FULL:
		f.What = "its disk is full: it takes no more of the log"
	default:
		return
	}
	f.What += fmt.Sprintf("; %s free of %s", render.Bytes(disk.GetFreeBytes()), render.Bytes(disk.GetSizeBytes()))
	c.add(f)
}
