# SPDX-License-Identifier: ISC
# tinpost: one non-recursive build. `make help` lists the targets, HACKING.md explains them.

MAKEFLAGS += -rR --no-print-directory
SHELL := /bin/sh
.SHELLFLAGS := -ec
.SECONDEXPANSION:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

# Nothing of the environment decides what comes out.
export PATH := /usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL := C
export TZ := UTC
export PYTHONDONTWRITEBYTECODE := 1
unexport CFLAGS CPPFLAGS LDFLAGS LIBRARY_PATH LD_LIBRARY_PATH LD_RUN_PATH CPATH C_INCLUDE_PATH \
	GCC_EXEC_PREFIX COMPILER_PATH PYTHONPATH PYTHONHOME CDPATH ENV GREP_OPTIONS
CPUS := $(shell nproc)
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(CPUS)
endif

# Where things are. Without SITE the tests and `run` use a site of their own: out/demo.
given-O := $(filter command environment,$(origin O))
O ?= out
SITE ?=

# What make and the shell cannot carry is refused here, in a sentence.
override SOURCE_DATE_EPOCH := $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),1700000000)
export SOURCE_DATE_EPOCH
ifeq ($(shell echo '$(SOURCE_DATE_EPOCH)' | grep -xE '0|[1-9][0-9]{0,8}|[1-3][0-9]{9}'),)
$(error SOURCE_DATE_EPOCH must be seconds since 1970, below 4000000000, not $(SOURCE_DATE_EPOCH))
endif
refuse-odd = $(if $(findstring :,$($(1)))$(word 2,x$($(1))x),$(error $(2) must hold no space and no colon: $($(1))))
$(foreach v,O SITE KCONFIG_CONFIG CACHE DL_DIR,$(call refuse-odd,$v,$v))
$(call refuse-odd,CURDIR,The path of the checkout)
ifeq ($(O),)
$(error O is empty; it names the folder that everything is built in, as O=out)
endif
sources := $(addsuffix /%,$(addprefix $(CURDIR)/,board init keys rootfs smtpd tests .git))
ifneq ($(filter / $(abspath $(O))/%,$(abspath $(O)) $(CURDIR)/)$(filter $(sources),$(abspath $(O))/),)
$(error O must be a folder of its own: $(O) holds the sources or is part of them)
endif

