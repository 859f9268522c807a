#!/usr/bin/env bash
# MuJoCo draws off screen through EGL or OSMesa: install EGL where that is possible, else say how.
set -euo pipefail
PATH="$PATH:/usr/sbin:/sbin"

has_gl() { ldconfig -p | grep -qE 'libEGL\.so|libOSMesa\.so'; }

[ "$(uname -s)" = Linux ] || exit 0
has_gl && exit 0

packages="libegl1 libgl1-mesa-dri"
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    apt-get update -qq || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages || true
    has_gl && exit 0
fi

cat >&2 <<EOF
No EGL or OSMesa library found: pictures will be drawn by the slower software raycaster.
To draw with MuJoCo's own renderer, install EGL, on Debian or Ubuntu for example with
    sudo apt-get install -y $packages
EOF
