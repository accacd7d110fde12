package wire_test

import (
	"testing"
)

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"redshift", "json", "rest"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newBench(t, nil).client.Golden(t, "testdata/"+name+".txtar")
		})
	}
}
