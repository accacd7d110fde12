package tables

import "slices"

// Usage adds up the capacity that a request takes from each table and index.
type Usage struct {
	Tables []TableUsage
	factor float64 // 2 within transactions
}

// TableUsage is the capacity taken from a table and its indexes, in units.
type TableUsage struct {
	Table  string
	Read   float64
	Write  float64
	Own    float64 // the part of the table itself
	Local  map[string]float64
	Global map[string]float64
}

// Total is all units.
func (u TableUsage) Total() float64 { return u.Read + u.Write }

func (u *Usage) table(d *Description) *TableUsage {
	i := slices.IndexFunc(u.Tables, func(t TableUsage) bool { return t.Table == d.Name })
	if i < 0 {
		u.Tables = append(u.Tables, TableUsage{Table: d.Name})
		i = len(u.Tables) - 1
	}
	return &u.Tables[i]
}

func (u *Usage) times() float64 {
	if u.factor == 0 {
		return 1
	}
	return u.factor
}

const (
	readUnit  = 4 << 10 // bytes
	writeUnit = 1 << 10
)

func units(bytes, unit int) float64 { return float64(max(1, (bytes+unit-1)/unit)) }

// write notes the write of an item of the size, in bytes. u may be nil.
func (u *Usage) write(d *Description, size int) {
	if u == nil {
		return
	}
	n := units(size, writeUnit) * u.times()
	t := u.table(d)
	t.Write += n
	t.Own += n
}

// writeIndex notes the write of an index entry. u may be nil.
func (u *Usage) writeIndex(d *Description, x *Index, size int) {
	if u != nil {
		u.index(d, x, true, units(size, writeUnit)*u.times())
	}
}

func (u *Usage) index(d *Description, x *Index, write bool, n float64) {
	t := u.table(d)
	if write {
		t.Write += n
	} else {
		t.Read += n
	}
	into := &t.Local
	if slices.Contains(d.Global, x) {
		into = &t.Global
	}
	if *into == nil {
		*into = map[string]float64{}
	}
	(*into)[x.Name] += n
}

// read notes that bytes were read, together, from the table or, unless x is nil, from the index.
func (u *Usage) read(d *Description, x *Index, bytes int, consistent bool) {
	n := units(bytes, readUnit) * u.times()
	if !consistent && u.times() == 1 {
		n /= 2
	}
	if x != nil {
		u.index(d, x, false, n)
		return
	}
	t := u.table(d)
	t.Read += n
	t.Own += n
}
