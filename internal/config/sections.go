package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/penstock-io/penstock/internal/events"
	"github.com/penstock-io/penstock/internal/transfer/vendors"
)

// Sections are the parts of the configuration file that have keys of their own. They have no flags and no
// variables; a secret in them may be "env:NAME" or "file:PATH".
type Sections struct {
	Profiles vendors.Profiles // connection profiles of vendors
	Events   events.Settings  // webhooks and the targets of event buses, complete
}

// sectionNames are their keys.
var sectionNames = []string{"profiles", "webhooks", "event-buses"}

// parseSections reads the sections of a file whose other keys have been dealt with.
func parseSections(path string, text []byte) (Sections, error) {
	var in struct {
		Profiles vendors.Profiles          `yaml:"profiles"`
		Webhooks map[string]events.Webhook `yaml:"webhooks"`
		Buses    map[string]events.Bus     `yaml:"event-buses"`
		Rest     map[string]yaml.Node      `yaml:",inline"`
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&in); err != nil && !errors.Is(err, io.EOF) {
		return Sections{}, &Error{path, plainer(err)}
	}
	if err := in.Profiles.Validate(); err != nil {
		return Sections{}, &Error{path, fmt.Errorf("profiles.%w", err)}
	}
	settings, err := events.Settings{Webhooks: in.Webhooks, Buses: in.Buses}.Complete()
	if err != nil {
		return Sections{}, &Error{path, err}
	}
	return Sections{Profiles: in.Profiles, Events: settings}, nil
}

// plainer puts an error of the YAML decoder into words that name no Go type.
func plainer(err error) error {
	var types *yaml.TypeError
	if !errors.As(err, &types) {
		return err
	}
	var all []string
	for _, text := range types.Errors {
		if what, _, unknown := strings.Cut(text, " not found in type"); unknown {
			text = what + " is unknown"
		}
		all = append(all, text)
	}
	return errors.New(strings.Join(all, "; "))
}
