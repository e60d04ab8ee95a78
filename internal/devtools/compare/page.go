package compare

import (
	_ "embed"
	"html/template"
	"io"
)

//go:embed page.html
var pageText string

// caseView is a case as the page shows it.
type caseView struct {
	Name, Summary, Conditions string
	Bars, Latency             template.HTML // SVG
	Head                      []string
	Lines                     [][]string
}

type sectionView struct {
	Title string
	Lines []string
}

// WritePage writes the report as one HTML page that needs nothing else.
func (r *Report) WritePage(w io.Writer) error {
	page, err := template.New("page").Parse(pageText)
	if err != nil {
		return err
	}
	var cases []caseView
	for _, o := range r.outcomes {
		cases = append(cases, caseView{
			Name: o.c.Name(), Summary: o.c.Summary, Conditions: o.conditions(), Head: tableHead(), Lines: o.table(),
			// The plots escape what they are given.
			Bars: template.HTML(o.throughputPlot()), Latency: template.HTML(o.latencyPlot()),
		})
	}
	var sections []sectionView
	for _, s := range r.remarks() {
		if len(s.lines) > 0 {
			sections = append(sections, sectionView{s.title, s.lines})
		}
	}
	return page.Execute(w, struct {
		Title      string
		Conditions []string
		Cases      []caseView
		Sections   []sectionView
		Settings   []SystemSettings
	}{r.Title, r.Conditions, cases, sections, r.Settings})
}
