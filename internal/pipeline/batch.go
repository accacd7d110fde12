package pipeline

import (
	"github.com/penstock-io/penstock/internal/change"
)

// batcher collects pages into a batch. With unique it keeps the last image of each key only, in the order in
// which the keys came last.
type batcher struct {
	maxRows, maxBytes int
	unique            bool

	batch change.Batch
	at    map[[2]string]int // index in batch.Rows, by key
	marks map[string]int    // index in batch.Marks, by part
}

func newBatcher(rows, bytes int) *batcher { return &batcher{maxRows: rows, maxBytes: bytes} }

func (b *batcher) add(p change.Page) {
	if b.marks == nil {
		b.marks, b.at = map[string]int{}, map[[2]string]int{}
	}
	if !b.unique {
		b.batch.Rows = append(b.batch.Rows, p.Rows...)
	} else {
		for _, row := range p.Rows {
			if i, ok := b.at[row.Keys]; ok {
				b.batch.Rows[i] = row
				continue
			}
			b.at[row.Keys] = len(b.batch.Rows)
			b.batch.Rows = append(b.batch.Rows, row)
		}
	}
	if i, ok := b.marks[p.Mark.Part]; ok {
		b.batch.Marks[i] = p.Mark
	} else {
		b.marks[p.Mark.Part] = len(b.batch.Marks)
		b.batch.Marks = append(b.batch.Marks, p.Mark)
	}
	b.batch.Bytes += p.Bytes
	if p.Newest.After(b.batch.Newest) {
		b.batch.Newest = p.Newest
	}
}

func (b *batcher) full() bool {
	return len(b.batch.Rows) >= b.maxRows || b.batch.Bytes >= b.maxBytes
}

// take returns the batch and starts another; ok is false when there is nothing to say.
func (b *batcher) take() (_ change.Batch, ok bool) {
	batch := b.batch
	b.batch, b.at, b.marks = change.Batch{}, nil, nil
	return batch, len(batch.Marks) > 0
}
