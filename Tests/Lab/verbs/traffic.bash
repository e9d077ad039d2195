# lab traffic: a client sends, an echo server answers, both write down when: the truth of the same packets.
# shellcheck shell=bash disable=SC2154

traffic_usage() {
    cat << END
usage: Tests/Lab/lab traffic [options]

  --protocol udp|tcp  udp (the default): paced by the client; tcp: request and response, one at a time
  --count N           packets of each flow, 1 to 1000000 (300)
  --interval TIME     from one burst to the next (10ms)
  --burst N           packets sent back to back, with udp (1)
  --size N            bytes of payload (64); a packet's with udp, up to 1400, and of each request and answer with tcp, up to 60000
  --flows N           clients and servers side by side, on ports 7777, 7778, ...: each server on a CPU of its own as far as there are any,
                      and each with 16 bytes of payload more than the one before, so that packets tell whose they are (1)
  --guest gN|host|all which machine answers (g3, or the host where there is no guest); all: every guest, at the same time
  --from outside|gN   where the clients are (outside)
  --cpu N             the servers run on this CPU
  --out DIR           where the logs go (${state#"$root/"}/traffic)

ping.csv is the client's log, echo-3.csv that of guest g3's server, echo-host.csv the host's. With several guests there are ping-3.csv,
ping-4.csv, and so on; with several flows the further ones are named by their ports, ping-3-7778.csv and echo-3-7778.csv.
Times are CLOCK_MONOTONIC in ns and TSC ticks, right before and after each call. A packet that was never answered has rtt_ns -1.
END
}

# Takes its own options off the words, and puts the others into `others`.
parse_traffic() {
    protocol=udp count=300 interval=10ms burst=1 size=64 flows=1 target='' from=outside cpu='' out='' others=()
    while [[ $# -gt 0 ]]; do
        case $1 in
        --protocol) protocol=$(value "$@"); shift ;;
        --count) count=$(number "$1" "${2:-}" 1 1000000); shift ;;
        --interval) interval=$(value "$@"); shift ;;
        --burst) burst=$(number "$1" "${2:-}" 1 1024); shift ;;
        --size) size=$(number "$1" "${2:-}" 20 60000); shift ;;
        --flows) flows=$(number "$1" "${2:-}" 1 8); shift ;;
        --from) from=$(value "$@"); shift ;;
        --guest) target=$(value "$@"); shift ;;
        --cpu) cpu=$(number "$1" "${2:-}" 0 3); shift ;;
        --out) out=$(absolute "$(value "$@")"); shift ;;
        *) others+=("$1") ;;
        esac
        shift
    done
    [[ $protocol =~ ^(udp|tcp)$ ]] || wrong_usage "--protocol is udp or tcp, not $protocol"
    [[ $interval =~ ^[0-9]+(us|ms|s)$ ]] || wrong_usage "--interval wants a time such as 10ms, not $interval"
    [[ $protocol = tcp || $size -le 1400 ]] || wrong_usage "a datagram is one packet: --size up to 1400, not $size"
    [[ $protocol = udp || $burst -eq 1 ]] || wrong_usage "tcp sends one at a time: no --burst"
}

# The machines that answer: `targets`; and where the clients are: `from`.
find_targets() {
    local n
    targets=()
    [[ -n $target ]] || target=$([[ $guests -eq 0 ]] && echo host || echo g3)
    if [[ $target = all ]]; then
        for ((n = 3; n < 3 + guests; n++)); do targets+=("g$n"); done
    else
        targets=("$(machine "$target")")
    fi
    [[ $from = outside ]] || from=$(machine "$from")
    [[ " ${targets[*]} " != *" $from "* ]] || wrong_usage "$from can't be at both ends"
}

address() { [[ $1 = host ]] && echo 10.55.0.2 || echo "10.55.0.${1#g}"; }

# cpu_of MACHINE FLOW: what its server is bound to; nothing for anywhere.
cpu_of() {
    local cpus=2
    [[ $1 = host ]] || cpus=$vcpus
    if [[ -n $cpu ]]; then echo "$cpu"; elif [[ $flows -gt 1 ]]; then echo $(($2 % cpus)); fi
}

