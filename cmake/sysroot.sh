#!/usr/bin/env bash
# Collects a target's libraries in a folder that the toolchain files of cmake/toolchains look into.
#
#   cmake/sysroot.sh arm64|armhf DIR [PACKAGE...]   everything: threads, tests; and more
#   cmake/sysroot.sh --headers arm64|armhf DIR      headers of this machine alone: enough for
#                                                   -DOCTET_WITH_PTHREADPOOL=OFF
#
# Packages of the target can't be installed beside this machine's own, so they are downloaded with
# the sources of this machine's apt, into an apt state of their own, and unpacked. Needs no root.
set -euo pipefail

headers=0
if [ "${1:-}" = --headers ]; then headers=1; shift; fi
arch=${1:?arm64 or armhf}
dir=${2:?folder}
case "$arch" in arm64 | armhf) ;; *) echo "unknown architecture $arch" >&2; exit 2 ;; esac

mkdir -p "$dir/usr/include" "$dir/usr/share" "$dir/usr/bin"
dir=$(cd "$dir" && pwd)

# Headers that are the same everywhere, and the tools that run here.
link_host() {
  local path
  for path in include/flatbuffers include/CLI include/nlohmann include/stb share/cmake/CLI11 \
    share/cmake/nlohmann_json; do
    if [ -e "/usr/$path" ]; then
      mkdir -p "$(dirname "$dir/usr/$path")"
      ln -sfn "/usr/$path" "$dir/usr/$path"
    fi
  done
  # FlatBuffers' CMake package insists on a flatc.
  ln -sfn "$(command -v flatc)" "$dir/usr/bin/flatc"
}

link_host
if [ "$headers" -eq 1 ]; then exit 0; fi

packages=(libpthreadpool-dev libpthreadpool0 libgtest-dev "${@:3}")
stamp="$dir/.octet-packages"
[ "$(cat "$stamp" 2>/dev/null)" = "${packages[*]}" ] && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/packages"
: >"$work/state/status"
apt_options=(-o "APT::Architecture=$arch" -o "APT::Architectures=$arch"
  -o "Dir::State=$work/state" -o "Dir::State::status=$work/state/status" -o "Dir::Cache=$work/cache"
  -o APT::Sandbox::User=root -o Acquire::Languages=none)
echo "Fetching ${packages[*]} for $arch"
# One index that fails need not matter; a package that is missing then does.
apt-get "${apt_options[@]}" update -qq || true
(cd "$work/packages" && apt-get "${apt_options[@]}" download -qq "${packages[@]}")
for package in "$work"/packages/*.deb; do dpkg -x "$package" "$dir"; done
# Links with absolute targets would lead to this machine's files.
find "$dir/usr/lib" -type l -lname '/*' | while read -r link; do
  ln -sfn "$dir$(readlink "$link")" "$link"
done
echo "${packages[*]}" >"$stamp"
