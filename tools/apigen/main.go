// Command apigen writes the Go packages of internal/awsapi from the Smithy models in api-models: one
// package per service with its shapes, its operation table, its declared errors, and the code that
// decodes, checks and encodes them.
//
//	go run ./tools/apigen              writes internal/awsapi
//	go run ./tools/apigen -out DIR     writes elsewhere, to compare with what is checked in
//
// The output depends on the models alone. A model that uses something the generator does not know
// stops it, so that no constraint is lost silently.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	models := flag.String("models", "api-models", "directory of the models")
	out := flag.String("out", filepath.Join("internal", "awsapi"), "directory to write the packages to; old generated files in it are removed")
	flag.Parse()
	if err := run(*models, *out); err != nil {
		fmt.Fprintln(os.Stderr, "apigen:", err)
		os.Exit(1)
	}
}

func run(models, out string) error {
	files, err := filepath.Glob(filepath.Join(models, "*.json"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("no models in %s", models)
	}
	for _, file := range files {
		m, err := load(file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		m.file = strings.TrimSuffix(filepath.Base(file), ".json")
		m.pkg = strings.ReplaceAll(m.file, "-", "")
		if err := generate(m, filepath.Join(out, m.pkg)); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

// generate writes the package of one model to dir, replacing what an earlier run wrote there.
func generate(m *model, dir string) error {
	files, err := render(m)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(dir, "*_gen.go"))
	if err != nil {
		return err
	}
	for _, f := range old {
		if _, ok := files[filepath.Base(f)]; !ok {
			if err := os.Remove(f); err != nil {
				return err
			}
		}
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
