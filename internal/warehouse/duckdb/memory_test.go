package duckdb

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// residentMemory is the process's resident memory in bytes, peakMemory the most it ever was.
func residentMemory(t testing.TB) int64 { return statusField(t, "VmRSS:") }
func peakMemory(t testing.TB) int64     { return statusField(t, "VmHWM:") }

func statusField(t testing.TB, name string) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("needs /proc")
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Fatalf("no %s in /proc/self/status", name)
	return 0
}
