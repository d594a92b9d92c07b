#!/bin/sh
# Installs header, libraries and pkg-config file: ffi/install.sh PREFIX [FOLDER of the built libraries]
# DESTDIR goes before the prefix, as packagers expect.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
prefix=$1
built=${2:-$here/../target/release}
to=${DESTDIR:-}$prefix
header=$here/../include/rollkeeper.h
version=$(sed -n 's/^#define ROLLKEEPER_VERSION "\(.*\)"$/\1/p' "$header")
install -d "$to/include" "$to/lib/pkgconfig"
install -m 644 "$header" "$to/include/rollkeeper.h"
install -m 755 "$built/librollkeeper.so" "$to/lib/librollkeeper.so.1"
install -m 644 "$built/librollkeeper.a" "$to/lib/librollkeeper.a"
ln -sf librollkeeper.so.1 "$to/lib/librollkeeper.so"
sed -e "s|@PREFIX@|$prefix|" -e "s|@VERSION@|$version|" "$here/rollkeeper.pc.in" > "$to/lib/pkgconfig/rollkeeper.pc"