# BOARD= names another board for them.
demo-goals := run check unit fuzz fuzz-replay bench soak test-system test-dialog board-images check-% out/demo/%
given-board := $(if $(filter command environment,$(origin BOARD)),$(filter-out qemu-x86_64,$(BOARD)))
ifneq ($(filter $(demo-goals),$(filter-out check-fresh check-reproducible check-format check-deps,$(MAKECMDGOALS))),)
ifeq ($(SITE)$(KCONFIG_CONFIG),)
override O := $(O)/demo$(addprefix /boards/,$(given-board))
DEMO := $(or $(given-board),qemu-x86_64)
endif
endif
KCONFIG_CONFIG ?= $(if $(DEMO),$(O)/.config,$(if $(SITE),$(SITE)/.config,$(if $(given-O),$(O)/.config,.config)))
export KCONFIG_CONFIG
SITE_DIR := $(if $(DEMO),tests/site,$(or $(SITE),.))
CACHE ?=
CACHE_DIR := $(if $(filter no,$(CACHE)),$(abspath $(O))/cache,$(or $(CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tinpost))
export CACHE_DIR DL_DIR CACHE
ifeq ($(CACHE),no)
export CCACHE_DISABLE := 1
endif
export V O
Q := $(if $(filter 1,$(V)),,@)
say = @printf '  %-7s %s\n' '$(1)' '$(patsubst $(O)/%,%,$(2))'
GEN := $(O)/gen

# Configuration: .config -> autoconf.h (forced into every C file) and auto.conf (read here).
KCONFIGS := Kconfig $(wildcard */Kconfig)
kconfig = /usr/bin/python3 -m $(1)
free-goals := help clean distclean %config list-defconfigs source check-fresh check-reproducible check-format check-deps \
	rfc-index host-deps test-letter
ifneq ($(filter-out $(free-goals),$(or $(MAKECMDGOALS),all)),)
include $(GEN)/auto.conf
ifndef DEMO
$(shell test ! -L $(O)/host || rm $(O)/host)
endif
endif
comma := ,
unquote = $(subst ",,$(1))
ARCH := $(or $(call unquote,$(CONFIG_BOARD_ARCH)),x86_64)
override BOARD := $(or $(call unquote,$(CONFIG_BOARD_NAME)),qemu-x86_64)
ifneq ($(ARCH),$(shell uname -m))
CROSS_COMPILE ?= $(ARCH)-linux-gnu-
endif

# Files that may be exchanged for older ones or go away: a stamp moves when name or content do.
stamp = { echo '$(1)'; cat '$(1)' 2>/dev/null || echo none; } | sha256sum >$@.new; \
	cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(GEN)/config.is: $(KCONFIG_CONFIG) $(GEN)/host.ok FORCE
	@$(call stamp,$(KCONFIG_CONFIG))
$(GEN)/auto.conf: $(GEN)/config.is $(KCONFIGS) rootfs/check-settings
	$(Q)$(call kconfig,genconfig) --header-path $(GEN)/autoconf.h --config-out $@.new Kconfig >/dev/null
	$(Q)rootfs/check-settings $@.new $(KCONFIG_CONFIG)
	$(Q)mv $@.new $@
	$(Q)touch $(GEN)/autoconf.h
$(GEN)/autoconf.h: $(GEN)/auto.conf ;

ifdef DEMO
$(KCONFIG_CONFIG): board/$(DEMO)/defconfig tests/site/config $(KCONFIGS) | $(GEN)/host.ok
	$(Q)mkdir -p $(@D)
	$(Q)cat board/$(DEMO)/defconfig tests/site/config >$@.demo
	$(Q)$(call kconfig,defconfig) --kconfig Kconfig $@.demo >/dev/null && rm $@.demo && touch $@
else
$(KCONFIG_CONFIG):
	@echo "There is no $@: run 'make menuconfig', or 'make $(BOARD)_defconfig' and edit it." >&2; exit 1
endif

# Tools of this machine that the build needs; missing ones are installed or named.
$(GEN)/host.ok: rootfs/host-deps
	$(Q)mkdir -p $(@D)
	$(Q)rootfs/host-deps build
	@touch $@
$(GEN)/board.ok: rootfs/host-deps $(GEN)/auto.conf
	$(Q)rootfs/host-deps $(BOARD)
	@touch $@

# Packages: unpacked, patched and built by rootfs/package, kept in the cache.
HOSTCC := /usr/bin/gcc
host-pkgs := bearssl libsodium tinycdb http-parser jsmn
pkg-inputs = rootfs/package $(wildcard rootfs/$(1)/*)
alive = $(if $(wildcard $(O)/pkg/$(1)/.),,FORCE)
host-flags := -O2 -g -fPIE -fstack-protector-strong
lib-flags := -O2 -g -fPIE -fstack-protector-strong -ffunction-sections -fdata-sections \
	-fno-unwind-tables -fno-asynchronous-unwind-tables

$(host-pkgs:%=$(O)/pkg/host/%.ok): $(O)/pkg/host/%.ok: $$(call pkg-inputs,$$*) $$(call alive,host/$$*) | $(GEN)/host.ok
	$(Q)CC=$(HOSTCC) RECIPE_CFLAGS="$(host-flags)" rootfs/package build $* host $(O)/pkg/host/$*
	@touch $@

$(host-pkgs:%=$(O)/pkg/$(ARCH)/%.ok): $(O)/pkg/$(ARCH)/%.ok: $$(call pkg-inputs,$$*) $$(call alive,$(ARCH)/$$*) \
		$(O)/pkg/$(ARCH)/musl.ok
	$(Q)CC=$(abspath $(TCC)) AR=$(CROSS_COMPILE)ar RECIPE_CFLAGS="$(lib-flags)" \
		RECIPE_TOOLCHAIN=$$(basename $$(readlink -f $(O)/pkg/$(ARCH)/musl)) rootfs/package build $* $(ARCH) $(O)/pkg/$(ARCH)/$*
	@touch $@

$(O)/pkg/$(ARCH)/headers.ok: $(call pkg-inputs,headers) rootfs/linux/pin $(call alive,$(ARCH)/headers) | $(GEN)/host.ok $(GEN)/board.ok
	$(Q)CC=$(CROSS_COMPILE)gcc rootfs/package build headers $(ARCH) $(O)/pkg/$(ARCH)/headers
	@touch $@

$(O)/pkg/$(ARCH)/musl.ok: $(call pkg-inputs,musl) $(O)/pkg/$(ARCH)/headers.ok $(call alive,$(ARCH)/musl)
	$(Q)CC=$(CROSS_COMPILE)gcc CROSS_COMPILE=$(CROSS_COMPILE) RECIPE_HEADERS=$$(readlink -f $(O)/pkg/$(ARCH)/headers) \
		rootfs/package build musl $(ARCH) $(O)/pkg/$(ARCH)/musl
	@touch $@

# The kernel depends on nothing of ours but its fragment.
FRAGMENT := board/$(ARCH).fragment
$(O)/pkg/$(ARCH)/linux.ok: $(call pkg-inputs,linux) $(FRAGMENT) $(call alive,$(ARCH)/linux) | $(GEN)/host.ok $(GEN)/board.ok
	$(Q)CC=$(CROSS_COMPILE)gcc RECIPE_FILES="$(FRAGMENT) rootfs/linux/check-config" FRAGMENT=$(abspath $(FRAGMENT)) \
		CROSS_COMPILE=$(CROSS_COMPILE) rootfs/package build linux $(ARCH) $(O)/pkg/$(ARCH)/linux
	@touch $@

# Programs: one .mk beside each lists its objects, packages and forbidden symbols.
PROGS :=
HOSTPROGS :=
include $(wildcard smtpd/lib/lib.mk)
include $(filter-out smtpd/lib/lib.mk,$(wildcard */*.mk */*/*.mk */*/*/*.mk))

TCC := $(O)/pkg/$(ARCH)/musl/bin/cc
archive-bearssl := bearssl/lib/libbearssl.a
archive-sodium := libsodium/lib/libsodium.a
archive-cdb := tinycdb/lib/libcdb.a
archive-http_parser := http-parser/lib/libhttp_parser.a
archive-jsmn := jsmn/lib/libjsmn.a
pkg-bearssl := bearssl
pkg-sodium := libsodium
pkg-cdb := tinycdb
pkg-http_parser := http-parser
pkg-jsmn := jsmn
archives = $(foreach l,$($(2)-libs),$(O)/pkg/$(1)/$(archive-$(l)))
stamps = $(foreach l,$($(2)-libs),$(O)/pkg/$(1)/$(pkg-$(l)).ok)
pkg-includes = $(foreach p,$(host-pkgs),-isystem $(O)/pkg/$(1)/$(p)/include)

warnings := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith \
	-Wwrite-strings -Wimplicit-fallthrough
maps := -ffile-prefix-map=$(abspath $(O))=out $(if $(filter-out /%,$(O)),-ffile-prefix-map=$(O)=out) \
	-ffile-prefix-map=$(CACHE_DIR)=cache -ffile-prefix-map=$(CURDIR)=. -fno-canonical-system-headers
common := -std=c11 -D_GNU_SOURCE= -g $(warnings) -I. -include $(GEN)/autoconf.h -include smtpd/lib/on.h -MMD -MP
target-flags := $(common) $(if $(CONFIG_ROOTFS_OPTIMIZE_SIZE),-Os,-O2) -fPIE -fstack-protector-strong \
	-ftrivial-auto-var-init=zero -ffunction-sections -fdata-sections -fno-unwind-tables \
	-fno-asynchronous-unwind-tables $(maps)
target-link := -Wl,--gc-sections -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--build-id=sha1 -Wl,--fatal-warnings
asan := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1

prereq-headers = $(GEN)/autoconf.h Makefile | $(host-pkgs:%=$(O)/pkg/$(1)/%.ok)
$(O)/target/%.o: %.c $(call prereq-headers,$(ARCH))
	$(call say,CC,$*.o)
	@mkdir -p $(@D)
	$(Q)$(TCC) $(target-flags) $(build-flags) $(call pkg-includes,$(ARCH)) -c -o $@ $<
$(O)/host/obj/%.o: %.c $(call prereq-headers,host)
	$(call say,HOSTCC,$*.o)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(common) $(build-flags) -O2 $(call pkg-includes,host) -c -o $@ $<
$(O)/asan/%.o: %.c $(call prereq-headers,host)
	$(call say,ASAN,$*.o)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(common) $(build-flags) $(asan) $(call pkg-includes,host) -c -o $@ $<

define prog-rules
$(O)/symbols/$(1): $($(1)-y:%=$(O)/target/%) $(call stamps,$(ARCH),$(1)) $(O)/pkg/$(ARCH)/musl.ok
	$$(call say,LINK,$(1))
	@mkdir -p $$(@D)
	$(Q)$(TCC) $(target-link) -o $$@ $($(1)-y:%=$(O)/target/%) $(call archives,$(ARCH),$(1))
$(O)/bin/$(1): $(O)/symbols/$(1)
	@mkdir -p $$(@D)
	$(Q)$(CROSS_COMPILE)strip -s -o $$@ $$<
endef
$(foreach p,$(PROGS),$(eval $(call prog-rules,$(p))))

# The demo's host programs are found in out/host, too, until others are built there.
host-link: $(HOSTPROGS:%=$(O)/host/%)
	@$(if $(filter qemu-x86_64,$(DEMO)),test -e $(O)/../host || ln -sfn demo/host $(O)/../host)

define hostprog-rules
$(O)/host/$(1): $($(1)-y:%=$(O)/host/obj/%) $(call stamps,host,$(1))
	$$(call say,HOSTLD,$(1))
	$(Q)$(HOSTCC) -o $$@ $($(1)-y:%=$(O)/host/obj/%) $(call archives,host,$(1)) -lpthread -lm
endef
# What the tests run on this machine without the sanitizers.
TESTPROGS := bench-sign bench-alias bench-logins ctgrind
bench-sign-y := tests/bench/sign.o $(addprefix keys/holder/,mont52.o mont64.o rsa64.o)
bench-alias-y := tests/bench/alias.o smtpd/check/alias.o smtpd/lib/map.o smtpd/lib/bytes.o \
	$(addprefix keys/auth/host/,sourcefile.o virtualfile.o) $(addprefix smtpd/proto/,srs.o base64.o path.o ipaddr.o utf8.o)
ctgrind-y := tests/check/ctgrind.o keys/holder/mont64.o smtpd/lib/bytes.o
bench-sign-libs := bearssl
bench-alias-libs := bearssl cdb
bench-logins-y := tests/bench/logins.o keys/auth/host/sourcefile.o $(filter-out %main.o,$(auth-y))
bench-logins-libs := $(auth-libs)
ctgrind-libs := bearssl
filedisk-y := tests/power/filedisk.o $(queue-journal) $(addprefix smtpd/proto/,envelope.o path.o utf8.o ipaddr.o) $(lib-core)
filedisk-libs := sodium
filedisk-wrap := $(addprefix -Wl$(comma)--wrap=,open openat fstat fdatasync fsync renameat unlinkat memfd_read memfd_append)
$(foreach p,$(HOSTPROGS) $(TESTPROGS),$(eval $(call hostprog-rules,$(p))))

# Images. The root file system holds every program, the compiled maps and the trust anchors.
I := $(O)/images
kernel := $(if $(CONFIG_BOARD_VM_AARCH64),vmlinuz.efi,$(if $(filter aarch64,$(ARCH)),Image.gz,bzImage))
disk-images := tinpost-$(BOARD).img$(if $(CONFIG_BOARD_VM_X86_64)$(CONFIG_BOARD_VM_AARCH64), tinpost-$(BOARD).qcow2)
packed := $(if $(CONFIG_BOARD_CONTAINER),oci/index.json,$(kernel) rootfs.cpio.zst $(if $(CONFIG_BOARD_DISK),$(disk-images),keys.img data.img))
IMAGES := $(addprefix $(I)/,$(packed) sbom.cdx.json SHA256SUMS)
loaded := $(if $(CONFIG_BOARD_CONTAINER),$(I)/oci/blobs/sha256/*,$(I)/$(kernel) $(I)/rootfs.cpio.zst)
host-programs := $(HOSTPROGS:%=$(O)/host/%)
all: $(IMAGES) $(host-programs)
	@printf '  %-7s %s, %d KiB to load\n' DONE '$(I)' $$(( $$(cat $(loaded) | wc -c) / 1024 ))
oci: $(I)/oci/index.json

$(I)/$(kernel): $(O)/pkg/$(ARCH)/linux.ok
	@mkdir -p $(@D) $(O)/symbols
	$(Q)$(if $(filter %.gz,$(kernel)),gzip -9nc,cat) $(O)/pkg/$(ARCH)/linux/$(kernel:.gz=) >$@
	$(Q)cp $(O)/pkg/$(ARCH)/linux/vmlinux $(O)/symbols/vmlinux
rootfs-inputs := rootfs/tree $(PROGS:%=$(O)/bin/%) $(addprefix $(O)/maps/,anchors.pem public.pem users.cdb virtual.cdb smarthost dkim tls binding manifest)
secrets = $(if $(smarthost)$(dkim-file)$(tls-key)$(binding),umask 077;)
$(I)/rootfs.cpio.zst: rootfs/mkroot $(GEN)/build.h $(rootfs-inputs)
	$(call say,CPIO,$@)
	@mkdir -p $(@D)
	$(Q)$(secrets) rm -f $@; rootfs/mkroot cpio rootfs/tree $(O) $(filter-out init,$(PROGS)) >$@
$(I)/oci/index.json: rootfs/mkroot $(GEN)/build.h $(rootfs-inputs)
	$(call say,OCI,$(@D))
	$(Q)$(secrets) rootfs/mkroot oci $(@D) $(ARCH) rootfs/tree $(O) $(filter-out init,$(PROGS))
$(I)/keys.img: rootfs/disks rootfs/ext4.py rootfs/mke2fs.conf $(GEN)/build.h
	$(call say,DISK,$@)
	@mkdir -p $(@D)
	$(Q)rootfs/disks keys $@
$(I)/data.img: rootfs/disks rootfs/ext4.py rootfs/mke2fs.conf $(GEN)/build.h
	$(call say,DISK,$@)
	@mkdir -p $(@D)
	$(Q)rootfs/disks data $@ $(CONFIG_ROOTFS_DATA_SIZE)
# UEFI's boot loader: x86-64's from the host's package, another architecture's through the private apt root.
loader = $(if $(CONFIG_BOARD_VM_AARCH64),$$(rootfs/package source systemd-boot)/deb)/usr/lib/systemd/boot/efi/systemd-boot$(if $(CONFIG_BOARD_VM_AARCH64),aa64,x64).efi
$(I)/tinpost-$(BOARD).img: rootfs/mkdisk rootfs/fat.py rootfs/layout.py rootfs/ext4.py rootfs/mke2fs.conf init/layout.def $(I)/$(kernel) $(I)/rootfs.cpio.zst \
		$(GEN)/board.ok
	$(call say,DISK,$@)
	$(Q)$(secrets) rootfs/mkdisk $(ARCH) $@ $(I)/$(kernel) $(I)/rootfs.cpio.zst $(CONFIG_ROOTFS_DATA_SIZE) $(loader)
$(I)/tinpost-$(BOARD).qcow2: $(I)/tinpost-$(BOARD).img
	$(call say,QCOW2,$@)
	$(Q)$(secrets) qemu-img convert -m 1 -f raw -O qcow2 -c $< $@.new && mv $@.new $@
payload := $(packed:%=$(I)/%)
$(I)/sbom.cdx.json: rootfs/sbom $(O)/maps/manifest $(payload)
	$(Q)rootfs/sbom $(O)/maps/manifest $(I) >$@
sbom: $(I)/sbom.cdx.json
	@echo $<
legal-info: $(O)/maps/manifest
	$(Q)rootfs/legal-info $< $(O)/legal-info && echo $(O)/legal-info
hardenconfig: $(O)/pkg/$(ARCH)/linux.ok
	@rootfs/linux/hardenconfig rootfs/linux/hardening $(ARCH) $(O)/pkg/$(ARCH)/linux/.config
graph-boot: $(IMAGES) host-all
	@tests/bench/graph-boot $(O) $(O)/boot.svg
sizes: $(IMAGES)
	@rootfs/sizes $(O) $(O)/sizes.svg $(O)/pkg/$(ARCH)/musl/lib/libc.a $(foreach l,$(sort $(foreach p,$(PROGS),$($(p)-libs))),$(O)/pkg/$(ARCH)/$(archive-$(l)))
$(I)/SHA256SUMS: $(I)/sbom.cdx.json $(payload)
	$(Q)cd $(I) && sha256sum $(patsubst $(I)/%,%,$^) >SHA256SUMS

# Lists of the site. One that is not there is no error: its tool says what that means.
virtual := $(SITE_DIR)/$(call unquote,$(CONFIG_SMTPD_VIRTUAL_FILE))
users := $(SITE_DIR)/$(call unquote,$(CONFIG_KEYS_USERS_FILE))
anchors := $(if $(call unquote,$(CONFIG_FORWARD_ANCHORS_FILE)),$(SITE_DIR)/$(call unquote,$(CONFIG_FORWARD_ANCHORS_FILE)),/dev/null)
public := $(if $(call unquote,$(CONFIG_OUT_ANCHORS_FILE)),$(SITE_DIR)/$(call unquote,$(CONFIG_OUT_ANCHORS_FILE)),/dev/null)
lists := virtual users anchors public
$(lists:%=$(GEN)/%.is): $(GEN)/%.is: FORCE
	@$(call stamp,$($*))
# What the image is made of; with the commit, so that it is asked for each time.
linked = $(sort $(foreach p,$(PROGS),$(foreach l,$($(p)-libs),$(pkg-$(l)))))
$(O)/maps/manifest: rootfs/manifest $(wildcard rootfs/*/pin rootfs/*/*.patch) $(GEN)/auto.conf $(lists:%=$(GEN)/%.is) \
		$(if $(CONFIG_BOARD_CONTAINER),,$(O)/pkg/$(ARCH)/linux.ok) FORCE
	@mkdir -p $(@D)
	$(Q)CROSS_COMPILE=$(CROSS_COMPILE) rootfs/manifest $(GEN)/auto.conf $(if $(CONFIG_BOARD_CONTAINER),-,$(O)/pkg/$(ARCH)/linux) \
		'$(linked)' $(foreach l,$(lists),$(l)=$($(l))) >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(O)/maps/anchors.pem: rootfs/anchors $(GEN)/auto.conf $(GEN)/anchors.is
	@mkdir -p $(@D)
	$(Q)rootfs/anchors FORWARD_ANCHORS $(anchors) $(call unquote,$(CONFIG_FORWARD_ANCHORS)) >$@
$(O)/maps/public.pem: rootfs/anchors rootfs/anchors.public $(GEN)/auto.conf $(GEN)/public.is
	@mkdir -p $(@D)
	$(Q)rootfs/anchors OUT_ANCHORS $(public) $(call unquote,$(CONFIG_OUT_ANCHORS)) >$@
# Neither its hash nor its name goes into another file. It is written only when it changed.
smarthost := $(call unquote,$(CONFIG_KEYS_SMARTHOST_FILE))
$(O)/maps/smarthost: rootfs/smarthost rootfs/keep.py $(GEN)/auto.conf FORCE
	@mkdir -p $(@D)
	$(Q)rootfs/smarthost '$(if $(smarthost),$(SITE_DIR)/$(smarthost))' $@
dkim-file := $(call unquote,$(CONFIG_KEYS_DKIM_FILE))
$(O)/maps/dkim: rootfs/dkim-key rootfs/pem.py rootfs/keep.py $(GEN)/auto.conf FORCE
	@mkdir -p $(@D)
	$(Q)rootfs/dkim-key '$(if $(dkim-file),$(SITE_DIR)/$(dkim-file))' $@
tls-cert := $(call unquote,$(CONFIG_KEYS_TLS_CERT_FILE))
tls-key := $(call unquote,$(CONFIG_KEYS_TLS_KEY_FILE))
$(O)/maps/tls: rootfs/tls-cert rootfs/pem.py rootfs/keep.py $(GEN)/auto.conf FORCE
	@mkdir -p $(@D)
	$(Q)rootfs/tls-cert '$(if $(tls-cert),$(SITE_DIR)/$(tls-cert))' '$(if $(tls-key),$(SITE_DIR)/$(tls-key))' \
		"$(call unquote,$(CONFIG_SMTPD_HOSTNAME)) $(call unquote,$(CONFIG_KEYS_TLS_NAMES))" $@
binding := $(call unquote,$(CONFIG_KEYS_ACME_BINDING_FILE))
$(O)/maps/binding: rootfs/binding rootfs/keep.py $(GEN)/auto.conf FORCE
	@mkdir -p $(@D)
	$(Q)rootfs/binding '$(if $(binding),$(SITE_DIR)/$(binding))' $@
$(O)/maps/virtual.cdb: $(O)/host/tinpost-virtual $(GEN)/auto.conf $(GEN)/virtual.is
	$(call say,MAP,$@)
	@mkdir -p $(@D)
	$(Q)$< --domains $(CONFIG_SMTPD_DOMAINS) --forward-to $(CONFIG_FORWARD_TO) \
		--self "$(call unquote,$(CONFIG_SMTPD_HOSTNAME)) $(call unquote,$(CONFIG_FORWARD_SRS_DOMAIN))" $(virtual) $@
	$(Q)test $$(wc -c <$@) -le $$(($(CONFIG_SMTPD_VIRTUAL_MIB) << 20)) || { rm -f $@; \
		echo "$(virtual): its map is larger than SMTPD_VIRTUAL_MIB allows" >&2; exit 1; }
$(O)/maps/users.cdb: $(O)/host/tinpost-users $(GEN)/auto.conf $(GEN)/users.is
	$(call say,MAP,$@)
	@mkdir -p $(@D)
	$(Q)$< --domains $(CONFIG_SMTPD_DOMAINS) $(users) $@

# Both ends of every channel compare BUILD_ID: one text for one state of our sources and configuration.
# BUILD_TIME is the floor of the machine's clock, and BUILD_VERSION the same for people. Then the operator's public keys.
build-version := $(shell date -u -d @$(SOURCE_DATE_EPOCH) +%Y.%m.%d-%H%M)
pubkey = rootfs/pubkey $(1) $(2) '$(addprefix $(SITE_DIR)/,$(call unquote,$(CONFIG_$(1))))'
own-sources := $(wildcard init/*.c init/*/*.c smtpd/*/*.c smtpd/*/*/*.c keys/*/*.c keys/*/*/*.c)
own-files := $(own-sources) $(wildcard init/*.h init/*/*.h init/*.def smtpd/*/*.h smtpd/*/*/*.h keys/*/*.h keys/*/*/*.h)
build-users := $(patsubst %.c,%.o,$(shell grep -lwE 'BUILD_ID|BUILD_TIME|BUILD_VERSION|BACKUP_PUBKEY|UPDATE_PUBKEY|wires\.h' $(own-sources) $(wildcard tests/*/*.c) /dev/null))
$(GEN)/build.h: $(GEN)/autoconf.h FORCE
	@{ printf '#define BUILD_ID "%.16s"\n' "$$(cat $(own-files) $< | sha256sum)"; \
		echo "#define BUILD_TIME $(SOURCE_DATE_EPOCH)"; echo '#define BUILD_VERSION "$(build-version)"'; \
		$(call pubkey,KEYS_BACKUP_PUBKEY,backup-key); \
		$(call pubkey,UPDATE_PUBKEY,update-key); $(call pubkey,UPDATE_PUBKEY_NEXT,update-key); } >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(foreach d,target asan host/obj,$(build-users:%=$(O)/$(d)/%)): $(GEN)/build.h
