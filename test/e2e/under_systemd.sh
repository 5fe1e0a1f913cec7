#!/bin/sh
# For test_boot.py: a systemd --user of our own, and velos under it. Prints NAME=value facts. 77: it cannot run here.
set -eu

mkdir -p "$XDG_RUNTIME_DIR" && chmod 700 "$XDG_RUNTIME_DIR"
mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd && mkdir -p /run/systemd/system || exit 77
export DBUS_SESSION_BUS_ADDRESS="unix:path=$XDG_RUNTIME_DIR/bus"
bus=$(dbus-daemon --session --address="$DBUS_SESSION_BUS_ADDRESS" --fork --print-pid) || exit 77
/lib/systemd/systemd --user --log-target=null >/dev/null 2>&1 &
systemd=$!
end() {
    status=$?
    set +e
    kill "$systemd" "$bus" 2>/dev/null
    wait "$systemd"
    exit $status
}
trap end EXIT

until_true() { # deadline in tenths of a second, command
    left=$1
    shift
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        [ $left -gt 0 ] || return 1
        sleep 0.1
    done
}
# The private socket: asking the bus any earlier would have it start a systemd of its own.
until_true 100 test -S "$XDG_RUNTIME_DIR/systemd/private" || { echo "no systemd --user runs here" >&2; exit 77; }
until_true 100 systemctl --user list-units || { echo "systemd --user does not answer" >&2; exit 77; }

fact() { systemctl --user show velos -p "$1" --value; }
pids() { "$VELOS" pid all 2>/dev/null | tr '\n' ' '; }
main_is_not() { [ "$(fact MainPID)" != "$1" ]; }
daemon() { "$VELOS" ping --json | sed 's/.*"pid": *\([0-9]*\).*/\1/'; }

"$VELOS" startup --user --init systemd >&2
systemctl --user start velos
main=$(fact MainPID)
echo "active=$(fact ActiveState)"
echo "main_before=$main"
echo "pids_before=$(pids)"
"$VELOS" start --name impostor --autorestart=false --interpreter /usr/bin/python3 "$IMPOSTOR" -- "$XDG_RUNTIME_DIR/systemd/notify" >&2
until_true 100 grep -q said "$VELOS_HOME/logs/impostor-out.log"
"$VELOS" delete impostor >&2
echo "main_after_impostor=$(fact MainPID)"
echo "status_after_impostor=$(fact StatusText)"
echo "active_after_impostor=$(fact ActiveState)"
kill -9 "$main"
until_true 100 main_is_not "$main"
echo "main_after_keeper_death=$(fact MainPID)"
echo "pids_after_keeper_death=$(pids)"
kill -9 "$(daemon)"
echo "pids_after_velosd_death=$(pids)"
echo "active=$(fact ActiveState)"
echo "restarts=$(fact NRestarts)"
systemctl --user restart velos
echo "pids_after_restart=$(pids)"
systemctl --user stop velos
echo "result=$(fact Result)"
echo "left=$(pgrep -c -f "$VELOS_HOME" || true)"
"$VELOS" unstartup --user --init systemd >&2
