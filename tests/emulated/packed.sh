#!/usr/bin/env bash
# packed.sh "QEMU ARGUMENTS" OCTET_HERE OCTET_THERE MODEL.tflite
# Packs made here are those that the target's kernels want: loading there packs nothing, takes the
# RAM that was announced here, and gives the same bytes.
set -euo pipefail
read -ra qemu <<<"$1"
here=$2 there=$3 model=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset OCTET_ISA

field() { sed -n "s/^ *\"$1\": \([0-9]*\),*$/\1/p" "$2" | head -n 1; }

# target, emulated CPU
case "${qemu[0]}" in
  *qemu-arm) pairs="armv7-neon:cortex-a15" ;;
  *) pairs="aarch64-neon:cortex-a72 aarch64-dotprod:cortex-a76 aarch64-i8mm:max" ;;
esac
head -c 65536 <(yes octet) >"$work/bytes"
for pair in $pairs; do
  target=${pair%:*} cpu=${pair#*:}
  "$here" convert "$model" -o "$work/packed.octet" --target "$target" >/dev/null
  "${qemu[@]}" -cpu "$cpu" "$there" inspect "$work/packed.octet" --json >"$work/there.json"
  packs=$(field pack_bytes "$work/there.json")
  mapped=$(field mapped_pack_bytes "$work/there.json")
  [ "$packs" -gt 0 ] && [ "$packs" = "$mapped" ] ||
    { echo "$target on $cpu: $mapped of $packs bytes used from the file"; exit 1; }

  size=$("$here" inspect "$work/packed.octet" --json | python3 -c \
    'import json, sys; print(json.load(sys.stdin)["inputs"][0]["bytes"])')
  head -c "$size" "$work/bytes" >"$work/in.bin"
  "$here" run "$work/packed.octet" --inputs "$work/in.bin" --outputs "$work/here" >/dev/null
  "${qemu[@]}" -cpu "$cpu" "$there" run "$work/packed.octet" --inputs "$work/in.bin" \
    --outputs "$work/there" >/dev/null
  diff -r "$work/here" "$work/there"
  echo "$target on $cpu: all $packs bytes of packs used from the file, same outputs"
  rm -rf "$work/here" "$work/there"
done