$(foreach d,target asan host/obj,$(build-users:%=$(O)/$(d)/%)): private build-flags := -include $(GEN)/build.h

# Tests of modules: every tests/unit/*.c and tests/fuzz/*.c is a program over all modules.
modules := $(filter-out %main.c,$(own-sources))
units := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/*.c))
fuzzers := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
host-archives := $(foreach l,bearssl sodium cdb http_parser jsmn,$(O)/pkg/host/$(archive-$(l)))

$(O)/asan/modules.a: $(modules:%.c=$(O)/asan/%.o)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcsD $@ $^
$(units:%=$(O)/unit/%): $(O)/unit/%: $(O)/asan/tests/unit/%.o $(O)/asan/modules.a
	$(call say,LINK,unit/$*)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(asan) -o $@ $^ $(host-archives) -lpthread $(unit-libs)
$(O)/unit/tlspeer $(O)/unit/tlsfile $(O)/unit/tlschain: private unit-libs := -lssl -lcrypto
$(fuzzers:%=$(O)/replay/%): $(O)/replay/%: $(O)/asan/tests/fuzz/%.o $(O)/asan/tests/check/replay.o $(O)/asan/modules.a
	$(call say,LINK,fuzz/$*)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(asan) -o $@ $^ $(host-archives) -lpthread

$(O)/power/%: $(O)/asan/tests/power/%.o $(O)/asan/modules.a
	$(call say,LINK,power/$*)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(asan) -o $@ $^ $(host-archives) -lpthread

unit: $(units:%=$(O)/unit/%)
	@tests/check/runner tests/check/unit
fuzz-replay: $(fuzzers:%=$(O)/replay/%)
	@tests/check/runner tests/check/fuzz

# One fuzz target for a minute, or TIME= seconds; what it finds to be new stays under O.
fuzz: host-all $(GEN)/autoconf.h $(GEN)/build.h $(host-pkgs:%=$(O)/pkg/host/%.ok)
	@test -f 'tests/fuzz/$(T).c' || { echo "T= names a fuzz target: $(fuzzers)" >&2; exit 1; }
	$(call say,FUZZ,$(T))
	@mkdir -p $(O)/fuzz/$(T).corpus
	$(Q)clang-14 $(filter-out -MMD -MP,$(common)) -include $(GEN)/build.h -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all -O1 $(call pkg-includes,host) -o $(O)/fuzz/$(T) tests/fuzz/$(T).c $(modules) $(host-archives)
	$(Q)cd $(O)/fuzz && ./$(T) -max_total_time=$(or $(TIME),60) $(T).corpus $(CURDIR)/tests/fuzz/corpus/$(T)

-include $(wildcard $(O)/target/*/*.d $(O)/target/*/*/*.d $(O)/target/*/*/*/*.d $(O)/host/obj/*/*.d \
	$(O)/host/obj/*/*/*.d $(O)/host/obj/*/*/*/*.d $(O)/asan/*/*.d $(O)/asan/*/*/*.d $(O)/asan/*/*/*/*.d)

# Checks: what must hold for the tree and for what was built. One line a test.
programs := $(PROGS:%=$(O)/bin/%)
power-env = COMPILE="$(HOSTCC) $(filter-out -MMD -MP,$(common)) -O2 $(call pkg-includes,host)" \
	OBJECTS="$(filedisk-y:%=$(abspath $(O))/host/obj/%)" \
	LINK="$(HOSTCC) $(filedisk-wrap) $(call archives,host,filedisk) -lpthread"
checks := deps config format headers warnings link size sbom harden oci twice flash
check-env = ARCH=$(ARCH) KERNEL=$(kernel) PROGS="$(PROGS)" CC_TARGET=$(TCC) MODULES="$(modules)" \
	WARNINGS="$(warnings)" INCLUDES="$(call pkg-includes,host)" GEN=$(GEN)
$(checks:%=check-%): check-%: FORCE
	@env $(check-env) $(check-env-$*) tests/check/runner tests/check/$*
check-link check-size: $(programs)
check-size: $(IMAGES)
check-constant-time: $(O)/host/ctgrind FORCE
	@env $(check-env) tests/check/runner tests/check/constant-time
check-headers check-warnings: $(GEN)/autoconf.h $(GEN)/build.h $(host-pkgs:%=$(O)/pkg/host/%.ok)
check-twice check-oci check-sbom check-harden: $(IMAGES)
check-env-link = $(foreach p,$(PROGS),'DENY_$(p)=$($(p)-deny)')
deny-% :
	@echo '$($*-deny)'

suites := $(checks:%=tests/check/%) tests/check/unit tests/check/fuzz tests/check/constant-time $(patsubst %,tests/%/run,probe journal dialog system power) tests/power/mutants tests/power/update
check: check-inputs
	@env $(check-env) $(check-env-link) $(power-env) tests/check/runner $(suites)
check-inputs: host-all $(IMAGES) host-link $(TESTPROGS:%=$(O)/host/%) $(units:%=$(O)/unit/%) $(fuzzers:%=$(O)/replay/%) $(O)/power/cuts $(filedisk-y:%=$(O)/host/obj/%) $(GEN)/build.h
host-all: FORCE
	@rootfs/host-deps all
test-system test-dialog: test-%: $(IMAGES) $(host-programs) host-all
	@tests/check/runner tests/$*/run
