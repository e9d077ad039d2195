# lab status: what is up, and where its files are.
# shellcheck shell=bash disable=SC2154

[[ $# -eq 0 ]] || wrong_usage "status takes no options"
if ! is_up; then
    echo "$lab: down"
elif [[ ! -e $state/ready ]]; then
    echo "$lab: coming up, or stuck there: see $state/console.log"
else
    . "$state/ready"
    echo "$lab: up for $(($(date +%s) - since)) s, $(head -n 1 "$state/settings"), QEMU $(host_pid), state in $state"
fi
