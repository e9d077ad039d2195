# The face of the repository: every way to build, test and measure virtlat.

SWIFT ?= swift
PREFIX ?= /usr/local
RECORDING ?= tap-steady
VIRTLAT = .build/release/virtlat

.PHONY: help demo build test check bench install clean packages bench-packages

help:
	@echo "make demo     install what is missing, build, print the breakdown of a recorded session"
	@echo "make test     install what is missing, check the style, run every test"
	@echo "make build    the release build: $(VIRTLAT)"
	@echo "make bench    time virtlat beside trace-cmd, libtracecmd and cat on 10 million events"
	@echo "make install  command, manual pages and shell completions below PREFIX=$(PREFIX)"
	@echo "make clean    remove everything that was built"

demo: build
	@$(VIRTLAT) analyze traces/$(RECORDING)

build: packages
	@$(SWIFT) build -c release --product virtlat

test: check
	@$(SWIFT) test

# Style, and imports that the targets do not declare.
check: packages
	@$(SWIFT) format lint --strict --recursive Package.swift Sources Tests
	@Tests/check-imports

bench: bench-packages build
	@$(SWIFT) build -c release --product bench-trace
	@Tests/Bench/bench

packages:
	@Tests/install-packages libtraceevent-dev libzstd-dev zlib1g-dev trace-cmd pkg-config jq

bench-packages:
	@Tests/install-packages libtracecmd-dev libtracefs-dev gcc

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

clean:
	rm -rf .build
