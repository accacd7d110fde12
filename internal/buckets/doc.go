// Package buckets is the embedded S3-compatible object store.
//
// A bucket is a directory and an object is a plain file below it, so a person can look at them and a loader
// can read them in place. The protocol (signatures, chunked uploads, multipart, listing, checksums) is
// versitygw's, used as a library over its POSIX backend; this package adds what a file load needs: arrivals,
// listing without HTTP, notification configurations, bucket policies.
//
// Rules kept here:
//   - An arrival is reported only when the object is durable and visible under its key, once per successful
//     write (invariants 6 and 9). A crash between the two loses the report, not the object: listing finds it.
//   - The modification time of an object is a moment inside the request that completed it, taken from the
//     same clock as everything else, so "written after the job was created" can be decided by it.
//   - Buckets are handed to the POSIX backend as absolute paths. The working directory of the process plays
//     no part, so any number of stores may be open in one process.
//   - A key is stored as it is spelt or refused. Keys a file system cannot hold (empty or dot segments,
//     segments over 227 bytes, control characters) and the backend's own names are refused with an error
//     that says so; a key never aliases another.
package buckets
