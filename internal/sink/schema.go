package sink

import (
	_ "embed" // schema.sql
	"fmt"
	"regexp"
	"strings"
)

// SchemaVersion is the version of the tables that this program writes.
const SchemaVersion = 1

// DefaultSchema is the name of the schema that the tables are in, unless another is asked for.
const DefaultSchema = "ballast"

//go:embed schema.sql
var ddl string

// schemaName is what may be put into statements as it is.
var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// CheckSchema refuses a name that would have to be quoted.
func CheckSchema(name string) error {
	if !schemaName.MatchString(name) || strings.HasPrefix(name, "pg_") {
		return fmt.Errorf("schema %q: want 1 to 63 of a-z, 0-9 and _, not beginning with a digit or pg_", name)
	}
	return nil
}

// DDL makes the tables in a schema of this name, which must have passed CheckSchema.
func DDL(name string) string {
	made := strings.ReplaceAll(ddl, "ballast.", name+".")
	return strings.Replace(made, "CREATE SCHEMA ballast;", "CREATE SCHEMA "+name+";", 1)
}

// in puts the schema's name into a statement, for each %s.
func (d *database) in(statement string) string { return strings.ReplaceAll(statement, "%s", d.schema) }
