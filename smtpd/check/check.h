/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_CHECK_CHECK_H
#define SMTPD_CHECK_CHECK_H

#include "smtpd/check/alias.h"
#include "smtpd/check/quota.h"
#include "smtpd/check/seen.h"
#include "smtpd/check/stops.h"
#include "smtpd/lib/log.h"
#include "smtpd/lib/proc.h"
#include "smtpd/lib/rates.h"
#include "smtpd/msg/answer.h"
#include "smtpd/msg/check.h"
#include "smtpd/msg/holder.h"
#include "smtpd/msg/out.h"
#include "smtpd/proto/envelope.h"
#include "smtpd/proto/grant.h"
#include "smtpd/proto/header.h"

/*
 * check answers RCPT, reads letters and builds what goes before them. One binary, two processes: check.mx judges
 * strangers and talks to dns, holder.srs, out.mx and queue.mx, check.sub judges accounts and talks to holder.dkim and
 * queue.
 */

enum check_rate { RATE_SENDER, RATE_RCPT, CHECK_RATES };

/* What is said to the client. Tables of these are the process's whole vocabulary. */
struct say {
	uint16_t code;
	uint8_t enhanced[3];
	const char *text;
};

/* The letter as it was read; slices borrow from the process's scratch memory and hold until the handler returns. */
struct letter {
	struct slice head;   /* envelope records from front */
	struct slice header; /* header block of the text, without the empty line */
	size_t body; /* offset of the body in the text; the text's size when there is no empty line */
	uint64_t size; /* of the text, octets */
	struct path sender;
	size_t nrcpt;
	bool utf8; /* it came with SMTPUTF8 */
};

struct check;
struct judge;

enum { CHECK_WATCHES = 2 }; /* mx: `room` and `judging` */
enum { LEGS = CONFIG_SMTPD_VIRTUAL_DESTINATIONS };

struct leg { /* mx: a letter's way to one destination */
	struct ask ask;
	struct job *job;
	struct slice to; /* borrowed from the map or from job->env */
	int head;	 /* owned; -1 = none */
	int64_t waits; /* monotonic ms; since then it is ready for out.mx; 0: out.mx has it, or it is over */
	int64_t handed;	      /* monotonic ms; when out.mx got it */
	struct answer answer; /* code 0: none yet */
	bool spooling; /* it is being offered to queue.mx; until then the answer is out.mx's */
	uint8_t print[SEEN_PRINT];
	uint16_t text_n;
	uint8_t text[ANSWER_TEXT];
};

struct job { /* one request of front that waits for another process */
	struct ask ask;
	struct check *check;
	struct token token;   /* token.chan NULL = free */
	int text, head;	      /* owned; -1 = none */
	uint64_t size;	      /* of text */
	bool utf8;	      /* its header needs SMTPUTF8 from the next hop */
	struct judge *judge;  /* mx: while it is judged */
	bool queued;	      /* mx: it waits for a place to be judged, and was not read yet */
	bool prepared;	      /* mx: the envelope is written; it waits for the judge alone */
	bool returned;	      /* mx: it is for a return address of ours */
	struct leg leg[LEGS]; /* mx */
	unsigned nlegs;
	uint16_t address_n;
	uint8_t address
		[HOLDER_SRS_TAIL +
		 1]; /* mx: the recipient that the client named; of a returned letter where it goes */
	uint32_t skip;	   /* octets of text that our header replaces */
	unsigned slot;	   /* submit: index of the signing domain */
	uint8_t id[8];	   /* random: names the letter in the log and in Received: */
	struct buf env;	   /* envelope records for the next process */
	struct buf header; /* header octets for the next process */
	int64_t time;	   /* unix s, when the letter was taken */
	uint8_t body_hash[32];
	uint8_t sha256[32]; /* mx: of the text */
	/* submit: which signature it waits for, and the key that is asked for it */
	bool second;
	uint8_t asked; /* times, for this signature */
	uint32_t number[2];
	uint8_t first[HOLDER_SIG_MAX]; /* the signature before the second one */
	uint16_t first_n;
	/* submit: who sends, and what quota_take() counted; account_n 0: nothing was */
	uint8_t account[QUOTA_NAME];
	uint8_t account_n;
	uint32_t rcpts;
	uint32_t nrcpt; /* submit: put into env */
	int64_t taken;	/* monotonic ms; mx: when the letter came */
	/* mx: what the letter is counted under when it is taken; all zero: nothing */
	uint8_t rate_key[CHECK_RATES][RATES_KEY];
	struct logline log; /* mx: fields for the line about the letter, JOB_LOG octets at most */
};

struct check {
	struct proc proc;
	bool mx;
	struct map aliases;
	struct alias_domains domains;
	struct quota quota; /* sub */
	/* sub: the keys that sign, as far as holder.dkim told; 0: the first one. By domain and signature */
	uint32_t dkim_number[256][2];
	struct stops stops; /* mx */
	struct rates rates; /* mx: forwarded letters by sender and by recipient, rate_key() */
	unsigned hourly[CHECK_RATES];
	struct seen seen;  /* mx */
	struct watch room; /* mx: due when the leg that has waited longest has waited too long */
	/* mx, judge.h and verdict.h: */
	struct judge *judges;
	size_t judge_turn;
	struct watch judging;
	bool judge_stalled; /* a question found no room on the wire */
	struct chan *dns;
	int64_t judge_ms;
	bool refuse_dmarc, refuse_spf, authres;
	struct slice lists;
	struct chan *down;   /* out.mx or queue */
	struct chan *spool;  /* mx: queue.mx; NULL: without FORWARD_SPOOL */
	bool spools;	     /* mx: it took the last letter that it was offered */
	struct chan *holder; /* holder.srs or holder.dkim */
	struct job *jobs;
	uint8_t *head;	 /* scratch, ENV_HEAD_MAX */
	uint8_t *header; /* scratch, HEADER_SCRATCH */
};

