#!/usr/bin/env bash
# instructions.sh OCTET BUILD MODEL.tflite...: how many instructions one run of a model takes on
# emulated 64-bit ARM CPUs, as a Markdown table. OCTET is this machine's octet command, BUILD the
# folder of ./dev cross aarch64. Counts repeat; they are no cycles. Filling the inputs, ten
# instructions a byte, is in them.
set -euo pipefail
here=$1 build=$2
shift 2
root=$(cd "$(dirname "$0")/.." && pwd)
libraries=$root/build/sysroot/arm64/usr/lib/aarch64-linux-gnu:$(cd "$build" && pwd)/src
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc -O2 -shared -fPIC "$root/bench/count_instructions.c" -o "$work/count.so"
aarch64-linux-gnu-gcc -std=c99 -O2 "$root/bench/run_times.c" -I"$root/include" -L"$build/src" -loctet \
  -Wl,-rpath-link,"${libraries%%:*}" -o "$work/run_times"

# Instructions of so many runs.
count() {
  qemu-aarch64 -L /usr/aarch64-linux-gnu -cpu max -plugin "$work/count.so" \
    -E "LD_LIBRARY_PATH=$libraries" -E "OCTET_ISA=$1" "$work/run_times" "$work/model.octet" "$2" 2>&1 |
    sed -n 's/^instructions: //p'
}

echo "| model | MAC | NEON | dot product | i8mm |"
echo "|---|---|---|---|---|"
for model in "$@"; do
  "$here" convert "$model" -o "$work/model.octet" >/dev/null
  macs=$("$here" inspect "$work/model.octet" --json |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["macs"])')
  name=$(basename "$model" .tflite)
  [ "$name" != model ] || name=$(basename "$(dirname "$model")")
  row="| $name | $(awk "BEGIN {printf \"%.1f M\", $macs / 1e6}")"
  for isa in neon neondot neoni8mm; do
    once=$(count "$isa" 1)
    twice=$(count "$isa" 2)
    row+=" | $(awk "BEGIN {n = $twice - $once; printf \"%.2f M, %.3f a MAC\", n / 1e6, n / $macs}")"
  done
  echo "$row |"
done
