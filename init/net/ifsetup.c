/* SPDX-License-Identifier: ISC */
#include "init/net/ifsetup.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd/lib/log.h"
#include "smtpd/lib/owner.h"
#include "smtpd/proto/ipaddr.h"

enum { LOOK_MS = 1000, ASK_MS = 5000 };

static struct ipaddr of_v4(uint32_t v)
{
	return ipaddr_of4((const uint8_t[]){ (uint8_t)(v >> 24), (uint8_t)(v >> 16),
					     (uint8_t)(v >> 8), (uint8_t)v });
}

static struct ipaddr_net net_of(const struct dhcp_reply *r)
{
	return (struct ipaddr_net){ of_v4(r->address), r->prefix + IPADDR_V4_BITS };
}

static int route_socket(const struct ifsetup *s)
{
	return s->proc->grant[GRANT_ROUTE_SOCKET];
}

static void log_failed(const char *what)
{
	log_event("failed", "what", what);
}

static void log_list(struct logline *l, const char *key, const struct plan_list *list,
		     const char *none)
{
	uint8_t text[PLAN_SERVERS * (IPADDR_TEXT + 1)];
	struct buf b = BUF(text);

	for (unsigned i = 0; i < list->n; i++) {
		if (i)
			buf_u8(&b, ',');
		ipaddr_put(&b, &list->a[i]);
	}
	log_bytes(l, key, list->n ? buf_slice(&b) : slice_of(none));
}

/* address=192.0.2.10/24 gateway=192.0.2.1 dns=192.0.2.53,192.0.2.54 */
static void log_address(const struct ipaddr_net *a, const struct plan_list *gateway,
			const struct plan_list *dns)
{
	struct logline l;
	uint8_t text[IPADDR_TEXT + 4];
	struct buf b = BUF(text);

	ipaddr_put(&b, &a->addr);
	buf_u8(&b, '/');
	buf_dec(&b, ipaddr_net_length(a));
	log_begin(&l, "address");
	log_bytes(&l, "address", buf_slice(&b));
	log_list(&l, "gateway", gateway, "none");
	log_list(&l, "dns", dns, "configured");
	log_send(&l);
}

static bool set_up(struct ifsetup *s, const struct ipaddr_net *address,
		   const struct plan_list *gateway, uint32_t seconds)
{
	if (!rtnl_address(route_socket(s), s->link.index, address, seconds)) {
		log_failed("address");
		return false;
	}
	for (unsigned i = 0; i < gateway->n; i++)
		if (ipaddr_v4(&gateway->a[i]) == ipaddr_v4(&address->addr) &&
		    !rtnl_gateway(route_socket(s), s->link.index, &gateway->a[i]))
			log_failed("route");
	return true;
}

static void set_static(struct ifsetup *s)
{
	for (unsigned i = 0; i < s->plan.addresses; i++)
		if (set_up(s, &s->plan.address[i], &s->plan.gateway, UINT32_MAX))
			log_address(&s->plan.address[i], &s->plan.gateway, &s->plan.dns);
}

static void on_told(struct ask *a, const void *reply, struct slice tail)
{
	(void)a; /* who failed gets them again when it is wired again */
	(void)reply;
	(void)tail;
}

static void tell(struct chan *c)
{
	struct ifsetup_told *t = c->ctx;

	ask_drop(&t->ask);
	t->ask.done = on_told;
	if (t->servers.n)
		chan_ask(c, &t->ask, &t->servers, sizeof t->servers, SLICE(""), NULL, 0,
			 &t->want, ASK_MS);
}

static void add(struct ifsetup_told *t, const struct ipaddr *a, unsigned n)
{
	struct servers *s = &t->servers;

	for (; n-- && s->n < SERVERS_MAX; a++)
		memcpy(s->addr[s->n++], a->b, sizeof a->b);
}

static void add_leased(const struct ifsetup *s, struct ifsetup_told *t,
		       const struct dhcp_list *list)
{
	for (unsigned i = 0; s->lease.state >= LEASE_BOUND && i < list->n; i++) {
		struct ipaddr a = of_v4(list->a[i]);

		add(t, &a, 1);
	}
}