enum {
	JOBS = CONFIG_SMTPD_MAX_SESSIONS + 2, /* and queue's reports */
	JOB_ENV = 384 * 1024,
	JOB_HEADER = HEADER_OCTETS + 16 * 1024,
	HEADER_SCRATCH = HEADER_OCTETS + 4,
	NOTICE = 2048 + LEGS * (PATH_OCTETS + ANSWER_TEXT + 32),
	JOB_FIELD = 8192, /* the DKIM-Signature fields */
	JOB_LOG = 720,
	HOLDER_MS = 5000,
	DOWN_MS = OUT_MX_MS + 20 * 1000, /* longer than out's own time */
	ROOM_MS = 30 * 1000,		 /* a letter's wait for out.mx */
	SPOOL_MS = 10 * 1000, /* and for queue.mx, which is taken off out.mx's time */
};

_Static_assert(ROOM_MS + CONFIG_FORWARD_JUDGE_WAIT * 1000 < OUT_MX_MS / 2,
	       "time for out.mx is left");
_Static_assert(JOB_ENV + JOB_FIELD + JOB_HEADER <= ENV_HEAD_MAX,
	       "queue and out would refuse the head");

void check_init(struct check *c);

/* A job for a call; takes over its text. NULL: jobs of an earlier wire still hold all places; the call was answered. */
struct job *job_new(struct check *c, struct call *call);
/* Answers and frees the job. */
void job_say(struct job *j, const struct say *s);
/* The same with what header_check() found, and the name of the field. */
void job_fault(struct job *j, enum header_fault fault, struct slice name);
/* Passes another process's answer on; NULL (it died or was late) is 451 with ANSWER_CRASHED when `inside`, that is
 * when it had the letter. Frees the job. */
void job_pass(struct job *j, const struct answer *a, struct slice text, bool inside);
/* Asks holder.srs to rewrite p (domain is its domain), or whose address is behind it (domain empty). */
void job_ask_srs(struct job *j, const struct path *p, struct slice domain,
		 void (*done)(struct ask *, const void *, struct slice));
/* What holder.srs said of a return address; false: not a good one, and the job was answered and freed. */
bool job_returns(struct job *j, const struct holder_reply *r, struct slice address);
void say_token(const struct token *t, const struct say *s, uint8_t flags, uint64_t route);
/* A reply whose text is made for the case; text is at most ANSWER_TEXT octets, or it is `otherwise`. */
struct say say_made(uint16_t code, uint8_t subject, uint8_t detail, struct buf *text,
		    const char *otherwise);
/* The account's limits: 452 or 550 in *s, false. */
bool account_may(struct check *c, const struct grant *g, uint32_t rcpts, struct buf *text,
		 struct say *s);

void rcpt_ask(void *ctx, struct call *call);   /* CHECK_RCPT */
void letter_ask(void *ctx, struct call *call); /* CHECK_LETTER, CHECK_REPORT */

/* What letters of this sender, or to this recipient, are counted under; tags and letter case do not matter. False:
 * they are not counted, <>; the key is all zero. */
bool rate_key(enum check_rate kind, const struct path *p, uint8_t key[RATES_KEY]);

void letter_more(struct check *c); /* a place to judge is free: the oldest letter that waits */

void forward_letter(struct job *j, const struct letter *l); /* mx */
void forward_judged(struct job *j); /* the result is in j->judge, which this gives back */
void submit_letter(struct job *j, const struct letter *l); /* submission */
/* Completes the header, signs it for that one of our domains, on to queue; j->env is done. */
void submit_sign(struct job *j, const struct letter *l, unsigned slot);
void dsn_letter(struct job *j, const struct letter *l); /* a report of queue's */
/* One recipient into j->env; one of ours goes to each address where the map leads. dsn: its ENV_NOTIFY and ENV_ORCPT
 * records, and an alias without ORCPT gets one, added to dsn. False: nobody is there. */
bool submit_rcpt(struct job *j, struct slice rcpt, struct buf *dsn, bool orcpt);

/* One more destination, an address, of a letter with this sender. It stays where it is; one where the letter was
 * delivered before is over already. */
void legs_add(struct job *j, struct slice sender, struct slice to);
/* The letter is answered where it was delivered to all of them before. False: it was not. */
bool legs_before(struct job *j);
/* Env and header are there but for the recipient: the letter goes to all destinations, and what comes of that is
 * answered. */
void legs_start(struct job *j);
/* Does this domain get nothing for now, by what its exchangers said? */
bool legs_stopped(const struct check *c, struct slice domain);
void legs_init(struct check *c);  /* mx */
void legs_more(struct check *c);  /* out.mx has room again: the next ones that wait */
void legs_wired(struct check *c); /* out.mx is a new one */
void legs_drop(struct job *j);

/* To postmaster, about a letter that was refused by some of its destinations: the text, and on its way. */
void notice_letter(struct job *j,
		   const struct letter *l); /* mx: a notice of queue.mx's, on to him */
void notice_put(const struct job *j, struct buf *text);
void notice_send(struct check *c, const struct buf *text);

/* Makes the head memfd from j->env, ENV_UTF8 when the letter needs it (not because the client said
 * so), first and j->header, seals it. False: no memory now. */
bool letter_head(struct job *j, struct slice first);
/* Received: (RFC 5321 4.4) for this letter. rcpt empty: no for clause. */
void trace_received(struct buf *b, const struct job *j, const struct letter *l,
		    struct slice rcpt);

extern const struct say say_trouble, say_unknown, say_busy, say_no_grant, say_stopped;

#endif
