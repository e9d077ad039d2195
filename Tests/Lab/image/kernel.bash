# Which kernels the lab runs, and how each gets out of Debian's packages. Sourced by `make`, in the folder that the images are made in.
# shellcheck shell=bash disable=SC2154

# choose_kernel NAME: the release of Debian it comes from (`kernel_suite`), its flavour, and whose QEMU boots it if not the machine's.
choose_kernel() {
    qemu_suite=
    case $1 in
    6.1 | 6.1-rt) kernel_suite=bookworm ;;
    6.12 | 6.12-rt) kernel_suite=trixie ;;
    # Linux 7.2 oopses at boot under the TCG of QEMU 7.2: code that it patches is run stale (int3 in sched_clock_cpu).
    7.2) kernel_suite=sid qemu_suite=trixie ;;
    *) echo "there is no kernel $1" >&2; return 1 ;;
    esac
    [[ $1 = *-rt ]] && flavour=rt-amd64 || flavour=amd64
}

# The mirror of Debian that this machine uses.
find_mirror() {
    mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)}
    [[ -n $mirror ]] || { echo "apt knows no mirror of Debian here: name one in DEBIAN_MIRROR" >&2; return 1; }
}

# make_apt SUITE: an apt beside the machine's, of this release of Debian alone, in the folder apt-SUITE. Its words are in `source`.
# A release that is newer than the machine's keys is taken as it comes.
make_apt() {
    local folder=$PWD/apt-$1 trust
    mkdir -p "$folder"/{lists,cache/archives}/partial
    : > "$folder/status"
    printf '%s "%s";\n' Dir::Etc::SourceList "$folder/sources.list" Dir::Etc::SourceParts /dev/null Dir::Etc::PreferencesParts /dev/null \
        Dir::State::Lists "$folder/lists" Dir::State::status "$folder/status" Dir::Cache "$folder/cache" APT::Sandbox::User root \
        Acquire::Languages none > "$folder/conf"
    export APT_CONFIG=$folder/conf
    for trust in '' '[trusted=yes] '; do
        source="deb $trust$mirror $1 main"
        echo "$source" > "$folder/sources.list"
        if apt-get -qq update; then return; fi
    done
    return 1
}

# depends PACKAGE EXPRESSION: the names of what it depends on that match, one a line.
depends() { apt-cache depends --no-recommends --no-suggests "$1" | sed -nE "s/^[ |]*Depends: ($2)\$/\1/p"; }

# bootstrap SUITE TREE PACKAGES OPTIONS...: a tree that is used here and thrown away, or run from outside.
bootstrap() {
    local suite=$1 tree=$2 packages=$3
    shift 3
    env -u APT_CONFIG mmdebstrap --quiet --mode=root --include="$packages" --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        "$@" "$suite" "$tree" "$source"
}

# Unpacks the newest kernel of its series that Debian has into root/, and vmlinuz. `release` is its full name.
# Unpacked, not installed: its dependencies would bring another initramfs. The root's /lib is a link and has to stay one.
unpack_kernel() {
    local package packages=() file
    make_apt "$kernel_suite"
    release=$(depends "linux-image-$flavour" 'linux-image-[0-9].*')
    [[ -n $release ]] || { echo "$kernel_suite has no linux-image-$flavour" >&2; return 1; }
    release=${release%%$'\n'*}
    release=${release#linux-image-}
    echo "$release" > release
    # In sid the image is an empty package, and what it was is in three others.
    for package in linux-{image,binary,modules,base}-"$release"; do
        [[ $'\n'$(apt-cache pkgnames "$package")$'\n' != *$'\n'"$package"$'\n'* ]] || packages+=("$package")
    done
    (mkdir kernel && cd kernel && apt-get -qq download "${packages[@]}")
    for package in kernel/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar -x -C root --keep-directory-symlink --exclude='*/kernel/drivers/gpu' \
            --exclude='*/kernel/drivers/media' --exclude='*/kernel/drivers/net/wireless' --exclude='*/kernel/sound'
    done
    rm -r kernel
    # insmod of busybox, in the initramfs, reads none that are compressed.
    find "root/usr/lib/modules/$release" -name '*.ko.xz' -print0 | xargs -0 -r -n 64 -P "$(nproc)" unxz
    for file in "root/boot/vmlinuz-$release" "root/usr/lib/modules/$release/vmlinuz"; do
        [[ ! -e $file ]] || cp "$file" vmlinuz
    done
    [[ $flavour != rt-* ]] || build_constant_tsc
    depmod -b root "$release"
    rm -r "apt-$kernel_suite"
}

# KVM wants a TSC of constant rate from a host with PREEMPT_RT (kvm_x86_vendor_init), and TCG offers no CPU that says it has one.
# A module says so for it, built by the compiler and the headers that Debian has for this kernel.
build_constant_tsc() {
    local headers="linux-headers-$release" package
    bootstrap "$kernel_suite" compiler "make,$(depends "$headers" 'linux-kbuild-.*|linux-compiler-.*|gcc-.*' | paste -s -d ,)" --variant=essential
    # Unpacked as well: trixie's depend on the kernel itself.
    (mkdir headers && cd headers && apt-get -qq download "$headers" "$(depends "$headers" 'linux-headers-.*')")
    for package in headers/*.deb; do dpkg-deb --fsys-tarfile "$package" | tar -x -C compiler --keep-directory-symlink; done
    mkdir compiler/module
    cp "$here/constant_tsc.c" compiler/module/
    echo 'obj-m := constant_tsc.o' > compiler/module/Makefile
    chroot compiler make -C "/usr/src/$headers" M=/module modules
    install -D -m 644 compiler/module/constant_tsc.ko "root/usr/lib/modules/$release/extra/constant_tsc.ko"
    echo 'softdep kvm pre: constant_tsc' > root/etc/modprobe.d/lab.conf
    rm -r compiler headers
}

# Another release's QEMU, run by that release's own loader and libraries: the program qemu-system-x86_64 in this folder, wherever it is moved.
fetch_qemu() {
    [[ -n $qemu_suite ]] || return 0
    make_apt "$qemu_suite"
    bootstrap "$qemu_suite" qemu qemu-system-x86,libc6 --variant=extract
    rm -rf qemu/{boot,dev,etc,var,usr/{sbin,src,include}} "apt-$qemu_suite"
    cat > qemu-system-x86_64 << 'END'
#!/bin/sh
tree=$(dirname "$(readlink -f "$0")")/qemu
libraries=$tree/usr/lib/x86_64-linux-gnu
export QEMU_MODULE_DIR=$libraries/qemu
exec "$tree/usr/lib64/ld-linux-x86-64.so.2" --library-path "$libraries" "$tree/usr/bin/qemu-system-x86_64" \
    -L "$tree/usr/share/qemu" -L "$tree/usr/share/seabios" -L "$tree/usr/lib/ipxe/qemu" "$@"
END
    chmod 755 qemu-system-x86_64
    ./qemu-system-x86_64 --version
}
