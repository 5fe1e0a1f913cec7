#!/bin/sh
# Says how busy the machine is every few seconds; `wait` lets the trap run at once.
trap 'echo "ticker leaves"; kill "$nap" 2>/dev/null; exit 0' TERM INT

while :; do
    echo "up: $(cut -d ' ' -f 1-3 /proc/loadavg 2>/dev/null || uptime)"
    sleep "${PAUSE:-5}" &
    nap=$!
    wait "$nap"
done
