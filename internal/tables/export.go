package tables

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5" //nolint:gosec // the manifest's format asks for it
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/penstock-io/penstock/internal/fault"
	"github.com/penstock-io/penstock/internal/tables/item"
	"github.com/penstock-io/penstock/internal/tables/storage"
)

// Subjects of faults about exports. SubjectBackups is for tables without point-in-time recovery.
const (
	SubjectExport     = "export"      // NotFound; Conflict: the token stood for another export
	SubjectExportTime = "export time" // Invalid
)

// Objects is where exports go.
type Objects interface {
	// Put stores an object of the size, in bytes.
	Put(ctx context.Context, bucket, key string, body io.Reader, size int64) error
}

// States of exports.
const (
	ExportInProgress = "IN_PROGRESS"
	ExportCompleted  = "COMPLETED"
	ExportFailed     = "FAILED"
)

// ExportSpec is what ExportTableToPointInTime asks for. The state exported is the one when the work begins;
// a Time that is further back than presentMeans is refused.
type ExportSpec struct {
	Table       string // ARN
	Bucket      string
	BucketOwner string
	Prefix      string
	Token       string
	Time        int64 // 0: not given
	Encryption  string
	Key         string
}

// Export is an export as it is stored and told. Times are milliseconds since 1970.
type Export struct {
	ID       string     `json:"id"`
	ARN      string     `json:"arn"`
	TableARN string     `json:"tableArn"`
	TableID  string     `json:"tableId"`
	Spec     ExportSpec `json:"spec"`
	Token    string     `json:"token"`
	Status   string     `json:"status"`
	Started  int64      `json:"started"`
	Ended    int64      `json:"ended,omitempty"`
	Time     int64      `json:"time"` // of the state that is exported
	Manifest string     `json:"manifest,omitempty"`
	Items    int64      `json:"items,omitempty"`
	Bytes    int64      `json:"bytes,omitempty"`
	Failure  string     `json:"failure,omitempty"`
}

// presentMeans is how far back a time may be and still mean the present.
const presentMeans = 5 * time.Minute

// StartExport notes an export, which Run then does. The same token gives the same export.
func (db *DB) StartExport(ctx context.Context, spec ExportSpec) (Export, error) {
	if db.cfg.Objects == nil {
		return Export{}, fault.New(fault.Unsupported, SubjectExport, "Exports are not offered: this server has no bucket store to write them to")
	}
	s, err := db.DescribeTable(ctx, spec.Table)
	if err != nil {
		return Export{}, err
	}
	if !s.Recovery {
		return Export{}, fault.New(fault.State, SubjectBackups, "Point in time recovery is not enabled for table '%s'; enable it with UpdateContinuousBackups", s.Name)
	}
	now := db.now()
	if spec.Time != 0 && (spec.Time > now || spec.Time < now-presentMeans.Milliseconds()) {
		return Export{}, fault.New(fault.Invalid, SubjectExportTime, "ExportTime must be within the last %s: this server exports the present state only; leave it out", presentMeans)
	}
	defer db.locks.lock([]uint64{xxhash.Sum64String("exports")})()
	all, err := db.exports()
	if err != nil {
		return Export{}, err
	}
	if i := slices.IndexFunc(all, func(x Export) bool { return spec.Token != "" && x.Token == spec.Token }); i >= 0 {
		if all[i].Spec != spec {
			return Export{}, fault.New(fault.Conflict, SubjectExport, "There was a conflict: the client token %s stands for another export", spec.Token)
		}
		return all[i], nil
	}
	x := Export{TableARN: s.ARN, TableID: s.UUID, Spec: spec, Token: spec.Token, Status: ExportInProgress, Started: now, Time: now}
	id := db.cfg.NewID()
	if x.Token == "" {
		x.Token = id
	}
	x.ID = fmt.Sprintf("%014d-%08x", now, uint32(xxhash.Sum64String(id)))
	x.ARN = s.ARN + "/export/" + x.ID
	if err := db.saveExport(&x); err != nil {
		return Export{}, err
	}
	db.signal()
	return x, nil
}

func (db *DB) saveExport(x *Export) error {
	b, err := json.Marshal(x)
	if err != nil {
		return err
	}
	return db.store.Commit(func(batch *storage.Batch) { batch.Set(storage.ExportKey(x.ID), b) })
}

// exports returns all exports, oldest first.
func (db *DB) exports() ([]Export, error) {
	if err := db.ready(); err != nil {
		return nil, err
	}
	var out []Export
	err := each(db.store, storage.ExportPrefix(), func(_, value []byte) error {
		var x Export
		if err := json.Unmarshal(value, &x); err != nil {
			return err
		}
		out = append(out, x)
		return nil
	})
	return out, err
}

// DescribeExport returns the export of an ARN.
func (db *DB) DescribeExport(_ context.Context, arn string) (Export, error) {
	all, err := db.exports()
	if err != nil {
		return Export{}, err
	}
	i := slices.IndexFunc(all, func(x Export) bool { return x.ARN == arn })
	if i < 0 {
		return Export{}, fault.New(fault.NotFound, SubjectExport, "Export not found: %s", arn)
	}
	return all[i], nil
}

// ListExports returns at most limit exports behind the ARN after, those of one table unless tableARN is empty, and
// whether there are more.
func (db *DB) ListExports(_ context.Context, tableARN, after string, limit int) (list []Export, more bool, err error) {
	all, err := db.exports()
	if err != nil {
		return nil, false, err
	}
	all = slices.DeleteFunc(all, func(x Export) bool { return tableARN != "" && x.TableARN != tableARN })
	if after != "" {
		i := slices.IndexFunc(all, func(x Export) bool { return x.ARN == after })
		if i < 0 {
			return nil, false, invalid("Invalid NextToken: there is no such export")
		}
		all = all[i+1:]
	}
	if len(all) > limit {
		return all[:limit], true, nil
	}
	return all, false, nil
}

