/* SPDX-License-Identifier: ISC */
#include "init/grants.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "init/say.h"
#include "init/volume.h"

enum { BACKLOG = 128, DHCP_CLIENT_PORT = 68 };

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0)
		return fd;
	say_errno("ev=grant path=%s", path);
	return grants_null();
}

/* What a process remembers: on the keys' volume, which outlives a restart. */
static int open_cache(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0600);

	if (fd >= 0)
		return fd;
	say_errno("ev=grant cache=%s", path);
	return grants_null();
}

int grants_null(void)
{
	int fd = memfd_create("null", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0)
		fcntl(fd, F_ADD_SEALS,
		      F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
	return fd;
}

/* The kernel's routing table, where somebody looks at it (SMTPD_MYNETWORKS). */
static int open_routes(const char *path)
{
	return sizeof CONFIG_SMTPD_MYNETWORKS > 1 ? open_file(path) : grants_null();
}

/* The other end stays open for good: no octet, no hang-up. */
static int silent_socket(struct grants *g)
{
	if (g->silent[0] < 0 &&
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, g->silent) != 0)
		return -1;
	return fcntl(g->silent[0], F_DUPFD_CLOEXEC, 0);
}

static int listening(const void *sa, socklen_t n, int family, int v6only, int backlog)
{
	int on = 1, fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	/* The machine gets its addresses later than this. */
	if (family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only);
		setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on);
	} else {
		setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof on);
	}
	if (bind(fd, sa, n) == 0 && (!backlog || listen(fd, backlog) == 0))
		return fd;
	close(fd);
	return -1;
}

/* `*` is one socket for both families; IPv4 alone where the kernel has no IPv6. backlog 0: whoever gets it says when
 * it listens. */
static int listen_on(uint16_t port, const char *address, int backlog)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
	bool all = strcmp(address, "*") == 0;
	int fd = -1;

	if (all || inet_pton(AF_INET6, address, &six.sin6_addr) == 1)
		fd = listening(&six, sizeof six, AF_INET6, !all, backlog);
	if (fd < 0 && (all || inet_pton(AF_INET, address, &four.sin_addr) == 1))
		fd = listening(&four, sizeof four, AF_INET, 0, backlog);
	return fd;
}

bool grants_address(const char *words, const char *port, char out[GRANTS_ADDRESS])
{
	size_t n = strlen(port);

	while (*words) {
		size_t len = strcspn(words, " ");

		if (len > n + 1 && len - n - 1 < GRANTS_ADDRESS &&
		    strncmp(words, port, n) == 0 && words[n] == '=') {
			memcpy(out, words + n + 1, len - n - 1);
			out[len - n - 1] = 0;
			return true;
		}
		words += len + (words[len] == ' ');
	}
	return false;
}

/* The port of the challenge; strangers' authorities come to any address. */
#define ACME_LISTEN \
	(ON(CONFIG_KEYS_ACME_HTTP01) ? "80=*" : ON(CONFIG_KEYS_ACME_TLSALPN01) ? "443=*" : "")

static int listener(struct grants *g, enum grant_kind kind)
{
	static const struct {
		const char *word;
		uint16_t port;
	} ports[GRANT_MAX] = {
		[GRANT_LISTEN_25] = { "25", 25 },
		[GRANT_LISTEN_465] = { "465", 465 },
		[GRANT_LISTEN_587] = { "587", 587 },
		[GRANT_LISTEN_INNER] = { "submit25", 25 },
		[GRANT_LISTEN_80] = { "80", 80 },
		[GRANT_LISTEN_443] = { "443", 443 },
		[GRANT_LISTEN_UPDATE] = { "update", CONFIG_UPDATE_PORT },
	};
	bool acme = kind == GRANT_LISTEN_80 || kind == GRANT_LISTEN_443;
	const char *words = acme			  ? ACME_LISTEN
			    : kind == GRANT_LISTEN_UPDATE ? "update=" CONFIG_UPDATE_LISTEN
							  : CONFIG_SMTPD_LISTEN;
	char address[GRANTS_ADDRESS];

	if (!grants_address(words, ports[kind].word, address))
		return -1;
	if (g->listener[kind] < 0)
		g->listener[kind] = listen_on(ports[kind].port, address, acme ? 0 : BACKLOG);
	if (g->listener[kind] < 0)
		say_errno("ev=grant listen=%s address=%s", ports[kind].word, address);
	return g->listener[kind];
}

