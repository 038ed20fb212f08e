/* SPDX-License-Identifier: ISC */
#include "init/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "init/say.h"

enum {
	SAFE = MS_NOSUID | MS_NODEV | MS_NOEXEC,
	FIRST_PID_NS =
		0xEFFFFFFC, /* PROC_PID_INIT_INO: fixed in the kernel's interface to user space */
};

static const char *const folders[] = { "/dev",	"/proc",   "/sys",    "/empty",
				       "/keys", "/keys/a", "/keys/b", "/data" };

static const struct {
	const char *type, *path;
	unsigned long flags;
	const char *options;
} kernel_mounts[] = {
	{ "devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=755" },
	{ "sysfs", "/sys", SAFE | MS_RDONLY, NULL },
	/* What the processes see as their root: nothing can be put there. */
	{ "tmpfs", "/empty", SAFE | MS_RDONLY, "mode=555,size=4k" },
};

#define SIX "net/ipv6/conf/" CONFIG_INIT_INTERFACE "/"

static const struct {
	const char *path, *value;
} settings[] = {
	{ "kernel/dmesg_restrict", "1" },
	{ "kernel/kptr_restrict", "2" },
	{ "kernel/yama/ptrace_scope", "3" },
	{ "kernel/panic", "10" },
	{ "kernel/panic_on_oops", "1" },
	{ "kernel/printk", "4 4 1 7" },
	{ "fs/suid_dumpable", "0" },
	{ "net/ipv4/tcp_syncookies", "1" },
	{ "net/ipv4/tcp_rfc1337", "1" },
	{ "net/ipv4/conf/all/rp_filter", "1" },
	{ "net/ipv4/conf/all/accept_redirects", "0" },
	{ "net/ipv4/conf/all/secure_redirects", "0" },
	{ "net/ipv4/conf/all/send_redirects", "0" },
	{ "net/ipv4/conf/all/accept_source_route", "0" },
	/* A host takes redirects when either word allows it; what default says goes to all interfaces. */
	{ "net/ipv4/conf/default/accept_redirects", "0" },
	{ "net/ipv4/conf/default/secure_redirects", "0" },
	/* Answers to pings count as well: one a second to each address after a burst of six, 200 in all. */
	{ "net/ipv4/icmp_ratemask", "6169" },
	{ "net/ipv4/icmp_ratelimit", "1000" },
	{ "net/ipv4/icmp_msgs_per_sec", "200" },
	{ "net/ipv6/icmp/ratelimit", "1000" },
	{ "net/ipv4/icmp_echo_ignore_broadcasts", "1" },
	{ "net/ipv4/icmp_ignore_bogus_error_responses", "1" },
	{ "net/ipv6/conf/all/accept_redirects", "0" },
	{ "net/ipv6/conf/default/accept_redirects", "0" },
	{ "net/ipv6/conf/default/accept_ra", ON(CONFIG_INIT_NET_RA) ? "1" : "0" },
	/* In IPv6 only the interface's own words count. */
	{ SIX "accept_redirects", "0" },
	{ SIX "accept_ra", ON(CONFIG_INIT_NET_RA) ? "1" : "0" },
	{ SIX "disable_ipv6",
	  CONFIG_INIT_VLAN ? "1" : "0" }, /* below a VLAN there is nothing of ours */
};

void mounts_read(const char *path, char *out, size_t n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : read(fd, out, n - 1);

	out[got < 0 ? 0 : got] = 0;
	if (fd >= 0)
		close(fd);
}

bool mounts_machine(void)
{
	struct stat st;

	mkdir("/proc", 0555);
	if (stat("/proc/self", &st) != 0 && mount("proc", "/proc", "proc", SAFE, NULL) != 0)
		return false;
	if (getpid() != 1)
		return false;
	/* A kernel without namespaces has no such file. */
	return stat("/proc/self/ns/pid", &st) != 0 || st.st_ino == FIRST_PID_NS;
}

static void make_folders(void)
{
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (mkdir(folders[i], 0555) != 0 && errno != EEXIST)
			say_errno("ev=folder path=%s", folders[i]);
}

static void mount_all(void)
{
	for (size_t i = 0; i < sizeof kernel_mounts / sizeof *kernel_mounts; i++)
		if (mount(kernel_mounts[i].type, kernel_mounts[i].path, kernel_mounts[i].type,
			  kernel_mounts[i].flags, kernel_mounts[i].options) != 0 &&
		    errno != EBUSY)
			say_errno("ev=mount path=%s", kernel_mounts[i].path);
}

static void set_kernel(const char *name, const char *value)
{
	char path[96];
	int fd;

	snprintf(path, sizeof path, "/proc/sys/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return; /* built out */
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		say_errno("ev=sysctl name=%s", name);
	if (fd >= 0)
		close(fd);
}

static void loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &ifr) == 0;

	/* In a container it may be up already, and not ours to change. */
	if (ok && !(ifr.ifr_flags & IFF_UP)) {
		ifr.ifr_flags |= IFF_UP;
		ok = ioctl(fd, SIOCSIFFLAGS, &ifr) == 0;
	}
	if (!ok)
		say_errno("ev=loopback");
	if (fd >= 0)
		close(fd);
}

/* A clock without battery starts in 1970; nothing was ever later than its own build. */
static void clock_floor(void)
{
	struct timespec now, floor = { .tv_sec = BUILD_TIME };

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec >= floor.tv_sec)
		return;
	if (clock_settime(CLOCK_REALTIME, &floor) == 0)
		say("ev=clock_floor time=%lld", (long long)floor.tv_sec);
}

void mounts_boot(bool machine)
{
	static const char name[] = CONFIG_SMTPD_HOSTNAME;

	make_folders();
	loopback_up();
	if (machine) {
		mount_all();
		for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
			set_kernel(settings[i].path, settings[i].value);
		if (sethostname(name, strlen(name)) != 0)
			say_errno("ev=hostname");
		clock_floor();
	} else {
		say("ev=container skipped=mounts,sysctls,hostname,clock,power");
	}
}
