#!/usr/bin/env bash
# run.sh QEMU CPU SUFFIX OCTET MODEL: runs and benchmarks a model on an emulated CPU. The outputs
# are those of the real CPU, byte for byte, and convolutions use kernels named ..__SUFFIX.
set -euo pipefail
qemu=$1 cpu=$2 suffix=$3 octet=$4 model=$5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset OCTET_ISA
head -c 4096 <(yes octet) >"$work/in.bin"
"$octet" run "$model" --inputs "$work/in.bin" --outputs "$work/here" >/dev/null
"$qemu" -cpu "$cpu" "$octet" run "$model" --inputs "$work/in.bin" --outputs "$work/there" >/dev/null
diff -r "$work/here" "$work/there"
"$qemu" -cpu "$cpu" "$octet" bench "$model" --threads 1 --runs 2 --json >"$work/bench.json"
kernels=$(grep -o '"kernel": *"qs8_conv[^"]*"' "$work/bench.json" | sed 's/.*__//; s/"//' | sort -u)
echo "$cpu: qs8_conv kernels for $kernels"
[ "$kernels" = "$suffix" ]
