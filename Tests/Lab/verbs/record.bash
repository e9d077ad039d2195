# lab record: host and guests recorded by virtlat and its agents, with traffic in it and the logs of both ends.
# shellcheck shell=bash disable=SC2154

record_usage() {
    cat << END
usage: Tests/Lab/lab record [options] [options of lab traffic]

  --out DIR          where the session goes (${state#"$root/"}/session); what is there is replaced
  --transport T      how the agents are reached: vsock (the default) or tcp, with a key
  --transfer WHEN    after (the default) or live
  --buffer-size SIZE ring buffer of each CPU (virtlat's own default)
  --trace-clock C    of all machines (virtlat's own choice)
  --first COMMAND    for the host's shell, when it records and before the first packet

The session folder holds host.dat, guest-g3.dat and session.json, and beside them ping.csv and echo-3.csv, the logs (lab traffic --help), and
recording.json, which says how it was made.
virtlat is .build/static/virtlat: make static.
END
}

parse_record() {
    transport=vsock options=() first=
    parse_traffic "$@"
    set -- "${others[@]}"
    while [[ $# -gt 0 ]]; do
        case $1 in
        --transport) transport=$(value "$@"); shift ;;
        --transfer | --buffer-size | --trace-clock) options+=("$1" "$(value "$@")"); shift ;;
        --first) first=$(value "$@"); shift ;;
        *) wrong_usage "record has no option $1 (lab record --help)" ;;
        esac
        shift
    done
    [[ $transport =~ ^(vsock|tcp)$ ]] || wrong_usage "--transport is vsock or tcp, not $transport"
}

# Puts the program where it is not, or another one is.
install_virtlat() {
    local machine program=$root/.build/static/virtlat sum
    [[ -x $program ]] || fail "there is no $program: make static"
    sum=$(sha256sum < "$program")
    for machine in host "${machines[@]}"; do
        [[ $(cat "virtlat.$machine" 2> /dev/null) != "$sum" ]] || continue
        inside "$machine" sh -c 'kill $(pidof virtlat) 2> /dev/null; rm -f /usr/local/bin/virtlat; mkdir -p /usr/local/bin' < /dev/null || true
        copy -p "$program" "$machine:/usr/local/bin/virtlat"
        echo "$sum" > "virtlat.$machine"
    done
}

# A running agent in each guest; one that runs already is as good.
start_agents() {
    local machine words
    [[ $transport = vsock ]] || inside host sh -c 'rm -f /tmp/virtlat.key; /usr/local/bin/virtlat agent --new-key /tmp/virtlat.key' < /dev/null 2> /dev/null
    for machine in "${machines[@]}"; do
        words=agent
        if [[ $transport = tcp ]]; then
            inside host cat /tmp/virtlat.key < /dev/null | inside "$machine" sh -c 'umask 077; cat > /tmp/virtlat.key'
            words="agent --tcp 10.55.0.${machine#g} --key-file /tmp/virtlat.key"
        fi
        inside "$machine" sh -c "kill \$(pidof virtlat) 2> /dev/null; while pidof virtlat > /dev/null; do sleep 0.1; done
            setsid /usr/local/bin/virtlat $words < /dev/null > /tmp/agent.log 2>&1 &
            until grep -q listening /tmp/agent.log; do kill -0 \$! || { cat /tmp/agent.log >&2; exit 1; }; sleep 0.1; done" < /dev/null ||
            fail "no agent in $machine"
    done
}

# Starts virtlat and returns when it records; the recording lasts until its standard input ends. Its words are left in `words`.
start_recording() {
    local machine line
    words=(/usr/local/bin/virtlat record -o /tmp/session "${options[@]}")
    for machine in "${machines[@]}"; do
        if [[ $transport = tcp ]]; then words+=(--vm "$machine=tcp:10.55.0.${machine#g}"); else words+=(--vm "$machine=vsock:${machine#g}"); fi
    done
    [[ $transport = vsock ]] || words+=(--key-file /tmp/virtlat.key)
    inside host rm -rf /tmp/session < /dev/null
    coproc RECORDER { exec ssh -F ssh.config host "${words[*]@Q} -- sh -c 'read -r end'" 2>&1; }
    recorder=$RECORDER_PID
    children+=("$recorder")
    exec {from_recorder}<&"${RECORDER[0]}" {to_recorder}>&"${RECORDER[1]}"
    eval "exec ${RECORDER[0]}<&- ${RECORDER[1]}>&-"
    : > virtlat.log
    while read -r -u "$from_recorder" line; do
        echo "$line" >> virtlat.log
        [[ $line != *'virtlat: recording'* ]] || return 0
    done
    cat virtlat.log >&2
    fail "virtlat does not record"
}

# `read` ends without a line, with 1, which virtlat passes on.
stop_recording() {
    local status=0
    echo end >&"$to_recorder"
    exec {to_recorder}>&-
    cat <&"$from_recorder" >> virtlat.log
    wait "$recorder" || status=$?
    cat virtlat.log >&2
    [[ $status -eq 0 ]] || fail "virtlat failed: $status"
}

record() {
    local folder status=0 n begun
    case " $* " in *' --help '* | *' -h '*) record_usage; exit 0 ;; esac
    parse_record "$@"
    need jq jq trace-cmd trace-cmd
    need_up
    find_targets
    machines=()
    for ((n = 3; n < 3 + guests; n++)); do machines+=("g$n"); done
    folder=${out:-$state/session}
    out=$folder.partial
    at_exit+=("rm -rf '$out'")
    rm -rf "$out"
    mkdir -p "$out"
    install_virtlat
    start_agents
    start_servers
    begun=${EPOCHREALTIME/./}
    start_recording
    say "it records, $(((${EPOCHREALTIME/./} - begun) / 1000)) ms after its start; sending"
    [[ -z $first ]] || inside host sh -c "$first" < /dev/null
    send > answers || status=$?
    cat answers
    stop_recording
    stop_servers
    collect_logs
    copy 'host:/tmp/session/*' "$out/"
    describe "${words[*]}"
    inside host rm -rf /tmp/session < /dev/null
    rm -rf "$folder"
    mv "$out" "$folder"
    at_exit=()
    say "the session is in $folder"
    return $status
}

. "$here/verbs/traffic.bash"
record "$@"