# Longer than `check`: 10,000 images of the disk.
check-power: check-inputs
	@env $(power-env) tests/check/runner tests/power/mutants tests/power/long tests/power/update
check-fresh: ; @tests/fresh/run
check-reproducible: ; @tests/fresh/reproducible

# What the tests of a board start: its images, and the programs that make lists.
board-images: $(IMAGES) host-link
check-boards: host-all
	@rootfs/host-deps boards
	@tests/check/runner tests/system/run-boards

# What a user calls.
run: host-all $(IMAGES) host-link
	@TINPOST_OUT=$(abspath $(O)) tests/system/run-demo
# A disk or card is written after a question, with the answer on standard input.
flash: $(if $(CONFIG_BOARD_DISK),$(I)/tinpost-$(BOARD).img)
	@$(if $(CONFIG_BOARD_DISK),rootfs/flash $< '$(DEV)',echo "$(BOARD) has no disk image" >&2; exit 1)
test-letter:
	@tests/system/test-letter 'HOST=$(HOST)' 'TO=$(TO)' 'ACCOUNT=$(ACCOUNT)'
# Switches of `make user`: y or n, and words that mean y. A password itself has no place on a command line.
switch = $(if $(filter-out y n $(3),$($(1))),$(error $(1) is one of: n y $(3)),$(if $(filter y $(3),$($(1))),$(2)))
tinpost-user = $(O)/host/tinpost-user --file $(SITE_DIR)/$(or $(call unquote,$(CONFIG_KEYS_USERS_FILE)),users) \
	--domains $(CONFIG_SMTPD_DOMAINS) $(call switch,SCRAM,--scram)
