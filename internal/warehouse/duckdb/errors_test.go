package duckdb

import (
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/fault"
)

func TestOutOfMemoryIsNamed(t *testing.T) {
	for _, text := range []string{
		"Out of Memory Error: failed to allocate data of size 256.0 KiB (127.9 MiB/128.0 MiB used)",
		"TransactionContext Error: Failed to commit: could not allocate block of size 256.0 KiB (127.8 MiB/128.0 MiB used)",
		"Failed to append: failed to pin block of size 256.0 KiB (127.8 MiB/128.0 MiB used)",
	} {
		err := explain(&engineError{text}, "/data")
		if message := fault.Message(err); fault.KindOf(err) != fault.Unavailable || !strings.Contains(message, "(128.0 MiB)") || !strings.Contains(message, "memory-limit") {
			t.Errorf("%s: %v %s", text, fault.KindOf(err), message)
		}
		if !mayBeData(&engineError{text}) {
			t.Errorf("%s: the files of the load are not looked at", text)
		}
	}
	if err := explain(&engineError{"Conversion Error: Could not convert string 'failed to allocate' to INT32"}, "/data"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a value that talks of memory: %v", err)
	}
}
