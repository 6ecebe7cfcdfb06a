#!/bin/sh
# Prints the version of this checkout: the number of the tag vX.Y.Z of its commit,
# else 0.0.0+COMMIT; and the time of the commit, in seconds, with --time. Tags of
# older commits do not matter: a shallow clone gives the same answer (PK-1).
set -eu
cd "$(dirname "$0")/.."
# A checkout may belong to another user than the one who builds.
ask() { git -c safe.directory="$PWD" "$@" 2>/dev/null; }

commit=$(ask rev-parse --verify HEAD) || commit=
# Not the repository of somebody else around an unpacked archive.
[ "$(ask rev-parse --show-prefix)" = '' ] || commit=

if [ "${1-}" = --time ]; then
  if [ -n "${SOURCE_DATE_EPOCH-}" ]; then
    echo "$SOURCE_DATE_EPOCH"
  elif [ -n "$commit" ]; then
    ask show --no-patch --format=%ct "$commit"
  else
    echo 0
  fi
  exit
fi

if [ -n "${VERSION-}" ]; then
  echo "$VERSION"
  exit
fi
[ -n "$commit" ] || { echo 0.0.0+unknown; exit; }
tag=$(ask -c versionsort.suffix=- tag --points-at "$commit" --sort=-v:refname | grep -E '^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$' | head -n 1)
version=0.0.0+$(printf %.12s "$commit") changed=.dirty
[ -z "$tag" ] || version=${tag#v} changed=+dirty
[ -z "$(ask status --porcelain)" ] || version=$version$changed
echo "$version"
