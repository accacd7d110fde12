package appint

import (
	"maps"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
)

// plan works out what executions of an association of d do. schedule is the association's or, without one, the data
// integration's. When must is set the association is going to run, and what is missing for that is Invalid.
func plan(d DataIntegration, destination string, own Objects, c Schedule, must bool) (Plan, error) {
	p := Plan{SourceURI: d.SourceURI, DestinationURI: destination, Folders: d.Files.Folders, Filters: d.Files.Filters}
	if must && destination == "" {
		return p, fault.New(fault.Invalid, SubjectDestination, "an association that runs needs a DestinationURI; %s", destinationForms)
	}
	if d.SourceURI == "" {
		if must {
			return p, fault.New(fault.Invalid, SubjectSource, "the data integration %q has no SourceURI, so there is nothing to run; make one with a source", d.Name)
		}
		return p, nil
	}
	src, err := ParseSource(d.SourceURI)
	if err != nil {
		return p, err
	}
	if destination != "" {
		dst, err := ParseDestination(destination)
		if err != nil {
			return p, err
		}
		if src.Bucket != "" && src.Bucket == dst.Bucket && strings.HasPrefix(dst.Prefix, src.Prefix) && len(p.Folders) == 0 {
			return p, fault.New(fault.Invalid, SubjectDestination,
				"the destination %q lies in the source %q, so that every execution would read what the one before it wrote; choose a destination beside it", destination, d.SourceURI)
		}
	}
	if src.Vendor == "" {
		return p, nil
	}
	if p.Object, err = objectOf(d, own, c, src.Vendor); err != nil {
		return p, err
	}
	if p.Object == "" && must {
		return p, fault.New(fault.Invalid, SubjectObject, "nothing says what to read of the source %q; name it as Object of the schedule, or in an ObjectConfiguration", d.SourceURI)
	}
	p.Fields, err = fieldsOf(d, own, p.Object)
	return p, err
}

// objectOf is the one object that is read: what a schedule names, or else the only one in an ObjectConfiguration.
func objectOf(d DataIntegration, own Objects, c Schedule, vendor string) (string, error) {
	for _, named := range []string{c.Object, d.Schedule.Object} {
		if named != "" {
			return named, nil
		}
	}
	for _, o := range []Objects{own, d.Objects} {
		names := o.objects(vendor)
		switch len(names) {
		case 0:
		case 1:
			return names[0], nil
		default:
			return "", fault.New(fault.Invalid, SubjectObject, "the ObjectConfiguration names %q and one object is read; name it as Object of the schedule, and make a data integration for each", names)
		}
	}
	return "", nil
}

// objects are the names of objects in an ObjectConfiguration. The two levels of its keys are documented by one
// example only; {vendor: {object: fields}} and {object: {"fields": fields}} are both understood.
func (o Objects) objects(vendor string) []string {
	names := map[string]bool{}
	for top, facets := range o {
		for facet := range facets {
			if !strings.EqualFold(top, vendor) && strings.EqualFold(facet, "fields") {
				names[top] = true
			} else {
				names[facet] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// fieldsOf are the fields that are read, none for all of them. What the association lists narrows what the data
// integration lists.
func fieldsOf(d DataIntegration, own Objects, object string) ([]string, error) {
	offered, chosen := d.Objects.fields(object), own.fields(object)
	if len(chosen) == 0 {
		return offered, nil
	}
	for _, f := range chosen {
		if len(offered) > 0 && !slices.Contains(offered, f) {
			return nil, fault.New(fault.Invalid, SubjectObject, "the association asks for the field %q of %q, which the data integration %q does not offer; it offers %q", f, object, d.Name, offered)
		}
	}
	return chosen, nil
}

// fields are the names listed under object on either level, each once, in the order given where there is one list.
func (o Objects) fields(object string) []string {
	var out []string
	for _, top := range slices.Sorted(maps.Keys(o)) {
		for _, facet := range slices.Sorted(maps.Keys(o[top])) {
			if !strings.EqualFold(top, object) && !strings.EqualFold(facet, object) {
				continue
			}
			for _, f := range o[top][facet] {
				if !slices.Contains(out, f) {
					out = append(out, f)
				}
			}
		}
	}
	return out
}
