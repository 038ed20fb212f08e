/* SPDX-License-Identifier: ISC */
/* One letter to several recipients. */
#include "tests/unit/outworld.h"

static void several(const char *codes)
{
	struct slice rest = slice_of(codes), w;
	unsigned i = 0;
	uint64_t code;

	seq++;
	delivers("a@plain.example b@PLAIN.example c@plain.example", 0, NULL, "");
	while ((w = slice_word(&rest)).n && slice_u64(w, 599, &code))
		CHECK_EQ(verdict[i++].code, code);
	CHECK_EQ(nverdict, i);
	CHECK(!strcmp(last_host, "mx.example.org"));
	CHECK_EQ(result.op, mxname_operator(SLICE("x.example.ORG")));
	list();
	for (unsigned k = 0; k < nheld; k++) {
		CHECK_EQ(held[k].state, OUT_RESULT);
		CHECK_EQ(held[k].code, verdict[held[k].rcpt / 3].code);
		forget(held[k].rcpt);
	}
}

/* Each recipient has its own verdict; one letter is sent. */
static void several_recipients(void)
{
	SCRIPT(HI, EHLO_, MAIL_, RCPT_, RCPT_, RCPT_, DATA_, END_, QUIT_);
	several("250 250 250");
	CHECK(saw("RCPT TO:<a@plain.example>\r\nRCPT TO:<b@PLAIN.example>\r\nRCPT TO:<c@"));
	CHECK_EQ(nheld, 3);
	SCRIPT(HI, EHLO_, MAIL_, RCPT_, { "RCPT", "550 5.1.1 no\r\n" }, RCPT_, DATA_, END_,
	       QUIT_);
	several("250 550 250");
	SCRIPT(HI, EHLO_, MAIL_, { "RCPT", "550 5.1.1 no\r\n" },
	       { "RCPT", "450 4.2.1 slow\r\n" }, RCPT_, DATA_, { ".", "554 5.7.1 spam\r\n" },
	       QUIT_);
	several("550 451 554");
	SCRIPT(HI, EHLO_, MAIL_, { "RCPT", "550 5.1.1 no\r\n" }, { "RCPT", "550 5.1.1 no\r\n" },
	       { "RCPT", "450 4.2.1 slow\r\n" }, { "DATA", "554 5.5.1 no\r\n" }, QUIT_);
	several("550 550 451");
	SCRIPT(HI, CLEAR, OK("MAIL"), OK("RCPT"), { "RCPT", "550 no\r\n" }, OK("RCPT"), DATA_,
	       END_, QUIT_);
	several("250 550 250");
	SCRIPT(HI, CLEAR, OK("MAIL"), { "RCPT", "550 no\r\n" }, { "RCPT", "550 no\r\n" },
	       { "RCPT", "421 4.3.2 bye\r\n" }, { "RCPT", NULL });
	several("550 550 451");
	SCRIPT(HI, EHLO_, { "MAIL", "550 no\r\n" }, OK("RCPT"), OK("RCPT"), OK("RCPT"),
	       { "DATA", "503 5.5.1 no\r\n" }, QUIT_);
	several("550 550 550");
	/* Gone after the dot: nobody knows. */
	SCRIPT(HI, EHLO_, MAIL_, RCPT_, { "RCPT", "550 5.1.1 no\r\n" }, RCPT_, DATA_,
	       { ".", NULL });
	several("451 550 451");
}

/* RFC 5321 4.5.3.1.10, RULES S11: who was one too many is asked again, after the others have the letter. */
static void too_many(void)
{
	SCRIPT(HI, EHLO_, MAIL_, RCPT_, { "RCPT", "452 4.5.3 many\r\n" },
	       { "RCPT", "452 4.5.3 many\r\n" }, DATA_, END_, MAIL_,
	       { "RCPT TO:<b", "250 ok\r\n" }, { "RCPT", "452 4.5.3 many\r\n" }, DATA_, END_,
	       MAIL_, { "RCPT TO:<c", "550 5.1.1 no\r\n" }, { "DATA", "554 no\r\n" }, QUIT_);
	several("250 250 550");
	SCRIPT(HI, EHLO_, MAIL_, { "RCPT", "452 4.5.3 many\r\n" },
	       { "RCPT", "452 4.5.3 many\r\n" }, { "RCPT", "452 4.2.2 full\r\n" },
	       { "DATA", "554 no\r\n" }, QUIT_);
	several("451 451 451");
	SCRIPT(HI, EHLO_, MAIL_, RCPT_, { "RCPT", "452 4.5.3 many\r\n" }, RCPT_, DATA_,
	       { ".", "452 4.2.2 full\r\n" }, QUIT_);
	several("451 451 451");
}

int main(void)
{
	start();
	several_recipients();
	too_many();
	TEST_END();
}
