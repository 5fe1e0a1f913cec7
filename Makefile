# A short door to meson for people who type `make`.
BUILD  ?= build
PREFIX ?= /usr/local

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

$(BUILD)/build.ninja:
	@meson setup $(BUILD) --prefix=$(PREFIX) -Doptimization=2 -Ddebug=false >/dev/null

install: all
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

demo:
	@scripts/demo

check:
	@scripts/check

sanitize:
	@scripts/check --sanitize

chaos:
	@scripts/chaos

macos:
	@scripts/check-macos

format:
	@clang-format -i $$(git ls-files '*.c' '*.h' '*.cc')

lint:
	@scripts/lint

bench: all
	@bench/run

clean:
	@rm -rf build build-*

.PHONY: all install demo check sanitize chaos macos format lint bench clean
