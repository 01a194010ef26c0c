package api

import (
	"net/http"
	"strconv"
	"strings"
)

// agreeOnDeflate takes up the first offer of permessage-deflate (RFC 7692, section
// 7.1) that can be met, and returns the kind of stream that it makes and the answer
// to it; nil for none.
func agreeOnDeflate(h http.Header) (kind *streamKind, answer string) {
	for _, line := range h.Values("Sec-WebSocket-Extensions") {
		for offer := range strings.SplitSeq(line, ",") {
			if kind, answer := takeUp(offer); kind != nil {
				return kind, answer
			}
		}
	}
	return nil, ""
}

// takeUp answers one offer, such as "permessage-deflate; server_max_window_bits=12".
// What asks for something unknown, or for one thing twice, is none that counts.
func takeUp(offer string) (kind *streamKind, answer string) {
	const agreed = "permessage-deflate; client_no_context_takeover; server_no_context_takeover"
	name, rest, more := strings.Cut(offer, ";")
	if strings.TrimSpace(name) != "permessage-deflate" {
		return nil, ""
	}
	asked := make(map[string]int) // bits, 0 where there are none
	for more {
		var param string
		param, rest, more = strings.Cut(rest, ";")
		name, bits, ok := windowParam(strings.TrimSpace(param))
		if _, twice := asked[name]; !ok || twice {
			return nil, ""
		}
		asked[name] = bits
	}
	switch window, limited := asked["server_max_window_bits"]; {
	case !limited:
		return deflatedSocket, agreed
	case window == wideWindow:
		return deflatedSocket, agreed + "; server_max_window_bits=" + strconv.Itoa(wideWindow)
	case window >= narrowWindow:
		return narrowSocket, agreed + "; server_max_window_bits=" + strconv.Itoa(narrowWindow)
	}
	return nil, "" // a window that is hardly worth it
}

// windowParam reads a parameter of an offer and reports whether it is one.
func windowParam(param string) (name string, bits int, ok bool) {
	name, value, valued := strings.Cut(param, "=")
	value = strings.Trim(value, `"`)
	bits, _ = strconv.Atoi(value)
	window := bits >= 8 && bits <= 15 && value == strconv.Itoa(bits)
	switch name {
	case "server_no_context_takeover", "client_no_context_takeover":
		return name, 0, !valued
	case "server_max_window_bits":
		return name, bits, window
	case "client_max_window_bits":
		return name, bits, window || !valued
	}
	return name, 0, false
}
