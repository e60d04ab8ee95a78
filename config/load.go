package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxFile bounds what is read of a configuration file.
const maxFile = 1 << 20

// Input is where values come from.
type Input struct {
	// File is the configuration file's path. Empty: none.
	File string
	// Flags holds the flags that were given, by Key.Name.
	Flags map[string]string
	// LookupEnv is os.LookupEnv or a test's.
	LookupEnv func(string) (string, bool)
}

// Value is one effective value and where it came from.
type Value struct {
	// Key is its name in the file.
	Key string
	// Text is the value.
	Text string
	// Origin is "flag --data-dir", "environment BALLAST_DATA_DIR", "file PATH" or "default".
	Origin string
}

// Loaded is a configuration with the origin of each of its values, in the order of Keys.
type Loaded struct {
	Config
	Values []Value
}

// Error is everything that is wrong with a configuration: one line each.
type Error struct{ Problems []string }

func (e *Error) Error() string { return "configuration: " + strings.Join(e.Problems, "\n") }

// Load reads, merges and checks. What is wrong with the configuration comes as one *Error that names every problem.
func Load(in Input) (*Loaded, error) {
	file, problems := readFile(in.File)
	loaded := &Loaded{}
	for _, key := range Keys() {
		value, ok := choose(key, in, file)
		if !ok {
			problems = append(problems, fmt.Sprintf("%s is not given: use --%s, %s or the file's key %s",
				key.Name, key.Flag(), key.Env(), key.Name))
			continue
		}
		if err := key.set(&loaded.Config, value.Text); err != nil {
			problems = append(problems, fmt.Sprintf("%s = %q (%s): %v", key.Name, value.Text, value.Origin, err))
		}
		loaded.Values = append(loaded.Values, value)
	}
	if len(problems) == 0 {
		problems = checkTogether(&loaded.Config)
	}
	if len(problems) > 0 {
		return nil, &Error{Problems: problems}
	}
	return loaded, nil
}

// choose answers the value of the strongest origin that has one.
func choose(key Key, in Input, file map[string]string) (Value, bool) {
	if v, ok := in.Flags[key.Name]; ok {
		return Value{key.Name, v, "flag --" + key.Flag()}, true
	}
	if v, ok := in.LookupEnv(key.Env()); ok {
		return Value{key.Name, v, "environment " + key.Env()}, true
	}
	if v, ok := file[key.Name]; ok {
		return Value{key.Name, v, "file " + in.File}, true
	}
	return Value{key.Name, key.Default, "default"}, key.Default != "" || key.optional()
}

// checkTogether looks at what values mean for each other.
func checkTogether(c *Config) (problems []string) {
	if c.ElectionTimeout < c.HeartbeatTimeout {
		problems = append(problems, fmt.Sprintf("election_timeout = %v must be at least heartbeat_timeout = %v",
			c.ElectionTimeout, c.HeartbeatTimeout))
	}
	if given := []string{c.TLSCA, c.TLSCertificate, c.TLSKey}; slices.Contains(given, "") && strings.Join(given, "") != "" {
		problems = append(problems, fmt.Sprintf("tls_ca = %q, tls_certificate = %q, tls_key = %q: give all three, or none",
			c.TLSCA, c.TLSCertificate, c.TLSKey))
	}
	seen := map[string]string{}
	for _, a := range []struct{ key, address string }{
		{"client_address", c.ClientAddress}, {"member_address", c.MemberAddress}, {"operator_address", c.OperatorAddress},
	} {
		if err := checkHost(a.address, c.TLS()); err != nil {
			problems = append(problems, fmt.Sprintf("%s = %q: %v", a.key, a.address, err))
		}
		if other, ok := seen[a.address]; ok {
			problems = append(problems, fmt.Sprintf("%s and %s are both %s; each needs its own", other, a.key, a.address))
		}
		seen[a.address] = a.key
	}
	return problems
}

// readFile answers the file's values as text, by key.
func readFile(path string) (values map[string]string, problems []string) {
	if path == "" {
		return nil, nil
	}
	data, err := readBounded(path)
	if err != nil {
		return nil, []string{fmt.Sprintf("file %s: %v", filepath.Clean(path), err)}
	}
	var raw map[string]any
	if err := toml.Unmarshal(data, &raw); err != nil {
		return nil, []string{fmt.Sprintf("file %s: %v", path, err)}
	}
	values = make(map[string]string, len(raw))
	for name, v := range raw {
		if problem := checkKnown(name); problem != "" {
			problems = append(problems, fmt.Sprintf("file %s: %s", path, problem))
			continue
		}
		switch v := v.(type) {
		case string:
			values[name] = v
		case int64:
			values[name] = strconv.FormatInt(v, 10)
		default:
			problems = append(problems, fmt.Sprintf("file %s: %s is a %T, expected a string or a whole number", path, name, v))
		}
	}
	slices.Sort(problems)
	return values, problems
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("larger than %d bytes", maxFile)
	}
	return data, nil
}

// checkKnown answers what is wrong with a key's name, and names the nearest known one.
func checkKnown(name string) string {
	best, bestDistance := "", len(name)/2+1
	for _, key := range Keys() {
		if key.Name == name {
			return ""
		}
		if d := distance(name, key.Name); d < bestDistance {
			best, bestDistance = key.Name, d
		}
	}
	if best == "" {
		return fmt.Sprintf("unknown key %q; docs/configuration.md lists all keys", name)
	}
	return fmt.Sprintf("unknown key %q; did you mean %q?", name, best)
}

// distance is the Levenshtein distance of two keys.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