user: $(O)/host/tinpost-user
	@$(tinpost-user) $(call switch,PASSWORD,--password,ask) $(call switch,CRAM_MD5,--cram-md5) $(if $(EXPIRES),--expires '$(EXPIRES)') \
		$(if $(QUOTA),--quota '$(QUOTA)') -- '$(NAME)' '$(SENDER)'
# The lists have a say: senders and aliases outside the mail domains are refused here, so those domains are all.
dns-records: $(O)/host/probe $(O)/maps/users.cdb $(O)/maps/virtual.cdb $(O)/maps/dkim
	@$< records $(if $(ADDRESS),--address '$(ADDRESS)') $(if $(CA_ACCOUNT),--account '$(CA_ACCOUNT)') $(if $(dkim-file),--key $(O)/maps/dkim) $(if $(DKIM),--dkim '$(DKIM)')
# Keys of the operator, for backups of the machine's; and such a backup as key disk.
backup-key: $(O)/host/tinpost-keys
	@test -n '$(PRIVATE)' || { echo "PRIVATE= names the file for the private key, PUBLIC= the one for the public key" >&2; exit 1; }
	@$< make '$(PRIVATE)' '$(or $(PUBLIC),$(SITE_DIR)/backup.pub)'
restore-keys: $(O)/host/tinpost-keys
	@test -n '$(PRIVATE)' -a -n '$(FROM)' -a -n '$(OUT)' || { echo "PRIVATE= names the private key, FROM= keys.backup or a console's text, OUT= a new folder" >&2; exit 1; }
	@test ! -e '$(OUT).img' || { echo "$(OUT).img: there already" >&2; exit 1; }
	@$< open $(call switch,PARTIAL,--partial) '$(PRIVATE)' '$(FROM)' '$(OUT)' && umask 077 && rootfs/disks keys '$(OUT).img' '$(OUT)'
