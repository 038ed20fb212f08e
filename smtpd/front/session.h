/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_FRONT_SESSION_H
#define SMTPD_FRONT_SESSION_H

#include <bearssl.h>

#include "smtpd/front/authline.h"
#include "smtpd/front/crashed.h"
#include "smtpd/lib/stream.h"
#include "smtpd/msg/answer.h"
#include "smtpd/proto/command.h"
#include "smtpd/proto/dot.h"
#include "smtpd/proto/ipaddr.h"

/* One client, from accept to the end of the connection, or longer while its letter is inside. */

enum smtp_state { ST_GREET, ST_READY, ST_MAIL, ST_RCPT, ST_DATA, ST_AUTH, ST_END };

/* What no further command is executed before (RFC 2920: replies come in order). */
enum session_wait { WAIT_NOTHING, WAIT_TLS, WAIT_RCPT, WAIT_AUTH, WAIT_LETTER };

enum {
	SESSION_LINE =
		2048, /* the longest command line with CRLF; RFC 5321 4.5.3.1.4 has 512 */
	SESSION_REPLY = 640, /* room in `out` before a command is executed */
	SESSION_IN = 6 * 1024,
	SESSION_OUT = 2 * 1024,
	SESSION_PATH = PATH_OCTETS,
};

enum tx_lost { TX_WHOLE, TX_SIZE, TX_MEMORY, TX_WORLD };

struct tx {		/* one letter: until RSET, EHLO or its answer */
	int text, head; /* owned memfds; -1 = none */
	uint64_t text_size, head_size;
	uint64_t taken;		  /* octets of DATA, with what was discarded */
	int64_t began;		  /* DATA, or earlier: see set_due() */
	int64_t heard;		  /* the last text came */
	uint64_t held, enveloped; /* of the budgets of texts and heads */
	uint64_t route;
	bool routed;
	bool utf8;    /* MAIL said SMTPUTF8 */
	uint8_t body; /* enum command_body */
	uint8_t lost; /* enum tx_lost: why the rest of the text is discarded */
	bool printed; /* print is set */
	struct dot dot;
	br_sha256_context sha256; /* mx: of the text so far */
	unsigned nrcpt;
	uint16_t sender_n, rcpt_n;
	uint8_t sender[SESSION_PATH];
	uint8_t rcpt[SESSION_PATH]; /* the one that check is asked about */
	/* RFC 3461, as said: of the letter, and of the recipient that check is asked about. */
	uint16_t orcpt_n;
	uint8_t ret_n, envid_n, notify_n;
	uint8_t ret[COMMAND_RET_MAX], envid[COMMAND_ENVID_MAX];
	uint8_t notify[COMMAND_NOTIFY_MAX], orcpt[COMMAND_ORCPT_MAX];
	uint8_t print[CRASHED_PRINT];
};

struct front;

struct session {
	struct stream stream; /* first */
	struct ask ask;	      /* to check or auth */
	struct front *front;
	uint32_t id;
	uint16_t port;
	bool live, esmtp, implicit;
	bool authed; /* by a password; without one a grant came for its network */
	bool skip;   /* discarding an over-long line */
	bool eof;
	bool quit;	       /* it said QUIT */
	uint8_t state;	       /* enum smtp_state */
	uint8_t wait;	       /* enum session_wait */
	uint16_t errors, idle; /* refused commands; those that bring no letter nearer */
	uint16_t helo_n, account_n, grant_n;
	int64_t since; /* the last whole command, or progress of another kind */
	int64_t until; /* when it must have logged in, or brought a letter */
	uint64_t unheard; /* mx: number of the letter whose 250 was said last; 0: the client heard it */
	int64_t stale;	 /* from then on its grant is not good for a letter */
	const char *why; /* of the end; static text */
	struct ipaddr peer;
	struct authline auth;
	struct tx tx;
	uint8_t helo[PATH_DOMAIN];
	uint8_t account[AUTH_USER_MAX];
	uint8_t grant[AUTH_GRANT_MAX];
	uint8_t in[SESSION_IN], out[SESSION_OUT];
	struct tls tls;
};

_Static_assert(sizeof(struct session) <= 40 * 1024, "SPEC: 40 KiB for an idle TLS connection");

void session_start(struct session *s, struct front *f, int fd, uint16_t port, bool implicit,
		   const struct ipaddr *peer);
/* Executes what can be executed now. */
void session_run(struct session *s);
/* Others want the slot: a stranger who keeps it waiting has less time from now on. */
void session_hurry(struct session *s);
/* 421 at the next possible moment: the process is to stop. */
void session_stop(struct session *s);

/* ---- for verbs.c and letter.c ---- */

int64_t session_now(const struct session *s); /* the loop's monotonic ms */

void session_reply(struct session *s, const char *line);  /* without CRLF */
void session_refuse(struct session *s, const char *line); /* the same, and counts an error */
/* The reply is the answer of check; false (nothing said) when it is not one. */
bool session_answer(struct session *s, const struct answer *a, struct slice text);
/* Says its last line (NULL: nothing), then the connection ends. */
void session_end(struct session *s, const char *line, const char *why);
/* It logged in, or brought a letter: a new span of time to do the next such thing. */
void session_earned(struct session *s);
void session_greet(struct session *s);
void session_secure(struct session *s); /* after what was said: TLS */
void session_wait(struct session *s, enum session_wait w);
/* The answer is there: goes on. */
void session_resume(struct session *s, enum smtp_state next);
struct session *session_of_ask(struct ask *a);

struct logline;
void session_log(struct session *s, struct logline *l, const char *event);

#endif
