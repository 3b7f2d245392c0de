#!/usr/bin/env bash
# check.sh PACKAGES TRIPLE SYSROOT "QEMU ARGUMENTS": unpacks .deb packages, links a C program against
# them, shared and static, and runs it and the octet command; the last two are empty on this machine.
set -euo pipefail
packages=$1 triple=$2 sysroot=$3
read -ra qemu <<<"${4:-}"
source=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for package in "$packages"/*.deb; do
  dpkg-deb --info "$package" >/dev/null
  dpkg -x "$package" "$work/root"
done
libraries=$work/root/usr/lib/$triple
dependencies=
[ ! -d "$sysroot" ] || dependencies=$(cd "$sysroot" && pwd)/usr/lib/$triple
run() {
  if [ "${#qemu[@]}" -gt 0 ]; then
    "${qemu[@]}" -E "LD_LIBRARY_PATH=$libraries:$dependencies" "$@"
  else
    LD_LIBRARY_PATH=$libraries "$@"
  fi
}
export PKG_CONFIG_LIBDIR=$libraries/pkgconfig PKG_CONFIG_SYSROOT_DIR=
example=$source/docs/examples/c/main.c
compiler=$triple-gcc
# shellcheck disable=SC2046
"$compiler" -std=c99 -Wall -Werror "$example" $(pkg-config --cflags --libs octet) \
  ${dependencies:+-Wl,-rpath-link,"$dependencies"} -o "$work/shared"
rm -f "$work/link-static" && mkdir "$work/link-static" && cp "$libraries/liboctet.a" "$work/link-static"
# shellcheck disable=SC2046
"$compiler" -std=c99 -Wall -Werror "$example" $(pkg-config --cflags octet) -L"$work/link-static" \
  $(pkg-config --static --libs octet | sed 's/-L[^ ]*//') ${dependencies:+-L"$dependencies"} \
  ${dependencies:+-Wl,-rpath-link,"$dependencies"} -o "$work/static"
run "$work/root/usr/bin/octet" convert "$source/docs/examples/digits/digits.tflite" \
  -o "$work/digits.octet" >/dev/null
run "$work/shared" "$work/digits.octet" >"$work/shared.txt"
run "$work/static" "$work/digits.octet" >"$work/static.txt"
cmp "$work/shared.txt" "$work/static.txt"
grep -q '^output' "$work/shared.txt"
echo "$packages: a C program links with the packages and runs, shared and static; octet converts"
