package secret

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
)

// UnmarshalText reads a secret that stands in a configuration: the secret itself, "env:NAME" for that of an
// environment variable, or "file:PATH" for the content of a file without the white space at its end. A variable
// or a file that is not there, or is empty, is an error, which names it.
func (t *Text) UnmarshalText(text []byte) error {
	switch kind, where, found := strings.Cut(string(text), ":"); {
	case found && kind == "env":
		v := os.Getenv(where)
		if v == "" {
			return fmt.Errorf("the environment variable %s is not set, or empty", where)
		}
		t.value = v
	case found && kind == "file":
		content, err := os.ReadFile(where)
		if err != nil {
			return fmt.Errorf("the file of a secret cannot be read: %w", err)
		}
		content = bytes.TrimRight(content, " \t\r\n")
		if len(content) == 0 {
			return fmt.Errorf("the file %s of a secret is empty", where)
		}
		t.value = string(content)
	case len(text) == 0:
		return errors.New("a secret must not be empty")
	default:
		t.value = string(text)
	}
	return nil
}
