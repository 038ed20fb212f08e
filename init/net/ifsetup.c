/* SPDX-License-Identifier: ISC */
#include "init/net/ifsetup.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/proto/ipaddr.h"

enum { LOOK_MS = 1000, ASK_MS = 5000, V4_BITS = 96 };

static uint32_t v4_of(const struct ipaddr *a)
{
	return (uint32_t)a->b[12] << 24 | (uint32_t)a->b[13] << 16 | (uint32_t)a->b[14] << 8 |
	       a->b[15];
}

static struct ipaddr of_v4(uint32_t v)
{
	struct ipaddr a = { { [10] = 0xff,
			      0xff,
			      (uint8_t)(v >> 24),
			      (uint8_t)(v >> 16),
			      (uint8_t)(v >> 8),
			      (uint8_t)v } };

	return a;
}

static void put_v4(struct buf *b, uint32_t v)
{
	struct ipaddr a = of_v4(v);

	ipaddr_put(b, &a);
}

static void log_failed(const char *what)
{
	log_event("failed", "what", what);
}

/* address=192.0.2.10/24 gateway=192.0.2.1 dns=192.0.2.53,192.0.2.54 */
static void log_address(uint32_t address, unsigned prefix, uint32_t gateway,
			const uint32_t *dns, unsigned n)
{
	struct logline l;
	uint8_t text[DHCP_LIST_MAX * 16 + 8];
	struct buf b = BUF(text);

	log_begin(&l, "address");
	put_v4(&b, address);
	buf_u8(&b, '/');
	buf_dec(&b, prefix);
	log_bytes(&l, "address", buf_slice(&b));
	b.len = 0;
	if (gateway)
		put_v4(&b, gateway);
	log_bytes(&l, "gateway", gateway ? buf_slice(&b) : SLICE("none"));
	b.len = 0;
	for (unsigned i = 0; i < n; i++) {
		if (i)
			buf_u8(&b, ',');
		put_v4(&b, dns[i]);
	}
	log_bytes(&l, "dns", n ? buf_slice(&b) : SLICE("configured"));
	log_send(&l);
}

static bool set_up(struct ifsetup *s, uint32_t address, unsigned prefix, uint32_t gateway,
		   uint32_t seconds)
{
	int fd = s->proc->grant[GRANT_ROUTE_SOCKET];

	if (!rtnl_address(fd, s->link.index, address, prefix, seconds)) {
		log_failed("address");
		return false;
	}
	if (gateway && !rtnl_gateway(fd, s->link.index, gateway))
		log_failed("route");
	return true;
}

static void set_static(struct ifsetup *s)
{
	struct ipaddr_net net;
	struct ipaddr gateway;
	uint32_t via = 0;

	if (!ipaddr_net_parse(slice_of(CONFIG_INIT_ADDRESS), &net) || !ipaddr_v4(&net.addr)) {
		log_event("failed", "symbol", "INIT_ADDRESS");
		return;
	}
	if (ipaddr_parse4(slice_of(CONFIG_INIT_GATEWAY), &gateway))
		via = v4_of(&gateway);
	else if (sizeof CONFIG_INIT_GATEWAY > 1)
		log_event("failed", "symbol", "INIT_GATEWAY");
	if (set_up(s, v4_of(&net.addr), net.bits - V4_BITS, via, UINT32_MAX))
		log_address(v4_of(&net.addr), net.bits - V4_BITS, via, NULL, 0);
}

static const struct want servers_set = { DNS_SERVERS, sizeof(struct dns_servers_set), 0 };

static void on_told(struct ask *a, const void *reply, struct slice tail)
{
	(void)a; /* a dns that failed gets them again when it is wired again */
	(void)reply;
	(void)tail;
}

static void tell_dns(struct ifsetup *s)
{
	ask_drop(&s->ask);
	s->ask.done = on_told;
	if (s->servers.n)
		chan_ask(proc_chan(s->proc, PROG_DNS), &s->ask, &s->servers, sizeof s->servers,
			 (struct slice){ NULL, 0 }, NULL, 0, &servers_set, ASK_MS);
}

static void on_wired(struct chan *c)
{
	tell_dns(c->ctx);
}

static void use_lease(struct ifsetup *s)
{
	const struct dhcp_reply *r = &s->lease.now;

	if (r->mtu && !rtnl_mtu(s->proc->grant[GRANT_ROUTE_SOCKET], s->link.index, r->mtu))
		log_failed("mtu");
	if (!set_up(s, r->address, r->prefix, r->router, r->lease))
		return;
	log_address(r->address, r->prefix, r->router, r->dns.a, r->dns.n);
	s->servers.n = r->dns.n;
	for (unsigned i = 0; i < r->dns.n; i++) {
		struct ipaddr a = of_v4(r->dns.a[i]);

		memcpy(s->servers.addr[i], a.b, sizeof a.b);
	}
	tell_dns(s);
}

