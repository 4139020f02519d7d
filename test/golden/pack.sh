#!/bin/sh
# Packs a snapshot small enough to keep: files of one name side by side (gzip looks back 32 KB only), without kernel counters, which no
# golden answer needs, and without times and owners.
# usage: pack.sh SNAPSHOT.tar.gz OUT.tar.gz
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar xzf "$1" -C "$work"
find "$work" -name nstat.txt -delete
(cd "$work" && find . -type f | sed 's,^\./,,' | awk -F/ '{ print $NF "\t" $0 }' | LC_ALL=C sort | cut -f2) > "$work.list"
tar cf - -C "$work" --format=ustar --owner=0 --group=0 --mtime=@0 -T "$work.list" | gzip -9n > "$2"
rm -f "$work.list"
