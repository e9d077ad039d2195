# lab up: boots the host under test, sets up the path, boots the guests, and sees that packets get through.
# shellcheck shell=bash disable=SC2154

up_usage() {
    cat << END
usage: Tests/Lab/lab up [options]

  --path PATH       tap (the default), macvtap, ovs, xdp (generic), xdp-native, vfio; host: no guest, the host itself answers
  --vcpus N         vCPUs of each guest, 1 to 4 (1)
  --guests N        guests, 1 to 4: g3 is vsock CID 3 and 10.55.0.3, and so on (1; xdp carries one)
  --queues N        queue pairs of each guest's NIC, 1 to 4 (1; with tap); the guest uses as many as it has vCPUs
  --pin WHERE       none (the default); same: a guest's vhost workers on the CPU of its first vCPU; other: on another one
  --no-vhost        QEMU does vhost's work (with tap)
  --vlan ID         frames between bridge and guest are tagged, and the guest has its address on eth0.ID (with tap)
  --kernel K        of host and guests, from Debian: 6.1 (the default), 6.12, 7.2, 6.1-rt or 6.12-rt (PREEMPT_RT);
                    newest is 7.2, or what has followed it in sid
  --kernel-option W a word for the command line of the host's kernel, such as threadirqs

The client is at 10.55.0.1, outside the host; the host's NIC is nic0. Where it is up with the same options already, nothing is done.
END
}

parse_up() {
    path=tap vcpus=1 guests=1 queues=1 pin=none vhost=on vlan=0 kernel=6.1 words=()
    while [[ $# -gt 0 ]]; do
        case $1 in
        --path) path=$(value "$@"); shift ;;
        --vcpus) vcpus=$(number "$1" "${2:-}" 1 4); shift ;;
        --guests) guests=$(number "$1" "${2:-}" 1 4); shift ;;
        --queues) queues=$(number "$1" "${2:-}" 1 4); shift ;;
        --pin) pin=$(value "$@"); shift ;;
        --no-vhost) vhost=off ;;
        --vlan) vlan=$(number "$1" "${2:-}" 1 4094); shift ;;
        --kernel) kernel=$(known_kernel "$(value "$@")"); shift ;;
        --kernel-option) words+=("$(value "$@")"); shift ;;
        -h | --help) up_usage; exit 0 ;;
        *) wrong_usage "up has no option $1 (lab up --help)" ;;
        esac
        shift
    done
    case $path in
    tap | macvtap | ovs | vfio) ;;
    xdp | xdp-native) [[ $guests -eq 1 ]] || wrong_usage "$path redirects everything to one guest" ;;
    host) [[ $guests -eq 1 ]] || wrong_usage "the path host has no guests"; guests=0 ;;
    *) wrong_usage "there is no path $path: tap, macvtap, ovs, xdp, xdp-native, vfio, host" ;;
    esac
    [[ $pin =~ ^(none|same|other)$ ]] || wrong_usage "--pin is none, same or other, not $pin"
    [[ $path = tap || $vhost = on && $queues -eq 1 && $vlan -eq 0 ]] || wrong_usage "--queues, --no-vhost and --vlan go with --path tap"
}

# The client's side of the wire, in the lab's own namespaces, then QEMU as their first process: when it ends, they end.
start_host() {
    local nic=e1000e taps=1 extra='' iommu=() nics=() i program=qemu-system-x86_64
    [[ ! -x $image/$program ]] || program=$image/$program
    case $path in
    xdp-native) nic=virtio-net-pci,mrg_rxbuf=on,guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off ;;
    vfio) taps=$guests iommu=(-device intel-iommu,intremap=on) extra='intel_iommu=on iommu=pt' ;;
    esac
    for ((i = 0; i < taps; i++)); do
        # With vfio the NIC is the guest's own, so it has the guest's address.
        nics+=(-netdev "tap,id=n$i,ifname=out$i,script=no,downscript=no"
            -device "$nic,netdev=n$i,addr=0x$((2 + i)),mac=52:54:00:00:00:0$([[ $path = vfio ]] && echo $((3 + i)) || echo 1)")
    done
    local qemu=("$program" -name "virtlat-lab-$lab,debug-threads=on" -nodefaults -no-reboot -display none -M q35
        "${iommu[@]}" -accel "tcg,thread=multi,tb-size=1024" -cpu EPYC,+svm,-x2apic -smp 2 -m 4096
        -kernel "$image/vmlinuz" -initrd host.cpio
        -append "console=ttyS0 quiet panic=-1 mitigations=off nokaslr audit=0 tsc=reliable clocksource=tsc $extra ${words[*]}"
        -drive "file=$image/host.img,if=none,id=root,format=raw,snapshot=on" -device virtio-blk-pci,drive=root,addr=0x11
        -device virtio-serial-pci,addr=0x10 -chardev socket,id=ssh,path=ssh.sock,server=on,wait=off
        -device virtserialport,chardev=ssh,name=lab.ssh
        -serial file:console.log -monitor unix:monitor.sock,server=on,wait=off "${nics[@]}")
    printf '%s\n' "${qemu[*]@Q}" > qemu.command
    # Taken here, so that whoever asks from now on finds the lab up; from then on it is QEMU's.
    exec 9> lock
    flock --nonblock 9 || fail "is up already"
    (
        echo "$BASHPID" > pid
        exec setsid unshare --net --pid --mount --fork --kill-child -- bash -c '
            set -eu
            if [ ! -e /dev/net/tun ]; then
                mkdir -p /dev/net
                mount -t tmpfs tun /dev/net
                mknod /dev/net/tun c 10 200
            fi
            ip link set lo up
            ip link add out type bridge
            ip address add 10.55.0.1/24 dev out
            ip link set out up
            i=0
            while [ $i -lt '$taps' ]; do
                ip tuntap add dev out$i mode tap
                ip link set out$i master out up
                i=$((i + 1))
            done
            exec "$@"' lab "${qemu[@]}"
    ) < /dev/null > qemu.log 2>&1 7>&- &
    echo $! > pid
    exec 9>&-
}

