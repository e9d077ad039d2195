# lab exec: a command, or a shell, in a machine of the lab. Its exit status is ours; a signal to us ends it over there too.
# shellcheck shell=bash disable=SC2154

[[ $# -ge 1 ]] || wrong_usage "exec wants a machine: host, guest, g3, ..."
need_up
machine=$(machine "$1")
shift
[[ ${1:-} != -- ]] || shift

if [[ $# -eq 0 ]]; then
    ssh -F ssh.config -t "$machine"
elif [[ -t 0 && -t 1 ]]; then
    ssh -F ssh.config -t "$machine" "${*@Q}"
else
    # Without a terminal the far side would not hear of our end: it is told.
    id=exec.$$.$RANDOM
    at_exit+=("timeout 10 ssh -F ssh.config $machine 'kill -TERM -- -\$(cat /run/$id) 2> /dev/null; rm -f /run/$id' < /dev/null")
    inside "$machine" exec sh -c 'echo $$ > /run/'$id'; exec "$@"' lab "$@"
fi
