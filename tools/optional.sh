#!/usr/bin/env bash
# Says which optional tools are here, and what goes untested without each. Never fails.
set -u
have() { if eval "$2" >/dev/null 2>&1; then echo "optional: $1 found"; else echo "optional: $1 not found: $3"; fi; }
have "aws CLI" "command -v aws && aws --version" "the walk-through and the CLI conformance tests are skipped"
have "boto3" "python3 -c 'import boto3'" "the boto3 conformance tests are skipped"
have "node and npm" "command -v node && command -v npm" "the MCP server is not held against the official JavaScript client"
