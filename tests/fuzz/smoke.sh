#!/usr/bin/env bash
# smoke.sh BUILD_DIR [SECONDS]: runs every fuzzer for a moment, always from the same seed. What it
# finds stays in BUILD_DIR/fuzz.
set -euo pipefail
build=$(cd "$1" && pwd)
seconds=${2:-20}
zoo=$(cd "$(dirname "$0")/../.." && pwd)/../shared/zoo
work=$build/fuzz
rm -rf "$work"
mkdir -p "$work"
"$build/bin/make_seeds" "$work/seeds" "$zoo"
for fuzzer in load_run import onnx npy; do
  [ -x "$build/bin/fuzz_$fuzzer" ] || continue  # built without ONNX or stb
  mkdir -p "$work/corpus_$fuzzer"
  echo "fuzz_$fuzzer, $seconds s from $(find "$work/seeds/$fuzzer" -type f | wc -l) seeds"
  if ! "$build/bin/fuzz_$fuzzer" -seed=1 -max_total_time="$seconds" -timeout=20 \
    -rss_limit_mb=3000 -max_len=16384 -print_final_stats=1 -artifact_prefix="$work/" \
    "$work/corpus_$fuzzer" "$work/seeds/$fuzzer" 2>"$work/$fuzzer.log"; then
    tail -n 60 "$work/$fuzzer.log"
    exit 1
  fi
  grep -E 'number_of_executed_units|average_exec' "$work/$fuzzer.log"
done
