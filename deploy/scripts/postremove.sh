#!/bin/sh
# Balances are never removed with the package, not even by a purge: who means it types it.
set -e

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload >/dev/null 2>&1 || true
fi
case "${1:-}" in
purge | 0)
	for dir in /var/lib/ballast /etc/ballast/tls; do
		if [ -d "$dir" ] && [ -n "$(ls -A "$dir" 2>/dev/null)" ]; then
			echo "ballast: $dir is kept; if this member is out of its cluster for good: rm -r $dir"
		fi
	done
	;;
esac
exit 0
