package metrics

import "github.com/ballastdb/ballast/server"

// catchUpTable is about being behind: this member, and, on a leader, those that it brings up to date.
func catchUpTable() []pulled {
	known := func(value func(s *server.StandingFacts) float64) func(*server.Facts, put) {
		return func(f *server.Facts, tell put) {
			if f.Standing.Known {
				tell(value(&f.Standing))
			}
		}
	}
	install := func(value func(i *server.InstallFacts) float64) func(*server.Facts, put) {
		return func(f *server.Facts, tell put) {
			i := f.Install
			if i == nil {
				i = &server.InstallFacts{}
			}
			tell(value(i))
		}
	}
	return []pulled{
		gauge("ballast_phase", "1 for what the member is about, 0 for the rest, in the words of ballast status.", func(f *server.Facts, tell put) {
			for _, p := range server.Phases() {
				tell(flag(f.Standing.Phase == p), string(p))
			}
		}, "phase"),
		gauge("ballast_lag_entries", "Committed log entries that its state does not show. Absent, as the other lags: no leader told lately how far it is.", known(func(s *server.StandingFacts) float64 { return float64(s.LagEntries) })),
		gauge("ballast_lag_bytes", "Their bytes, estimated by the mean weight of the leader's entries.", known(func(s *server.StandingFacts) float64 { return float64(s.LagBytes) })),
		gauge("ballast_lag_seconds", "Log time between what its state shows and what the leader's does.", known(func(s *server.StandingFacts) float64 { return s.Lag.Seconds() })),
		gauge("ballast_install_pages", "Pages of the snapshot that it takes in: all of them, those that are here, those of these that were here before. 0 while none is.", func(f *server.Facts, tell put) {
			i := f.Install
			if i == nil {
				i = &server.InstallFacts{}
			}
			tell(float64(i.PagesTotal), "total")
			tell(float64(i.PagesDone), "done")
			tell(float64(i.PagesReused), "reused")
		}, "kind"),
		gauge("ballast_install_bytes", "Bytes of it that arrived, by where from; the manifest, which the leader sends, apart.", func(f *server.Facts, tell put) {
			i := f.Install
			if i == nil {
				i = &server.InstallFacts{}
			}
			tell(float64(i.BytesLeader), "leader")
			tell(float64(i.BytesOthers), "others")
			tell(float64(i.BytesManifest), "manifest")
		}, "source"),
		gauge("ballast_catch_up_left_seconds", "Time that catching up takes at the present rate; 0: not known, or nothing is left.", func(f *server.Facts, tell put) { tell(f.Standing.Left.Seconds()) }),
		gauge("ballast_install_index", "Log index of the snapshot that it takes in; 0: none is.", install(func(i *server.InstallFacts) float64 { return float64(i.Index) })),
		gauge("ballast_transfers", "Members that this leader sends a snapshot to, and those that wait for their turn.", func(f *server.Facts, tell put) {
			waiting := 0
			for _, t := range f.Transfers {
				if t.Waiting {
					waiting++
				}
			}
			tell(float64(len(f.Transfers)-waiting), "running")
			tell(float64(waiting), "waiting")
		}, "state"),
		counter("ballast_sent_bytes_total", "Bytes that this member has sent to members that catch up: pages and records, manifests, journal.", func(f *server.Facts, tell put) {
			tell(float64(f.Sent.Pages), "pages")
			tell(float64(f.Sent.Manifests), "manifests")
			tell(float64(f.Sent.Journal), "journal")
		}, "what"),
	}
}
