package zeroetl

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/penstock-io/penstock/internal/arn"
	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/page"
)

// Bounds of MaxRecords. The default is the upper one.
const (
	MinRecords = 20
	MaxRecords = 100
)

// Names of filters.
const (
	FilterARN    = "integration-arn"
	FilterSource = "source-arn"
	FilterKind   = "source-types"
	FilterStatus = "status"
)

// Filter keeps what matches any of Values. Several filters must all match.
type Filter struct {
	Name   string
	Values []string
}

// ListParams are the members of DescribeIntegrations. Empty fields do not narrow the list.
type ListParams struct {
	ARN        string
	Filters    []Filter
	Marker     string
	MaxRecords *int
}

// InboundParams are the members of DescribeInboundIntegrations.
type InboundParams struct {
	ARN        string
	TargetARN  string
	Marker     string
	MaxRecords *int
}

// Page is a part of a list, oldest first. Marker is empty on the last one.
type Page struct {
	Integrations []Integration
	Marker       string
}

// All returns all integrations, oldest first. The slice must not be changed.
func (s *Service) All(ctx context.Context) ([]Integration, error) {
	return s.store.IntegrationList(ctx)
}

// List returns integrations. An unknown p.ARN is NotFound; filters that match nothing give an empty page.
func (s *Service) List(ctx context.Context, p ListParams) (Page, error) {
	keep, err := compile(p.Filters)
	if err != nil {
		return Page{}, err
	}
	return s.list(ctx, "integrations", p.ARN, p.Marker, p.MaxRecords, keep)
}

// Inbound returns the integrations that load into a namespace, or the one with an ARN. An unknown target is
// NotFound about SubjectTarget, an unknown integration NotFound about SubjectIntegration.
func (s *Service) Inbound(ctx context.Context, p InboundParams) (Page, error) {
	var keep func(*Integration) bool
	if p.TargetARN != "" {
		warehouseID, _, err := s.target(ctx, p.TargetARN)
		if err != nil {
			return Page{}, err
		}
		keep = func(i *Integration) bool { return i.WarehouseID == warehouseID }
	}
	return s.list(ctx, "inbound", p.ARN, p.Marker, p.MaxRecords, keep)
}

// list pages through the integrations that keep accepts, all of them when it is nil.
func (s *Service) list(ctx context.Context, kind, integrationARN, marker string, wish *int, keep func(*Integration) bool) (Page, error) {
	size, err := page.Size(wish, MinRecords, MaxRecords)
	if err != nil {
		return Page{}, err
	}
	var after position
	if marker != "" {
		if after, err = parsePosition(kind, marker); err != nil {
			return Page{}, err
		}
	}
	var all []Integration
	if integrationARN != "" {
		i, err := s.Get(ctx, integrationARN)
		if err != nil {
			return Page{}, err
		}
		all = []Integration{i}
	} else if all, err = s.store.IntegrationList(ctx); err != nil {
		return Page{}, err
	}
	if marker != "" {
		n, found := slices.BinarySearchFunc(all, after, func(i Integration, p position) int { return positionOf(&i).compare(p) })
		if found {
			n++
		}
		all = all[n:]
	}
	if keep == nil && len(all) <= size {
		return Page{Integrations: all}, nil // nothing to copy
	}
	out := make([]Integration, 0, min(size, len(all)))
	for n := range all {
		if keep != nil && !keep(&all[n]) {
			continue
		}
		if len(out) == size {
			return Page{out, positionOf(&out[size-1]).marker(kind)}, nil
		}
		out = append(out, all[n])
	}
	return Page{Integrations: out}, nil
}

// position is where an integration stands in the order of the list.
type position struct {
	created int64 // Unix nanoseconds
	id      string
}

func positionOf(i *Integration) position { return position{i.Created.UnixNano(), i.ID} }

func (p position) compare(q position) int {
	return cmp.Or(cmp.Compare(p.created, q.created), cmp.Compare(p.id, q.id))
}

// Compare orders integrations as IntegrationList does.
func Compare(a, b Integration) int { return positionOf(&a).compare(positionOf(&b)) }

func (p position) marker(list string) string {
	return page.Marker(list, strconv.FormatInt(p.created, 36), p.id)
}

func parsePosition(list, marker string) (position, error) {
	parts, err := page.Parse(list, marker, 2)
	if err != nil {
		return position{}, err
	}
	created, err := strconv.ParseInt(parts[0], 36, 64)
	if err != nil {
		return position{}, fault.New(fault.Invalid, page.SubjectMarker, "the marker %.60q is not one that this call returned; start again without it", marker)
	}
	return position{created, parts[1]}, nil
}

// compile turns filters into one predicate, nil when there are none.
func compile(filters []Filter) (func(*Integration) bool, error) {
	var tests []func(*Integration) bool
	for _, f := range filters {
		if len(f.Values) == 0 {
			return nil, fault.New(fault.Invalid, SubjectFilter, "the filter %q has no values; give at least one", f.Name)
		}
		var field func(*Integration) string
		values := slices.Clone(f.Values)
		for n, v := range values {
			switch f.Name {
			case FilterARN, FilterSource:
				a, err := arn.Parse(v)
				if err != nil {
					return nil, fault.Wrap(err, fault.Invalid, SubjectFilter, "the filter %q takes ARNs, and %s", f.Name, fault.Message(err))
				}
				field = func(i *Integration) string { return i.ARN }
				if f.Name == FilterSource {
					field = func(i *Integration) string { return i.SourceARN }
					if a.Service == "s3" {
						a.Region, a.Account = "", ""
						values[n] = a.String()
					}
				}
			case FilterKind:
				if k := SourceKind(v); k != SourceDynamoDB && k != SourceS3 {
					return nil, fault.New(fault.Invalid, SubjectFilter, "%q is not a source type; the filter %q takes %q and %q", v, f.Name, SourceDynamoDB, SourceS3)
				}
				field = func(i *Integration) string { return string(i.Kind) }
			case FilterStatus:
				if !slices.Contains(Statuses(), Status(v)) {
					return nil, fault.New(fault.Invalid, SubjectFilter, "%q is not a status; the filter %q takes %q", v, f.Name, Statuses())
				}
				field = func(i *Integration) string { return string(i.Status) }
			default:
				return nil, fault.New(fault.Invalid, SubjectFilter, "there is no filter %q; there are %q, %q, %q and %q", f.Name, FilterARN, FilterSource, FilterKind, FilterStatus)
			}
		}
		tests = append(tests, func(i *Integration) bool { return slices.Contains(values, field(i)) })
	}
	if tests == nil {
		return nil, nil
	}
	return func(i *Integration) bool {
		for _, t := range tests {
			if !t(i) {
				return false
			}
		}
		return true
	}, nil
}

// Statuses lists every status.
func Statuses() []Status {
	return []Status{Creating, Active, Modifying, Failed, Deleting, Syncing, NeedsAttention}
}
