package stream

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestTree splits and rolls at random and looks at what every reader relies on.
func TestTree(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var seq uint64
	next := func() uint64 { seq++; return seq }
	for _, n := range []int{1, 3, 4} {
		s := &Stream{Label: "l"}
		shards := s.Begin(n, next, 0)
		for now := int64(1); now < 60; now++ {
			open := slices.DeleteFunc(slices.Clone(shards), func(s *Shard) bool { return !s.Open() })
			victim := open[r.IntN(len(open))]
			if r.IntN(2) == 0 {
				shards = append(shards, s.Roll(victim, next, now*1000))
			} else {
				shards = append(shards, s.Split(victim, next, now*1000)...)
			}
			for range 100 {
				hash := r.Uint64()
				if r.IntN(4) == 0 {
					hash = []uint64{0, ^uint64(0), 1 << 63, 1<<63 - 1}[r.IntN(4)]
				}
				owners := 0
				for _, s := range shards {
					if s.Open() && s.Covers(hash) {
						owners++
					}
				}
				if owners != 1 {
					t.Fatalf("%d open shards cover the hash %x", owners, hash)
				}
			}
		}
		for i, s := range shards {
			if i > 0 && shards[i-1].ID >= s.ID {
				t.Errorf("%s does not come after %s", s.ID, shards[i-1].ID)
			}
			if len(s.ID) < 28 || len(s.ID) > 65 {
				t.Errorf("the name %s is too short or too long", s.ID)
			}
			if s.Parent == "" {
				continue
			}
			parent := Find(shards, s.Parent)
			if parent.Last >= s.First || parent.Open() {
				t.Errorf("%s begins at %d and its parent ends at %d", s.ID, s.First, parent.Last)
			}
		}
	}
}

func TestSequence(t *testing.T) {
	for _, n := range []uint64{0, 1, 12345, ^uint64(0)} {
		text := FormatSequence(n)
		if got, err := ParseSequence(text); err != nil || got != n || len(text) != 21 {
			t.Errorf("%d is %s is %d, %v", n, text, got, err)
		}
	}
	for in, want := range map[string]uint64{"0": 0, "99999999999999999999": 0, "200000000000000000000": ^uint64(0), strings.Repeat("9", 40): ^uint64(0), "199999999999999999999": ^uint64(0)} {
		if got, err := ParseSequence(in); err != nil || got != want {
			t.Errorf("ParseSequence(%s) = %d, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "x", "-1", "1.5", strings.Repeat("9", 41)} {
		if _, err := ParseSequence(in); err == nil {
			t.Errorf("ParseSequence(%q) accepted", in)
		}
	}
}

func TestToken(t *testing.T) {
	it := Iterator{Stream: 7, Shard: 3, After: 1 << 60, Issued: 1_700_000_000_000}
	token := it.Token("arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/l")
	if got, err := ParseToken(token); err != nil || got != it {
		t.Errorf("%+v came back as %+v, %v", it, got, err)
	}
	for _, bad := range []string{"", "x", token[:len(token)-4], token + "AAAA", strings.Replace(token, "|1|A", "|1|B", 1), "a|1|"} {
		if _, err := ParseToken(bad); err == nil {
			t.Errorf("ParseToken(%q) accepted", bad)
		}
	}
}

func TestRecord(t *testing.T) {
	for _, r := range []Record{
		{Event: Insert, Time: 5, Size: 9, Keys: []byte("k"), New: []byte("n")},
		{Event: Modify, Keys: []byte("k"), New: []byte("n"), Old: []byte("o")},
		{Event: Remove, Expired: true, Time: 1 << 50, Keys: []byte("k"), Old: []byte(strings.Repeat("o", 400))},
	} {
		b := r.Append(nil)
		if got, err := ParseRecord(b); err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%+v came back as %+v, %v", r, got, err)
		}
		for i := range b {
			if got, err := ParseRecord(b[:i]); err == nil {
				t.Errorf("half a record is %+v", got)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("arn|1|AAAA", "100000000000000000001", []byte{1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, token, seq string, record []byte) {
		if it, err := ParseToken(token); err == nil {
			if again, err := ParseToken(it.Token("")); err != nil || again != it {
				t.Fatalf("%+v does not survive", it)
			}
		}
		_, _ = ParseSequence(seq)
		if r, err := ParseRecord(record); err == nil {
			if again, err := ParseRecord(r.Append(nil)); err != nil || !reflect.DeepEqual(again, r) {
				t.Fatalf("%+v does not survive", r)
			}
		}
	})
}
