package email

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/sdk"
)

// dsn makes a delivery status notification with recipient blocks.
func dsn(blocks ...string) string {
	return "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example (Mail Delivery System)\r\nTo: bounce@news.example\r\nSubject: Undelivered Mail Returned to Sender\r\n" +
		"Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"b1\"\r\n\r\n" +
		"--b1\r\nContent-Type: text/plain\r\n\r\nThis is the mail system. other@example.org 5.1.1\r\n\r\n--b1\r\nContent-Type: message/delivery-status\r\n\r\n" +
		"Reporting-MTA: dns; mx.example\r\nOriginal-Envelope-Id: tok1\r\nArrival-Date: Fri, 20 Nov 2026 17:00:00 +0000\r\n\r\n" + strings.Join(blocks, "\r\n") +
		"\r\n--b1\r\nContent-Type: text/rfc822-headers\r\n\r\nReturn-Path: <bounce+x@news.example>\r\nMessage-ID: <d1@news.example>\r\nSubject: x\r\n\r\n--b1--\r\n"
}

func block(lines ...string) string { return strings.Join(lines, "\r\n") + "\r\n" }

func failed(status, diagnostic string) string {
	return dsn(block("Final-Recipient: rfc822; a@example.org", "Action: failed", "Status: "+status, "Diagnostic-Code: smtp; "+diagnostic))
}