# What the machines need of this checkout, appended to the initramfs of the host (and by it to the guests').
pack() {
    local tree=overlay/lab
    rm -rf overlay
    mkdir -p $tree
    cp -r "$here/host" "$here/guest" $tree/
    cp "$root/.build/lab-tools/lab-tools" $tree/
    (cd overlay && find . | cpio --quiet -o -H newc) > overlay.cpio
    cat "$image/host.cpio" overlay.cpio > host.cpio
    rm -rf overlay overlay.cpio
}

write_ssh_config() {
    cp "$image/key" key
    chmod 600 key
    {
        printf 'Host *\n  User root\n  IdentityFile key\n  IdentitiesOnly yes\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n'
        printf '  LogLevel ERROR\n  BatchMode yes\n  ControlPath %%n.control\n  ServerAliveInterval 0\n  ConnectTimeout 30\n'
        printf 'Host host\n  ProxyCommand socat - UNIX-CONNECT:ssh.sock\n'
        printf 'Host g*\n  ProxyCommand ssh -F ssh.config host socat - VSOCK-CONNECT:$(echo %%n | tr -d g):22,retry=50,interval=0.2\n'
    } > ssh.config
}

# comes_up SECONDS: whether the host is ready by then.
comes_up() {
    local end=$((SECONDS + $1))
    until grep -q 'virtlat lab: host is ready' console.log 2> /dev/null; do
        is_up || { cat qemu.log >&2; fail "QEMU ended: see $state/qemu.log and $state/console.log"; }
        [[ $SECONDS -lt $end ]] || return 1
        sleep 0.2
    done
}

take_down() { (. "$here/verbs/down.bash"); }

# Where the machine below is starved, one boot in some tens hangs in its first seconds: the kernel's clocks believe that a CPU is stuck.
boot_host() {
    local try
    for ((try = 1; ; try++)); do
        start_host
        comes_up 120 && return
        [[ $try -lt 3 ]] || fail "the host does not boot: $state/console.log may say why"
        say "the host hangs; once more"
        take_down
        rm -f console.log
    done
}

# One connection a machine carries all sessions; it lives in the lab's namespaces and ends with them.
connect() {
    attended "${outside[@]}" ssh -F ssh.config -f -N -M "$1" < /dev/null > /dev/null 2>> ssh.log || fail "no way into $1: see $state/ssh.log"
}

# Also makes the neighbours known, so that the first packet of a measurement is like the others. A link may take seconds to come up.
reach() {
    inside "$1" sh -c 'for try in 1 2 3 4 5 6; do busybox ping -q -c 3 -w 10 10.55.0.1 && exit; done; exit 1' > ping.log ||
        { cat ping.log >&2; fail "$1 does not reach the client"; }
}

up() {
    local settings i begun=$SECONDS booted
    parse_up "$@"
    settings="path=$path vcpus=$vcpus guests=$guests queues=$queues pin=$pin vhost=$vhost vlan=$vlan kernel=$kernel kernel_options=$(printf %q "${words[*]}")"
    need_root
    mkdir -p "${state%/*}"
    exec 7> "$state.up"
    flock --nonblock 7 || fail "another lab up is at work on it"
    if is_up; then
        [[ -e $state/ready && $(head -n 1 "$state/settings") = "$settings" ]] && { say "is up already: $settings"; return; }
        fail "is up with other options, or half up (lab status); lab down first, or name another one with LAB=NAME"
    fi
    need qemu-system-x86_64 qemu-system-x86 ip iproute2 ssh openssh-client socat socat cpio cpio unshare util-linux flock util-linux
    build
    rm -rf "$state"
    mkdir -p "$state"
    cd "$state"
    at_exit+=('[[ -e $state/ready ]] || take_down')
    echo "$settings" > settings
    pack
    write_ssh_config
    say "booting the host under test"
    boot_host
    find_outside
    connect host
    booted=$SECONDS
    say "host is up after $((booted - begun)) s; booting $guests guest(s), path $path"
    inside host /lab/host/guests "$path" "$guests" "$vcpus" "$queues" "$pin" "$vhost" "$vlan" ||
        fail "the guests did not come up (status $?); $state/console.log may say why"
    [[ $guests -gt 0 ]] || reach host
    for ((i = 3; i < 3 + guests; i++)); do
        connect "g$i"
        reach "g$i"
    done
    date '+since=%s' > ready
    say "is up after $((SECONDS - begun)) s: host $((booted - begun)) s, guests $((SECONDS - booted)) s"
}

. "$here/verbs/build.bash"
up "$@"
