package docs

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/ballastdb/ballast/metrics"
)

// alert is a rule of deploy/alerts, of which nothing else is used.
type alert struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func alerts(t *testing.T) (list []alert) {
	t.Helper()
	f, err := os.Open("../../deploy/alerts/ballast.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var file struct {
		Groups []struct {
			Name  string  `yaml:"name"`
			Rules []alert `yaml:"rules"`
		} `yaml:"groups"`
	}
	d := yaml.NewDecoder(f)
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		list = append(list, g.Rules...)
	}
	if len(list) == 0 {
		t.Fatal("no alerts")
	}
	return list
}

// TestAlertsAreRules: each has an expression of metrics and labels that exist, says how bad it is and what it is, and waits for a time
// that Prometheus understands.
func TestAlertsAreRules(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range alerts(t) {
		if seen[a.Alert] || !strings.HasPrefix(a.Alert, "Ballast") {
			t.Errorf("%s: there is another one of that name, or it does not begin with Ballast", a.Alert)
		}
		seen[a.Alert] = true
		if err := checkExpression(a.Expr); err != nil {
			t.Errorf("%s: %v", a.Alert, err)
		}
		if s := a.Labels["severity"]; s != "page" && s != "ticket" || a.Annotations["summary"] == "" {
			t.Errorf("%s: severity %q, summary %q", a.Alert, s, a.Annotations["summary"])
		}
		if !regexp.MustCompile(`^\d+[sm]$`).MatchString(a.For) {
			t.Errorf("%s: for %q", a.Alert, a.For)
		}
	}
}

func TestExpressionsAreChecked(t *testing.T) {
	for _, bad := range []string{
		`ballast_no_such_metric > 0`,
		`ballast_members{colour="red"} > 0`,
		`rate(ballast_calls_total[5m]`,
		`rte(ballast_calls_total[5m]) > 0`,
		`rate(ballast_calls_total[5]) > 0`,
		`sum by (colour) (ballast_members) > 0`,
		`ballast_members{role=voter} > 0`,
		`ballast_members`,
	} {
		if checkExpression(bad) == nil {
			t.Errorf("%s is taken for right", bad)
		}
	}
}

var (
	matchers   = regexp.MustCompile(`\{([^{}]*)\}`)
	matcher    = regexp.MustCompile(`^\s*([a-z_]+)\s*(?:=|!=|=~|!~)\s*"[^"]*"\s*$`)
	grouping   = regexp.MustCompile(`\b(?:by|without)\s*\(([^()]*)\)`)
	duration   = regexp.MustCompile(`\[\d+[smhd]\]`)
	word       = regexp.MustCompile(`[a-zA-Z_][a-zA-Z0-9_]*`)
	comparison = regexp.MustCompile(`(==|!=|<=|>=|<|>)`)
)

// checkExpression checks an expression without its language's parser, which would bring hundreds of modules: every name is one of a
// function, of a metric, or of a label of one of them; what is opened is closed; it compares something.
func checkExpression(expr string) error {
	labels := []string{"job", "instance", "le"}
	names := []string{"up", "process_start_time_seconds"}
	for _, d := range metrics.Definitions() {
		names, labels = append(names, d.Name), append(labels, d.Labels...)
		if d.Kind == metrics.Histogram {
			names = append(names, d.Name+"_bucket", d.Name+"_sum", d.Name+"_count")
		}
	}
	for _, m := range matchers.FindAllStringSubmatch(expr, -1) {
		for one := range strings.SplitSeq(m[1], ",") {
			if found := matcher.FindStringSubmatch(one); found == nil || !slices.Contains(labels, found[1]) {
				return fmt.Errorf("%q matches no label", one)
			}
		}
	}
	rest := matchers.ReplaceAllString(expr, "")
	for _, m := range grouping.FindAllStringSubmatch(rest, -1) {
		for one := range strings.SplitSeq(m[1], ",") {
			if !slices.Contains(labels, strings.TrimSpace(one)) {
				return fmt.Errorf("there is no label %q", one)
			}
		}
	}
	rest = duration.ReplaceAllString(grouping.ReplaceAllString(rest, ""), "")
	functions := []string{"sum", "max", "min", "count", "rate", "increase", "changes", "histogram_quantile", "and", "or", "unless"}
	metric := false
	for _, name := range word.FindAllString(rest, -1) {
		metric = metric || slices.Contains(names, name)
		if !slices.Contains(functions, name) && !slices.Contains(names, name) {
			return fmt.Errorf("there is no metric and no function %q", name)
		}
	}
	depth := 0
	for _, c := range rest {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		case '{', '}', '[', ']', '"':
			return fmt.Errorf("%q does not belong there", c)
		}
		if depth < 0 {
			break
		}
	}
	if depth != 0 || !metric || !comparison.MatchString(rest) {
		return fmt.Errorf("%s: brackets that do not fit, no metric, or nothing is compared", expr)
	}
	return nil
}
