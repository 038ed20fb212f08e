# keys/auth/host/host.mk: host tools that make accounts and maps

HOSTPROGS += tinpost-user tinpost-users tinpost-virtual
keys-host := $(addprefix keys/auth/host/,sourcefile.o) smtpd/lib/bytes.o $(addprefix smtpd/proto/,path.o utf8.o ipaddr.o)
keys-users := keys/auth/host/usersfile.o keys/auth/passhash.o keys/auth/scram.o $(if $(CONFIG_AUTH_LEGACY_CRAM_MD5),keys/auth/cram.o) smtpd/proto/base64.o
tinpost-user-y := keys/auth/host/user_main.o keys/auth/host/import.o $(keys-users) $(keys-host)
tinpost-user-libs := sodium cdb $(if $(CONFIG_AUTH_LEGACY_CRAM_MD5),bearssl)
tinpost-users-y := keys/auth/host/users_main.o $(keys-users) $(keys-host)
tinpost-users-libs := sodium cdb $(if $(CONFIG_AUTH_LEGACY_CRAM_MD5),bearssl)
tinpost-virtual-y := keys/auth/host/virtual_main.o keys/auth/host/virtualfile.o $(keys-host)
tinpost-virtual-libs := cdb
