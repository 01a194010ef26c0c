package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestStatusOfARunningGateway(t *testing.T) {
	p := start(t, t.TempDir())
	p.must("PUT", "/networks/7", map[string]any{"name": "seven"})
	conn := p.subscribe(t.Context(), "")
	defer conn.CloseNow()
	for range 2 { // with heartbeat and snapshot the stream stands still
		if _, _, err := conn.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"GATEWAY_URL=http://" + p.addr + "/", "GATEWAY_TOKEN=" + testToken}

	status, out, stderr := runToEnd(t, env, "status")
	for _, want := range []string{
		`(?m)^role +primary$`, `(?m)^position +[A-Za-z0-9-]+:1$`, `(?m)^on disk +1$`, `(?m)^subscribers +1, 1 websocket$`, `(?m)^lag +0$`,
		`(?m)^1 +websocket +127\.0\.0\.1:\d+ +1 +- +0 +\d+s$`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("want %s in\n%s", want, out)
		}
	}
	if status != 0 || stderr != "" {
		t.Errorf("status %d, %s", status, stderr)
	}

	status, out, _ = runToEnd(t, env, "status", "--json")
	if answer := string(p.must("GET", "/replication", nil)); status != 0 || out != answer+"\n" {
		t.Errorf("status %d\ngot  %s\nwant %s", status, out, answer)
	}
	if status, out, stderr := runToEnd(t, env, "status", "--token", "wrong"); status != 1 || out != "" || !strings.Contains(stderr, "401") {
		t.Errorf("with a wrong token: status %d, %q, %q", status, out, stderr)
	}
	if status, _, stderr := runToEnd(t, env, "status", "--show=-1"); status != 2 || !strings.Contains(stderr, "--show") {
		t.Errorf("--show=-1: status %d, %q", status, stderr)
	}
}

func TestStatusTable(t *testing.T) {
	const answer = `{"role":"standby","epoch":"e1","seq_no":100,"durable_seq_no":102,"primary":"http://other:8080",
		"upstream":{"up":false,"since":"2024-05-01T11:59:48.000Z","silent_ms":42000},"standbys":[
		{"id":"s-4","connected":true,"since":"2024-05-01T11:00:00.000Z","acked_seq_no":98,"behind":4,"behind_ms":250},
		{"id":"s-5","connected":false,"since":"2024-05-01T11:58:00.000Z","acked_seq_no":40,"behind":62,"behind_ms":120000}],
		"subscriber_count":4,"subscribers":[
		{"id":"1","kind":"websocket","remote_addr":"a:1","seq_no":100,"behind":0,"connected_at":"2024-05-01T11:59:00.000Z"},
		{"id":"2","kind":"sse","remote_addr":"b:2","seq_no":93,"behind":7,"connected_at":"2024-05-01T10:00:00.000Z"},
		{"id":"3","kind":"websocket","remote_addr":"c:3","seq_no":99,"behind":1,"connected_at":"2024-05-01T12:00:01.000Z"},
		{"id":"s-4","kind":"standby","remote_addr":"d:4","seq_no":100,"acked_seq_no":98,"behind":0,"connected_at":"2024-05-01T11:00:00.000Z"}]}`
	const head = `role          standby
primary       http://other:8080, OUT OF REACH for 12s, last 42s ago
position      e1:100
on disk       102
subscribers   4, 1 sse, 1 standby, 2 websocket
lag           7

STANDBY   IS          SINCE    ON ITS DISK   BEHIND   FOR
s-4       connected   1h0m0s   98            4        250ms
s-5       gone        2m0s     40            62       2m0s

`
	for show, want := range map[int]string{
		0: head + `ID    KIND        FROM   SEQ_NO   ACKED   LAG   CONNECTED
s-4   standby     d:4    100      98      2     1h0m0s
2     sse         b:2    93       -       7     2h0m0s
3     websocket   c:3    99       -       1     0s
1     websocket   a:1    100      -       0     1m0s
`,
		2: head + `ID    KIND      FROM   SEQ_NO   ACKED   LAG   CONNECTED
s-4   standby   d:4    100      98      2     1h0m0s
2     sse       b:2    93       -       7     2h0m0s
and 2 more
`,
	} {
		var r replication
		if err := json.Unmarshal([]byte(answer), &r); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := r.print(&out, show, time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("at most %d:\n%s\nwant:\n%s", show, &out, want)
		}
	}
}

// A gateway that is not let in where it follows, or asks whether it should, says why.
func TestStatusSaysWhyItCannotFollow(t *testing.T) {
	for answer, want := range map[string]string{
		`{"role":"standby","epoch":"e1","seq_no":7,"primary":"http://other:8080",
			"upstream":{"up":false,"since":"2024-05-01T11:59:48.000Z","problem":"refused: 401 unauthorized"}}`: `role            standby
primary         http://other:8080, NOT FOLLOWED for 12s, never heard of before
cannot follow   refused: 401 unauthorized
`,
		`{"role":"primary","epoch":"e1","seq_no":7,
			"upstream":{"up":false,"since":"2024-05-01T11:59:48.000Z","problem":"another branch"}}`: `role            primary
cannot follow   another branch
`,
	} {
		var r replication
		if err := json.Unmarshal([]byte(answer), &r); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := r.print(&out, 0, time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(out.String(), want) {
			t.Errorf("got\n%s\nwant first\n%s", &out, want)
		}
	}
}