start_servers() {
    local machine flow log bound mask
    at_exit+=(stop_servers)
    for machine in "${targets[@]}"; do
        inside "$machine" sh -c 'rm -f /tmp/echo.*' < /dev/null
        for ((flow = 0; flow < flows; flow++)); do
            log=/tmp/echo.$((7777 + flow)) mask=
            bound=$(cpu_of "$machine" $flow)
            [[ -z $bound ]] || mask="taskset $(printf %x $((1 << bound)))"
            inside "$machine" sh -c "
                setsid $mask /lab/lab-tools echo --protocol $protocol --port ${log#*.} --log $log.csv --ready $log.ready \
                    < /dev/null > $log.out 2>&1 &
                echo \$! >> /tmp/echo.pids
                until [ -e $log.ready ]; do kill -0 \$! || { cat $log.out >&2; exit 1; }; sleep 0.1; done" < /dev/null ||
                fail "no echo server in $machine"
        done
    done
}

# Ends them, which makes them write their logs.
stop_servers() {
    local machine
    for machine in "${targets[@]}"; do
        inside "$machine" sh -c 'pids=$(cat /tmp/echo.pids 2> /dev/null) || exit 0; rm -f /tmp/echo.pids
            kill $pids; for pid in $pids; do while kill -0 $pid 2> /dev/null; do sleep 0.1; done; done' < /dev/null
    done
}

# log NAME MACHINE FLOW: its file's name.
log() {
    if [[ $1 = ping && ${#targets[@]} -eq 1 && $3 -eq 0 ]]; then echo "$out/ping.csv"; else
        echo "$out/$1-${2#g}$([[ $3 -eq 0 ]] || echo "-$((7777 + $3))").csv"
    fi
}

# Clients side by side; what each says goes to standard output. 3 when a packet was not answered.
send() {
    local machine flow client words status=0 clients=() outside
    find_outside
    for machine in "${targets[@]}"; do
        for ((flow = 0; flow < flows; flow++)); do
            words=(ping --protocol "$protocol" --count "$count" --interval "$interval" --burst "$burst" --size $((size + 16 * flow)) --timeout 10s
                --log "$([[ $from = outside ]] && log ping "$machine" $flow || echo "/tmp/ping.$machine.$flow.csv")"
                "$(address "$machine")" $((7777 + flow)))
            if [[ $from = outside ]]; then
                "${outside[@]}" "$root/.build/lab-tools/lab-tools" "${words[@]}" &
            else
                ssh -F ssh.config "$from" "/lab/lab-tools ${words[*]@Q}" < /dev/null &
            fi
            clients+=($!)
        done
    done
    children+=("${clients[@]}")
    for client in "${clients[@]}"; do wait "$client" || status=$?; done
    return $status
}

collect_logs() {
    local machine flow
    for machine in "${targets[@]}"; do
        for ((flow = 0; flow < flows; flow++)); do
            copy "$machine:/tmp/echo.$((7777 + flow)).csv" "$(log echo "$machine" $flow)"
            [[ $from = outside ]] || copy "$from:/tmp/ping.$machine.$flow.csv" "$(log ping "$machine" $flow)"
        done
    done
}

# describe COMMAND: how the recording in `out` was made, as JSON: the machines, the threads, the clocks, the traffic.
describe() {
    inside host /lab/host/facts < /dev/null |
        jq --arg made "$(date -u '+%Y-%m-%dT%H:%M:%SZ')" --arg path "$path" --arg command "$1" --arg vhost "$vhost" --arg pin "$pin" \
            --argjson queues "$queues" --argjson vlan "$vlan" --arg kernel_options "$kernel_options" \
            --arg tsc2nsec "$(trace-cmd dump --options -i "$out/host.dat" | sed -n '/TSC2NSEC/{n;s, *\[.*,,p}')" \
            --arg protocol "$protocol" --argjson count "$count" --arg interval "$interval" --argjson burst "$burst" --argjson size "$size" \
            --argjson flows "$flows" --arg from "$from" --arg to "${targets[*]}" --rawfile answers answers '
            ($tsc2nsec | split(" ") | map(tonumber)) as [$multiplier, $shift, $offset] |
            { made: $made, path: $path, vhost: $vhost, pin: $pin, queues: $queues, vlan: $vlan, kernel_options: $kernel_options, command: $command,
              traffic: { protocol: $protocol, count: $count, interval: $interval, burst: $burst, payload: $size, flows: $flows,
                from: $from, to: ($to | split(" ")), client: ($answers | rtrimstr("\n") | split("\n")) },
              tsc2nsec: { multiplier: $multiplier, shift: $shift, offset: $offset } } + .' > "$out/recording.json"
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
