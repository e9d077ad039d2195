# The face of the repository: every way to build, test and measure virtlat.

SWIFT ?= swift
PREFIX ?= /usr/local
RECORDING ?= tap-steady
SECONDS ?= 60
VIRTLAT = .build/release/virtlat
STATIC = .build/static/virtlat

.PHONY: help demo build static test check lab lab-images bench disturbance fuzz install clean packages test-packages lab-packages bench-packages

help:
	@echo "make demo     install what is missing, build, print the breakdown of a recorded session"
	@echo "make test     install what is missing, check the style, run every test"
	@echo "make build    the release build: $(VIRTLAT)"
	@echo "make static   the same in one file without shared libraries, for guests: $(STATIC)"
	@echo "make lab      boot a KVM host and a guest under emulation, record packets through them, print their breakdown"
	@echo "make bench    time virtlat beside trace-cmd, libtracecmd and cat on 10 million events"
	@echo "make disturbance   what recording does to round trips in the lab, beside trace-cmd"
	@echo "make fuzz SECONDS=60   fuzz the reader, the protocol and the texts, each for so long"
	@echo "make install  command, manual pages, shell completions and the agent's systemd unit below PREFIX=$(PREFIX)"
	@echo "make clean    remove everything that was built"

demo: build
	@$(VIRTLAT) analyze traces/$(RECORDING)

build: packages
	@$(SWIFT) build -c release --product virtlat

# For any guest, a busybox initramfs included. The linker warns that names of hosts and users need shared libraries; none is looked up.
static: packages
	@$(SWIFT) build -c release --product virtlat --static-swift-stdlib -Xswiftc -static-executable --scratch-path .build/static
	@strip -o $(STATIC).partial .build/static/release/virtlat && mv $(STATIC).partial $(STATIC)
	@ls -lh $(STATIC)

test: check lab-images test-packages
	@[ "$$(id -u)" -ne 0 ] || mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing || \
	    echo "NO TESTS OF RECORDING: tracefs can't be mounted" >&2
	@$(SWIFT) test

# Style, and imports that the targets do not declare.
check: packages
	@$(SWIFT) format lint --strict --recursive Package.swift Sources Tests
	@Tests/check-imports
	@Tests/check-style

# Tests/Lab/README.md; nothing is left running.
lab: build lab-packages
	@export LAB=make; trap 'Tests/Lab/lab down' EXIT; trap 'exit 130' INT; trap 'exit 143' TERM; \
	Tests/Lab/lab up && Tests/Lab/lab record-trace-cmd && $(VIRTLAT) analyze .build/lab/make/recording

# The end-to-end test boots a lab. It needs root; VIRTLAT_LAB=off leaves it out.
lab-images: lab-packages
	@if [ "$$VIRTLAT_LAB" = off ]; then echo "NO END-TO-END TEST: VIRTLAT_LAB=off" >&2; \
	elif [ "$$(id -u)" -ne 0 ]; then echo "NO END-TO-END TEST: the lab needs root (sudo make test)" >&2; \
	else $(MAKE) --no-print-directory static > /dev/null && Tests/Lab/lab build > /dev/null && \
	    Tests/Lab/lab build --kernel newest > /dev/null; fi

bench: bench-packages build
	@$(SWIFT) build -c release --product bench-trace
	@Tests/Bench/bench

disturbance: static lab-packages
	@Tests/Bench/disturbance

# SECONDS is bash's own variable too, so it goes as an argument.
fuzz: packages
	@Tests/Fuzz/fuzz $(SECONDS)

packages:
	@Tests/install-packages libtraceevent-dev libtracefs-dev libzstd-dev zlib1g-dev trace-cmd pkg-config jq binutils

# SciPy is what the statistics are held against; native traffic needs network namespaces; strace lets system calls fail; systemd runs the agent's unit; nft
# drops packets.
test-packages: packages
	@Tests/install-packages python3-scipy iproute2 strace util-linux systemd nftables

lab-packages: packages
	@[ "$$VIRTLAT_LAB" = off ] || Tests/install-packages qemu-system-x86 mmdebstrap cpio socat openssh-client e2fsprogs kmod iproute2 \
	    util-linux procps binutils xz-utils

bench-packages:
	@Tests/install-packages libtracecmd-dev gcc

install: build
	@$(SWIFT) package --allow-writing-to-package-directory generate-manual --multi-page > /dev/null
	install -D -m 755 $(VIRTLAT) $(DESTDIR)$(PREFIX)/bin/virtlat
	for page in .build/plugins/GenerateManual/outputs/virtlat/*.1; do \
	    install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man1/$${page##*/}; done
	mkdir -p $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions \
	    $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	$(VIRTLAT) --generate-completion-script bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/virtlat
	$(VIRTLAT) --generate-completion-script zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_virtlat
	$(VIRTLAT) --generate-completion-script fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/virtlat.fish
	mkdir -p $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/local|$(PREFIX)|' Packaging/virtlat-agent.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/virtlat-agent.service

clean:
	@for state in .build/lab/*/; do [ ! -e "$$state/lock" ] || LAB=$$(basename "$$state") Tests/Lab/lab down; done
	rm -rf .build