# The pair of keys for updates; and an update.
update-private := $(or $(PRIVATE),$(SITE_DIR)/update.key)
update-key: $(O)/host/tinpost-update
	@$< make '$(update-private)' '$(or $(PUBLIC),$(SITE_DIR)/update.pub)'
update: $(O)/host/tinpost-update $(I)/$(kernel) $(I)/rootfs.cpio.zst
	@test -n '$(HOST)' || { echo "HOST= names the machine" >&2; exit 1; }
	@test -n '$(CONFIG_UPDATE_SERVICE)' || { echo "UPDATE_PUBKEY is not set: the new system would take no further update, nor be kept" >&2; exit 1; }
	@rootfs/update '$(HOST)' $(CONFIG_UPDATE_PORT) '$(SITE_DIR)/update.known' $(CONFIG_UPDATE_TRIAL) $(abspath $<) sign '$(update-private)' $(BOARD) \
		$(build-version) "$$(sed -n 's/^#define BUILD_ID "\(.*\)"/\1/p' $(GEN)/build.h)" $(CONFIG_UPDATE_EPOCH) $(I)/$(kernel) $(I)/rootfs.cpio.zst
# A list is read as it is; a file of SQL is asked of PostgreSQL: psql takes PGHOST, PGSERVICE and so on from here.
PSQL ?= psql
users-import: $(O)/host/tinpost-user
	@test -f '$(FILE)' || { echo "FILE= names a list of accounts, or a query in a file NAME.sql" >&2; exit 1; }
	@$(if $(filter %.sql,$(FILE)),rows=$$($(PSQL) -XqAt -F '	' -v ON_ERROR_STOP=1 -f '$(FILE)'); printf '%s\n' "$$rows" |) \
		$(tinpost-user) $(if $(SENDER),--sender '$(SENDER)') --import '$(if $(filter %.sql,$(FILE)),-,$(FILE))'
