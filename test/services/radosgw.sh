#!/usr/bin/env bash
# Fetches Ceph's object store, which speaks S3, from Debian packages into a directory: nothing is installed, nothing is started.
# usage: radosgw.sh [DIRECTORY]; the default is what test/helpers/radosgw.ts looks for
set -euo pipefail
directory=${1:-${TMPDIR:-/tmp}/fastify-media-radosgw-$(id -u)}
mkdir -m 700 -p "$directory"
[ -O "$directory" ] || { echo "$directory is somebody else's" >&2; exit 1; }
exec 9> "$directory/lock"
flock 9 # who comes second finds what the first one fetched
[ -x "$directory/root/usr/bin/radosgw" ] && exit 0
installed=yes
for program in radosgw radosgw-admin ceph-mon ceph-osd monmaptool osdmaptool; do command -v "$program" > /dev/null || installed=no; done
[ "$installed" = yes ] && exit 0
rm -rf "$directory/packages" "$directory/unpacked"
mkdir "$directory/packages"
cd "$directory/packages"

download () { # the programs and the libraries that this machine lacks; what only administrators call stays out
  local names
  names=$(apt-get install -s --no-install-recommends radosgw ceph-mon ceph-osd | awk '/^Inst/ && $2 ~ /^(lib|ceph-|radosgw$)/ { print $2 }') || return 1
  # shellcheck disable=SC2086 # one word each
  apt-get download -qq -o APT::Sandbox::User=root $names
}
download || { [ "$(id -u)" -eq 0 ] && apt-get update -qq && download; }

for package in *.deb; do dpkg -x "$package" "$directory/unpacked"; done
mv -T "$directory/unpacked" "$directory/root"
rm -rf "$directory/packages"
