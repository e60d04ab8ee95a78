#!/bin/sh
# Stops the member where the package goes, not where it is upgraded (deb: "upgrade", rpm: "1").
set -e

case "${1:-}" in
remove | 0)
	if [ -d /run/systemd/system ]; then
		systemctl disable --now ballastd.service >/dev/null 2>&1 || true
	fi
	;;
esac
exit 0
