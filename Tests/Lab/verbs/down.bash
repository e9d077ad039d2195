# lab down: ends QEMU; the kernel takes the lab's namespaces, taps, mounts and every process in them with it.
# shellcheck shell=bash disable=SC2154

down() {
    is_up || { say "is not up"; return 0; }
    local pid
    pid=$(< "$state/pid")
    # The monitor is asked first, for no other reason than a clean console log.
    kill -TERM "$(host_pid)" 2> /dev/null || kill -KILL "$pid" 2> /dev/null || true
    flock --timeout 10 "$state/lock" true || { kill -KILL "$pid" 2> /dev/null || true; flock --timeout 10 "$state/lock" true; }
    rm -f "$state/ready" "$state/pid"
    say "is down"
}

need_root
[[ $# -eq 0 ]] || wrong_usage "down takes no options"
down
