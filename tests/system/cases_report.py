# SPDX-License-Identifier: ISC
"""What senders are told: reports about letters that failed, were passed on, or came back in part."""
import email
import email.policy
import quopri

import peers
import world
from mail import Client, letter
from stage import expect, need

ME = "hello@" + peers.HOME      # has a mailbox: the alias map sends it to FORWARD_TO
AT = "@other.example"           # answers as the fake is told


def send(w, text, rcpts, mail=""):
    """rcpts: (address, parameters)"""
    with Client(465, tls=True) as c:
        c.hello()
        expect(c.login(*w.account), 235)
        expect(c.cmd("MAIL FROM:<%s>%s" % (ME, mail)), 250)
        for address, words in rcpts:
            expect(c.cmd("RCPT TO:<%s>%s" % (address, words)), 250)
        expect(c.cmd("DATA"), 354)
        c.raw(text.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        expect(c.reply(), 250)


def report(f, mark):
    """(human text, fields of the letter, fields of each recipient, what is returned) of a report that is in order."""
    x = world.until("a report", 20, lambda: [x for x in list(f.letters) if not x["sender"] and mark.encode() in x["data"]])[0]
    need(x["rcpts"] == [peers.TO], "it went to %r" % x["rcpts"])
    got = x["data"].replace(b"\r\n", b"\n")
    for judge, verdict in peers.judge(got).items():
        need(verdict.startswith("pass"), "%s says: %s" % (judge, verdict))
    need(b"d=%s;" % peers.HOME.encode() in got, "not signed for the domain of From:")
    m = email.message_from_bytes(got, policy=email.policy.default)
    need(m["From"].addresses[0].addr_spec == "MAILER-DAEMON@" + peers.HOME, "From: %s" % m["From"])
    need(m["To"].addresses[0].addr_spec == ME, "To: %s" % m["To"])
    need(m["Auto-Submitted"] == "auto-replied" and m["MIME-Version"] == "1.0", "header")
    need(m.get_content_type() == "multipart/report" and m.get_param("report-type") == "delivery-status", "type")
    parts = list(m.iter_parts())
    if parts[-1].get("Content-Transfer-Encoding") != "quoted-printable":    # this judge does not decode letters in letters
        need(not any(p.defects for p in m.walk()), "%r" % [p.defects for p in m.walk()])
    need(len(parts) == 3, "%d parts" % len(parts))
    need(parts[1].get_content_type() == "message/delivery-status", "second part")
    status = parts[1].get_payload()
    need(status[0]["Reporting-MTA"] == "dns; " + peers.APPLIANCE, "Reporting-MTA")
    return parts[0].get_content(), status[0], status[1:], parts[2]


def one_failed(w):
    w.appliance()
    mark, text = letter(ME)
    with w.fake(replies={"RCPT": ["550 5.1.1 nobody\there \x07"]}) as f:
        send(w, text, [("ann" + AT, "")])
        human, whole, each, back = report(f, mark)
    need("<ann%s>" % AT in human and "mx.other.example said:" in human, "text: " + human)
    need(len(each) == 1 and whole["Arrival-Date"] and not whole["Original-Envelope-Id"], "fields")
    wants = {"Final-Recipient": "rfc822; ann" + AT, "Action": "failed", "Status": "5.1.1",
             "Remote-MTA": "dns; mx.other.example"}
    for name, value in wants.items():
        need(each[0][name] == value, "%s: %s" % (name, each[0][name]))
    need(each[0]["Diagnostic-Code"].startswith("smtp; 550 5.1.1 nobody"), each[0]["Diagnostic-Code"])
    need(back.get_content_type() == "text/rfc822-headers" and mark in str(back), "the header is not there")


def some_of_many(w):
    """Three of five fail, in one transaction or another: one report tells of these three."""
    w.appliance()
    mark, text = letter(ME)
    said = ["250 2.1.5 ok", "550 5.1.1 no b", "250 2.1.5 ok", "552 5.2.2 no d", "554 5.7.1 no e"]
    with w.fake(replies={"RCPT": said}) as f:
        send(w, text, [(x + AT, "") for x in "abcde"])
        _, _, each, _ = report(f, mark)
        need(len(each) == 3 and all(x["Action"] == "failed" for x in each), "%d recipients" % len(each))
        good = {r for x in f.letters if x["sender"] for r in x["rcpts"]}
    need({x["Final-Recipient"][8:] for x in each} | good == {x + AT for x in "abcde"}, "recipients")
    need(sorted(x["Status"] for x in each) == ["5.1.1", "5.2.2", "5.7.1"], "codes")


def what_the_sender_asked_for(w):
    """NOTIFY=NEVER: nothing. NOTIFY=SUCCESS: a word when it was passed on. ORCPT and ENVID come back."""
    box = w.appliance()
    mark, text = letter(ME)
    never, other = letter(ME)
    with w.fake(replies={"RCPT": ["550 5.1.1 no"]}) as f:
        before = box.mark()
        send(w, other, [("ann" + AT, " NOTIFY=NEVER")])
        box.wait(r"queue: ev=failed .*to=ann@other\.example", 15, before)
        send(w, text, [("bob" + AT, " NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b+2Bob@elsewhere.example")],
             " RET=FULL ENVID=QQ+3D314159")
        _, whole, each, back = report(f, mark)
    need(whole["Original-Envelope-Id"] == "QQ=314159", "envid: %s" % whole["Original-Envelope-Id"])
    need(each[0]["Action"] == "relayed" and each[0]["Status"][0] == "2", "action")
    need(each[0]["Original-Recipient"] == "rfc822; b+ob@elsewhere.example", "orcpt: %s" % each[0]["Original-Recipient"])
    need(back.get_content_type() == "message/rfc822" and b"tabbed dot" in bytes(back), "the letter is not returned")
    need(not any(never.encode() in x["data"] for x in f.letters), "a report that nobody wanted")


def eight_bits_come_back(w):
    w.appliance()
    mark, text = letter(ME, body="Gr\u00fc\u00dfe\r\n".encode())
    with w.fake(replies={"RCPT": ["550 5.1.1 no"]}) as f:
        send(w, text, [("ann" + AT, "")], " BODY=8BITMIME RET=FULL")
        _, _, _, back = report(f, mark)
    need(back["Content-Transfer-Encoding"] == "8bit", "encoding %s" % back["Content-Transfer-Encoding"])
    need(any("Gr\u00fc\u00dfe".encode() in x["data"] for x in f.letters), "the octets changed")


def utf8_comes_back(w):
    """A recipient and a header in UTF-8 are told in ASCII (RFC 6533 3, utf-8-addr-xtext), the header as message/global-headers."""
    w.appliance()
    mark, text = letter(ME)
    text = text.replace(b"Subject: ", "Subject: Gr\u00fc\u00dfe \u4f8b ".encode())
    words = "PIPELINING|SIZE 52428800|8BITMIME|ENHANCEDSTATUSCODES|SMTPUTF8".split("|")
    offer = "".join("250-%s\r\n" % x for x in ["fake"] + words) + "250 STARTTLS"
    with w.fake(replies={"EHLO": offer, "RCPT": ["550 5.1.1 no"]}) as f:
        send(w, text, [("j\u00f6rg".encode().decode("latin-1") + AT, "")], " SMTPUTF8 BODY=8BITMIME")
        human, _, each, _ = report(f, mark)
        got = [x["data"] for x in f.letters if not x["sender"] and mark.encode() in x["data"]][0]
    need(each[0]["Final-Recipient"] == "utf-8; j\\x{F6}rg" + AT, each[0]["Final-Recipient"])
    need(got.isascii(), "the report has raw octets")
    kind, _, rest = got.partition(b"message/global-headers")
    need(kind and "Gr\u00fc\u00dfe \u4f8b".encode() in quopri.decodestring(rest), "the header did not come back")


CASES = [one_failed, some_of_many, what_the_sender_asked_for, eight_bits_come_back, utf8_comes_back]