/* Receives UDP to the client port and nothing else; net binds it to the interface. */
static int dhcp_socket(struct grants *g)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9), /* protocol */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 6),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6), /* fragment offset */
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 4, 0),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), /* length of the IP header */
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),	/* destination port */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DHCP_CLIENT_PORT, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 2048),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog f = { sizeof code / sizeof *code, code };
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &f, sizeof f) == 0)
		return fd;
	say_errno("ev=grant socket=packet");
	if (fd >= 0)
		close(fd);
	return silent_socket(g);
}

static int route_socket(struct grants *g)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd >= 0)
		return fd;
	say_errno("ev=grant socket=route");
	return silent_socket(g);
}

static int failures(struct grants *g)
{
	int *fd = &g->listener[GRANT_FAILURES];

	if (*fd < 0)
		*fd = memfd_create("failures", MFD_CLOEXEC);
	if (*fd >= 0 && ftruncate(*fd, GRANT_FAILURES_OCTETS) == 0)
		return *fd;
	say_errno("ev=grant memory=failures");
	return -1;
}

void grants_init(struct grants *g, bool machine)
{
	g->machine = machine;
	for (unsigned i = 0; i < GRANT_MAX; i++)
		g->listener[i] = -1;
	g->silent[0] = g->silent[1] = -1;
}

int grants_open(struct grants *g, enum grant_kind kind, bool *keep)
{
	int fd = -1;

	*keep = false;
	switch (kind) {
	case GRANT_CONSOLE:
		return say_console();
	case GRANT_SCREEN:
		fd = say_screen();
		return fd >= 0 ? fd : grants_null();
	case GRANT_INPUT:
		fd = say_input(g->machine);
		return fd >= 0 ? fd : grants_null();
	case GRANT_USERS_CDB:
		return open_file("/etc/tinpost/users.cdb");
	case GRANT_SMARTHOST:
		return open_file("/etc/tinpost/smarthost");
	case GRANT_FAILURES:
		fd = failures(g);
		*keep = fd >= 0;
		return fd >= 0 ? fd : grants_null();
	case GRANT_DKIM_KEY:
		return open_file("/etc/tinpost/dkim");
	case GRANT_TLS_KEY:
		return open_file("/etc/tinpost/tls");
	case GRANT_ROUTES_V4:
		return open_routes("/proc/net/route");
	case GRANT_ROUTES_V6:
		return open_routes("/proc/net/ipv6_route");
	case GRANT_VIRTUAL_CDB:
		return open_file("/etc/tinpost/virtual.cdb");
	case GRANT_ANCHORS_PEM:
		return open_file("/etc/tinpost/anchors.pem");
	case GRANT_PUBLIC_PEM:
		return open_file("/etc/tinpost/public.pem");
	case GRANT_STS_CACHE:
		return open_cache("/keys/a/sts.cache");
	case GRANT_SAVED_TIME:
		return open_cache("/keys/a/clock");
	case GRANT_SEEN:
		return open_cache("/keys/a/seen");
	case GRANT_BACKUP:
		return ON(CONFIG_KEYS_BACKUP) ? open_cache("/data/keys.backup") : grants_null();
	case GRANT_BINDING:
		return open_file("/etc/tinpost/binding");
	case GRANT_COMMAND_LINE:
		return g->machine ? open_file("/proc/cmdline")
				  : grants_null(); /* a container's is its host's */
	case GRANT_DHCP_PACKET:
		return dhcp_socket(g);
	case GRANT_ROUTE_SOCKET:
		return route_socket(g);
	case GRANT_LISTEN_25:
	case GRANT_LISTEN_465:
	case GRANT_LISTEN_587:
	case GRANT_LISTEN_INNER:
	case GRANT_LISTEN_80:
	case GRANT_LISTEN_443:
	case GRANT_LISTEN_UPDATE:
		fd = listener(g, kind);
		*keep = fd >= 0;
		return fd >= 0 ? fd : silent_socket(g);
	case GRANT_SLOTS:
		fd = g->machine ? volume_slots() : -1;
		return fd >= 0 ? fd : grants_null();
	case GRANT_LOG_TAPS:
	case GRANT_MAX:
		break;
	}
	return -1;
}
