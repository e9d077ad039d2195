# lab traffic: a client outside the host sends, an echo server in the guest answers, both write down when: the truth of the same packets.
# shellcheck shell=bash disable=SC2154

traffic_usage() {
    cat << END
usage: Tests/Lab/lab traffic [options]

  --protocol udp|tcp  udp (the default): paced by the client; tcp: request and response, one at a time
  --count N           packets to each guest, 1 to 1000000 (300)
  --interval TIME     from one burst to the next (10ms)
  --burst N           packets sent back to back, with udp (1)
  --size N            bytes of payload (64)
  --guest gN|all      which guest answers (g3); all: each has a client of its own, at the same time
  --cpu N             the server runs on this CPU of the guest
  --out DIR           where the logs go (${state#"$root/"}/traffic)

ping.csv is the client's log, echo-3.csv that of guest g3's server; with several guests ping-3.csv, ping-4.csv, and so on.
Times are CLOCK_MONOTONIC in ns and TSC ticks, right before and after each call. A packet that was never answered has rtt_ns -1.
END
}

# Takes its own options off the words, and puts the others into `others`.
parse_traffic() {
    protocol=udp count=300 interval=10ms burst=1 size=64 target=g3 cpu='' out='' others=()
    while [[ $# -gt 0 ]]; do
        case $1 in
        --protocol) protocol=$(value "$@"); shift ;;
        --count) count=$(number "$1" "${2:-}" 1 1000000); shift ;;
        --interval) interval=$(value "$@"); shift ;;
        --burst) burst=$(number "$1" "${2:-}" 1 1024); shift ;;
        --size) size=$(number "$1" "${2:-}" 20 1400); shift ;;
        --guest) target=$(value "$@"); shift ;;
        --cpu) cpu=$(number "$1" "${2:-}" 0 3); shift ;;
        --out) out=$(absolute "$(value "$@")"); shift ;;
        *) others+=("$1") ;;
        esac
        shift
    done
    [[ $protocol =~ ^(udp|tcp)$ ]] || wrong_usage "--protocol is udp or tcp, not $protocol"
    [[ $interval =~ ^[0-9]+(us|ms|s)$ ]] || wrong_usage "--interval wants a time such as 10ms, not $interval"
    [[ $protocol = udp || $burst -eq 1 ]] || wrong_usage "tcp sends one at a time: no --burst"
}

# The CIDs of the guests that answer: `targets`.
find_targets() {
    local name
    targets=()
    if [[ $target = all ]]; then
        for ((name = 3; name < 3 + guests; name++)); do targets+=("$name"); done
    else
        name=$(machine "$target")
        [[ $name != host ]] || wrong_usage "the host does not answer: --guest g3"
        targets=("${name#g}")
    fi
}

start_servers() {
    local cid mask=
    [[ -z $cpu ]] || mask="taskset $(printf %x $((1 << cpu)))"
    at_exit+=(stop_servers)
    for cid in "${targets[@]}"; do
        inside "g$cid" sh -c "rm -f /tmp/echo.*
            setsid $mask /lab/lab-tools echo --protocol $protocol --port 7777 --log /tmp/echo.csv --ready /tmp/echo.ready \
                < /dev/null > /tmp/echo.out 2>&1 &
            echo \$! > /tmp/echo.pid
            until [ -e /tmp/echo.ready ]; do kill -0 \$! || { cat /tmp/echo.out >&2; exit 1; }; sleep 0.1; done" ||
            fail "no echo server in g$cid"
    done
}

# Ends them, which makes them write their logs.
stop_servers() {
    local cid
    for cid in "${targets[@]}"; do
        inside "g$cid" sh -c 'pid=$(cat /tmp/echo.pid 2> /dev/null) || exit 0; rm -f /tmp/echo.pid
            kill $pid; while kill -0 $pid 2> /dev/null; do sleep 0.1; done' < /dev/null
    done
}

# log NAME CID: its file's name.
log() { [[ ${#targets[@]} -eq 1 && $1 = ping ]] && echo "$out/ping.csv" || echo "$out/$1-$2.csv"; }

# Clients side by side; what each says goes to standard output. 3 when a packet was not answered.
send() {
    local cid status=0 clients=() outside
    find_outside
    for cid in "${targets[@]}"; do
        "${outside[@]}" "$root/.build/lab-tools/lab-tools" ping --protocol "$protocol" --count "$count" --interval "$interval" --burst "$burst" \
            --size "$size" --timeout 10s --log "$(log ping "$cid")" "10.55.0.$cid" 7777 &
        clients+=($!)
    done
    children+=("${clients[@]}")
    for cid in "${clients[@]}"; do wait "$cid" || status=$?; done
    return $status
}

collect_logs() {
    local cid
    for cid in "${targets[@]}"; do attended scp -F ssh.config -q "g$cid:/tmp/echo.csv" "$(log echo "$cid")"; done
}

traffic() {
    local status=0
    case " $* " in *' --help '* | *' -h '*) traffic_usage; exit 0 ;; esac
    parse_traffic "$@"
    [[ ${#others[@]} -eq 0 ]] || wrong_usage "traffic has no option ${others[0]} (lab traffic --help)"
    need_up
    find_targets
    : "${out:=$state/traffic}"
    mkdir -p "$out"
    start_servers
    send || status=$?
    stop_servers
    at_exit=()
    collect_logs
    say "logs are in $out"
    return $status
}

[[ $verb != traffic ]] || traffic "$@"