// DoExports does the exports that are to be done, also those that a restart interrupted: their objects are
// written again under the same names.
func (db *DB) DoExports(ctx context.Context) error {
	if db.cfg.Objects == nil {
		return nil
	}
	all, err := db.exports()
	if err != nil {
		return err
	}
	for _, x := range all {
		if x.Status != ExportInProgress {
			continue
		}
		if err := db.export(ctx, &x); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			db.cfg.Log.Error("an export failed", "export", x.ARN, "err", err)
			x.Status, x.Failure = ExportFailed, fault.Message(err)
		} else {
			x.Status = ExportCompleted
		}
		x.Ended = db.now()
		if err := db.saveExport(&x); err != nil {
			return err
		}
	}
	return nil
}

// exportFile is how much JSON goes into a data file, in bytes.
const exportFile = 16 << 20

type exportWriter struct {
	db    *DB
	x     *Export
	root  string // of the keys
	files bytes.Buffer
	zip   *gzip.Writer
	data  bytes.Buffer // compressed
	plain int
	items int
}

// export writes an export's objects in AWS's layout.
func (db *DB) export(ctx context.Context, x *Export) error {
	_, d, release, err := db.use(x.TableARN)
	if err != nil {
		return err
	}
	if d.UUID != x.TableID {
		release()
		return notFound(d.Name)
	}
	snapshot := db.store.Snapshot()
	defer snapshot.Close()
	x.Time, x.Items, x.Bytes = db.now(), 0, 0
	release()
	if err := db.store.Barrier(); err != nil {
		return err
	}
	w := &exportWriter{db: db, x: x, root: "AWSDynamoDB/" + x.ID + "/"}
	if p := strings.Trim(x.Spec.Prefix, "/"); p != "" {
		w.root = p + "/" + w.root
	}
	if err := w.put(ctx, "_started", nil); err != nil {
		return err
	}
	w.zip = gzip.NewWriter(&w.data)
	err = each(snapshot, storage.ItemPrefix(d.ID), func(_, value []byte) error {
		size, raw := item.SplitSize(value)
		x.Items++
		x.Bytes += int64(size)
		return w.item(ctx, raw)
	})
	if err != nil {
		return err
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	return w.manifest(ctx)
}

func (w *exportWriter) item(ctx context.Context, raw []byte) error {
	for _, part := range [][]byte{[]byte(`{"Item":`), raw, []byte("}\n")} {
		if _, err := w.zip.Write(part); err != nil {
			return err
		}
		w.plain += len(part)
	}
	w.items++
	if w.plain < exportFile {
		return nil
	}
	return w.flush(ctx)
}

// flush puts the data file at hand, if there is anything in it.
func (w *exportWriter) flush(ctx context.Context) error {
	if w.items == 0 {
		return nil
	}
	if err := w.zip.Close(); err != nil {
		return err
	}
	sum := md5.Sum(w.data.Bytes()) //nolint:gosec // as above
	name := "data/" + hex.EncodeToString(sum[:13]) + ".json.gz"
	if err := w.put(ctx, name, w.data.Bytes()); err != nil {
		return err
	}
	line, err := json.Marshal(map[string]any{
		"itemCount": w.items, "md5Checksum": base64.StdEncoding.EncodeToString(sum[:]), "etag": hex.EncodeToString(sum[:]), "dataFileS3Key": w.root + name,
	})
	if err != nil {
		return err
	}
	w.files.Write(append(line, '\n'))
	w.data.Reset()
	w.zip.Reset(&w.data)
	w.plain, w.items = 0, 0
	return nil
}

func (w *exportWriter) manifest(ctx context.Context) error {
	x := w.x
	at := func(ms int64) string { return millis(ms).Format("2006-01-02T15:04:05.000Z") }
	optional := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	summary, err := json.Marshal(map[string]any{
		"version": "2020-06-30", "exportArn": x.ARN, "startTime": at(x.Started), "endTime": at(w.db.now()), "tableArn": x.TableARN, "tableId": x.TableID,
		"exportTime": at(x.Time), "s3Bucket": x.Spec.Bucket, "s3Prefix": optional(x.Spec.Prefix), "s3SseAlgorithm": optional(x.Spec.Encryption), "s3SseKmsKeyId": optional(x.Spec.Key),
		"manifestFilesS3Key": w.root + "manifest-files.json", "billedSizeBytes": x.Bytes, "itemCount": x.Items, "outputFormat": "DYNAMODB_JSON", "exportType": "FULL_EXPORT",
	})
	if err != nil {
		return err
	}
	x.Manifest = w.root + "manifest-summary.json"
	for _, f := range []struct {
		name string
		body []byte
	}{{"manifest-files", w.files.Bytes()}, {"manifest-summary", summary}} { // the summary last: it says that all is there
		sum := md5.Sum(f.body) //nolint:gosec // as above
		if err := w.put(ctx, f.name+".md5", []byte(base64.StdEncoding.EncodeToString(sum[:]))); err != nil {
			return err
		}
		if err := w.put(ctx, f.name+".json", f.body); err != nil {
			return err
		}
	}
	return nil
}

func (w *exportWriter) put(ctx context.Context, name string, body []byte) error {
	return w.db.cfg.Objects.Put(ctx, w.x.Spec.Bucket, w.root+name, bytes.NewReader(body), int64(len(body)))
}