/* What the command line said, then DHCP, then routers. */
static void collect_servers(struct ifsetup *s)
{
	s->dns.servers = s->clock.servers = (struct servers){ .n = 0 };
	add(&s->dns, s->plan.dns.a, s->plan.dns.n);
	add(&s->clock, s->plan.ntp.a, s->plan.ntp.n);
	add_leased(s, &s->dns, &s->lease.now.dns);
	add_leased(s, &s->clock, &s->lease.now.ntp);
	add(&s->dns, s->six.a, s->six.n);
	tell(s->dns.chan);
	tell(s->clock.chan);
}

static void use_lease(struct ifsetup *s)
{
	const struct dhcp_reply *r = &s->lease.now;
	struct ipaddr_net net = net_of(r);
	struct plan_list gateway = { .n = r->router != 0, .a = { of_v4(r->router) } },
			 dns = { .n = 0 };

	if (r->mtu && !rtnl_mtu(route_socket(s), s->link.index, r->mtu))
		log_failed("mtu");
	if (!set_up(s, &net, &gateway, r->lease))
		return;
	for (unsigned i = 0; i < r->dns.n; i++)
		dns.a[dns.n++] = of_v4(r->dns.a[i]);
	log_address(&net, &gateway, &dns);
	collect_servers(s);
}

