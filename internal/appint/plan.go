package appint

import (
	"slices"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
)

// plan works out what executions of an association of d do. c is the association's schedule or, without one, the data
// integration's. When must is set the association is going to run, and what is missing for that is Invalid.
func (s *Service) plan(d DataIntegration, destination string, own Objects, c Schedule, must bool) (Plan, error) {
	p := Plan{Name: d.Name, SourceURI: d.SourceURI, DestinationURI: destination, Folders: d.Files.Folders, Filters: d.Files.Filters}
	switch {
	case must && destination == "":
		return p, fault.New(fault.Invalid, SubjectDestination, "an association that runs needs a DestinationURI; %s", destinationForms)
	case must && d.SourceURI == "":
		return p, fault.New(fault.Invalid, SubjectSource, "the data integration %q has no SourceURI, so there is nothing to run; make one with a source", d.Name)
	}
	if destination != "" {
		if err := checkDestination(destination); err != nil {
			return p, err
		}
	}
	if d.SourceURI == "" {
		return p, nil
	}
	src, err := ParseSource(d.SourceURI)
	if err != nil {
		return p, err
	}
	if src.Vendor != "" {
		if p.Object = c.Object; p.Object == "" {
			p.Object = d.Schedule.Object
		}
		if p.Objects, err = narrowed(d, own, src.Vendor); err != nil {
			return p, err
		}
	}
	if must && s.c.Validate != nil {
		if err := s.c.Validate(p); err != nil && fault.KindOf(err) != fault.Internal {
			return p, fault.Wrap(err, fault.Invalid, SubjectPlan, "%s", fault.Message(err))
		} else if err != nil {
			return p, err
		}
	}
	return p, nil
}

// narrowed is the ObjectConfiguration that is carried out, as {vendor: {object: fields}}: the association's, which
// may ask for less than the data integration offers but not for more, or else the data integration's.
func narrowed(d DataIntegration, own Objects, vendor string) (Objects, error) {
	offered, chosen := d.Objects.of(vendor), own.of(vendor)
	if len(chosen) == 0 {
		return offered, nil
	}
	for object, fields := range chosen[vendor] {
		list, ok := offered[vendor][object]
		if len(offered) > 0 && !ok {
			return nil, fault.New(fault.Invalid, SubjectObject, "the association asks for the object %q, which the ObjectConfiguration of the data integration %q does not have", object, d.Name)
		}
		for _, f := range fields {
			if len(list) > 0 && !slices.Contains(list, f) && !slices.Contains(list, "_all") {
				return nil, fault.New(fault.Invalid, SubjectObject, "the association asks for the field %q of %q, which the data integration %q does not offer; it offers %q", f, object, d.Name, list)
			}
		}
	}
	return chosen, nil
}

// of is o as {vendor: {object: fields}}. What the two levels of keys mean is documented by one example only, so both
// that form and {object: {"fields": fields}} are understood.
func (o Objects) of(vendor string) Objects {
	out := map[string][]string{}
	for top, facets := range o {
		for facet, names := range facets {
			if !strings.EqualFold(top, vendor) && strings.EqualFold(facet, "fields") {
				facet = top
			}
			out[facet] = names
		}
	}
	if len(out) == 0 {
		return nil
	}
	return Objects{vendor: out}
}