func TestReactionTable(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]string{
		"5.1.1": "hard", "5.1.2": "hard", "5.1.3": "hard", "5.1.6": "hard", "5.1.10": "hard", "5.2.1": "hard",
		"4.2.1": "soft", "5.2.2": "soft", "4.2.2": "soft", "5.2.3": "other", "5.3.4": "other", "5.3.0": "soft", "4.3.1": "soft", "4.4.7": "soft", "4.4.1": "soft",
		"5.4.4": "soft", "5.4.1": "soft", "5.5.1": "other", "5.5.99": "other", "5.6.1": "other", "5.6.0": "other", "5.7.1": "other", "5.7.26": "other", "5.7.515": "other",
		"4.7.28": "other", "4.7.32": "other", "4.7.1": "soft", "5.0.0": "soft", "4.0.0": "soft", "5.1.0": "soft", "5.1.8": "other", "5.1.7": "other", "5.2.99": "soft", "5.9.9": "soft", "4.1.1": "soft",
	} {
		r := Classify([]byte(failed(status, "said nothing more")))
		if len(r.Recipients) != 1 || string(r.Recipients[0].Class) != want || r.Recipients[0].Status != status || r.Kind != ReportBounce {
			t.Errorf("%s: %+v, want %s", status, r, want)
		}
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	one := func(class sdk.BounceClass, status, reason string) []Recipient {
		return []Recipient{{Address: "a@example.org", Class: class, Status: status, Reason: reason, Final: true}}
	}
	for name, tc := range map[string]struct {
		raw  string
		kind ReportKind
		want []Recipient
	}{
		"the text knows more than the status": {failed("5.0.0", "550-5.1.1 The email account that you tried to reach does not exist.\r\n 550 5.1.1 Please try"), ReportBounce,
			one(sdk.BounceHard, "5.1.1", "550-5.1.1 The email account that you tried to reach does not exist. 550 5.1.1 Please try")},
		"only words":                  {failed("5.0.0", "550 No such user here"), ReportBounce, one(sdk.BounceHard, "5.1.1", "550 No such user here")},
		"a comment behind":            {failed("5.1.1 (bad destination mailbox address)", "550 no"), ReportBounce, one(sdk.BounceHard, "5.1.1", "550 no")},
		"policy":                      {failed("5.7.1", "550 5.7.1 blocked using a list, see https://list.example"), ReportBounce, one(sdk.BounceOther, "5.7.1", "550 5.7.1 blocked using a list, see https://list.example")},
		"blocked by the person":       {failed("5.7.1", "554 5.7.1 The sender was blocked by the recipient"), ReportBounce, one(sdk.BounceHard, "5.7.1", "554 5.7.1 The sender was blocked by the recipient")},
		"the queue gave up":           {failed("4.4.7", "451 4.4.1 timeout"), ReportBounce, one(sdk.BounceSoft, "4.4.7", "451 4.4.1 timeout")},
		"full, at Gmail":              {failed("5.2.2", "552-5.2.2 The email account that you tried to reach is over quota."), ReportBounce, one(sdk.BounceSoft, "5.2.2", "552-5.2.2 The email account that you tried to reach is over quota.")},
		"a version number is no code": {failed("5.0.0", "550 rejected by Filter 5.1.1.9 build"), ReportBounce, one(sdk.BounceSoft, "5.0.0", "550 rejected by Filter 5.1.1.9 build")},
		"delayed": {dsn(block("Final-Recipient: rfc822; a@example.org", "Action: delayed", "Status: 4.4.1")), ReportBounce,
			[]Recipient{{Address: "a@example.org", Class: sdk.BounceOther, Status: "4.4.1"}}},
		"delivered": {dsn(block("Final-Recipient: rfc822; a@example.org", "Action: delivered", "Status: 2.0.0")), ReportBounce,
			[]Recipient{{Address: "a@example.org", Class: sdk.BounceOther, Status: "2.0.0"}}},
		"the original address counts": {dsn(block("Original-Recipient: rfc822;a+2Bb@example.org", "Final-Recipient: rfc822; inner@host.example", "Action: failed", "Status: 5.1.1")),
			ReportBounce, []Recipient{{Address: "a+b@example.org", Class: sdk.BounceHard, Status: "5.1.1", Final: true}}},
		"a plus tag stays": {dsn(block("Original-Recipient: rfc822;a+news@example.org", "Action: failed", "Status: 5.1.1")),
			ReportBounce, []Recipient{{Address: "a+news@example.org", Class: sdk.BounceHard, Status: "5.1.1", Final: true}}},
		"several": {dsn(block("Final-Recipient: RFC822; <a@example.org>", "Action: Failed (dead)", "Status: 5.1.1"),
			block("Final-Recipient: rfc822;b@example.org", "Action: failed", "Status: 4.2.2", "Diagnostic-Code: smtp;", "\t452 4.2.2", " mailbox full")), ReportBounce,
			[]Recipient{{Address: "a@example.org", Class: sdk.BounceHard, Status: "5.1.1", Final: true},
				{Address: "b@example.org", Class: sdk.BounceSoft, Status: "4.2.2", Reason: "452 4.2.2 mailbox full", Final: true}}},
		"no recipients":                     {dsn("X: y\r\n"), ReportBounce, nil},
		"UTF-8 addresses":                   {dsn(block("Final-Recipient: utf-8; zoé@example.org", "Action: failed", "Status: 5.1.1")), ReportBounce, []Recipient{{Address: "zoé@example.org", Class: sdk.BounceHard, Status: "5.1.1", Final: true}}},
		"line feeds only":                   {strings.ReplaceAll(failed("5.1.1", "550 no"), "\r\n", "\n"), ReportBounce, one(sdk.BounceHard, "5.1.1", "550 no")},
		"cut off":                           {strings.SplitAfter(failed("5.1.1", "550 no"), "Status: 5.1.1\r\n")[0], ReportBounce, []Recipient{{Address: "a@example.org", Class: sdk.BounceHard, Status: "5.1.1", Final: true}}},
		"leading zeros":                     {failed("5.01.1", "x"), ReportBounce, one(sdk.BounceSoft, "", "x")},
		"nothing":                           {"", ReportOther, nil},
		"no mail":                           {"\x00\x01\x02", ReportOther, nil},
		"a person":                          {"From: a@b.example\r\nSubject: Re: Brief\r\n\r\nSTOP\r\n", ReportOther, nil},
		"a note of absence":                 {"From: a@b.example\r\nAuto-Submitted: auto-replied (vacation)\r\nSubject: absent\r\n\r\nback on 5.1.1\r\n", ReportAutomatic, nil},
		"a list":                            {"From: a@b.example\r\nList-Id: <x.example>\r\n\r\nhello\r\n", ReportAutomatic, nil},
		"owner":                             {"From: owner-x@b.example\r\n\r\nhello\r\n", ReportAutomatic, nil},
		"a challenge":                       {"From: postmaster@b.example\r\nSubject: please confirm\r\n\r\nClick here\r\n", ReportAutomatic, nil},
		"a person who says that it bounced": {"From: a@b.example\r\nSubject: your mail\r\n\r\n> b@example.org: 550 5.1.1 unknown\r\n", ReportOther, nil},
		"qmail": {"Return-Path: <>\r\nFrom: MAILER-DAEMON@q.example\r\nSubject: failure notice\r\n\r\nHi. This is the qmail-send program at q.example.\r\nI'm afraid I wasn't able to deliver.\r\n\r\n" +
			"<a@example.org>:\r\nSorry, no mailbox here by that name. (#5.1.1)\r\n\r\n--- Below this line is a copy of the message.\r\n\r\nReturn-Path: <bounce+x@news.example>\r\nMessage-ID: <d1@news.example>\r\nb@example.org: 5.2.2\r\n",
			ReportBounce, one(sdk.BounceHard, "5.1.1", "Sorry, no mailbox here by that name. (#5.1.1)")},
		"Exim": {"From: Mail Delivery System <Mailer-Daemon@e.example>\r\nX-Failed-Recipients: a@example.org\r\nSubject: Mail delivery failed: returning message to sender\r\n\r\n" +
			"This message was created automatically by mail delivery software.\r\n\r\n  a@example.org\r\n    host mx.example.org [192.0.2.1]\r\n    SMTP error from remote mail server after RCPT TO:<a@example.org>:\r\n    550 5.2.1 disabled\r\n",
			ReportBounce, one(sdk.BounceHard, "5.2.1", "host mx.example.org [192.0.2.1] SMTP error from remote mail server after RCPT TO:<a@example.org>: 550 5.2.1 disabled")},
		"Exim, named only in the header": {"From: Mailer-Daemon@e.example\r\nX-Failed-Recipients: a@example.org\r\nSubject: x\r\n\r\nunknown user\r\n", ReportBounce,
			one(sdk.BounceHard, "5.1.1", "unknown user")},
		"French words": {"From: postmaster@f.example\r\nSubject: =?utf-8?q?=C3=89chec_de_remise?=\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n<a@example.org> : utilisateur inconnu\r\n", ReportBounce,
			one(sdk.BounceHard, "5.1.1", "utilisateur inconnu")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Classify([]byte(tc.raw))
			if got.Kind != tc.kind {
				t.Errorf("it is %s, want %s", got.Kind, tc.kind)
			}
			if diff := cmp.Diff(tc.want, got.Recipients); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func arf(fields, third string) string {
	return "From: feedback@arf.example\r\nTo: fbl@news.example\r\nSubject: abuse\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=b2\r\n\r\n" +
		"--b2\r\nContent-Type: text/plain\r\n\r\nThis is a report.\r\n--b2\r\nContent-Type: message/feedback-report\r\n\r\n" + fields + "\r\n--b2\r\nContent-Type: message/rfc822\r\n\r\n" + third + "\r\n--b2--\r\n"
}

func TestClassifyComplaints(t *testing.T) {
	t.Parallel()
	whole := "Feedback-Type: abuse\r\nUser-Agent: Provider/1.0\r\nVersion: 1\r\nOriginal-Mail-From: <bounce+tok@news.example>\r\nOriginal-Rcpt-To: <a@example.org>\r\nNew-Field: x\r\n"
	got := Classify([]byte(arf(whole, "Return-Path: <bounce+tok2@news.example>\r\nMessage-ID: <d1@news.example>\r\n\r\nhello")))
	want := Report{Kind: ReportComplaint, Feedback: "abuse", MessageID: "<d1@news.example>", Addresses: []string{"<bounce+tok@news.example>", "<bounce+tok2@news.example>"},
		Recipients: []Recipient{{Address: "a@example.org", Class: sdk.BounceOther, Reason: "complaint: abuse", Final: true}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for name, fields := range map[string]string{
		"no version": "Feedback-Type: abuse\r\nUser-Agent: x\r\n", "no type": "User-Agent: x\r\nVersion: 1\r\n", "two types": "Feedback-Type: abuse\r\nFeedback-Type: not-spam\r\nUser-Agent: x\r\nVersion: 1\r\n",
		"no agent": "Feedback-Type: abuse\r\nVersion: 1\r\n", "empty": "",
	} {
		if got := Classify([]byte(arf(fields, "x: y\r\n"))); got.Kind != ReportOther || got.Recipients != nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	redacted := Classify([]byte(arf("Feedback-Type: fraud\r\nUser-Agent: x\r\nVersion: 1\r\n", "x: y\r\n")))
	if redacted.Kind != ReportComplaint || len(redacted.Recipients) != 1 || redacted.Recipients[0].Address != "" {
		t.Errorf("%+v", redacted)
	}
}

// TestClassifyFiles reads what stands in testdata/bounces: a file NAME.eml has its answer in its name, CLASS-STATUS-….eml.
func TestClassifyFiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/bounces/*.eml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(filepath.Base(f), "_")
		got := Classify(raw)
		if len(got.Recipients) != 1 || string(got.Recipients[0].Class) != parts[0] || got.Recipients[0].Status != parts[1] || got.Recipients[0].Address != "reader@example.org" {
			t.Errorf("%s: %+v", f, got)
		}
	}
}

// FuzzClassify: nothing brings it down, and what it gives is bounded and clean.
func FuzzClassify(f *testing.F) {
	f.Add([]byte(failed("5.1.1", "550 no")))
	f.Add([]byte(arf("Feedback-Type: abuse\r\nUser-Agent: x\r\nVersion: 1\r\n", "x: y\r\n")))
	f.Add([]byte("From: MAILER-DAEMON@x.example\r\nSubject: failure notice\r\n\r\n<a@example.org>:\r\n(#5.1.1)\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := Classify(raw)
		if len(r.Recipients) > maxRecipients {
			t.Fatalf("%d recipients", len(r.Recipients))
		}
		for _, x := range r.Recipients {
			if strings.ContainsAny(x.Address+x.Reason, "\r\n\x00") || len(x.Reason) > maxReason+4 {
				t.Fatalf("%+v", x)
			}
			if x.Class != sdk.BounceHard && x.Class != sdk.BounceSoft && x.Class != sdk.BounceOther {
				t.Fatalf("%+v", x)
			}
			if x.Class == sdk.BounceHard && strings.HasPrefix(x.Status, "4") {
				t.Fatalf("a temporary failure is hard: %+v", x)
			}
		}
		if again := Classify(raw); cmp.Diff(r, again) != "" {
			t.Fatal("it is not deterministic")
		}
	})
}
