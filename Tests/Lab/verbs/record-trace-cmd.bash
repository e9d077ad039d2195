# lab record-trace-cmd: host and guests recorded by trace-cmd and its agents over vsock, with traffic in it and the logs of both ends.
# shellcheck shell=bash disable=SC2154

record_usage() {
    cat << END
usage: Tests/Lab/lab record-trace-cmd [options] [options of lab traffic]

  --out DIR        where the recording goes (${state#"$root/"}/recording); what is there is replaced
  --buffer KIB     ring buffer of each CPU (8192)
  --functions      kvm_*, vhost_*, tun_*, net and scheduler functions too: many events, and with a small buffer lost ones

host.dat and host-g3.dat are the recording, ping.csv and echo-3.csv the logs (lab traffic --help), recording.json says how it was made.
END
}

host_events=(-e kvm -e irq -e sched:sched_switch -e sched:sched_waking -e sched:sched_wakeup -e net -e napi -e skb)
guest_events=(-e irq -e sched:sched_switch -e sched:sched_waking -e sched:sched_wakeup -e net -e napi -e skb -e sock
    -e syscalls:sys_enter_recvfrom -e syscalls:sys_exit_recvfrom -e syscalls:sys_enter_sendto -e syscalls:sys_exit_sendto)

parse_record() {
    buffer=8192 functions=no
    parse_traffic "$@"
    set -- "${others[@]}"
    while [[ $# -gt 0 ]]; do
        case $1 in
        --buffer) buffer=$(number "$1" "${2:-}" 4 65536); shift ;;
        --functions) functions=yes ;;
        *) wrong_usage "record-trace-cmd has no option $1 (lab record-trace-cmd --help)" ;;
        esac
        shift
    done
}

# The words of trace-cmd in the host: `command`. The recording lasts until its standard input ends.
write_command() {
    local cid of_host=() of_guest=()
    case $path in
    ovs) host_events+=(-e openvswitch) ;;
    xdp*) host_events+=(-e xdp) ;;
    esac
    if [[ $functions = yes ]]; then
        of_host=(-p function -l 'kvm_*' -l 'vhost_*' -l 'tun_*' -l '*sched*')
        of_guest=(-p function -l '*net*' -l '*skb*' -l '*sched*')
    fi
    command=(trace-cmd record -C tsc2nsec -b "$buffer" "${of_host[@]}" "${host_events[@]}" -o /tmp/recording/host.dat)
    for ((cid = 3; cid < 3 + guests; cid++)); do
        command+=(-A "@$cid:823" --name "g$cid" -b "$buffer" "${of_guest[@]}" "${guest_events[@]}")
    done
}

# Starts trace-cmd and returns when it records; `recorder` is its process, its end of the story is in trace-cmd.log.
start_recording() {
    local word cid
    at_exit+=(stop_tracing)
    inside host sh -c '/lab/host/untrace; rm -rf /tmp/recording; mkdir /tmp/recording' < /dev/null
    for ((cid = 3; cid < 3 + guests; cid++)); do inside "g$cid" /lab/guest/agent < /dev/null || fail "no trace-cmd agent in g$cid"; done
    coproc RECORDER { exec ssh -F ssh.config host "${command[*]@Q} sh -c 'echo recording; read -r end'" 2>&1; }
    recorder=$RECORDER_PID
    children+=("$recorder")
    exec {from_recorder}<&"${RECORDER[0]}" {to_recorder}>&"${RECORDER[1]}"
    eval "exec ${RECORDER[0]}<&- ${RECORDER[1]}>&-"
    : > trace-cmd.log
    while read -r -u "$from_recorder" word; do
        echo "$word" >> trace-cmd.log
        [[ $word != recording ]] || return 0
    done
    cat trace-cmd.log >&2
    fail "trace-cmd does not record"
}

stop_tracing() {
    local cid
    inside host /lab/host/untrace < /dev/null
    for ((cid = 3; cid < 3 + guests; cid++)); do inside "g$cid" /lab/host/untrace < /dev/null; done
}

stop_recording() {
    exec {to_recorder}>&-
    cat <&"$from_recorder" >> trace-cmd.log
    wait "$recorder" || { cat trace-cmd.log >&2; fail "trace-cmd failed"; }
}

# How the recording was made, as JSON: the machines, the threads, the clocks, the commands.
describe() {
    inside host /lab/host/facts < /dev/null |
        jq --arg made "$(date -u '+%Y-%m-%dT%H:%M:%SZ')" --arg path "$path" --arg command "${command[*]@Q}" --arg vhost "$vhost" --arg pin "$pin" \
            --argjson queues "$queues" --arg tsc2nsec "$(trace-cmd dump --options -i "$out/host.dat" | sed -n '/TSC2NSEC/{n;s, *\[.*,,p}')" \
            --arg protocol "$protocol" --argjson count "$count" --arg interval "$interval" --argjson burst "$burst" --argjson size "$size" \
            --rawfile answers answers '
            ($tsc2nsec | split(" ") | map(tonumber)) as [$multiplier, $shift, $offset] |
            { made: $made, path: $path, vhost: $vhost, pin: $pin, queues: $queues, command: $command,
              traffic: { protocol: $protocol, count: $count, interval: $interval, burst: $burst, payload: $size, client: ($answers | rtrimstr("\n") | split("\n")) },
              tsc2nsec: { multiplier: $multiplier, shift: $shift, offset: $offset } } + .' > "$out/recording.json"
}

record() {
    local folder status=0
    case " $* " in *' --help '* | *' -h '*) record_usage; exit 0 ;; esac
    parse_record "$@"
    need jq jq trace-cmd trace-cmd
    need_up
    find_targets
    write_command
    folder=${out:-$state/recording}
    out=$folder.partial
    at_exit+=("rm -rf '$out'")
    rm -rf "$out"
    mkdir -p "$out"
    start_servers
    say "trace-cmd is starting"
    start_recording
    say "it records; sending"
    send > answers || status=$?
    cat answers
    stop_recording
    stop_servers
    collect_logs
    copy 'host:/tmp/recording/*.dat' "$out/"
    describe "${command[*]@Q}"
    inside host rm -rf /tmp/recording
    stop_tracing
    rm -rf "$folder"
    mv "$out" "$folder"
    at_exit=()
    say "the recording is in $folder"
    return $status
}

. "$here/verbs/traffic.bash"
record "$@"
