# lab down: ends QEMU; the kernel takes the lab's namespaces, taps, mounts and every process in them with it.
# shellcheck shell=bash disable=SC2154

# gone SECONDS: whether QEMU and all it held are gone by then.
gone() {
    local tries
    for ((tries = 0; tries < 10 * $1; tries++)); do
        is_up || return 0
        sleep 0.1
    done
    return 1
}

down() {
    is_up || { say "is not up"; return 0; }
    local pid
    pid=$(< "$state/pid")
    kill -TERM "$(host_pid)" 2> /dev/null || kill -KILL "$pid" 2> /dev/null || true
    gone 10 || { kill -KILL "$pid" 2> /dev/null || true; gone 10 || fail "process $pid does not end"; }
    rm -f "$state/ready" "$state/pid"
    say "is down"
}

need_root
[[ $# -eq 0 ]] || wrong_usage "down takes no options"
down
