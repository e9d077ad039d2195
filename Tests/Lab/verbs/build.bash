# lab build: kernel (`kernel`), host image and guest initramfs out of Debian's packages, in the user's cache; the lab's own tools in the build folder.
# shellcheck shell=bash disable=SC2154

kernels=(6.1 6.12 7.2 6.1-rt 6.12-rt)
newest=7.2

# known_kernel NAME: the kernel's own name.
known_kernel() {
    [[ $1 != newest ]] || { echo $newest; return; }
    [[ " ${kernels[*]} " = *" $1 "* ]] || wrong_usage "there is no kernel $1: ${kernels[*]}, and newest, which is $newest"
    echo "$1"
}

# image_of KERNEL: what the images are made by is what they are called, so that a change makes new ones.
image_of() { echo "$1-$(cat "$here/image"/* | sha256sum | cut -c 1-16)"; }

# Waits for the lock on descriptor 8, which `attended` would close.
wait_for_lock() { until flock --nonblock 8; do attended sleep 0.5; done; }

build_tools() {
    local log=$root/.build/lab-tools.log
    mkdir -p "$root/.build"
    exec 8> "$root/.build/lab-tools.lock"
    wait_for_lock
    # Static: in the guest there is no library of ours. The linker warns of calls that the tools don't make.
    # In a pid namespace, so that its compilers end when it does.
    attended unshare --mount-proc --pid --fork --kill-child -- swift build -c release --product lab-tools \
        --static-swift-stdlib -Xswiftc -static-executable --package-path "$root" --scratch-path "$root/.build/lab-tools" \
        > "$log" 2>&1 || { cat "$log" >&2; fail "the lab's tools don't build"; }
    strip -o "$root/.build/lab-tools/lab-tools" "$root/.build/lab-tools/release/lab-tools"
    exec 8>&-
}

build_image() {
    need mmdebstrap mmdebstrap cpio cpio mke2fs e2fsprogs depmod kmod ssh-keygen openssh-client dpkg-deb dpkg sha256sum coreutils \
        unxz xz-utils
    mkdir -p "$cache"
    exec 8> "$cache/lock"
    wait_for_lock
    [[ ! -e $image ]] || { exec 8>&-; return; }
    say "making the images for Linux $kernel in $image: a few minutes, once"
    local work
    work=$(mktemp -d "$cache/making.XXXXXX")
    at_exit+=("rm -rf '$work' '$work.log'")
    # A mount namespace and a pid namespace of its own: no mount and no process is left, whatever ends it.
    attended unshare --mount --pid --fork --kill-child -- "$here/image/make" "$work" "$kernel" > "$work.log" 2>&1 || {
        tail -n 20 "$work.log" >&2
        mv "$work.log" "$cache/failed.log"
        fail "making the images failed; the whole story is in $cache/failed.log"
    }
    rm -f "$work.log"
    mv "$work" "$image"
    exec 8>&-
}

build() {
    need_root
    [[ $(uname -m) = x86_64 ]] || fail "the lab is an x86-64 machine and its tools are built here: this is $(uname -m)"
    need swift swift strip binutils unshare util-linux
    build_tools
    image=$cache/$(image_of "$kernel")
    [[ -e $image ]] || build_image
    local release
    release=$(< "$image/release")
    [[ $release = "${kernel%-rt}".* ]] || say "ATTENTION: Debian has no Linux $kernel any more; this is its successor there, Linux $release"
}

[[ $verb != build ]] || {
    kernel=6.1
    if [[ ${1:-} = --kernel ]]; then
        kernel=$(known_kernel "$(value "$@")")
        shift 2
    fi
    [[ $# -eq 0 ]] || wrong_usage "build takes no options but --kernel: ${kernels[*]}, newest"
    build
    echo "$image"
}
