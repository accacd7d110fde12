package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/penstock-io/penstock/internal/fault"
)

func open(t *testing.T, cfg Config) *Store {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCommitsTakeEffectInOneOrder(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	const writers, each = 8, 200
	var order []uint64 // appended to by builds without a lock: they run alone
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				err := s.Commit(func(b *Batch) {
					n := b.Next()
					order = append(order, n)
					b.Set(RecordKey(1, 0, n), fmt.Appendf(nil, "%d-%d", w, i))
				})
				if err != nil {
					t.Error(err)
				}
				if s.Durable() == 0 {
					t.Error("a commit returned and nothing is durable")
				}
			}
		})
	}
	wg.Wait()
	for i, n := range order {
		if n != uint64(i+1) {
			t.Fatalf("the sequence number after %d is %d", i, n)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{Dir: dir})
	defer s.Close()
	if s.Durable() != writers*each {
		t.Errorf("after opening again %d is durable, want %d", s.Durable(), writers*each)
	}
	it, err := s.Iterate(RecordPrefix(1, 0), End(RecordPrefix(1, 0)))
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	next := map[byte]int{} // of each writer
	count := 0
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.Value()
		if err != nil {
			t.Fatal(err)
		}
		w := value[0]
		if want := fmt.Sprintf("%c-%d", w, next[w]); string(value) != want {
			t.Fatalf("record %d is %s, want %s", RecordSequence(it.Key()), value, want)
		}
		next[w]++
		count++
	}
	if count != writers*each {
		t.Errorf("%d records, want %d", count, writers*each)
	}
}

// tightFS is a file system that says how much room it has.
type tightFS struct {
	vfs.FS
	free *atomic.Uint64
}

func (fs tightFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: fs.free.Load(), TotalBytes: 1 << 40}, nil
}

func TestFullDisk(t *testing.T) {
	var free atomic.Uint64
	free.Store(1 << 30)
	s := open(t, Config{Dir: t.TempDir(), FS: tightFS{vfs.Default, &free}})
	defer s.Close()
	set := func(k string) error { return s.Commit(func(b *Batch) { b.Set(TableKey(k), []byte(k)) }) }
	if err := set("before"); err != nil {
		t.Fatal(err)
	}
	free.Store(1 << 20)
	s.room.checked = s.room.checked.Add(-roomEvery)
	if err := set("full"); !fault.Is(err, fault.Unavailable, SubjectDisk) {
		t.Fatalf("writing to a full disk: %v", err)
	}
	if _, found, err := s.Get(TableKey("full")); found || err != nil {
		t.Errorf("a refused write is there: %v %v", found, err)
	}
	if v, found, err := s.Get(TableKey("before")); !found || err != nil || string(v) != "before" {
		t.Errorf("reading on a full disk: %q %v %v", v, found, err)
	}
	free.Store(1 << 30)
	if err := set("after"); err != nil {
		t.Errorf("writing when there is room again: %v", err)
	}
}

// brokenFS fails every sync of the log once it is told to.
type brokenFS struct {
	vfs.FS
	broken *atomic.Bool
}

func (fs brokenFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := fs.FS.Create(name, category)
	if err != nil {
		return nil, err
	}
	return brokenFile{f, fs.broken}, nil
}

type brokenFile struct {
	vfs.File
	broken *atomic.Bool
}

func (f brokenFile) Write(p []byte) (int, error) {
	if f.broken.Load() {
		return 0, fmt.Errorf("no space left on device")
	}
	return f.File.Write(p)
}

func TestBrokenDiskEndsWritesNotReads(t *testing.T) {
	var broken atomic.Bool
	s := open(t, Config{Dir: t.TempDir(), FS: brokenFS{vfs.Default, &broken}})
	if err := s.Commit(func(b *Batch) { b.Set(TableKey("a"), []byte("1")) }); err != nil {
		t.Fatal(err)
	}
	broken.Store(true)
	for range 2 {
		if err := s.Commit(func(b *Batch) { b.Set(TableKey("a"), []byte("2")) }); !fault.Is(err, fault.Unavailable, SubjectDisk) {
			t.Fatalf("writing to a broken disk: %v", err)
		}
	}
	if _, found, err := s.Get(TableKey("a")); !found || err != nil {
		t.Errorf("reading after the disk broke: %v %v", found, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestEnd(t *testing.T) {
	for _, tc := range []struct{ in, want []byte }{
		{[]byte{1}, []byte{2}}, {[]byte{1, 0xFF}, []byte{2}}, {[]byte{0xFF}, nil}, {[]byte{1, 2, 3}, []byte{1, 2, 4}},
	} {
		if got := End(tc.in); !bytes.Equal(got, tc.want) {
			t.Errorf("End(%v) = %v, want %v", tc.in, got, tc.want)
		}
	}
}

func TestRefusesOtherLayouts(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	if err := s.Commit(func(b *Batch) { b.Set(versionKey, []byte{99}) }); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := Open(Config{Dir: dir, Log: slog.New(slog.DiscardHandler)}); !fault.Is(err, fault.Unavailable, SubjectDisk) {
		t.Errorf("opening a store of another layout: %v", err)
	}
}

func BenchmarkCommit(b *testing.B) {
	s, err := Open(Config{Dir: b.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	value := bytes.Repeat([]byte{'x'}, 200)
	var next atomic.Uint64
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := next.Add(1)
			if err := s.Commit(func(b *Batch) {
				b.Set(binary.BigEndian.AppendUint64(ItemPrefix(1), n*0x9E3779B97F4A7C15), value)
			}); err != nil {
				b.Error(err)
			}
		}
	})
}
