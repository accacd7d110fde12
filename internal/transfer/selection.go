package transfer

import (
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/load"
)

// selection tells which files of a source a run takes.
type selection struct {
	prefix   string   // of the source, a folder or one file
	folders  []string // key prefixes that end in a slash; empty means all of prefix
	filters  map[string][]string
	window   Window
	excluded []string // key prefixes of what runs have put there themselves
}

// filterNames are the keys of Filters, in lower case, and what they go by.
var filterNames = map[string]string{
	"extension": "extension", "extensions": "extension", "fileextension": "extension", "filetype": "extension",
	"prefix": "prefix", "suffix": "suffix", "name": "name", "exclude": "exclude",
}

func newSelection(s source, d destination, account string, folders []string, filters map[string][]string, w Window) (selection, error) {
	sel := selection{prefix: s.prefix, window: w, filters: map[string][]string{}}
	for _, f := range folders {
		folder := f
		if rest, ok := strings.CutPrefix(folder, "s3://"); ok {
			bucket, key, _ := strings.Cut(rest, "/")
			if bucket != s.bucket {
				return sel, fault.New(fault.Invalid, SubjectSource, "the folder %q is in another bucket than the source, %s", f, s.bucket)
			}
			folder = key
		} else {
			folder = join(s.prefix, strings.Trim(folder, "/"))
		}
		folder = strings.Trim(folder, "/")
		if path.Clean("/"+folder) != "/"+folder {
			return sel, fault.New(fault.Invalid, SubjectSource, "the folder %q has an empty segment, or one that is . or ..", f)
		}
		if folder != "" {
			folder += "/"
		}
		if s.prefix != "" && !strings.HasPrefix(folder, s.prefix+"/") {
			return sel, fault.New(fault.Invalid, SubjectSource, "the folder %q is not below the source, s3://%s/%s", f, s.bucket, s.prefix)
		}
		sel.folders = append(sel.folders, folder)
	}
	sort.Strings(sel.folders)
	sel.folders = slices.Compact(sel.folders)
	for name, values := range filters {
		kind, ok := filterNames[strings.ToLower(name)]
		if !ok {
			return sel, fault.New(fault.Invalid, SubjectSource, "the filter %q is unknown; there is extension, prefix, suffix, name and exclude", name)
		}
		for _, v := range values {
			switch kind {
			case "extension":
				v = "." + strings.ToLower(strings.TrimPrefix(strings.TrimPrefix(v, "*"), "."))
			case "name", "exclude":
				if _, err := path.Match(v, ""); err != nil {
					return sel, fault.New(fault.Invalid, SubjectSource, "%q in the filter %q is not a pattern such as *.csv", v, name)
				}
			}
			sel.filters[kind] = append(sel.filters[kind], v)
		}
	}
	if d.bucket == s.bucket {
		sel.excluded = []string{join(d.prefix, "_manifest") + "/", join(d.prefix, account) + "/"}
	}
	return sel, nil
}

// roots are the prefixes to list. No one of them contains another.
func (s selection) roots() []string {
	if len(s.folders) == 0 {
		return []string{s.prefix}
	}
	var roots []string
	for _, f := range s.folders { // sorted, so what contains comes before what is contained
		if len(roots) == 0 || !strings.HasPrefix(f, roots[len(roots)-1]) {
			roots = append(roots, f)
		}
	}
	return roots
}

// relative is a key below the source's prefix, and whether it is there at all.
func (s selection) relative(key string) (string, bool) {
	if s.prefix == "" {
		return key, true
	}
	if key == s.prefix {
		return path.Base(key), true
	}
	return strings.CutPrefix(key, s.prefix+"/")
}

// takes reports whether a file is taken: it meets every filter, each by any of its values.
func (s selection) takes(f load.File) bool {
	rel, ok := s.relative(f.Key)
	if !ok || slices.ContainsFunc(s.excluded, func(p string) bool { return strings.HasPrefix(f.Key, p) }) {
		return false
	}
	if !s.window.Start.IsZero() && f.Modified.Before(s.window.Start) || !s.window.End.IsZero() && !f.Modified.Before(s.window.End) {
		return false
	}
	base := path.Base(rel)
	for kind, values := range s.filters {
		met := slices.ContainsFunc(values, func(v string) bool {
			switch kind {
			case "extension":
				return strings.HasSuffix(strings.ToLower(base), v)
			case "prefix":
				return strings.HasPrefix(rel, strings.TrimPrefix(v, "/"))
			case "suffix":
				return strings.HasSuffix(rel, v)
			}
			matched, err := path.Match(v, base)
			return err == nil && matched
		})
		if met == (kind == "exclude") {
			return false
		}
	}
	return true
}
