#!/usr/bin/env bash
# exports.sh NM LIBRARY LIST: what the shared library exports is what the list in this folder says,
# no more, no less.
set -euo pipefail
list=$(dirname "$0")/$3
found=$("$1" -D --defined-only "$2" | awk '{print $3}' | sed 's/@.*//' | LC_ALL=C sort -u)
if ! diff <(LC_ALL=C sort -u "$list") <(echo "$found"); then
  echo "exports of $2 differ from tests/api/$3 (<: listed, >: found)"
  exit 1
fi
