# lab pull: a file out of a machine, into the current folder if no place is named.
# shellcheck shell=bash disable=SC2154

[[ $# -eq 2 || $# -eq 3 ]] || wrong_usage "pull wants a machine, a file, and maybe a place"
need_up
attended scp -F ssh.config -q -p "$(machine "$1"):$2" "$(absolute "${3:-.}")"
