package buckets

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/controllers"
	"github.com/versity/versitygw/s3api/middlewares"
)

// Subjects of this package's faults.
const (
	SubjectBucket = "bucket"
	SubjectObject = "object"
)

// maxRequests bounds the requests in flight; more are answered SlowDown.
const maxRequests = 4096

// Config says where the buckets are and whose they are. Every field without a stated default is required.
type Config struct {
	Dir     string // one directory per bucket; created with mode 0700 when missing
	Region  string // the only region requests may be signed for
	Account string // twelve digits; the owner of every bucket
	// Keys returns the secret of an access key. It is asked for every request and must be fast.
	Keys  func(accessKeyID string) (secret string, ok bool)
	Store Store
	Now   func() time.Time
	Log   *slog.Logger
	// OnArrival and OnRemoval, when set, are called in the request's goroutine before the client gets its
	// answer. They must not block and must not call back into the Server's write methods.
	OnArrival func(Arrival)
	OnRemoval func(Removal)
	// NoSync leaves it to the operating system when objects reach the disk. The default, false, makes an
	// acknowledged object survive a power failure.
	NoSync bool
}

// Server is an open object store. It is safe for concurrent use.
type Server struct {
	cfg       Config
	objects   *objects
	documents *documents
	handler   http.Handler
}

// Open makes the directory if needed, tidies what a killed process left in it and returns the store. It
// starts nothing.
func Open(cfg Config) (*Server, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("bucket directory: %w", err)
	}
	abs, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("bucket directory: %w", err)
	}
	// Resolved once, so that Path can tell a symbolic link below it by comparing.
	if cfg.Dir, err = filepath.EvalSymlinks(abs); err != nil {
		return nil, fmt.Errorf("bucket directory: %w", err)
	}
	if err := (meta.XattrMeta{}).Test(cfg.Dir); err != nil {
		return nil, fmt.Errorf("bucket directory %s: %w; choose a data directory on a file system with extended attributes, such as ext4, xfs, btrfs or APFS", cfg.Dir, err)
	}
	if err := tidy(cfg.Dir); err != nil {
		return nil, fmt.Errorf("bucket directory %s: %w", cfg.Dir, err)
	}
	// "." keeps the backend from changing the process's working directory, which it does to its root; all it
	// ever sees of ours are absolute paths. Lock files would serve several processes on one directory.
	files, err := posix.New(".", attributes{meta.XattrMeta{}}, posixOptions())
	if err != nil {
		return nil, fmt.Errorf("object store: %w", err)
	}
	docs := newDocuments(cfg.Store)
	s := &Server{cfg: cfg, documents: docs, objects: newObjects(cfg, files, docs)}
	if s.handler, err = s.newHandler(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func posixOptions() posix.PosixOpts {
	o := posix.PosixOpts{
		CopyObjectThreshold: maxCopySize,
		ForceNoObjLockFile:  true,
		IOBufferSize:        128 << 10,
	}
	o.SetNewDirPerm(0o700)
	o.SetNewFilePerm(0o600)
	return o
}

// Close releases the store. Requests must have ended before.
func (s *Server) Close() error {
	s.objects.files.Shutdown()
	return nil
}

// Handler serves the S3 API, path style, and verifies every signature itself. Requests must reach it as they
// were sent: no path cleaning, no header added or removed, the body unread.
func (s *Server) Handler() http.Handler { return s.handler }

func (s *Server) newHandler() (http.Handler, error) {
	iam := keyring{keys: s.cfg.Keys, account: s.cfg.Account}
	// The gateway insists on a root account known to itself. Ours are in the keyring, so root gets a name and
	// a secret nobody knows.
	root := middlewares.RootUserConfig{Access: rand.Text(), Secret: rand.Text() + rand.Text()}
	opts := []s3api.Option{
		s3api.WithQuiet(),
		s3api.WithConcurrencyLimiter(maxRequests, maxRequests),
		s3api.WithMiddleware("/", controllers.WrapMiddleware(screen, nil, nil)),
	}
	opts = append(opts, s.documentRoutes(root, iam)...)
	gateway, err := s3api.New(s.objects, root, s.cfg.Region, iam, nil, nil, nil, nil, opts...)
	if err != nil {
		return nil, fmt.Errorf("object store: %w", err)
	}
	app, err := application(gateway)
	if err != nil {
		return nil, err
	}
	return &adaptor{serve: app.Handler(), log: s.cfg.Log}, nil
}

// application takes the fiber application out of the gateway, which offers to serve it on sockets of its own
// only. Going through a socket costs a fifth of the throughput, answers "100 Continue" before the signature
// is checked, and puts a second HTTP hop between the client and the signature.
func application(gateway *s3api.S3ApiServer) (*fiber.App, error) {
	field := reflect.ValueOf(gateway).Elem().FieldByName("app")
	if !field.IsValid() || field.Type() != reflect.TypeFor[*fiber.App]() {
		return nil, errors.New("object store: this version of versitygw keeps its application elsewhere")
	}
	return (*fiber.App)(field.UnsafePointer()), nil
}

// keyring is the gateway's view of access keys: whoever signs correctly is the account itself.
type keyring struct {
	keys    func(string) (string, bool)
	account string
}

var errReadOnlyKeys = errors.New("access keys are not managed through the object store")

func (k keyring) GetUserAccount(access string) (auth.Account, error) {
	secret, ok := k.keys(access)
	if !ok || secret == "" {
		return auth.Account{}, auth.ErrNoSuchUser
	}
	return auth.Account{Access: access, Secret: secret, Role: auth.RoleAdmin}, nil
}

// BucketOwner makes the account the owner of every bucket, whichever key created it.
func (k keyring) BucketOwner() auth.Account {
	return auth.Account{Access: k.account, Role: auth.RoleAdmin, Arn: "arn:aws:iam::" + k.account + ":root"}
}

// ResolveAccounts returns those of the names an access control list may not grant to.
func (k keyring) ResolveAccounts(names []string) ([]string, error) {
	var unknown []string
	for _, name := range names {
		if name != k.account {
			unknown = append(unknown, name)
		}
	}
	return unknown, nil
}

func (keyring) CreateAccount(auth.Account) error                  { return errReadOnlyKeys }
func (keyring) UpdateUserAccount(string, auth.MutableProps) error { return errReadOnlyKeys }
func (keyring) DeleteUserAccount(string) error                    { return errReadOnlyKeys }
func (keyring) ListUserAccounts() ([]auth.Account, error)         { return nil, errReadOnlyKeys }
func (keyring) Shutdown() error                                   { return nil }

// tidy removes unnamed uploads that a killed process left behind, and gives interrupted completions of
// multipart uploads their names back, so that the client's retry finds its parts.
func tidy(root string) error {
	buckets, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	for _, b := range buckets {
		temp := filepath.Join(root, b.Name(), posix.MetaTmpDir)
		entries, err := os.ReadDir(temp)
		if errors.Is(err, fs.ErrNotExist) || !b.IsDir() {
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Type().IsRegular() {
				if err := os.Remove(filepath.Join(temp, e.Name())); err != nil {
					return err
				}
			}
		}
		stopped, err := filepath.Glob(filepath.Join(root, b.Name(), posix.MetaTmpMultipartDir, "*", "*.inprogress"))
		if err != nil {
			return err
		}
		for _, dir := range stopped {
			upload, _, _ := strings.Cut(filepath.Base(dir), ".")
			if err := os.Rename(dir, filepath.Join(filepath.Dir(dir), upload)); err != nil {
				return err
			}
		}
	}
	return nil
}
