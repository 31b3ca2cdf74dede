#!/bin/sh
# Keeps the kernel's audit as it was: saves status and rules, says "ready", and puts them back when its standard input ends.
# That is also when the test that started it is killed. What a killed guard left saved is put back first; /run does not
# outlive a boot, and neither do rules. Runs under flock(1), whose lock lasts until all is restored.
set -u
saved=$1  # a folder below /run
marker=$2 # stands in the command line of every auditd that tests start
trap '' HUP INT TERM # only the end of the input ends a guard

status() { sed -n "s/^$1 //p" "$saved/status"; }

auditd() { auditctl -s | sed -n 's/^pid //p'; }

restore() {
  pid=$(auditd)
  if [ "${pid:-0}" != 0 ] && tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF "$marker"; then
    kill "$pid"
    for _ in $(seq 100); do [ "$(auditd)" = "$pid" ] && sleep 0.05; done
  fi
  auditctl -D
  grep -qx 'No rules' "$saved/rules" || auditctl -R "$saved/rules"
  auditctl -b "$(status backlog_limit)" -f "$(status failure)" -r "$(status rate_limit)" \
    --backlog_wait_time "$(status backlog_wait_time)"
  auditctl -e "$(status enabled)"
  rm -r "$saved"
}

[ -e "$saved/status" ] && restore >&2
umask 077
mkdir -p "$saved" && auditctl -l >"$saved/rules" && auditctl -s >"$saved/next" &&
  mv "$saved/next" "$saved/status" || exit 1 # status comes last: it says that all is saved
echo ready
cat >/dev/null
restore >&2
