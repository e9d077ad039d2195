# lab push: a file into a machine, /tmp/ there if no place is named.
# shellcheck shell=bash disable=SC2154

[[ $# -eq 2 || $# -eq 3 ]] || wrong_usage "push wants a machine, a file, and maybe a place"
need_up
file=$(absolute "$2")
[[ -f $file ]] || fail "there is no file $2"
attended scp -F ssh.config -q -p "$file" "$(machine "$1"):${3:-/tmp/}"