static void lose_lease(struct ifsetup *s)
{
	struct ipaddr_net net = net_of(&s->lease.now);

	log_event("lease_lost", NULL, NULL);
	if (!rtnl_drop_address(route_socket(s), s->link.index, &net))
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

static void set_timer(struct ifsetup *s)
{
	s->timer.due = !s->link.index ? s->proc->loop.now + LOOK_MS
		       : s->plan.dhcp ? s->lease.due
				      : LOOP_NEVER;
	if (s->six.n && s->six_until < s->timer.due)
		s->timer.due = s->six_until;
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
	set_timer(s);
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
	loop_drop(&s->proc->loop, &s->packet);
	s->packet = (struct watch){
		.fd = fd, .want = POLLIN, .due = LOOP_NEVER, .ready = on_packet
	};
	loop_add(&s->proc->loop, &s->packet);
	lease_init(&s->lease, s->link.mac, s->proc->loop.now);
	act(s, lease_tick(&s->lease, s->proc->loop.now, draw()));
}

/* The interface itself, or the part of it that carries our tag. False: not there yet. */
static bool find(struct ifsetup *s)
{
	static const char vlan[] = "vlan";

	if (!rtnl_find(route_socket(s), s->plan.interface, &s->link))
		return false;
	if (!s->link.up && !rtnl_up(route_socket(s), s->link.index))
		log_failed("link");
	if (!CONFIG_INIT_VLAN)
		return true;
	if (!rtnl_vlan(route_socket(s), s->link.index, CONFIG_INIT_VLAN, vlan)) {
		log_failed("vlan");
		return false;
	}
	return rtnl_find(route_socket(s), vlan, &s->link) &&
	       (s->link.up || rtnl_up(route_socket(s), s->link.index));
}

static void look(struct ifsetup *s)
{
	struct rtnl_link before = { 0 };

	if (!find(s)) {
		if (!s->told)
			log_event("missing", "interface", s->plan.interface);
		s->told = true;
		s->link = before;
		set_timer(s);
		return;
	}
	s->told = false;
	/* What the driver says of its carrier comes once it is up. */
	rtnl_find(route_socket(s), CONFIG_INIT_VLAN ? "vlan" : s->plan.interface, &s->link);
	set_static(s);
	if (s->plan.dns.n)
		collect_servers(s);
	if (s->plan.dhcp)
		start_dhcp(s);
	set_timer(s);
}

static void on_timer(struct watch *w, short got)
{
	struct ifsetup *s = OWNER(struct ifsetup, timer, w);

	(void)got;
	if (s->six.n && s->proc->loop.now >= s->six_until) {
		s->six.n = 0;
		collect_servers(s);
	}
	if (!s->link.index)
		look(s);
	else if (s->plan.dhcp)
		act(s, lease_tick(&s->lease, s->proc->loop.now, draw()));
	else
		set_timer(s);
}

static void on_link(struct ifsetup *s, bool carrier)
{
	if (carrier == s->link.carrier)
		return;
	s->link.carrier = carrier;
	log_event("link", "state", carrier ? "up" : "down");
	if (!carrier || !s->plan.dhcp)
		return;
	lease_link(&s->lease, s->proc->loop.now);
	act(s, lease_tick(&s->lease, s->proc->loop.now, draw()));
}

static void on_options(struct ifsetup *s, struct slice options)
{
	struct rdnss r;
	struct logline l;

	if (!rdnss_parse(options, &r))
		return;
	if (!r.seconds)
		r.n = 0;
	if (r.n != s->six.n || memcmp(r.a, s->six.a, sizeof r.a) != 0) {
		struct plan_list dns = { .n = r.n };

		memcpy(dns.a, r.a, sizeof dns.a);
		log_begin(&l, "router");
		log_list(&l, "dns", &dns, "none");
		log_send(&l);
		s->six = r;
		collect_servers(s);
	}
	s->six_until = s->proc->loop.now + (int64_t)r.seconds * 1000;
	set_timer(s);
}

static void on_event(struct watch *w, short got)
{
	struct ifsetup *s = OWNER(struct ifsetup, events, w);
	uint8_t datagram[8192];
	struct sockaddr_nl from = { 0 };
	socklen_t len = sizeof from;
	ssize_t n = recvfrom(w->fd, datagram, sizeof datagram, MSG_DONTWAIT,
			     (struct sockaddr *)&from, &len);
	struct slice rest = { datagram, n > 0 && !from.nl_pid ? (size_t)n : 0 };
	struct rtnl_event e;

	(void)got;
	while (s->link.index && rtnl_event(&rest, &e)) {
		if (e.index != s->link.index)
			continue;
		if (e.what == RTNL_LINK)
			on_link(s, e.carrier);
		else if (e.what == RTNL_OPTIONS)
			on_options(s, e.options);
		else if (e.what == RTNL_GONE)
			s->link.index = 0; /* a card that was pulled: looked for again */
		set_timer(s);
	}
}

/* What the boot loader says goes before what was built; a container's machine is not ours. */
static void make_plan(struct ifsetup *s)
{
	uint8_t text[4096];
	ssize_t n = read(s->proc->grant[GRANT_COMMAND_LINE], text, sizeof text);
	struct slice line = { text, n > 0 ? (size_t)n : 0 };
	bool odd = false;

	if (!plan_configured(&s->plan, SLICE(CONFIG_INIT_INTERFACE), ON(CONFIG_INIT_NET_DHCP),
			     SLICE(CONFIG_INIT_ADDRESS), SLICE(CONFIG_INIT_GATEWAY)))
		log_event("failed", "symbol", "INIT_ADDRESS,INIT_GATEWAY");
	while (line.n && line.p[line.n - 1] == '\n')
		line.n--;
	if (!(s->proc->flags & CTL_CONTAINER) && plan_command_line(line, &s->plan, &odd))
		log_event("command_line", "interface", s->plan.interface);
	if (odd)
		log_event("ignored", "why", "ip_of_command_line");
}

static void tells(struct ifsetup_told *t, struct chan *c, uint16_t type)
{
	t->chan = c;
	t->want = (struct want){ type, sizeof(struct servers_set), 0 };
	c->wired = tell;
	c->ctx = t;
}

void ifsetup_init(struct ifsetup *s, struct proc *p)
{
	s->proc = p;
	tells(&s->dns, proc_chan(p, PROG_DNS), DNS_SERVERS);
	tells(&s->clock, proc_chan(p, PROG_CLOCK), CLOCK_SERVERS);
	s->packet.fd = -1;
	s->timer = (struct watch){ .fd = -1, .due = LOOP_NEVER, .ready = on_timer };
	s->events = (struct watch){
		.fd = rtnl_listen(), .want = POLLIN, .due = LOOP_NEVER, .ready = on_event
	};
	loop_add(&p->loop, &s->timer);
	loop_add(&p->loop, &s->events);
	make_plan(s);
	if (!ON(CONFIG_INIT_NET_NONE) || s->plan.dhcp || s->plan.addresses)
		look(s);
}
