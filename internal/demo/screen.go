package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// every is how often progress is printed where it cannot be drawn over.
const every = time.Second

// screen draws lines of progress over the last ones.
type screen struct {
	*demo
	drawn   int
	printed time.Time
}

// show draws the lines on a terminal; elsewhere it prints the short form now and then.
func (s *screen) show(lines []string, short string, last bool) {
	if !s.Redraw {
		if last || time.Since(s.printed) >= every {
			s.printed = time.Now()
			fmt.Fprintln(s.Out, "  "+short)
		}
		return
	}
	if s.drawn > 0 {
		fmt.Fprintf(s.Out, "\x1b[%dA", s.drawn)
	}
	for _, line := range lines {
		fmt.Fprintf(s.Out, "\x1b[2K  %s\n", line)
	}
	s.drawn = len(lines)
}

// files shows the progress of files.
func (s *screen) files(put int, now seen) {
	s.show([]string{
		fmt.Sprintf("source   %s %4d files %8d rows", bar(put, s.Files), put, put*s.RowsPerFile),
		fmt.Sprintf("table    %s %4d files %8d rows", bar(int(now.loaded), s.Files), now.loaded, now.rows),
		fmt.Sprintf("refused  %d file", now.failed),
		fmt.Sprintf("freshness (PUT acknowledged to row visible)  %s", freshness(now.fresh)),
	}, fmt.Sprintf("files put %4d  loaded %4d  refused %d   rows in table %7d   freshness %s",
		put, now.loaded, now.failed, now.rows, freshness(now.fresh)), int(now.loaded+now.failed) == s.Files)
}

func bar(n, of int) string {
	const width = 30
	full := min(width, n*width/max(of, 1))
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}

// freshness says how long it took from the source's word to the row, for the middle and the slowest of 100.
func freshness(all []time.Duration) string {
	if len(all) == 0 {
		return "p50 -  p99 -"
	}
	slices.Sort(all)
	at := func(p int) time.Duration { return all[(len(all)-1)*p/100].Round(time.Millisecond) }
	return fmt.Sprintf("p50 %s  p99 %s", at(50), at(99))
}

// summary says what came of it, where the refused file's error is, and what to type next.
func (d *demo) summary(ctx context.Context) error {
	s, err := d.look(ctx)
	if err != nil {
		return err
	}
	const find = `SELECT file_name, line_number, column_name, error_code, error_message FROM sys_load_error_detail`
	bad, err := d.sql(ctx, find)
	if err != nil {
		return err
	}
	if len(bad) == 0 {
		return fmt.Errorf("the bad file left no error in sys_load_error_detail")
	}
	if want := int64((d.Files - 1) * d.RowsPerFile); s.rows != want {
		return fmt.Errorf("the table has %d rows, want %d", s.rows, want)
	}
	fmt.Fprintf(d.Out, `
%d files are in the table, every row once: %d rows. PUT acknowledged to row visible: %s.
One file was refused and stopped no other. Where its error is found:

  %s
    -> %s line %s, column %s, code %s: %s

Try it yourself:

  eval "$(%s env --listen %s)"
  aws s3 ls s3://%s/%s
  aws redshift describe-integrations
  aws dynamodb update-item --table-name %s --key '{"id":{"S":"c-00001"}}' \
       --update-expression "SET note = :n" --expression-attribute-values '{":n":{"S":"hello"}}'
  aws redshift-data execute-statement --cluster-identifier default --database %s \
       --sql "SELECT id, \"value\".\"note\".\"S\"::varchar FROM public.\"%s\" WHERE id = 'c-00001'"
  id=$(aws redshift-data execute-statement --cluster-identifier default --database dev \
       --sql "SELECT count(*) FROM orders" --query Id --output text)
  aws redshift-data describe-statement --id "$id" --query Status
  aws redshift-data get-statement-result --id "$id" --query Records
  echo "999999,me,1.50,2026-01-02 03:04:05" | aws s3 cp - s3://%s/%smine.csv
`, s.loaded, s.rows, freshness(s.fresh), find,
		text(bad[0][0]), text(bad[0][1]), text(bad[0][2]), text(bad[0][3]), text(bad[0][4]),
		d.Program, strings.TrimPrefix(d.Endpoint, "http://"), bucket, prefix, table, database, table, bucket, prefix)
	return nil
}