static void lose_lease(struct ifsetup *s)
{
	const struct dhcp_reply *r = &s->lease.now;

	log_event("lease_lost", NULL, NULL);
	if (!rtnl_drop_address(s->proc->grant[GRANT_ROUTE_SOCKET], s->link.index, r->address,
			       r->prefix))
		log_failed("address");
}

static void send_packet(struct ifsetup *s)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_protocol =
					  (uint16_t)(ETH_P_IP >> 8 | (ETH_P_IP & 255) << 8),
				  .sll_ifindex = s->link.index,
				  .sll_halen = DHCP_MAC };
	uint8_t packet[DHCP_PACKET_MAX];
	struct buf b = BUF(packet);
	bool unicast;

	lease_packet(&s->lease, s->proc->loop.now, &b, &unicast);
	if (unicast)
		memcpy(to.sll_addr, s->server_mac, DHCP_MAC);
	else
		memset(to.sll_addr, 0xff, DHCP_MAC);
	if (b.bad || sendto(s->packet.fd, b.p, b.len, MSG_DONTWAIT, (struct sockaddr *)&to,
			    sizeof to) < 0)
		log_failed("send"); /* the next try follows */
}

static void act(struct ifsetup *s, enum lease_act what)
{
	if (what == LEASE_SEND)
		send_packet(s);
	else if (what == LEASE_GOT)
		use_lease(s);
	else if (what == LEASE_LOST)
		lose_lease(s);
	else if (what == LEASE_ODD)
		log_event("ignored", "why", "malformed_dhcp");
	s->timer.due = s->lease.due;
}

static uint32_t draw(void)
{
	uint32_t v = 0;

	if (getrandom(&v, sizeof v, 0) != sizeof v)
		bug("getrandom");
	return v;
}

static void on_packet(struct watch *w, short got)
{
	struct ifsetup *s = OWNER(struct ifsetup, packet, w);
	uint8_t packet[2048];
	struct sockaddr_ll from = { 0 };
	socklen_t len = sizeof from;
	ssize_t n = recvfrom(w->fd, packet, sizeof packet, MSG_DONTWAIT,
			     (struct sockaddr *)&from, &len);
	enum lease_act what;

	(void)got;
	if (n <= 0)
		return; /* an interface that went down says so here; the timer goes on */
	what = lease_feed(&s->lease, s->proc->loop.now, draw(),
			  (struct slice){ packet, (size_t)n });
	if (what == LEASE_GOT)
		memcpy(s->server_mac, from.sll_addr, DHCP_MAC);
	act(s, what);
}

static void start_dhcp(struct ifsetup *s)
{
	struct sockaddr_ll me = { .sll_family = AF_PACKET,
				  .sll_protocol =
					  (uint16_t)(ETH_P_IP >> 8 | (ETH_P_IP & 255) << 8),
				  .sll_ifindex = s->link.index };
	int fd = s->proc->grant[GRANT_DHCP_PACKET];

	if (bind(fd, (struct sockaddr *)&me, sizeof me) != 0) {
		log_failed("bind");
		return;
	}
	s->packet = (struct watch){
		.fd = fd, .want = POLLIN, .due = LOOP_NEVER, .ready = on_packet
	};
	loop_add(&s->proc->loop, &s->packet);
	lease_init(&s->lease, s->link.mac, s->proc->loop.now);
	act(s, lease_tick(&s->lease, s->proc->loop.now, draw()));
}

/* The interface is looked for until it is there; then the timer is the lease's. */
static void look(struct ifsetup *s)
{
	int fd = s->proc->grant[GRANT_ROUTE_SOCKET];

	if (!rtnl_find(fd, CONFIG_INIT_INTERFACE, &s->link)) {
		if (!s->told)
			log_event("missing", "interface", CONFIG_INIT_INTERFACE);
		s->told = true;
		s->link.index = 0;
		s->timer.due = loop_clock() + LOOK_MS;
		return;
	}
	s->timer.due = LOOP_NEVER;
	if (!s->link.up && !rtnl_up(fd, s->link.index))
		log_failed("link");
	if (ON(CONFIG_INIT_NET_STATIC))
		set_static(s);
	else
		start_dhcp(s);
}

static void on_timer(struct watch *w, short got)
{
	struct ifsetup *s = OWNER(struct ifsetup, timer, w);

	(void)got;
	if (s->link.index)
		act(s, lease_tick(&s->lease, s->proc->loop.now, draw()));
	else
		look(s);
}

void ifsetup_init(struct ifsetup *s, struct proc *p)
{
	struct chan *dns = proc_chan(p, PROG_DNS);

	s->proc = p;
	dns->wired = on_wired;
	dns->ctx = s;
	s->timer = (struct watch){ .fd = -1, .due = LOOP_NEVER, .ready = on_timer };
	loop_add(&p->loop, &s->timer);
	if (!ON(CONFIG_INIT_NET_NONE))
		look(s);
}
