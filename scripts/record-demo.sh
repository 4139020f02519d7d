#!/bin/sh
# Records the incident that `npm start` shows where no lab can run: demo/fdb-missing.tar.gz. Needs root.
# usage: sh scripts/record-demo.sh
set -eu
cd "$(dirname "$0")/.."
export PATH="$PATH:/usr/sbin:/sbin"
# A lab of its own, so that one which is up stays as it is.
export NETWHY_LAB_DIR=/run/nwrecord-lab NETWHY_LAB_PREFIX=nwrecord-
down() { ./netwhy lab down >/dev/null 2>&1 || true; }
trap down EXIT
trap 'exit 130' INT TERM HUP
./netwhy lab up
./netwhy lab break fdb-missing
mkdir -p demo
./netwhy snapshot --lab -o demo/fdb-missing.new.tar.gz
mv demo/fdb-missing.new.tar.gz demo/fdb-missing.tar.gz
chmod 644 demo/fdb-missing.tar.gz
ls -l demo/fdb-missing.tar.gz
