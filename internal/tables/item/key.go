package item

import "github.com/cespare/xxhash/v2"

// Definition is a key attribute as a table or an index declares it: S, N or B.
type Definition struct {
	Name string `json:"name"`
	Type Type   `json:"type"`
}

// Schema is a primary key: the partition key, and the sort key unless its name is empty.
type Schema struct {
	Hash  Definition `json:"hash"`
	Range Definition `json:"range,omitzero"`
}

// HasRange reports whether the key has a sort key.
func (s Schema) HasRange() bool { return s.Range.Name != "" }

// Definitions returns one or two definitions.
func (s Schema) Definitions() []Definition {
	if s.HasRange() {
		return []Definition{s.Hash, s.Range}
	}
	return []Definition{s.Hash}
}

// Names returns the names of the key's attributes.
func (s Schema) Names() []string {
	if s.HasRange() {
		return []string{s.Hash.Name, s.Range.Name}
	}
	return []string{s.Hash.Name}
}

// Has reports whether the attribute is part of the key.
func (s Schema) Has(name string) bool {
	return name == s.Hash.Name || s.HasRange() && name == s.Range.Name
}

// CheckKey judges a key given to find an item: exactly the attributes of the schema, of its types.
func (s Schema) CheckKey(key Item) error {
	if len(key) != len(s.Definitions()) {
		return invalid("The number of conditions on the keys is invalid")
	}
	for _, d := range s.Definitions() {
		if key.Get(d.Name).Type != d.Type {
			return invalid("The provided key element does not match the schema")
		}
	}
	return s.checkValues(key)
}

// CheckItem judges an item to be stored: it has the key's attributes, of its types.
func (s Schema) CheckItem(m Item) error {
	for _, d := range s.Definitions() {
		v := m.Get(d.Name)
		if v.Type == 0 {
			return invalid("One or more parameter values were invalid: Missing the key %s in the item", d.Name)
		}
		if v.Type != d.Type {
			return invalid("One or more parameter values were invalid: Type mismatch for key %s expected: %s actual: %s", d.Name, d.Type, v.Type)
		}
	}
	return s.checkValues(m)
}

// CheckIndexed judges an item against the key of the index of the given name. An item that lacks one of
// the attributes is fine: it is not in the index.
func (s Schema) CheckIndexed(m Item, index string) error {
	for i, d := range s.Definitions() {
		v := m.Get(d.Name)
		switch {
		case v.Type == 0:
			continue
		case v.Type != d.Type:
			return invalid("One or more parameter values were invalid: Type mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s", d.Name, d.Type, v.Type, index)
		case v.Type != N && v.Text == "":
			return invalid("One or more parameter values are not valid. A value specified for a secondary index key is not supported. "+
				"The AttributeValue for a key attribute cannot contain an empty %s value. IndexName: %s, IndexKey: %s", kindOfText[v.Type], index, d.Name)
		}
		if err := checkKeySize(v, i == 1); err != nil {
			return err
		}
	}
	return nil
}

var kindOfText = map[Type]string{S: "string", B: "binary"}

func (s Schema) checkValues(m Item) error {
	for i, d := range s.Definitions() {
		v := m.Get(d.Name)
		if v.Type != N && v.Text == "" {
			return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s", kindOfText[v.Type], d.Name)
		}
		if err := checkKeySize(v, i == 1); err != nil {
			return err
		}
	}
	return nil
}

// The missing blanks are the service's.
func checkKeySize(v Value, isRange bool) error {
	if !isRange && len(v.Text) > MaxHash && v.Type != N {
		return invalid("One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of%d bytes", MaxHash)
	}
	if isRange && len(v.Text) > MaxRange && v.Type != N {
		return invalid("One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of%d bytes", MaxRange)
	}
	return nil
}

// Of returns the key of an item.
func (s Schema) Of(m Item) Item {
	out := make(Item, 0, 2)
	for _, a := range m {
		if s.Has(a.Name) {
			out = append(out, a)
		}
	}
	return out
}

// HashOf spreads partition keys evenly over all 64-bit numbers. It is stored, and so must never change.
func HashOf(v Value) uint64 { return xxhash.Sum64(AppendSortable(nil, v)) }

// AppendSortable appends an encoding of a value of type S, N or B that compares, byte by byte, as values
// of that type do, and that says itself where it ends.
func AppendSortable(b []byte, v Value) []byte {
	if v.Type == N {
		return v.Number().AppendSortable(b)
	}
	b = AppendSortablePrefix(b, v)
	return append(b, 0, 1)
}

// AppendSortablePrefix appends what the encodings of all values that begin with v, of type S or B, begin with.
func AppendSortablePrefix(b []byte, v Value) []byte {
	for i := range len(v.Text) {
		if c := v.Text[i]; c == 0 {
			b = append(b, 0, 0xFF) // so that 0, 1 can only be an end
		} else {
			b = append(b, c)
		}
	}
	return b
}
