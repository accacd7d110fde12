#!/usr/bin/env bash
# Regenerates the AWS shapes elsewhere and compares, so that generated code is never edited or stale.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
go run ./tools/apigen -out "$tmp"
diff -r "$tmp" internal/awsapi >"$tmp.diff" && { rm -f "$tmp.diff"; echo "generated code is current"; exit 0; }
cat "$tmp.diff" | head -40
rm -f "$tmp.diff"
echo "internal/awsapi is not what tools/apigen makes of api-models; run make generate and commit the result" >&2
exit 1
