#!/usr/bin/env bash
# exports.sh NM LIBRARY: what the shared library exports is what exports.txt lists, no more, no less.
set -euo pipefail
here=$(dirname "$0")
found=$("$1" -D --defined-only "$2" | awk '{print $3}' | sed 's/@.*//' | LC_ALL=C sort -u)
if ! diff <(LC_ALL=C sort -u "$here/exports.txt") <(echo "$found"); then
  echo "exports of $2 differ from tests/api/exports.txt (<: listed, >: found)"
  exit 1
fi
