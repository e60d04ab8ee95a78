package config

// Difference is a value that is not what it was.
type Difference struct {
	// Value is what it is now.
	Value
	// Was is what it was; empty where the key is new.
	Was string
}

// Drift lists the values that differ from those of an earlier run, by key, in the order of Keys. Keys that only the
// earlier run knew are not listed: this version has no use for them.
func Drift(values []Value, earlier map[string]string) []Difference {
	var list []Difference
	for _, v := range values {
		if was := earlier[v.Key]; was != v.Text {
			list = append(list, Difference{Value: v, Was: was})
		}
	}
	return list
}

// ByKey are values as Drift takes them.
func ByKey(values []Value) map[string]string {
	m := make(map[string]string, len(values))
	for _, v := range values {
		m[v.Key] = v.Text
	}
	return m
}
