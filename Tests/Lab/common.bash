# What every verb of the lab uses: messages, clean ends, and the way into the machines. Sourced by `lab`.
# shellcheck shell=bash disable=SC2154

say() { echo "lab $lab: $*" >&2; }
fail() { say "$*"; exit 1; }
wrong_usage() { echo "lab: $*" >&2; exit 64; }

# Commands that take a while run in the background and are waited for: bash would look at a signal only after they end. For the same reason they
# are programs, not functions, and never in a subshell: that would end alone.
# Descriptors 7 and 8 are this script's locks: what lives on must not keep them.
children=()
at_exit=()
attended() {
    "$@" <&0 7>&- 8>&- &
    local child=$! status=0
    children+=("$child")
    wait "$child" || status=$?
    children=("${children[@]/$child/}")
    return $status
}

# copy FROM... TO: scp of what is there, from or to a machine. An emulated machine under load drops a connection now and then.
copy() {
    local try
    for try in 1 2 3; do
        if attended scp -F ssh.config -q "$@"; then return; fi
        [[ $try -lt 3 ]] || return 1
        say "the copy was cut off, once more"
        sleep "$try"
    done
}

finish() {
    local status=$? child step
    trap '' INT TERM HUP
    # unshare(1) hears SIGKILL only while it waits for its child, which then gets one too.
    for child in ${children[*]}; do kill -TERM "$child" 2> /dev/null || true; done
    for ((step = 0; step < 10; step++)); do
        # shellcheck disable=SC2048,SC2086
        [[ -z ${children[*]// /} ]] || ! kill -0 ${children[*]} 2> /dev/null || sleep 0.1
    done
    for child in ${children[*]}; do kill -KILL "$child" 2> /dev/null || true; done
    for child in ${children[*]}; do wait "$child" 2> /dev/null || true; done
    for ((step = ${#at_exit[@]} - 1; step >= 0; step--)); do eval "${at_exit[step]}" || true; done
    exit $status
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

need_root() { [[ $(id -u) -eq 0 ]] || fail "root is needed: namespaces and tap devices are made (try sudo)"; }

# need PROGRAM PACKAGE...: names every missing package at once.
need() {
    local missing=()
    while [[ $# -gt 0 ]]; do
        command -v "$1" > /dev/null || missing+=("$2")
        shift 2
    done
    [[ ${#missing[@]} -eq 0 ]] || fail "missing: ${missing[*]}; on Debian: apt-get install --no-install-recommends ${missing[*]}"
}

# absolute FILE: as the caller means it, wherever we are by now.
absolute() { [[ $1 = /* ]] && echo "$1" || echo "$caller/$1"; }

# value OPTION WORDS...: the word after an option.
value() { [[ $# -ge 2 ]] || wrong_usage "$1 wants a value"; echo "$2"; }

# number OPTION WORD LOW HIGH
number() {
    [[ ${2:-} =~ ^[0-9]{1,7}$ && 10#$2 -ge $3 && 10#$2 -le $4 ]] || wrong_usage "$1 wants a number from $3 to $4, not '${2:-}'"
    echo $((10#$2))
}

# The lab's QEMU holds this lock as long as it lives; the kernel lets go of it whatever ends QEMU.
is_up() { [[ -e $state/lock ]] && ! flock --shared --nonblock "$state/lock" true; }

need_up() {
    need_root
    is_up || fail "is not up (Tests/Lab/lab up)"
    cd "$state"
    [[ -e ready ]] || fail "is not ready: it is coming up, or did not get there; $state/console.log may say why (lab down clears it)"
    . ./settings
}

# QEMU of the host under test: the first process of the lab's own pid namespace.
host_pid() { cat "/proc/$(< "$state/pid")/task/$(< "$state/pid")/children"; }

# Words before a command that put it into the lab's network and process namespaces, where the client lives: `outside`. It ends with the lab.
# Nothing passes a signal on into a process namespace: the parent's death does.
find_outside() {
    local pid
    pid=$(host_pid)
    outside=(nsenter --target "${pid// /}" --net --pid -- setpriv --pdeathsig TERM)
}

# machine NAME: host, or g3, g4, ...; `guest` is the first of them.
machine() {
    case $1 in
    host) echo host ;;
    guest) echo g3 ;;
    g[0-9]*) [[ ${1#g} -ge 3 && ${1#g} -lt $((3 + guests)) ]] || wrong_usage "there is no guest $1: they are g3 to g$((2 + guests))"; echo "$1" ;;
    *) wrong_usage "there is no machine $1: host, guest, g3, g4, ..." ;;
    esac
}

# inside MACHINE CMD...: words stay words on the other side. Called in the state folder.
inside() {
    local machine=$1
    shift
    attended ssh -F ssh.config "$machine" "${*@Q}"
}
