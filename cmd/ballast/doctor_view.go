package main

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ballastdb/ballast/internal/doctor"
	"github.com/ballastdb/ballast/internal/timetext"
)

// doctorView is what was found, in JSON; docs/doctor.md has it.
type doctorView struct {
	Worst    doctor.Severity  `json:"worst"`
	Leader   string           `json:"leader"`
	Findings []doctor.Finding `json:"findings"`
	Members  []doctorMember   `json:"members"`
}

// doctorMember is what was measured of a member.
type doctorMember struct {
	Name     string `json:"name"`
	Answered bool   `json:"answered"`
	Examined bool   `json:"examined"`
	// ClockAheadSeconds of this machine's; null: it did not tell.
	ClockAheadSeconds  *float64      `json:"clock_ahead_seconds"`
	DiskWrites         uint32        `json:"disk_writes"`
	DiskMedianSeconds  *float64      `json:"disk_median_seconds"`
	DiskSlowestSeconds *float64      `json:"disk_slowest_seconds"`
	DiskFreeBytes      uint64        `json:"disk_free_bytes"`
	CertificateEnds    string        `json:"certificate_ends"`
	Version            string        `json:"version"`
	Started            string        `json:"started"`
	Reaches            []doctorReach `json:"reaches"`
}

type doctorReach struct {
	Name              string   `json:"name"`
	Way               string   `json:"way"`
	Address           string   `json:"address"`
	TookSeconds       *float64 `json:"took_seconds"`
	Error             string   `json:"error"`
	ClockAheadSeconds *float64 `json:"clock_ahead_seconds"`
}

func viewDoctor(e *doctor.Evidence) *doctorView {
	v := &doctorView{Leader: e.Leader, Findings: []doctor.Finding{}, Members: []doctorMember{}}
	v.Findings = append(v.Findings, doctor.Judge(e)...)
	v.Worst = doctor.Worst(v.Findings)
	for _, m := range e.Members {
		v.Members = append(v.Members, viewDoctorMember(m))
	}
	return v
}

func viewDoctorMember(m *doctor.Member) doctorMember {
	x := m.Examination
	v := doctorMember{
		Name: m.Name, Answered: m.Status != nil, Examined: x != nil, Version: m.Status.GetVersion(), DiskFreeBytes: m.Status.GetDisk().GetFreeBytes(),
		DiskWrites: x.GetDisk().GetWrites(), DiskMedianSeconds: secondsOf(x.GetDisk().GetMedian()), DiskSlowestSeconds: secondsOf(x.GetDisk().GetSlowest()),
		Reaches: []doctorReach{},
	}
	if own := m.Status.GetClock().GetOwn(); own != 0 {
		v.ClockAheadSeconds = secondsOf(durationpb.New(time.Unix(0, own).Sub(m.Asked.Add(m.Took / 2))))
	}
	if x.GetStarted() != 0 {
		v.Started = timetext.Format(x.GetStarted())
	}
	for _, c := range x.GetCertificates() {
		if !c.GetAuthority() {
			v.CertificateEnds = timetext.Format(c.GetNotAfter())
		}
	}
	for _, r := range x.GetReaches() {
		v.Reaches = append(v.Reaches, doctorReach{
			r.GetName(), words(r.GetWay().String(), "WAY_"), r.GetAddress(), secondsOf(r.GetTook()), r.GetError(), secondsOf(r.GetClockAhead()),
		})
	}
	return v
}
