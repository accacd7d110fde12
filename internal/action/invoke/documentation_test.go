package invoke_test

import (
	"os"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/internal/action/invoke"
)

func TestErrorsAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/reference/action-errors.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range invoke.Codes() {
		if !strings.Contains(string(text), "| `"+string(code)+"` |") {
			t.Errorf("docs/reference/action-errors.md lacks %s", code)
		}
	}
}
