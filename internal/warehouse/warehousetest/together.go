package warehousetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/penstock-io/penstock/internal/change"
)

// testReaders reads all the time while batches are applied and generations replaced. Every row of a batch, and of
// a generation, has the same version, and they are the same rows, so no reader may see two versions at once.
func testReaders(e *env) {
	const items = 200
	all := func(version int) (rows []change.Row) {
		for i := range items {
			rows = append(rows, put(fmt.Sprintf("item %d", i), i, version))
		}
		return rows
	}
	g := e.live(all(0)...)
	stop := make(chan struct{})
	errs := make(chan error, 3)
	var wg sync.WaitGroup
	var started sync.WaitGroup
	started.Add(cap(errs))
	for range cap(errs) {
		wg.Go(func() {
			errs <- func() error {
				for first := true; ; first = false {
					rows, ok, err := e.target.Read(e.ctx)
					if first {
						started.Done()
					}
					if err != nil || !ok {
						return errors.Join(fmt.Errorf("table to be seen: %v", ok), err)
					}
					versions := map[string]int{}
					for _, r := range rows {
						var item struct{ V struct{ N string } }
						if err := json.Unmarshal(r.Doc, &item); err != nil {
							return err
						}
						versions[item.V.N]++
					}
					if len(rows) != items || len(versions) != 1 {
						return fmt.Errorf("a reader sees %d rows with versions %v", len(rows), versions)
					}
					select {
					case <-stop:
						return nil
					default:
					}
				}
			}()
		})
	}
	started.Wait()
	for version := 1; version <= 20; version++ {
		if version%4 != 0 {
			e.apply(g, batch("shard", fmt.Sprint(version), all(version)...))
			continue
		}
		g = e.begin(fmt.Sprint(version), change.Marks{"shard": "0"})
		half := all(version - 1)
		e.load(batch("part", "1", half[:items/2]...))
		e.apply(g, batch("shard", "1", all(version)[:items/4]...))
		e.load(batch("part", "2", half[items/2:]...))
		e.apply(g, batch("shard", "2", all(version)...))
		e.publish()
	}
	close(stop)
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			e.Error(err)
		}
	}
	e.sees(modelOf(all(20)...))
}

// testSideBySide loads and applies from two goroutines, as the pipeline does.
func testSideBySide(e *env) {
	e.own()
	g := e.begin("id", change.Marks{"shard": "0"})
	const rounds, each = 15, 50
	want := model{}
	errs := make(chan error, 2)
	go func() {
		var err error
		for i := 0; i < rounds && err == nil; i++ {
			var rows []change.Row
			for k := range each {
				rows = append(rows, put("item", i*each+k, 0))
			}
			err = e.r.Load(e.ctx, batch("part", fmt.Sprint(i), rows...))
		}
		errs <- err
	}()
	go func() {
		var err error
		for i := 0; i < rounds && err == nil; i++ {
			var rows []change.Row
			for k := range each {
				if row := put("item", (i*37+k*11)%(rounds*each+100), i+1); k%7 == 0 {
					rows = append(rows, change.Row{Keys: row.Keys})
				} else {
					rows = append(rows, row)
				}
			}
			err = e.r.Apply(e.ctx, g, batch("shard", fmt.Sprint(i), rows...))
		}
		errs <- err
	}()
	for range cap(errs) {
		e.must(<-errs)
	}
	for k := range rounds * each {
		want.apply(put("item", k, 0))
	}
	for i := range rounds {
		for k := range each {
			if row := put("item", (i*37+k*11)%(rounds*each+100), i+1); k%7 == 0 {
				row.Doc = nil
				want.apply(row)
			} else {
				want.apply(row)
			}
		}
	}
	e.publish()
	e.sees(want)
}