addr2line: $(if $(filter $(PROG),$(PROGS)),$(O)/symbols/$(PROG))
	@test -n '$<$(filter vmlinux,$(PROG))' && test -n '$(ADDR)' || \
		{ echo "call: make addr2line PROG=name ADDR=0x1234, where name is one of: $(PROGS) vmlinux" >&2; exit 1; }
	@addr2line -fipe $(O)/symbols/$(PROG) $(ADDR)
source:
	@for p in $(notdir $(patsubst %/pin,%,$(wildcard rootfs/*/pin))); do rootfs/package source $$p; done
rfc-index:
	@grep -rnoE 'RFC [0-9]+( [0-9.]+[0-9])?' --include='*.[ch]' init smtpd keys | \
		sed -E 's/^([^:]+:[0-9]+):(.*)$$/\2\t\1/' | sort -k2,2n -k3,3V -k4
# Generator and sink of the benchmark: the host's OpenSSL, optimised, no part of the product.
bench-tools := $(O)/tools/load $(O)/tools/sink
$(bench-tools): $(O)/tools/%: tests/bench/%.c tests/bench/tube.c tests/bench/tube.h Makefile
	$(call say,HOSTCC,tools/$*)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) -std=c11 -D_GNU_SOURCE= -O2 $(warnings) -I. -o $@ $< tests/bench/tube.c -lssl -lcrypto
soak: override CASE := soak
bench soak: $(IMAGES) $(host-programs) $(bench-tools) $(O)/host/bench-sign $(O)/host/bench-alias host-all
	@$(if $(CASE),,$(O)/host/bench-sign)
	@TINPOST_OUT=$(abspath $(O)) CASE='$(CASE)' ROUNDS='$(ROUNDS)' LETTERS='$(LETTERS)' MINUTES='$(MINUTES)' SIGN='$(SIGN)' TRIES='$(TRIES)' tests/bench/run

# Kconfig.
defconfig: qemu-x86_64_defconfig
%_defconfig: board/%/defconfig | $(GEN)/host.ok
	@mkdir -p $(dir $(KCONFIG_CONFIG))
	$(Q)$(call kconfig,defconfig) --kconfig Kconfig $<
menuconfig olddefconfig: %: | $(GEN)/host.ok
	$(Q)$(call kconfig,$*) Kconfig
listnewconfig: | $(GEN)/host.ok
	$(Q)$(call kconfig,listnewconfig) Kconfig
savedefconfig: | $(GEN)/host.ok
	$(Q)$(call kconfig,savedefconfig) --kconfig Kconfig --out $(or $(OUT),defconfig)
list-defconfigs:
	@for d in board/*/defconfig; do b=$${d#board/}; echo "  $${b%/defconfig}_defconfig"; done

# The kernel's own menu; savedefconfig writes what differs from its allnoconfig into the fragment.
linux-menuconfig linux-savedefconfig: linux-%: | $(GEN)/host.ok
	@FRAGMENT=$(abspath $(FRAGMENT)) CROSS_COMPILE=$(CROSS_COMPILE) rootfs/linux/configure $* $(ARCH) $(abspath $(O))

# What the build made; .config and what else lies in O stay.
built := asan bench bin cache demo disk fuzz gen host images legal-info maps pkg power replay symbols target tools unit variant
clean:
	$(Q)rm -rf $(addprefix $(O)/,$(built))
	$(Q)rmdir $(O) 2>/dev/null || true
distclean: clean
	$(Q)rm -f .config .config.old $(O)/.config $(O)/.config.old
help:
	@sed -n 's/^#= //p' Makefile

FORCE:
.PHONY: FORCE all oci sbom legal-info sizes graph-boot hardenconfig unit fuzz fuzz-replay check check-inputs check-fresh host-all host-link run flash test-letter user users-import backup-key restore-keys update-key update dns-records addr2line \
	source rfc-index bench soak defconfig menuconfig olddefconfig listnewconfig savedefconfig list-defconfigs \
	linux-menuconfig linux-savedefconfig clean distclean help test-system test-dialog

#= Start here
#=   run              build the demo image, boot it in QEMU, show a letter on each lane; BOARD=vm-x86_64: another board's
#=   menuconfig       host name, domains, where mail goes, board, network, limits
#=   all              images for .config in out/images (the default)
#=   oci              the root file system as an OCI image layout, out/images/oci
#=   user             NAME=app1 SENDER=@example.com: make an account, print its token once
#=                    (PASSWORD=ask: take a chosen password from the terminal or standard input instead;
#=                    SCRAM=y: for SCRAM-SHA-256; CRAM_MD5=y: for an old device; EXPIRES=2027-12-31: the last
#=                    day; QUOTA=100: recipients in a day)
#=   dns-records      every DNS record to publish; DKIM=FILE: with the keys that the console showed, saved there;
#=                    ADDRESS="192.0.2.1 2001:db8::1": when DHCP gives it; CA_ACCOUNT=URI: for the CAA record
#=   backup-key       PRIVATE= [PUBLIC=]: the pair of keys that KEYS_BACKUP_PUBKEY is one half of
#=   restore-keys     PRIVATE= FROM= OUT= [PARTIAL=y]: keys of a lost machine from its backup: the folder OUT, and
#=                    OUT.img, a key disk; all of them, or with PARTIAL=y what is left
#=   update-key       the pair of keys for updates: update.key and update.pub of the site, or PRIVATE= PUBLIC=
#=   update           HOST= [PRIVATE=]: build, sign, send to a machine that has UPDATE_PUBKEY, and wait until it is kept there
#=   users-import     FILE= [SENDER=] [SCRAM=y]: accounts of sasldblistusers2, passwd or Dovecot, all or none; tokens
#=                    are made where the list has no password, and printed. FILE=NAME.sql: rows of a query, by psql
#=   flash            DEV=/dev/sdX: write the board's disk image to a disk or card; asks first
#=   test-letter      HOST= TO= ACCOUNT=: one letter through each lane of a running appliance; the lane of
#=                    accounts needs ACCOUNT=, its password is read from standard input
#= Configuration
#=   <board>_defconfig, defconfig, list-defconfigs, olddefconfig, listnewconfig, savedefconfig
#=   linux-menuconfig, linux-savedefconfig    the kernel's configuration, kept in the board's fragment
#= Tests
#=   check            everything; check-fresh does so in a fresh Debian root
#=   check-reproducible   everything built twice without a cache, kernel included, under other circumstances
#=   unit, fuzz-replay, test-dialog, test-system
#=   bench            against Postfix + OpenDKIM in the same run; CASE=b ROUNDS=5 LETTERS=2000 choose,
#=                    SIGN=auto|mulx|bearssl|ed25519: what signs; CASE=idle, shake, slow, guess, logins, alias, qemu: tinpost alone
#=   soak             a million letters: memory must not grow, none is lost; LETTERS=20000 or MINUTES=10 for less
#=   fuzz             T=path: one fuzz target for a minute, or for TIME= seconds
#=   check-power      10,000 cuts of the power; check has a few hundred
#=   check-boards     each board and each device that QEMU emulates, one letter through each lane
#=   check-deps -config -format -headers -warnings -link -size -sbom -harden -oci -twice -flash -constant-time
#= Others
#=   source           fetch, unpack and patch all packages
#=   sbom             out/images/sbom.cdx.json: the images and all that they are made of, in CycloneDX
#=   legal-info       out/legal-info: licences, sources and patches, to give along with an image
#=   hardenconfig     the kernel's options against what is recommended, with the reason for each deviation
#=   sizes            what takes the bytes, as tables and as out/sizes.svg
#=   graph-boot       what takes the milliseconds of the boot, as a table and as out/boot.svg
#=   addr2line        PROG=front ADDR=0x1234: where that is in the source (of the demo: O=out/demo)
#=   rfc-index        where each section of each RFC is mentioned
#=   clean, distclean
#= Variables
#=   O=dir V=1 SITE=dir KCONFIG_CONFIG=file CROSS_COMPILE=prefix SOURCE_DATE_EPOCH=seconds
#=   CACHE=dir|no DL_DIR=dir DEPS=no
