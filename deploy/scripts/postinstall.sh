#!/bin/sh
# Makes the account and the directories. It makes no data, no cluster, and starts or restarts nothing: when a member is
# upgraded is its operator's decision, one member at a time.
set -e

if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers ballast.conf
fi
if command -v systemd-tmpfiles >/dev/null; then
	systemd-tmpfiles --create ballast.conf || true
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
	if systemctl is-active --quiet ballastd.service; then
		echo "ballast: the member on this host still runs the version before; restart one member at a time: systemctl restart ballastd"
	fi
fi
exit 0
